"""Tests about means: z and t, of two independent samples or of one against a known value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.result import Alternative, TestResult, check_alternative, check_level, interval, tail
from smlnb.exploration.samples import Sample, compared
from smlnb.stats.table import TableSummary

__all__ = ["t_test", "z_test"]


def z_test(
    summary: TableSummary,
    x: str,
    y: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    mu: float | None = None,
    sigma: float | tuple[float, float] | None = None,
    ddof: int = 1,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> TestResult:
    """Compare means by the normal distribution; samples count as independent.

    Parameters
    ----------
    summary : TableSummary
    x : str
        An attribute.
    y : str, optional
        Another attribute: all values of ``x`` against all of ``y``.
    by : str or sequence of str, optional
        A binary condition (against its complement), two of them, or a category of two values: ``x`` in two groups.
    mu : float, optional
        The known mean; with two samples, the known difference (0 by default).
    sigma : float or (float, float), optional
        The known standard deviation, or that of each sample; estimated by default.
    ddof : int, default 1
        Of the estimated variances; 0 gives the figures of SymetryML.
    alternative : {"two-sided", "less", "greater"}
    level : float, default 0.95
        Of the interval.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If it is not clear what to compare.
    NotEnoughDataError
        If there are too few values, or they do not vary.
    """
    first, second = compared(summary, x, y, by, mu=mu)
    check_alternative(alternative)
    check_level(level)
    known = _known(sigma, 1 if second is None else 2)
    parts = [p for p in (first, second) if p is not None]
    error = 0.0
    for i, part in enumerate(parts):
        part.need(ddof + 1 if known is None else 1)
        error += (part.variance(ddof) if known is None else known[i] ** 2) / part.n
    law = _Law("z-test", sqrt(error), (), stats.norm)
    return _result(law, parts, mu, level, alternative)


def t_test(
    summary: TableSummary,
    x: str,
    y: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    mu: float | None = None,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> TestResult:
    """Compare means by Student's t; of two samples by Welch's, with the pooled one among the ``variants``.

    Samples count as independent. The parameters are those of :func:`z_test`.

    Returns
    -------
    TestResult
        For two samples ``variants["welch"]`` (this one) and ``variants["pooled"]`` (equal variances).
    """
    first, second = compared(summary, x, y, by, mu=mu)
    check_alternative(alternative)
    check_level(level)
    first.need(2)
    if second is None:
        df = float(first.n - 1)
        law = _Law("t-test", sqrt(first.variance() / first.n), (df,), stats.t(df))
        return _result(law, [first], mu, level, alternative)
    second.need(2)
    parts = [first, second]
    a, b = first.variance() / first.n, second.variance() / second.n
    share = a / (a + b) if a + b > 0 else 0.5
    df = 1 / (share**2 / (first.n - 1) + (1 - share) ** 2 / (second.n - 1))
    law = _Law("Welch's t-test", sqrt(a + b), (df,), stats.t(df))
    welch = _result(law, parts, mu, level, alternative)
    df = float(first.n + second.n - 2)
    error = sqrt((first.m2 + second.m2) / df * (1 / first.n + 1 / second.n))
    pooled = _result(_Law("pooled t-test", error, (df,), stats.t(df)), parts, mu, level, alternative)
    return replace(welch, variants={"welch": welch, "pooled": pooled})


@dataclass(frozen=True, slots=True)
class _Law:
    """How a deviation over its standard error is distributed."""

    test: str
    error: float
    df: tuple[float, ...]
    distribution: Any


def _result(law: _Law, parts: Sequence[Sample], mu: float | None, level: float, alternative: Alternative) -> TestResult:
    test, error, known = law.test, law.error, 0.0 if mu is None else float(mu)
    _need_spread(error, parts)
    if len(parts) == 2:
        first, second = parts
        what = f"{test} of {first.what} against {second.what}"
        value = first.mean - second.mean
        estimate = {"difference": value, "mean1": first.mean, "mean2": second.mean}
    else:
        what = f"{test} of {parts[0].what} against {known:g}"
        value = parts[0].mean
        estimate = {"mean": value}
    statistic = (value - known) / error
    return TestResult(
        what=what,
        statistic=statistic,
        pvalue=tail(law.distribution, statistic, alternative),
        df=law.df,
        estimate={**estimate, "stderr": error},
        ci=interval(law.distribution, value, error, level, alternative),
        level=level,
        alternative=alternative,
        n=tuple(p.n for p in parts),
    )


def _known(sigma: float | tuple[float, float] | None, samples: int) -> tuple[float, ...] | None:
    if sigma is None:
        return None
    values = tuple(float(v) for v in np.atleast_1d(np.asarray(sigma, dtype=float)))
    values = values * samples if len(values) == 1 else values
    if len(values) != samples or not all(np.isfinite(v) and v > 0 for v in values):
        raise SchemaError(f"sigma={sigma!r}: known standard deviations are positive, one or one per sample.")
    return values


def _need_spread(error: float, parts: Sequence[Sample]) -> None:
    if not error > 0:
        names = " and ".join(p.what for p in parts)
        raise NotEnoughDataError(
            f"{names}: all values are the same, so there is no error to compare a difference with."
        )
