"""One-way analysis of variance."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.result import TestResult
from smlnb.exploration.samples import Sample, groups, sample
from smlnb.stats.table import TableSummary

__all__ = ["anova"]


def anova(summary: TableSummary, x: str | Sequence[str], *, by: str | Sequence[str] | None = None) -> TestResult:
    """Test whether means are equal: of several attributes, or of one attribute in groups.

    Parameters
    ----------
    summary : TableSummary
    x : str or sequence of str
        One attribute, with ``by``; or at least two, each a sample of its own (they count as independent).
    by : str or sequence of str, optional
        A category, a binary attribute, or at least two conditions that no row fulfils together.

    Returns
    -------
    TestResult
        F, with ``estimate["eta_squared"]``, the share of the variance that lies between the groups, and the tables
        ``"variance"`` (source, sum of squares, df, mean square, F, p) and ``"groups"``.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If it is not clear what to compare.
    NotEnoughDataError
        If there are fewer than two groups with values, or nothing varies inside any of them.

    Notes
    -----
    The sum of squares between the groups is of the deviations of their means from the mean of all: nothing is lost
    when the values are far from zero.
    """
    parts = _parts(summary, x, by)
    k, n = len(parts), sum(p.n for p in parts.values())
    what = f"ANOVA of {x if isinstance(x, str) else ', '.join(x)}" + ("" if by is None else f" by {_words(by)}")
    if k < 2 or n <= k:
        raise NotEnoughDataError(
            f"{what}: there are {n} value(s) in {k} group(s). Two groups and a value more are needed."
        )
    for part in parts.values():
        part.need(1)
    first = next(iter(parts.values())).mean
    mean = first + sum(p.n * (p.mean - first) for p in parts.values()) / n
    between = sum(p.n * (p.mean - mean) ** 2 for p in parts.values())
    within = sum(p.m2 for p in parts.values())
    if not within > 0:
        raise NotEnoughDataError(f"{what}: nothing varies inside the groups, so there is no error to compare with.")
    df = (float(k - 1), float(n - k))
    f = (between / df[0]) / (within / df[1])
    pvalue = float(stats.f.sf(f, *df))
    total = between + within
    variance = pd.DataFrame(
        {
            "sum_sq": [between, within, total],
            "df": [*df, sum(df)],
            "mean_sq": [between / df[0], within / df[1], float("nan")],
            "F": [f, float("nan"), float("nan")],
            "pvalue": [pvalue, float("nan"), float("nan")],
        },
        index=pd.Index(["between", "within", "total"], name="source"),
    )
    table = pd.DataFrame(
        {
            "count": [p.n for p in parts.values()],
            "mean": [p.mean for p in parts.values()],
            "variance": [p.variance() for p in parts.values()],
        },
        index=pd.Index(list(parts), name="group"),
    )
    return TestResult(
        what=what,
        statistic=f,
        pvalue=pvalue,
        df=df,
        estimate={"eta_squared": between / total, "ss_between": between, "ss_within": within},
        n=tuple(p.n for p in parts.values()),
        tables={"variance": variance, "groups": table},
    )


def _parts(summary: TableSummary, x: str | Sequence[str], by: str | Sequence[str] | None) -> dict[str, Sample]:
    names = [x] if isinstance(x, str) else list(x)
    if by is not None:
        if len(names) != 1:
            raise SchemaError("With by=, name one attribute: its values are compared between the groups.")
        found = groups(summary, names[0], by)
    else:
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise SchemaError("Name at least two different attributes, or one with by=.")
        found = {name: sample(summary, name) for name in names}
    return {name: part for name, part in found.items() if part.n}


def _words(by: str | Sequence[str]) -> str:
    return by if isinstance(by, str) else ", ".join(by)
