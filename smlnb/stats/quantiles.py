"""Quantiles from KLL sketches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import ArrayLike, NDArray

from smlnb.stats.base import Accumulator, State
from smlnb.stats.centred import Centred
from smlnb.stats.condensed import absorb_values

__all__ = ["QuantileSketches", "Quantiles"]

Vector = NDArray[np.float64]


class QuantileSketches:
    """What :meth:`Quantiles.result` gives: quantiles and ranks of each attribute, with the bound of their error.

    Parameters
    ----------
    sketches : list of kll_doubles_sketch
        One per attribute.
    """

    def __init__(self, sketches: list[Any]) -> None:
        self._sketches = sketches

    def quantile(self, i: int, q: ArrayLike) -> Vector:
        """Return the values at ranks ``q`` of attribute ``i``; NaN where it has no values."""
        ranks = np.atleast_1d(np.asarray(q, dtype=float))
        if self._sketches[i].is_empty():
            return np.full(ranks.shape, np.nan)
        values = np.asarray(self._sketches[i].get_quantiles(ranks), dtype=float)
        # a sketch need not have kept the extremes among its samples, but it knows them
        values[ranks <= 0] = self._sketches[i].get_min_value()
        values[ranks >= 1] = self._sketches[i].get_max_value()
        return values

    def bounds(self, i: int, q: ArrayLike) -> tuple[Vector, Vector]:
        """Return between which values the true quantiles of attribute ``i`` lie, at 99 % confidence.

        They are the values at one rank error below and above ``q``. Minimum and maximum are certain, and so is all
        while the sketch :meth:`is_exact`; then the bounds differ only where the share ``q`` ends just between two
        values. NaN where there are no values.
        """
        ranks = np.atleast_1d(np.asarray(q, dtype=float))
        sketch = self._sketches[i]
        if sketch.is_empty():
            return np.full(ranks.shape, np.nan), np.full(ranks.shape, np.nan)
        error = np.where((ranks <= 0) | (ranks >= 1) | self.is_exact(i), 0.0, self.rank_error(i))
        low, high = np.clip(ranks - error, 0, 1), np.clip(ranks + error, 0, 1)
        lower = np.asarray(sketch.get_quantiles(low, True), dtype=float)
        upper = np.asarray(sketch.get_quantiles(high, False), dtype=float)
        for values, at in ((lower, low), (upper, high)):
            values[at <= 0], values[at >= 1] = sketch.get_min_value(), sketch.get_max_value()
        return lower, upper

    def is_exact(self, i: int) -> bool:
        """Whether the sketch of attribute ``i`` still holds every value."""
        return not self._sketches[i].is_estimation_mode()

    def rank(self, i: int, values: ArrayLike) -> Vector:
        """Return the share of attribute ``i``'s values that are at most each of ``values``; NaN where it has none."""
        wanted = np.atleast_1d(np.asarray(values, dtype=float))
        if self._sketches[i].is_empty():
            return np.full(wanted.shape, np.nan)
        return np.array([self._sketches[i].get_rank(float(v)) for v in wanted])

    def rank_error(self, i: int) -> float:
        """Return the bound of the error of a rank, at 99 % confidence."""
        return float(self._sketches[i].normalized_rank_error(False))


class Quantiles(Accumulator):
    """One KLL sketch per attribute (Karnin, Lang and Liberty 2016, by Apache DataSketches).

    With ``k=200`` a rank is within 1.33 % of the truth at 99 % confidence, in about 5 kB per attribute. Minimum,
    maximum and count are exact; the rest depends on random choices, so the same rows need not give the same bits.

    Parameters
    ----------
    width : int
        The number of attributes.
    k : int, default 200
        Accuracy; memory grows with it.

    Examples
    --------
    >>> quantiles = Quantiles(1)
    >>> quantiles.update(np.arange(101.0)[None, :])
    >>> quantiles.result().quantile(0, [0, 0.5, 1]).tolist()
    [0.0, 50.0, 100.0]
    """

    deterministic: ClassVar[bool] = False

    def __init__(self, width: int, k: int = 200) -> None:
        self.width = width
        self.k = k
        self.n = 0
        self._sketches = [kll_doubles_sketch(k) for _ in range(width)]

    def update(self, block: Vector) -> None:
        """Absorb a block of shape (width, rows)."""
        self.absorb(Centred.of(block))

    def absorb(self, centred: Centred) -> None:
        """Absorb a block whose gaps were found before."""
        for i, sketch in enumerate(self._sketches):
            values = centred.block[i]
            absorb_values(sketch, values if centred.present is None else values[centred.present[i]])
        self.n += centred.rows

    def merge(self, other: Self) -> None:
        """Absorb another; the bound of the error stays."""
        self._check_mergeable(other)
        for mine, theirs in zip(self._sketches, other._sketches, strict=True):
            if not theirs.is_empty():
                mine.merge(theirs)
        self.n += other.n

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        self._sketches += [kll_doubles_sketch(self.k) for _ in range(width - self.width)]
        self.width = width

    def result(self) -> QuantileSketches:
        """Return the sketches, copied."""
        return QuantileSketches([kll_doubles_sketch.deserialize(s.serialize()) for s in self._sketches])

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.width, self.k)

    def configuration(self) -> dict[str, Any]:
        """Return width and accuracy."""
        return {"width": self.width, "k": self.k}

    def _payload(self) -> State:
        return {"n": self.n, "sketches": [s.serialize() for s in self._sketches]}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        quantiles = cls(configuration["width"], configuration["k"])
        quantiles.n = payload["n"]
        # safe: the digest over these bytes was verified before
        quantiles._sketches = [kll_doubles_sketch.deserialize(b) for b in payload["sketches"]]
        return quantiles
