"""The questions that can be put to statistics: a project's, or those of a part of its past."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlnb.algorithms import algorithm
from smlnb.errors import ModelError, NotEnoughDataError, SchemaError, UnknownAttributeError
from smlnb.explore import bivariate, univariate
from smlnb.explore.density import Density, density
from smlnb.models.base import AnomalyModel
from smlnb.stats.table import TableSummary

__all__ = ["Exploration"]


class Exploration(ABC):
    """Everything that is answered from a summary of statistics.

    Attributes
    ----------
    name : str
        For people.
    models : dict of str to model
        Those that were built, by name.
    """

    name: str
    models: dict[str, AnomalyModel]
    _lock: threading.RLock

    @property
    @abstractmethod
    def version(self) -> int:
        """Grows with each change."""

    @property
    @abstractmethod
    def positions(self) -> dict[tuple[str, int], int]:
        """Next offset of each (topic, partition)."""

    @abstractmethod
    def summary(self) -> TableSummary:
        """Return the statistics that all answers come from."""

    def univariate(self, attributes: Sequence[str] | None = None, ddof: int = 1) -> pd.DataFrame:
        """Return one row of statistics per numeric attribute; see :func:`smlnb.explore.univariate.univariate`."""
        return univariate.univariate(self.summary(), attributes, ddof)

    def correlation(self) -> pd.DataFrame:
        """Return Pearson's correlation of all pairs of numeric attributes, pairwise-complete."""
        return bivariate.correlation(self.summary())

    def covariance(self, ddof: int = 1) -> pd.DataFrame:
        """Return the covariance of all pairs of numeric attributes, pairwise-complete."""
        return bivariate.covariance(self.summary(), ddof)

    def histogram(
        self,
        name: str,
        bins: int | Sequence[float] = 40,
        range: tuple[float, float] | None = None,  # noqa: A002 - NumPy's name
    ) -> Density:
        """Return the histogram of a numeric attribute in any bins; see :func:`smlnb.explore.density.density`."""
        summary = self.summary()
        if summary.cells is None:
            raise NotEnoughDataError(f"{self.name!r} keeps no histograms. Create the project with histogram=True.")
        return density(summary.cells[self._numeric_index(summary, name)], bins, range)

    def quantile(self, name: str, q: ArrayLike) -> Any:
        """Return quantiles of a numeric attribute: a number for a number, an array for a sequence.

        From the KLL sketch (its rank is within 1.33 % at 99 % confidence), or from the histogram where no sketch is
        kept.
        """
        ranks = np.asarray(q, dtype=float)
        if not ((ranks >= 0) & (ranks <= 1)).all():
            raise SchemaError(f"Quantiles lie between 0 and 1, not at {q!r}.")
        summary = self.summary()
        i = self._numeric_index(summary, name)
        if summary.moments.count[i] == 0:
            raise NotEnoughDataError(f"{name!r} has no values yet, so it has no quantiles.")
        if summary.quantiles is not None:
            values = summary.quantiles.quantile(i, ranks)
        elif summary.cells is not None:
            values = np.atleast_1d(summary.cells[i].quantile(ranks))
        else:
            raise NotEnoughDataError(
                f"Project {self.name!r} keeps neither sketches nor histograms, so it has no quantiles."
            )
        return float(values[0]) if ranks.ndim == 0 else values

    def categories(self, name: str) -> pd.DataFrame:
        """Return the values of a category attribute and how often each occurred, most frequent first."""
        summary = self.summary()
        if name not in summary.schema.categories:
            raise UnknownAttributeError.of(name, summary.schema.categories)
        counts = summary.categories[summary.schema.categories.index(name)].counts
        return pd.DataFrame({"value": list(counts), "count": list(counts.values())})

    def _numeric_index(self, summary: TableSummary, name: str) -> int:
        if name not in summary.schema.numeric:
            raise UnknownAttributeError.of(name, summary.schema.numeric)
        return summary.schema.numeric.index(name)

    def build(
        self,
        kind: str,
        *,
        inputs: Sequence[str] | None = None,
        name: str | None = None,
        live: bool = False,
        **options: Any,
    ) -> AnomalyModel:
        """Build a model from the present statistics, in milliseconds.

        Parameters
        ----------
        kind : str
            The algorithm: ``"hba"``.
        inputs : sequence of str, optional
            Attributes to use; all that the algorithm can use by default.
        name : str, optional
            By default the kind and a number.
        live : bool, default False
            Let the model read the newest statistics whenever it is used; otherwise it is a snapshot.
        **options
            Of the algorithm.

        Raises
        ------
        ModelError
            If there is no such algorithm, the name is taken, or the inputs don't suit it.
        NotEnoughDataError
            If nothing was learned yet.
        """
        with self._lock:
            if name is None:
                name = next(n for i in count(1) if (n := f"{kind}{i}") not in self.models)
            if name in self.models:
                raise ModelError(
                    f"Project {self.name!r} already has a model {name!r}. Take another name, or rebuild() that one."
                )
            model = algorithm(kind)(self, name=name, inputs=inputs, live=live, **options)
            self.models[name] = model
            return model
