"""Two attributes together: covariance, correlation, and the one given the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import atanh, isnan, nan, sqrt, tanh

import pandas as pd
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.names import column, is_binary
from smlnb.exploration.result import check_level, frames_html
from smlnb.exploration.samples import Sample, given, groups
from smlnb.stats.table import TableSummary

__all__ = ["Bivariate", "Conditional", "bivariate", "by_category"]


@dataclass(frozen=True, slots=True)
class Conditional:
    """An attribute given another.

    Attributes
    ----------
    what : str
    count : float
        Rows that fulfil the condition; for a continuous condition the sum of the weights.
    mean, variance, std, stderr : float
        NaN where there are too few rows.
    ci95_low, ci95_high : float
        Of the mean, by Student's t; NaN for a continuous condition, whose weights are no counts.
    """

    what: str
    count: float
    mean: float
    variance: float
    std: float
    stderr: float
    ci95_low: float
    ci95_high: float

    @classmethod
    def of(cls, part: Sample, ddof: int = 1) -> Conditional:
        """Return the statistics of a sample."""
        variance = part.variance(ddof)
        std = sqrt(variance) if part.n > ddof else nan
        stderr = std / sqrt(part.n) if part.n else nan
        margin = float(stats.t.ppf(0.975, part.n - 1)) * stderr if part.n > 1 else nan
        return cls(part.what, part.n, part.mean, variance, std, stderr, part.mean - margin, part.mean + margin)

    @property
    def row(self) -> dict[str, float]:
        """The figures by name."""
        names = ("count", "mean", "variance", "std", "stderr", "ci95_low", "ci95_high")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Bivariate:
    """Two attributes over the rows where both are present.

    Attributes
    ----------
    x, y : str
    count : int
    covariance, correlation : float
        NaN where there are too few rows, or one of the two does not vary.
    correlation_ci : (low, high)
        At 95 %, by Fisher's transformation; NaN below four rows.
    correlation_pvalue : float
        That the correlation is zero, by Student's t; NaN below three rows.
    given : Conditional
        ``x`` where ``y`` is 1; for a continuous ``y``, ``x`` weighted by it.
    complement : Conditional or None
        ``x`` where ``y`` is 0; None for a continuous ``y``.
    """

    x: str
    y: str
    count: int
    covariance: float
    correlation: float
    correlation_ci: tuple[float, float]
    correlation_pvalue: float
    given: Conditional
    complement: Conditional | None

    @property
    def frame(self) -> pd.DataFrame:
        """One column of figures."""
        figures = {
            "count": float(self.count),
            "covariance": self.covariance,
            "correlation": self.correlation,
            "correlation_ci95_low": self.correlation_ci[0],
            "correlation_ci95_high": self.correlation_ci[1],
            "correlation_pvalue": self.correlation_pvalue,
        }
        return pd.DataFrame({"value": figures})

    @property
    def conditions(self) -> pd.DataFrame:
        """One row per condition."""
        parts = [p for p in (self.given, self.complement) if p is not None]
        return pd.DataFrame([p.row for p in parts], index=[p.what for p in parts])

    def __str__(self) -> str:
        return (
            f"{self.x} and {self.y}: {self.count:,} rows, covariance {self.covariance:.6g}, "
            f"correlation {self.correlation:.6g}; {self.given.what}: mean {self.given.mean:.6g}"
        )

    def _repr_html_(self) -> str:
        return frames_html(f"{self.x} and {self.y}", {"": self.frame, "conditional": self.conditions})


def bivariate(summary: TableSummary, x: str, y: str, ddof: int = 1) -> Bivariate:
    """Return how two attributes go together, and ``x`` given ``y``.

    Parameters
    ----------
    summary : TableSummary
    x : str
        A numeric attribute, or a value of a category as ``attribute$value``.
    y : str
        The same. Where it holds 0 and 1, the conditional statistics are those of ``x`` where it is 1 and where it is
        0, exact. A continuous ``y`` acts as a weight, as in SymetryML: with sums over the rows, the mean is S(xy) /
        S(y) and the variance S((xy)^2) / S(y) - mean^2 (which is no variance unless y is 0 or 1).
    ddof : int, default 1
        1 gives unbiased figures, 0 biased ones (SymetryML's). The weighted figures know no ``ddof``.

    Raises
    ------
    NotEnoughDataError
        If there is no row in which both are present.
    """
    i, j = column(summary, x), column(summary, y)
    pairs = summary.pairs
    n = int(pairs.count[i, j])
    if n == 0:
        raise NotEnoughDataError(f"There is no row in which both {x!r} and {y!r} are present.")
    spread = sqrt(pairs.m2[i, j]) * sqrt(pairs.m2[j, i])
    correlation = max(-1.0, min(1.0, float(pairs.comoment[i, j]) / spread)) if spread > 0 else nan
    ci, pvalue = correlation_inference(correlation, n - 2)
    complement = None
    if is_binary(summary, y):
        ones, zeros = given(summary, x, y)
        part, complement = Conditional.of(ones, ddof), Conditional.of(zeros, ddof)
    else:
        part = _weighted(summary, x, y)
    covariance = float(pairs.comoment[i, j]) / (n - ddof) if n > ddof else nan
    return Bivariate(x, y, n, covariance, correlation, ci, pvalue, part, complement)


def correlation_inference(r: float, df: int, level: float = 0.95) -> tuple[tuple[float, float], float]:
    """Return interval and p-value of a correlation with ``df`` degrees of freedom; NaN where there are too few."""
    check_level(level)
    if isnan(r) or df < 1:
        return (nan, nan), nan
    if abs(r) == 1:
        return (r, r), 0.0
    pvalue = 2 * float(stats.t.sf(abs(r) * sqrt(df / ((1 - r) * (1 + r))), df))
    if df < 2:
        return (nan, nan), pvalue
    margin = float(stats.norm.ppf((1 + level) / 2)) / sqrt(df - 1)
    return (tanh(atanh(r) - margin), tanh(atanh(r) + margin)), pvalue


def _weighted(summary: TableSummary, x: str, y: str) -> Conditional:
    """Return mean and variance of x with y as a weight; the raw sums follow from the centred ones."""
    i, j = column(summary, x), column(summary, y)
    pairs = summary.pairs
    n = int(pairs.count[i, j])
    a, b = float(pairs.mean[i, j]), float(pairs.mean[j, i])
    m2x, m2y, c = float(pairs.m2[i, j]), float(pairs.m2[j, i]), float(pairs.comoment[i, j])
    m21, m12, m22 = float(pairs.m21[i, j]), float(pairs.m21[j, i]), float(pairs.m22[i, j])
    what, weight = f"{x} weighted by {y}", n * b
    if weight == 0:
        return Conditional(what, 0.0, nan, nan, nan, nan, nan, nan)
    mean = a + c / weight
    squares = m22 + 2 * b * m21 + 2 * a * m12 + b * b * m2x + a * a * m2y + 4 * a * b * c + n * a * a * b * b
    variance = squares / weight - mean * mean
    return Conditional(what, weight, mean, variance, sqrt(variance) if variance >= 0 else nan, nan, nan, nan)


def by_category(summary: TableSummary, x: str, attribute: str, ddof: int = 1) -> pd.DataFrame:
    """Return the statistics of ``x`` for each value of a category.

    Parameters
    ----------
    summary : TableSummary
    x : str
        A numeric attribute, or a value of another category (its mean is then a share).
    attribute : str
        A category, or a binary attribute (values "0" and "1").
    ddof : int, default 1

    Returns
    -------
    pandas.DataFrame
        Indexed by value, with the columns ``count mean variance std stderr ci95_low ci95_high``, over the rows where
        both are present. Values beyond those with a column of their own are together in ``(other)``.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If ``attribute`` has no values to group by.
    """
    if attribute in summary.schema.categories:
        parts = groups(summary, x, attribute)
    elif is_binary(summary, attribute):
        ones, zeros = given(summary, x, attribute)
        parts = {"0": zeros, "1": ones}
    else:
        raise SchemaError(f"{attribute!r} is continuous: it has no values to group by. Declare it B or T.")
    rows = {value: Conditional.of(part, ddof).row for value, part in parts.items()}
    names = ["count", "mean", "variance", "std", "stderr", "ci95_low", "ci95_high"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return frame.astype({"count": "int64"}).rename_axis(attribute)
