"""How far attributes can be told from others: variance inflation, condition number, partial correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
import pandas as pd

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.conditional import correlation_inference
from smlnb.exploration.matrix import NOISE, choose, collinear, is_psd, nearest_correlation
from smlnb.exploration.names import listed
from smlnb.exploration.reduction import NOT_PSD, REPAIRED
from smlnb.exploration.result import TestResult, frames_html
from smlnb.stats.table import TableSummary

__all__ = ["Inflation", "partial_correlation", "partial_correlations", "vif"]


@dataclass(frozen=True, slots=True, eq=False)
class Inflation:
    """Variance inflation factors.

    Attributes
    ----------
    table : DataFrame
        Indexed by attribute: ``vif`` (infinite where an attribute is a linear function of others), ``r_squared`` (the
        share of its variance that the others explain) and ``collinear_with`` (those others, in the infinite case).
    condition_number : float
        Largest over smallest eigenvalue of the correlation matrix; infinite for collinear attributes.
    psd : bool
        Whether the matrix has no negative eigenvalues.
    notes : tuple of str
    """

    table: pd.DataFrame
    condition_number: float
    psd: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        high = int((self.table["vif"] >= 5).sum())
        of = f"{high} of {len(self.table)} attributes are inflated by 5 or more"
        return f"{of}; condition number {self.condition_number:.4g}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return frames_html(str(self), {"": self.table}, self.notes)


def vif(summary: TableSummary, attributes: Sequence[str] | None = None, *, repair: bool = False) -> Inflation:
    """Return by how much the variance of each attribute's coefficient grows since others resemble it: 1 / (1 - R^2).

    Parameters
    ----------
    summary : TableSummary
    attributes : sequence of str, optional
        All numeric ones by default; those that do not vary are left out, and named in ``notes``.
    repair : bool, default False
        If missing data leave a matrix with negative eigenvalues, take the nearest proper one.

    Raises
    ------
    StatisticsError
        If the matrix has negative eigenvalues and is not to be repaired: no factor would mean anything.
    NotEnoughDataError
        If fewer than two attributes vary.
    """
    chosen = choose(summary, attributes)
    matrix, notes = chosen.correlation, chosen.notes
    psd = is_psd(matrix)
    if not psd:
        if not repair:
            raise StatisticsError(NOT_PSD)
        matrix, notes = nearest_correlation(matrix), (*notes, REPAIRED)
    values, vectors = np.linalg.eigh(matrix)
    zero = values <= NOISE * values[-1]
    factors = (vectors[:, ~zero] ** 2 / values[~zero]).sum(axis=1)
    partners: dict[int, set[int]] = {}
    for together in collinear(matrix) if zero.any() else []:
        for i in together.tolist():
            partners.setdefault(i, set()).update(set(together.tolist()) - {i})
    factors[list(partners)] = inf
    table = pd.DataFrame(
        {
            "vif": factors.clip(1.0),
            "r_squared": 1 - 1 / factors.clip(1.0),
            "collinear_with": [
                ", ".join(chosen.names[j] for j in sorted(partners.get(i, ()))) for i in range(len(factors))
            ],
        },
        index=pd.Index(chosen.names, name="attribute"),
    )
    condition = inf if zero.any() else float(values[-1] / values[0])
    return Inflation(table, condition, psd, notes)


def partial_correlation(
    summary: TableSummary, x: str, y: str, given: str | Sequence[str], *, level: float = 0.95
) -> TestResult:
    """Return the correlation of two attributes once the linear effect of others is taken from both.

    Parameters
    ----------
    summary : TableSummary
    x, y : str
    given : str or sequence of str
        The attributes held fixed. Those that do not vary, or follow from the other given ones, change nothing.
    level : float, default 0.95
        Of the interval, by Fisher's transformation.

    Returns
    -------
    TestResult
        ``estimate["partial_correlation"]``, with the t statistic that it is zero. With missing data the degrees of
        freedom are those of the pair of attributes with the fewest rows.

    Raises
    ------
    StatisticsError
        If x or y follows from the given attributes, or the correlations belong to no data (missing values).
    NotEnoughDataError
        If there are too few rows.
    """
    held = [given] if isinstance(given, str) else list(given)
    if x == y or x in held or y in held:
        raise SchemaError("x, y and the given attributes must be different.")
    chosen = choose(summary, [x, y, *held])
    for name in (x, y):
        if name in chosen.constant:
            raise NotEnoughDataError(f"{name!r} does not vary, so it has no correlation.")
    matrix = chosen.correlation
    if not is_psd(matrix):
        raise StatisticsError(NOT_PSD.removesuffix(" repair=True takes the nearest one that is."))
    inner, cross = matrix[2:, 2:], matrix[:2, 2:]
    values, vectors = np.linalg.eigh(inner)
    some = values > NOISE * values[-1] if len(values) else np.empty(0, bool)
    projected = cross @ vectors[:, some] / np.sqrt(values[some])
    rest = matrix[:2, :2] - projected @ projected.T
    for i, name in enumerate((x, y)):
        if rest[i, i] <= NOISE:
            raise StatisticsError(f"{name!r} follows from {listed(held)} linearly: nothing is left to correlate.")
    r = float(np.clip(rest[0, 1] / sqrt(rest[0, 0] * rest[1, 1]), -1.0, 1.0))
    df = chosen.n - 2 - int(some.sum())
    if df < 1:
        raise NotEnoughDataError(f"{chosen.n} row(s) are too few to hold {int(some.sum())} attribute(s) fixed.")
    ci, pvalue = correlation_inference(r, df, level)
    statistic = r * sqrt(df / ((1 - r) * (1 + r))) if abs(r) < 1 else inf * r
    return TestResult(
        what=f"partial correlation of {x} and {y} given {listed(held)}".replace("'", ""),
        statistic=statistic,
        pvalue=pvalue,
        df=(float(df),),
        estimate={"partial_correlation": r, "correlation": float(matrix[0, 1])},
        ci=ci,
        level=level,
        n=(chosen.n,),
        notes=chosen.notes,
    )


def partial_correlations(summary: TableSummary, attributes: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the correlation of each pair of attributes given all the others.

    Raises
    ------
    StatisticsError
        If some attributes are linear functions of others (they are named), or the matrix has negative eigenvalues.
    NotEnoughDataError
        If fewer than two attributes vary.
    """
    chosen = choose(summary, attributes)
    if not is_psd(chosen.correlation):
        raise StatisticsError(NOT_PSD.removesuffix(" repair=True takes the nearest one that is."))
    values, vectors = np.linalg.eigh(chosen.correlation)
    if values[0] <= NOISE * values[-1]:
        together = listed(chosen.names[i] for i in collinear(chosen.correlation)[0])
        raise StatisticsError(f"{together} depend on each other linearly. Leave one of them out.")
    precision = (vectors / values) @ vectors.T
    scale = np.sqrt(np.diag(precision))
    partial = np.clip(-precision / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(partial, 1.0)
    names = pd.Index(chosen.names, name="attribute")
    return pd.DataFrame(partial, index=names, columns=names.rename(None))
