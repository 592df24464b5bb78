"""Means, variances and covariances that forget: a row counts half as much after each half-life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import MergeError, StatisticsError
from smlnb.stats.base import Accumulator, State
from smlnb.stats.panes import as_times

__all__ = ["Decayed", "DecayedSummary"]

Matrix = NDArray[np.float64]

TOLERANCE = 60_000  # milliseconds that a time may be beyond the clock


@dataclass(frozen=True, slots=True)
class DecayedSummary:
    """Weighted, pairwise-complete sums over the rows where both attributes are present, and what follows from them.

    Attributes
    ----------
    weight, weight2 : array, shape (d, d)
        Sums of the rows' weights, and of their squares.
    means : array, shape (d, d)
        ``means[i, j]`` is the mean of attribute i over the rows where i and j are present.
    m2, comoment : array, shape (d, d)
        Weighted sums of squared deviations of i, and of products of deviations of i and j.
    """

    weight: Matrix
    weight2: Matrix
    means: Matrix
    m2: Matrix
    comoment: Matrix

    @property
    def mean(self) -> Matrix:
        """Mean of each attribute; NaN where there are no values."""
        return np.where(np.diag(self.weight) > 0, np.diag(self.means), np.nan)

    @property
    def effective_count(self) -> Matrix:
        """How many rows of equal weight would say as much: (sum of weights)^2 / sum of squared weights (Kish 1965)."""
        return np.diag(_ratio(self.weight**2, self.weight2)).copy()

    def covariance(self, *, bias: bool = False) -> Matrix:
        """Return covariances, by default unbiased for reliability weights, as pandas' ``ewm``; NaN where undefined."""
        correction = 0.0 if bias else _ratio(self.weight2, self.weight)
        left = self.weight - correction
        # a single row leaves the rounding error of its own weight
        return _ratio(self.comoment, np.where(left > 1e-12 * self.weight, left, 0.0))

    def variance(self, *, bias: bool = False) -> Matrix:
        """Return the variance of each attribute, corrected as :meth:`covariance`."""
        return np.diag(self.covariance(bias=bias)).copy()

    def correlation(self) -> Matrix:
        """Return Pearson's coefficients; NaN without spread."""
        return np.clip(_ratio(self.comoment, np.sqrt(self.m2) * np.sqrt(self.m2.T)), -1.0, 1.0)


def _ratio(top: Matrix, bottom: Matrix) -> Matrix:
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=np.nan_to_num(bottom) > 0)
    return out


@dataclass(slots=True)
class _Sums:
    """The five matrices of a summary, to be scaled and added."""

    weight: Matrix
    weight2: Matrix
    means: Matrix
    m2: Matrix
    comoment: Matrix

    @classmethod
    def zero(cls, width: int) -> Self:
        return cls(*(np.zeros((width, width)) for _ in fields(cls)))

    def scaled(self, factor: float) -> _Sums:
        """Return the sums with every row's weight multiplied; means stay."""
        return _Sums(
            self.weight * factor, self.weight2 * factor**2, self.means, self.m2 * factor, self.comoment * factor
        )

    def plus(self, other: _Sums) -> _Sums:
        """Return the sums over both (Chan, Golub and LeVeque 1983, with weights for counts)."""
        weight = self.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros_like(weight), where=weight > 0)
        delta = np.where((self.weight > 0) & (other.weight > 0), other.means - self.means, 0.0)
        between = self.weight * share
        start = np.where(self.weight > 0, self.means, other.means)
        return _Sums(
            weight,
            self.weight2 + other.weight2,
            start + share * delta,
            self.m2 + other.m2 + between * delta * delta,
            self.comoment + other.comoment + between * delta * delta.T,
        )


class Decayed(Accumulator):
    """Exponentially weighted means, variances and covariances of ``width`` attributes.

    A row's weight is 2^(-age / half_life), its age measured from the newest row. When time goes on, the central sums
    are multiplied by one factor; nothing is subtracted, so no digits are lost. A row that comes late gets the weight
    of its age: by time, the order of arrival doesn't matter. Missing data are pairwise-complete.

    Parameters
    ----------
    width : int
        The number of attributes.
    half_life : float
        In milliseconds, or in rows.
    by : {"time", "rows"}

    Examples
    --------
    >>> decayed = Decayed(1, half_life=1000)
    >>> decayed.update(np.array([[0.0, 3.0]]), times=[0, 1000])  # weights 1/2 and 1
    >>> decayed.result().mean.tolist()
    [2.0]
    """

    def __init__(self, width: int, half_life: float, *, by: Literal["time", "rows"] = "time") -> None:
        if not half_life > 0:
            raise StatisticsError(f"A half-life is above 0, not {half_life}.")
        self.width, self.half_life, self.by = width, float(half_life), by
        self.n = 0
        self._newest: int | None = None
        self._sums = _Sums.zero(width)

    def update(self, block: Matrix, times: ArrayLike | None = None, *, now: int | None = None) -> None:
        """Absorb a block of shape (width, rows), with the times of its rows in milliseconds if by time.

        With the clock ``now``, rows with times over a minute beyond it are left out, so that one wrong time
        does not make all others count for nothing.
        """
        rows = block.shape[1]
        if rows == 0:
            return
        if self.by == "time" and times is None:
            raise StatisticsError("Decay by time needs the times of the rows: update(block, times=...).")
        stamps = np.arange(self.n, self.n + rows) if self.by == "rows" else as_times(times, rows)  # type: ignore[arg-type]
        self.n += rows
        if self.by == "time" and now is not None and stamps.max() > now + TOLERANCE:
            timely = stamps <= now + TOLERANCE
            block, stamps = block[:, timely], stamps[timely]
            if not len(stamps):
                return
        self._age(int(stamps.max()))
        weights = np.exp2((stamps - float(self._newest or 0)) / self.half_life)
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums = self._sums.plus(_weighted(block, weights))

    def _age(self, newest: int) -> None:
        if self._newest is None:
            self._newest = newest
        elif newest > self._newest:
            self._sums = self._sums.scaled(2.0 ** ((self._newest - newest) / self.half_life))
            self._newest = newest

    def merge(self, other: Self) -> None:
        """Absorb another, at the newest time of both.

        Raises
        ------
        MergeError
            If the configurations differ, or both have rows and are by rows, which have no common order.
        """
        self._check_mergeable(other)
        if other._newest is None:
            self.n += other.n
            return
        if self.by == "rows" and self.n:
            raise MergeError("Decay by rows of two streams can't be merged: their rows have no common order.")
        self._age(other._newest)
        factor = 2.0 ** ((other._newest - (self._newest or 0)) / self.half_life)
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums = self._sums.plus(other._sums.scaled(factor))
        self.n += other.n

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        wide, old = _Sums.zero(width), slice(0, self.width)
        for field in fields(_Sums):
            getattr(wide, field.name)[old, old] = getattr(self._sums, field.name)
        self.width, self._sums = width, wide

    def result(self) -> DecayedSummary:
        """Return the weighted sums as of the newest row."""
        return DecayedSummary(**{field.name: getattr(self._sums, field.name).copy() for field in fields(_Sums)})

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.width, self.half_life, by=self.by)

    def configuration(self) -> dict[str, Any]:
        """Return width and half-life."""
        return {"width": self.width, "half_life": self.half_life, "by": self.by}

    def _payload(self) -> State:
        sums = {field.name: getattr(self._sums, field.name).copy() for field in fields(_Sums)}
        return {"n": self.n, "newest": self._newest, **sums}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        decayed = cls(configuration["width"], configuration["half_life"], by=configuration["by"])
        decayed.n, decayed._newest = payload["n"], payload["newest"]
        decayed._sums = _Sums(**{field.name: payload[field.name].copy() for field in fields(_Sums)})
        return decayed


def _weighted(block: Matrix, weights: Matrix) -> _Sums:
    """Return the sums of a block: about the attributes' own means first, then about those of the pairs."""
    finite = np.isfinite(block)
    present = finite.astype(float)
    weighted = present * weights
    weight = weighted @ present.T
    values = np.where(finite, block, 0.0)
    own = np.diag(weight)[:, None]
    mean = np.divide((values * weights).sum(axis=1)[:, None], own, out=np.zeros_like(own), where=own > 0)
    deviations = np.where(finite, values - mean, 0.0)
    heavy = deviations * weights
    shift = np.divide(heavy @ present.T, weight, out=np.zeros_like(weight), where=weight > 0)
    return _Sums(
        weight,
        (weighted * weights) @ present.T,
        np.where(weight > 0, mean + shift, 0.0),
        np.maximum((heavy * deviations) @ present.T - weight * shift**2, 0.0),
        heavy @ deviations.T - weight * shift * shift.T,
    )
