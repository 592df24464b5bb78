"""Tests about proportions of 0/1 columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.names import is_binary
from smlnb.exploration.result import Alternative, TestResult, check_alternative, check_level, tail
from smlnb.exploration.samples import compared
from smlnb.stats.table import TableSummary

__all__ = ["proportion_test"]


def proportion_test(
    summary: TableSummary,
    x: str,
    y: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    p: float | None = None,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> TestResult:
    """Compare shares of ones by the normal distribution; samples count as independent.

    Two shares are compared with their pooled variance, one with the variance that the known share ``p`` implies. The
    interval is Wilson's for one share and Newcombe's (1998) for a difference.

    Parameters
    ----------
    summary : TableSummary
    x, y, by
        As in :func:`smlnb.exploration.means.z_test`; ``x`` and ``y`` are binary attributes or values of categories,
        named as ``attribute$value``.
    p : float, optional
        The known share.
    alternative : {"two-sided", "less", "greater"}
    level : float, default 0.95

    Raises
    ------
    SchemaError, UnknownAttributeError
        If it is not clear what to compare, or it is no 0/1 column.
    NotEnoughDataError
        If there are no values, or all are 0, or all are 1.
    """
    for name in (x, y):
        if name is not None and not is_binary(summary, name):
            raise SchemaError(f"{name!r} is continuous, so it has no share of ones. Declare it B, or compare means.")
    first, second = compared(summary, x, y, by, p=p)
    if second is not None and p is not None:
        raise SchemaError("Give a second sample or p=, not both.")
    check_alternative(alternative)
    check_level(level)
    first.need(1)
    a, n = round(first.n * first.mean), first.n
    q = float(stats.norm.ppf((1 + level) / 2 if alternative == "two-sided" else level))
    share = a / n
    if second is None:
        known = float(p or 0)
        if not 0 < known < 1:
            raise SchemaError(f"p={p!r}: a known share lies between 0 and 1.")
        statistic = (share - known) / sqrt(known * (1 - known) / n)
        low, high = _wilson(a, n, q)
        estimate, what = {"share": share}, f"z-test of the share of {first.what} against {known:g}"
        least, most = 0.0, 1.0
    else:
        second.need(1)
        b, m = round(second.n * second.mean), second.n
        pooled = (a + b) / (n + m)
        if pooled in (0.0, 1.0):
            raise NotEnoughDataError(
                f"{first.what} and {second.what}: all values are {pooled:.0f}, so there is no error to compare with."
            )
        share2 = b / m
        statistic = (share - share2) / sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        (low1, high1), (low2, high2) = _wilson(a, n, q), _wilson(b, m, q)
        low = share - share2 - sqrt((share - low1) ** 2 + (high2 - share2) ** 2)
        high = share - share2 + sqrt((high1 - share) ** 2 + (share2 - low2) ** 2)
        estimate = {"difference": share - share2, "share1": share, "share2": share2}
        what, least, most = f"z-test of the shares of {first.what} and {second.what}", -1.0, 1.0
    return TestResult(
        what=what,
        statistic=statistic,
        pvalue=tail(stats.norm, statistic, alternative),
        estimate=estimate,
        ci=(least if alternative == "less" else low, most if alternative == "greater" else high),
        level=level,
        alternative=alternative,
        n=tuple(s.n for s in (first, second) if s is not None),
    )


def _wilson(ones: int, n: int, q: float) -> tuple[float, float]:
    share, z = ones / n, q * q
    middle = (share + z / (2 * n)) / (1 + z / n)
    margin = q / (1 + z / n) * sqrt(share * (1 - share) / n + z / (4 * n * n))
    return max(0.0, middle - margin), min(1.0, middle + margin)
