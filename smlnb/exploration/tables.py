"""Tables of joint counts of categories and binary attributes, and the chi-squared test on them."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.names import column, is_binary, listed, value_columns
from smlnb.exploration.result import TestResult
from smlnb.exploration.samples import joint_count
from smlnb.stats.table import TableSummary

__all__ = ["chi2_test", "crosstab"]

Side = str | Sequence[str]
FEW = 5  # expected counts below this make the chi-squared distribution a poor guide (Cochran 1954)


def crosstab(summary: TableSummary, a: Side, b: Side) -> pd.DataFrame:
    """Return the joint counts of two categories, over the rows where both are present; exact.

    Parameters
    ----------
    summary : TableSummary
    a, b : str or sequence of str
        A category; a binary attribute or a value of a category (1 and 0); or several of these that no row fulfils
        together. Values of a category beyond those with a column of their own are counted as ``(other)``.

    Returns
    -------
    pandas.DataFrame
        Integers, one row per value of ``a`` and one column per value of ``b``; values that never occur are left out.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If an attribute has no values to count.
    StatisticsError
        If conditions named together hold in one row.
    """
    rows, cols = _levels(summary, a), _levels(summary, b)
    counts = np.array([[_count(summary, r, c) for c in cols.values()] for r in rows.values()], dtype=np.int64)
    counts = counts.reshape(len(rows), len(cols))
    frame = pd.DataFrame(
        counts, index=pd.Index(list(rows), name=_title(a)), columns=pd.Index(list(cols), name=_title(b))
    )
    return frame.iloc[np.flatnonzero(counts.sum(axis=1)), np.flatnonzero(counts.sum(axis=0))]


Level = tuple[int, bool]  # a column of the co-moments, and whether its ones are meant or its zeros


def _levels(summary: TableSummary, side: Side) -> dict[str, Level]:
    if isinstance(side, str):
        if side in summary.schema.categories:
            return {value: (i, True) for value, i in value_columns(summary, side).items()}
        i = _binary(summary, side)
        return {"0": (i, False), "1": (i, True)}
    names = list(side)
    if len(names) == 1:
        return _levels(summary, names[0])
    if not names or len(set(names)) < len(names):
        raise SchemaError("Name a category, a binary attribute, or several different conditions.")
    levels = {name: (_binary(summary, name), True) for name in names}
    for k, first in enumerate(names):
        for second in names[:k]:
            if both := joint_count(summary, levels[first][0], levels[second][0]):
                raise StatisticsError(
                    f"{second!r} and {first!r} hold together in {both:,} row(s), which would be counted twice. Name "
                    "conditions that exclude each other."
                )
    return levels


def _binary(summary: TableSummary, name: str) -> int:
    if not is_binary(summary, name):
        raise SchemaError(f"{name!r} is continuous: it has no values to count. Declare it B or T, or compare means.")
    return column(summary, name)


def _count(summary: TableSummary, row: Level, col: Level) -> int:
    (i, i_ones), (j, j_ones) = row, col
    pairs = summary.pairs
    n, both = int(pairs.count[i, j]), joint_count(summary, i, j)
    a, b = round(n * float(pairs.mean[i, j])), round(n * float(pairs.mean[j, i]))
    if i_ones:
        return both if j_ones else a - both
    return b - both if j_ones else n - a - b + both


def chi2_test(summary: TableSummary, a: Side, b: Side, *, correction: bool = False) -> TestResult:
    """Test whether two categories are independent.

    Parameters
    ----------
    summary : TableSummary
    a, b : str or sequence of str
        As in :func:`crosstab`.
    correction : bool, default False
        Yates' correction for tables of two by two, on by default in SciPy.

    Returns
    -------
    TestResult
        Pearson's chi-squared, with ``estimate["cramers_v"]`` and ``estimate["tschuprows_t"]`` (both from the
        uncorrected figure), and the tables ``"observed"`` and ``"expected"``.

    Raises
    ------
    NotEnoughDataError
        If one of the two has a single value.
    """
    observed = crosstab(summary, a, b)
    rows, cols = observed.shape
    what = f"chi-squared test of {_title(a)} and {_title(b)}"
    if rows < 2 or cols < 2:
        single = _title(a) if rows < 2 else _title(b)
        raise NotEnoughDataError(f"{what}: {single} has fewer than two values where both are present.")
    counts = observed.to_numpy()
    found: Any = stats.chi2_contingency(counts, correction=correction)
    expected = np.asarray(found.expected_freq)
    n = int(counts.sum())
    plain = float(((counts - expected) ** 2 / expected).sum())
    small = int((expected < FEW).sum())
    notes = (f"{small} of {expected.size} expected counts are below {FEW}: the p-value is rough.",) if small else ()
    return TestResult(
        what=what,
        statistic=float(found.statistic),
        pvalue=float(found.pvalue),
        df=(float(found.dof),),
        estimate={
            "cramers_v": sqrt(plain / n / (min(rows, cols) - 1)),
            "tschuprows_t": sqrt(plain / n / sqrt((rows - 1) * (cols - 1))),
        },
        n=(n,),
        tables={
            "observed": observed,
            "expected": pd.DataFrame(expected, index=observed.index, columns=observed.columns),
        },
        notes=notes,
    )


def _title(side: Side) -> str:
    return side if isinstance(side, str) else listed(side).replace("'", "")
