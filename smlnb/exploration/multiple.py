"""Families of tests in one call, with p-values corrected for asking many questions."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.anova import anova
from smlnb.exploration.means import t_test
from smlnb.exploration.names import columns
from smlnb.exploration.result import check_level
from smlnb.exploration.tables import chi2_test, crosstab
from smlnb.schema import Kind
from smlnb.stats.table import TableSummary

__all__ = ["Correction", "adjusted_pvalues", "correlation_tests", "group_tests"]

Correction = Literal["bh", "by"]
TESTED = (Kind.CONTINUOUS, Kind.BINARY, Kind.CATEGORY)


def adjusted_pvalues(pvalues: ArrayLike, method: Correction = "bh") -> NDArray[np.float64]:
    """Return p-values corrected for the number of them; NaN, for tests that could not be made, does not count.

    Parameters
    ----------
    pvalues : array_like
    method : {"bh", "by"}
        Benjamini and Hochberg (1995), or Benjamini and Yekutieli (2001), which holds for tests that depend on each
        other in any way, and finds less.

    Raises
    ------
    SchemaError
        If the method is another, or these are no p-values.

    Examples
    --------
    >>> adjusted_pvalues([0.01, 0.04, float("nan"), 0.5]).round(4).tolist()
    [0.03, 0.06, nan, 0.5]
    """
    if method not in ("bh", "by"):
        raise SchemaError(f"The correction is 'bh' (Benjamini-Hochberg) or 'by' (Benjamini-Yekutieli), not {method!r}.")
    values = np.asarray(pvalues, dtype=float)
    some = ~np.isnan(values)
    if not ((values[some] >= 0) & (values[some] <= 1)).all():
        raise SchemaError("P-values lie between 0 and 1.")
    found = np.full(values.shape, np.nan)
    if some.any():
        found[some] = stats.false_discovery_control(values[some], method=method)
    return found


def group_tests(
    summary: TableSummary,
    by: str | Sequence[str],
    attributes: Sequence[str] | None = None,
    *,
    alpha: float = 0.05,
    method: Correction = "bh",
) -> pd.DataFrame:
    """Test every attribute for a difference between groups, the most certain first.

    Parameters
    ----------
    summary : TableSummary
    by : str or sequence of str
        A category, a binary attribute, a value of a category (against all others), or at least two conditions that no
        row fulfils together.
    attributes : sequence of str, optional
        Continuous, binary and category attributes; all of these but ``by`` by default.
    alpha : float, default 0.05
        The share of false discoveries allowed among those called significant.
    method : {"bh", "by"}
        See :func:`adjusted_pvalues`.

    Returns
    -------
    pandas.DataFrame
        Indexed by attribute: ``test`` (Welch's t for two groups, ANOVA for more, chi-squared for binary attributes and
        categories), ``statistic``, ``pvalue``, ``adjusted``, ``significant``, ``effect`` (the correlation ratio, or
        Cramer's V: 0 for none, 1 where the groups determine the attribute), ``n``, and ``note``: why there is no test,
        where ``pvalue`` is NaN.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If ``by`` makes no groups, or an attribute is text, a list or ignored.
    StatisticsError
        If two conditions hold in one row.
    """
    check_level(alpha)
    crosstab(summary, by, by)  # refuses what makes no groups
    rows = {}
    for name in _tested(summary, by, attributes):
        try:
            rows[name] = [*_compared(summary, name, by), ""]
        except StatisticsError as error:
            rows[name] = ["", nan, nan, nan, 0, str(error)]
    frame = pd.DataFrame.from_dict(
        rows, orient="index", columns=["test", "statistic", "pvalue", "effect", "n", "note"]
    ).rename_axis("attribute")
    return _corrected(frame, alpha, method)[
        ["test", "statistic", "pvalue", "adjusted", "significant", "effect", "n", "note"]
    ]


def _tested(summary: TableSummary, by: str | Sequence[str], attributes: Sequence[str] | None) -> list[str]:
    if isinstance(attributes, str):
        raise SchemaError(f"A list of attributes was wanted, not the text {attributes!r}.")
    conditions = [by] if isinstance(by, str) else list(by)
    if attributes is None:
        of = {*conditions, *(c for c in summary.schema.categories for b in conditions if b.startswith(f"{c}$"))}
        return [a.name for a in summary.schema if a.kind in TESTED and a.name not in of]
    for name in attributes:
        if name not in summary.schema.categories:
            columns(summary, [name])
    return list(dict.fromkeys(attributes))


def _compared(summary: TableSummary, name: str, by: str | Sequence[str]) -> tuple[str, float, float, float, int]:
    if name not in summary.schema or summary.schema[name].kind is not Kind.CONTINUOUS:
        table = chi2_test(summary, name, by)
        return "chi-squared", table.statistic, table.pvalue, table.estimate["cramers_v"], sum(table.n)
    groups = anova(summary, name, by=by)
    eta = sqrt(groups.estimate["eta_squared"])
    if len(groups.n) > 2:
        return "ANOVA", groups.statistic, groups.pvalue, eta, sum(groups.n)
    single = isinstance(by, str) and by in summary.schema.categories
    names = tuple(f"{by}${value}" for value in groups.tables["groups"].index) if single else by
    t = t_test(summary, name, by=names)
    return "Welch's t", t.statistic, t.pvalue, eta, sum(t.n)


def correlation_tests(
    summary: TableSummary,
    attributes: Sequence[str] | None = None,
    *,
    alpha: float = 0.05,
    method: Correction = "bh",
) -> pd.DataFrame:
    """Test every pair of attributes for a correlation, the most certain first.

    Parameters
    ----------
    summary : TableSummary
    attributes : sequence of str, optional
        Numeric attributes, or values of categories as ``attribute$value``; all numeric ones by default.
    alpha, method
        As for :func:`group_tests`.

    Returns
    -------
    pandas.DataFrame
        One row per pair: ``x``, ``y``, ``correlation``, ``statistic`` (Student's t), ``pvalue``, ``adjusted``,
        ``significant`` and ``n``, the rows in which both are present. NaN where a pair has fewer than three, or one of
        the two does not vary there.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two attributes.
    """
    check_level(alpha)
    index = np.array(columns(summary, attributes), np.intp)
    if len(index) < 2:
        raise NotEnoughDataError(f"Pairs of attributes are tested, and there are {len(index)} attribute(s). Name more.")
    first, second = np.triu_indices(len(index), 1)
    i, j = index[first], index[second]
    names = np.array(summary.pair_names, dtype=object)
    r, n = summary.pairs.correlation()[i, j], summary.pairs.count[i, j]
    r = np.where(n > 2, r, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = r * np.sqrt((n - 2) / ((1 - r) * (1 + r)))
    pvalue = 2 * stats.t.sf(np.abs(statistic), np.maximum(n - 2, 1))
    frame = pd.DataFrame(
        {"x": names[i], "y": names[j], "correlation": r, "statistic": statistic, "pvalue": pvalue, "n": n}
    )
    found = _corrected(frame, alpha, method).reset_index(drop=True)
    return found[["x", "y", "correlation", "statistic", "pvalue", "adjusted", "significant", "n"]]


def _corrected(frame: pd.DataFrame, alpha: float, method: Correction) -> pd.DataFrame:
    adjusted = adjusted_pvalues(frame["pvalue"].to_numpy(float), method)
    frame = frame.assign(adjusted=adjusted, significant=adjusted <= alpha)
    return frame.sort_values("pvalue", kind="stable", na_position="last")
