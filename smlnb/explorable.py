"""The questions that can be put to statistics: a project's, or those of a part of its past."""

from __future__ import annotations

import functools
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import pandas as pd

from smlnb.algorithms import algorithm
from smlnb.encoders.base import Encoder
from smlnb.errors import ModelError, NotEnoughDataError, UnknownAttributeError
from smlnb.exploration import bivariate as bivariate_matrices
from smlnb.exploration import conditional, drift, ranks
from smlnb.exploration.alerts import alerts
from smlnb.exploration.anova import anova
from smlnb.exploration.association import correlation_ratio, information_gain, mutual_information
from smlnb.exploration.collinearity import partial_correlation, partial_correlations, vif
from smlnb.exploration.density import Density, conditional_density, density
from smlnb.exploration.means import t_test, z_test
from smlnb.exploration.multiple import correlation_tests, group_tests
from smlnb.exploration.proportions import proportion_test
from smlnb.exploration.quantiles import quantile, quantiles
from smlnb.exploration.reduction import pca, svd
from smlnb.exploration.result import TestResult
from smlnb.exploration.tables import chi2_test, crosstab
from smlnb.exploration.univariate import univariate
from smlnb.exploration.values import distinct, frequent, lengths
from smlnb.exploration.variances import f_test
from smlnb.models.base import AnomalyModel
from smlnb.stats.table import TableSummary

__all__ = ["Explorable"]


P = ParamSpec("P")
R = TypeVar("R")


def question(
    function: Callable[Concatenate[TableSummary, P], R],
) -> Callable[Concatenate[Explorable, P], R]:
    """Make a method of a function of a summary, with its signature and documentation."""

    @functools.wraps(function)
    def method(self: Explorable, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return function(self.summary(), *args, **kwargs)

    signature = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [itself, *list(signature.parameters.values())[1:]]
    method.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return method


class Explorable(ABC):
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

    @property
    @abstractmethod
    def encoders(self) -> tuple[Encoder, ...]:
        """What makes numbers of texts and lists."""

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """Hold everything still while several things are read together."""
        with self._lock:
            yield self

    @abstractmethod
    def summary(self) -> TableSummary:
        """Return the statistics that all answers come from."""

    # one attribute
    univariate = question(univariate)
    quantile = question(quantile)
    quantiles = question(quantiles)
    alerts = question(alerts)

    distinct = question(distinct)
    frequent = question(frequent)
    lengths = question(lengths)

    # two attributes
    bivariate = question(conditional.bivariate)
    by_category = question(conditional.by_category)
    crosstab = question(crosstab)
    mutual_information = question(mutual_information)
    correlation_ratio = question(correlation_ratio)
    partial_correlation = question(partial_correlation)
    conditional_density = question(conditional_density)

    # tests
    ztest = question(z_test)
    ttest = question(t_test)
    ftest = question(f_test)
    proportions = question(proportion_test)
    anova = question(anova)
    chi2 = question(chi2_test)

    group_tests = question(group_tests)
    correlation_tests = question(correlation_tests)

    # all attributes
    correlation = question(bivariate_matrices.correlation)
    covariance = question(bivariate_matrices.covariance)
    partial_correlations = question(partial_correlations)
    information_gain = question(information_gain)
    pca = question(pca)
    svd = question(svd)
    vif = question(vif)

    def ks(self, x: str, y: str | None = None, *, other: Explorable | None = None, by: str | None = None) -> TestResult:
        """Compare two distributions; see :func:`smlnb.exploration.ranks.kolmogorov_smirnov`."""
        second = None if other is None else other.summary()
        return ranks.kolmogorov_smirnov(self.summary(), x, y, other=second, by=by)

    def mann_whitney(
        self, x: str, y: str | None = None, *, other: Explorable | None = None, by: str | None = None
    ) -> TestResult:
        """Ask which of two samples is larger; see :func:`smlnb.exploration.ranks.mann_whitney`."""
        second = None if other is None else other.summary()
        return ranks.mann_whitney(self.summary(), x, y, other=second, by=by)

    def compare(self, after: Explorable, /, *, thresholds: drift.Thresholds | None = None) -> drift.Drift:
        """Tell what has drifted from these statistics to later ones; see :func:`smlnb.exploration.drift.drift`."""
        return drift.drift(self.summary(), after.summary(), thresholds)

    def histogram(
        self,
        name: str,
        bins: int | Sequence[float] = 40,
        range: tuple[float, float] | None = None,  # noqa: A002 - NumPy's name
    ) -> Density:
        """Return the histogram of a numeric attribute in any bins; see :func:`smlnb.exploration.density.density`."""
        summary = self.summary()
        if summary.cells is None:
            raise NotEnoughDataError(f"{self.name!r} keeps no histograms. Create the project with histogram=True.")
        return density(summary.cells[self._numeric_index(summary, name)], bins, range)

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
            chosen = algorithm(kind)
            known = set(inspect.signature(chosen).parameters) - {"source", "name", "inputs", "live"}
            unknown = sorted(set(options) - known)
            if unknown:
                listed = ", ".join(sorted(known)) or "none"
                raise ModelError(f"{kind!r} has no option {unknown[0]!r}. Its options are: {listed}.")
            model = chosen(self, name=name, inputs=inputs, live=live, **options)
            self.models[name] = model
            return model
