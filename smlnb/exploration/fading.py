"""Figures in which old records count less: how things are now, without a window's edge."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.stats.decay import DecayedSummary

__all__ = ["Fading"]


class Fading:
    """Exponentially weighted means, variances and correlations of the numeric attributes.

    A record's weight halves with each half-life. ``effective_count`` is how many records of equal weight would say as
    much (Kish 1965).

    Examples
    --------
    >>> from smlnb.stats.decay import Decayed
    >>> decayed = Decayed(1, half_life=1000)
    >>> decayed.update(np.array([[0.0, 3.0]]), times=[0, 1000])
    >>> Fading(decayed.result(), ["x"]).univariate().loc["x", "mean"].item()
    2.0
    """

    def __init__(self, summary: DecayedSummary, names: tuple[str, ...] | list[str]) -> None:
        self._summary = summary
        self._names = pd.Index(names, name="attribute")

    def univariate(self, ddof: int = 1) -> pd.DataFrame:
        """Return ``effective_count``, ``mean``, ``variance`` and ``std`` of each attribute; biased with ``ddof=0``."""
        variance = self._summary.variance(bias=ddof == 0)
        columns = {
            "effective_count": self._summary.effective_count,
            "mean": self._summary.mean,
            "variance": variance,
            "std": np.sqrt(variance),
        }
        return pd.DataFrame(columns, index=self._names)

    def covariance(self, ddof: int = 1) -> pd.DataFrame:
        """Return the covariance matrix; biased with ``ddof=0``."""
        return self._matrix(self._summary.covariance(bias=ddof == 0))

    def correlation(self) -> pd.DataFrame:
        """Return the matrix of Pearson's coefficients."""
        return self._matrix(self._summary.correlation())

    def _matrix(self, values: NDArray[np.float64]) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._names, columns=self._names)

    def __repr__(self) -> str:
        return f"Fading: {len(self._names)} attributes\n{self.univariate()}"

    def _repr_html_(self) -> str:
        return self.univariate().to_html()
