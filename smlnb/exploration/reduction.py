"""Principal components and singular values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.errors import SchemaError
from smlnb.exploration.matrix import Chosen, choose, is_psd, nearest_correlation
from smlnb.exploration.result import frames_html
from smlnb.exploration.rows import rows_of
from smlnb.schema import Schema
from smlnb.stats.table import TableSummary

__all__ = ["PrincipalComponents", "SingularValues", "pca", "svd"]

Vector = NDArray[np.float64]
NOT_PSD = (
    "The matrix has negative eigenvalues, since its pairs are over different rows (missing data): it is no matrix of "
    "correlations of any data. repair=True takes the nearest one that is."
)
REPAIRED = "The matrix had negative eigenvalues (missing data); the nearest correlation matrix was taken instead."


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalComponents:
    """Directions in which attributes vary together, the one of most variance first.

    Attributes
    ----------
    eigenvalues : Series
        Of all components: their variances.
    loadings : DataFrame
        One row per attribute, one column per component kept; columns have length 1, their largest entry is positive.
    mean, scale : Series
        What attributes are shifted and divided by; a scale of 1 for covariances.
    covariance : bool
        Whether of the covariance matrix rather than of the correlations.
    psd : bool
        Whether the matrix has no negative eigenvalues.
    n : int
        Rows of the pair of attributes with the fewest.
    notes : tuple of str
    """

    eigenvalues: pd.Series
    loadings: pd.DataFrame
    mean: pd.Series
    scale: pd.Series
    covariance: bool
    psd: bool
    n: int
    schema: Schema
    notes: tuple[str, ...] = ()

    @property
    def explained(self) -> pd.DataFrame:
        """Per component: eigenvalue, share of the whole variance, share so far."""
        values = self.eigenvalues.to_numpy()
        share = values / values.sum()
        return pd.DataFrame(
            {"eigenvalue": values, "share": share, "cumulative": np.cumsum(share)}, index=self.eigenvalues.index
        )

    def scores(self, data: Any) -> pd.DataFrame:
        """Return rows in terms of the components kept.

        Parameters
        ----------
        data
            Anything tabular with the attributes' columns. A row that lacks one of them gives NaN.

        Returns
        -------
        pandas.DataFrame
            Shape (rows, components).
        """
        block = rows_of(data, list(self.loadings.index), self.schema)
        centred = (block - self.mean.to_numpy()[:, None]) / self.scale.to_numpy()[:, None]
        return pd.DataFrame(centred.T @ self.loadings.to_numpy(), columns=self.loadings.columns)

    def __str__(self) -> str:
        kept = self.explained.head(self.loadings.shape[1])
        return (
            f"{len(kept)} of {len(self.eigenvalues)} principal components of the "
            f"{'covariances' if self.covariance else 'correlations'} of {len(self.loadings)} attributes, with "
            f"{kept['share'].sum():.1%} of the variance; {self.n:,} rows"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return frames_html(str(self), {"explained": self.explained, "loadings": self.loadings}, self.notes)


def pca(
    summary: TableSummary,
    attributes: Sequence[str] | None = None,
    *,
    covariance: bool = False,
    components: float | None = None,
    ddof: int = 1,
    repair: bool = False,
) -> PrincipalComponents:
    """Return the principal components of attributes.

    Parameters
    ----------
    summary : TableSummary
    attributes : sequence of str, optional
        Numeric attributes, or values of categories as ``attribute$value``; all numeric ones by default. Those that do
        not vary are left out, and named in ``notes``.
    covariance : bool, default False
        Take attributes on their own scales; by default each is divided by its standard deviation.
    components : int or float, optional
        How many to keep, or (below 1) the share of the variance to keep at least; all by default.
    ddof : int, default 1
        Of variances.
    repair : bool, default False
        If missing data leave a matrix with negative eigenvalues, take the nearest proper one; by default the
        eigenvalues are shown as they are, with a note.

    Raises
    ------
    UnknownAttributeError
        If an attribute is unknown.
    NotEnoughDataError
        If nothing varies, or a pair of attributes is never present together.
    """
    chosen = choose(summary, attributes, least=1, ddof=ddof)
    matrix, psd, notes = _matrix(chosen, repair=repair, covariance=covariance)
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    if psd:
        values = values.clip(0.0)
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
    labels = [f"pc{i}" for i in range(1, len(values) + 1)]
    keep = _kept(values, components)
    names = pd.Index(chosen.names, name="attribute")
    return PrincipalComponents(
        eigenvalues=pd.Series(values, index=labels, name="eigenvalue"),
        loadings=pd.DataFrame(vectors[:, :keep], index=names, columns=labels[:keep]),
        mean=pd.Series(chosen.mean, index=names, name="mean"),
        scale=pd.Series(np.ones(len(names)) if covariance else chosen.std, index=names, name="scale"),
        covariance=covariance,
        psd=psd,
        n=chosen.n,
        schema=summary.schema,
        notes=(*chosen.notes, *notes),
    )


def _matrix(chosen: Chosen, *, covariance: bool, repair: bool) -> tuple[NDArray[np.float64], bool, tuple[str, ...]]:
    matrix = chosen.covariance if covariance else chosen.correlation
    if is_psd(matrix):
        return matrix, True, ()
    if not repair:
        return matrix, False, (NOT_PSD,)
    nearest = nearest_correlation(chosen.correlation)
    return nearest * np.outer(chosen.std, chosen.std) if covariance else nearest, True, (REPAIRED,)


def _kept(values: Vector, components: float | None) -> int:
    if components is None:
        return len(values)
    if isinstance(components, float) and 0 < components < 1:
        return min(len(values), int(np.searchsorted(np.cumsum(values) / values.sum(), components)) + 1)
    if components != int(components) or not 1 <= components <= len(values):
        raise SchemaError(
            f"components={components!r}: keep a whole number of the {len(values)} components, or a share below 1."
        )
    return int(components)


@dataclass(frozen=True, slots=True, eq=False)
class SingularValues:
    """Singular values of a covariance matrix.

    Attributes
    ----------
    singular_values : Series
        The largest first. The matrix is symmetric: they are the sizes of its eigenvalues.
    vectors : DataFrame
        One row per attribute, one column per value; the largest entry of each column is positive.
    rank : int
        Singular values that are not zero but for rounding.
    psd : bool
        Whether the matrix has no negative eigenvalues.
    notes : tuple of str
    """

    singular_values: pd.Series
    vectors: pd.DataFrame
    rank: int
    psd: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{len(self.singular_values)} singular values of a covariance matrix of rank {self.rank}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return frames_html(str(self), {"": self.singular_values.to_frame(), "vectors": self.vectors}, self.notes)


def svd(summary: TableSummary, attributes: Sequence[str] | None = None, *, ddof: int = 0) -> SingularValues:
    """Return the singular values and vectors of the covariance matrix of attributes, biased by default.

    Parameters, errors and what is left out are as for :func:`pca`.
    """
    chosen = choose(summary, attributes, least=1, ddof=ddof)
    left, values, _ = np.linalg.svd(chosen.covariance, hermitian=True)
    left = left * np.sign(left[np.abs(left).argmax(axis=0), np.arange(len(values))])
    psd = is_psd(chosen.covariance)
    rank = int((values > values[0] * len(values) * np.finfo(float).eps).sum())
    labels = [f"s{i}" for i in range(1, len(values) + 1)]
    return SingularValues(
        singular_values=pd.Series(values, index=labels, name="singular_value"),
        vectors=pd.DataFrame(left, index=pd.Index(chosen.names, name="attribute"), columns=labels),
        rank=rank,
        psd=psd,
        notes=(*chosen.notes, *(() if psd else (NOT_PSD.removesuffix(" repair=True takes the nearest one that is."),))),
    )
