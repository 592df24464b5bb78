"""Quantiles of scores, sharpest where it matters: at the highest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from datasketches import req_floats_sketch
from numpy.typing import ArrayLike, NDArray

from smlnb.stats.base import Accumulator, State

__all__ = ["BoundedQuantiles", "ScoreQuantiles"]

Vector = NDArray[np.float64]
SIGMAS = 3


@dataclass(frozen=True, slots=True)
class BoundedQuantiles:
    """Quantiles with their bounds.

    Attributes
    ----------
    ranks, values : array, shape (ranks,)
        As asked for, and the scores there; NaN where there are none yet.
    low, high : array, shape (ranks,)
        The true quantile lies between them, at three standard deviations.
    """

    ranks: Vector
    values: Vector
    low: Vector
    high: Vector


class ScoreQuantiles(Accumulator):
    """Quantiles of one stream of scores by a relative-error sketch; a block has shape (1, rows).

    The error of a rank shrinks towards the top: with ``k=12`` the rank 0.5 is within 0.016 of the truth, 0.99 within
    0.0003 and 0.999 within 0.00003, at three standard deviations and in about 8 kB. NaN and infinite scores are counted
    apart. Scores are kept as float32: relative to their size, seven digits.

    Parameters
    ----------
    k : int, default 12
        Accuracy: an even number from 4 to 1024; the error falls with it, memory grows.

    Notes
    -----
    ReqSketch (Cormode, Karnin, Liberty, Thaler, Vesely 2021) by Apache DataSketches, in its mode of high rank accuracy.

    Examples
    --------
    >>> scores = ScoreQuantiles()
    >>> scores.update(np.arange(101.0)[None, :])
    >>> scores.result().values.tolist()
    [50.0, 95.0, 98.0, 99.0]
    """

    deterministic: ClassVar[bool] = False

    def __init__(self, k: int = 12) -> None:
        self.k = k
        self.n = 0
        self._missing = 0
        self._infinite = 0
        self._sketch = req_floats_sketch(k, True)

    @property
    def count(self) -> int:
        """Finite scores."""
        return self.n - self._missing - self._infinite

    def update(self, block: Vector) -> None:
        """Absorb scores, of shape (1, rows) or (rows,)."""
        scores = np.ravel(block)
        missing = int(np.count_nonzero(np.isnan(scores)))
        finite = scores[np.isfinite(scores)]
        largest = np.finfo(np.float32).max
        self._sketch.update(np.clip(finite, -largest, largest).astype(np.float32))
        self.n += len(scores)
        self._missing += missing
        self._infinite += len(scores) - missing - len(finite)

    def merge(self, other: Self) -> None:
        """Absorb another; the bound of the error stays."""
        self._check_mergeable(other)
        if not other._sketch.is_empty():
            self._sketch.merge(other._sketch)
        self.n += other.n
        self._missing += other._missing
        self._infinite += other._infinite

    def result(self, ranks: ArrayLike = (0.5, 0.95, 0.98, 0.99)) -> BoundedQuantiles:
        """Return the scores at ``ranks``, with bounds."""
        wanted = np.atleast_1d(np.asarray(ranks, dtype=float))
        if self._sketch.is_empty():
            nan = np.full(wanted.shape, np.nan)
            return BoundedQuantiles(wanted, nan, nan.copy(), nan.copy())
        sketch = req_floats_sketch.deserialize(self._sketch.serialize())  # a question sorts the sketch: ask a copy
        low = [sketch.get_rank_lower_bound(q, SIGMAS) for q in wanted.tolist()]
        high = [sketch.get_rank_upper_bound(q, SIGMAS) for q in wanted.tolist()]
        # inclusive: the smallest score that at least this share is at most, as NumPy's "inverted_cdf"
        values, lows = (np.array(sketch.get_quantiles(list(r), True), float) for r in (wanted.tolist(), low))
        highs = np.array(sketch.get_quantiles(high, False), float)
        return BoundedQuantiles(wanted, values, lows, highs)

    def empty(self) -> Self:
        """Return an empty one of the same configuration."""
        return type(self)(self.k)

    def configuration(self) -> dict[str, Any]:
        """Return the accuracy."""
        return {"k": self.k}

    def _payload(self) -> State:
        return {
            "n": self.n,
            "missing": self._missing,
            "infinite": self._infinite,
            "sketch": self._sketch.serialize(),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        scores = cls(configuration["k"])
        scores.n, scores._missing, scores._infinite = payload["n"], payload["missing"], payload["infinite"]
        # safe: the digest over these bytes was verified before
        scores._sketch = req_floats_sketch.deserialize(payload["sketch"])
        return scores
