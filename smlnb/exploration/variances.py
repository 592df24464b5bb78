"""Tests about variances: F, of two samples or of one against a known standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.result import Alternative, TestResult, check_level, tail
from smlnb.exploration.samples import Sample, compared
from smlnb.stats.table import TableSummary

__all__ = ["f_test"]


def f_test(
    summary: TableSummary,
    x: str,
    y: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    sigma: float | None = None,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> TestResult:
    """Compare variances by their ratio F; values are taken as normally distributed.

    Parameters
    ----------
    summary : TableSummary
    x, y, by
        As in :func:`smlnb.exploration.means.z_test`.
    sigma : float, optional
        The known standard deviation, instead of a second sample: then (n - 1) F is chi-squared with n - 1 degrees of
        freedom.
    alternative : {"two-sided", "less", "greater"}
    level : float, default 0.95
        Of the interval of the ratio.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If it is not clear what to compare.
    NotEnoughDataError
        If there are too few values, or they do not vary.
    """
    first, second = compared(summary, x, y, by, sigma=sigma)
    if second is not None and sigma is not None:
        raise SchemaError("Give a second sample or sigma=, not both.")
    if sigma is not None and sigma <= 0:
        raise SchemaError(f"sigma={sigma!r}: a known standard deviation is positive.")
    check_level(level)
    _need_spread(first)
    df1 = float(first.n - 1)
    if second is None:
        ratio = first.variance() / float(sigma or 1) ** 2
        chi2 = stats.chi2(df1)
        low, high = (df1 * ratio / q if q else float("inf") for q in _quantiles(chi2, level, alternative))
        pvalue = tail(chi2, df1 * ratio, alternative)
        df: tuple[float, ...] = (df1, float("inf"))
        what, against = f"F-test of {first.what} against the standard deviation {sigma:g}", float(sigma or 1) ** 2
    else:
        _need_spread(second)
        df = (df1, float(second.n - 1))
        ratio = first.variance() / second.variance()
        f = stats.f(*df)
        low, high = (ratio / q if q else float("inf") for q in _quantiles(f, level, alternative))
        pvalue = tail(f, ratio, alternative)
        what, against = f"F-test of {first.what} against {second.what}", second.variance()
    return TestResult(
        what=what,
        statistic=ratio,
        pvalue=pvalue,
        df=df,
        estimate={"ratio": ratio, "variance1": first.variance(), "variance2": against},
        ci=(low, high),
        level=level,
        alternative=alternative,
        n=tuple(p.n for p in (first, second) if p is not None),
    )


def _quantiles(distribution: object, level: float, alternative: Alternative) -> tuple[float, float]:
    """Return the quantiles by which a ratio is divided for its lower and its upper end."""
    ppf = distribution.ppf  # type: ignore[attr-defined]
    if alternative == "two-sided":
        return float(ppf((1 + level) / 2)), float(ppf((1 - level) / 2))
    return (float("inf"), float(ppf(1 - level))) if alternative == "less" else (float(ppf(level)), 0.0)


def _need_spread(part: Sample) -> None:
    part.need(2)
    if not part.m2 > 0:
        raise NotEnoughDataError(f"All values of {part.what} are the same, so there is no variance to compare.")
