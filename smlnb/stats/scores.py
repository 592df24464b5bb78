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
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class BoundedQuantiles:
    """Quantiles with their bounds.

    Attributes
    ----------
    ranks, values : array, shape (ranks,)
        As asked for, and the scores there; NaN where there are none yet.
    low, high : array, shape (ranks,)
        The true quantile lies between them, at three standard deviations: 99.7 % confidence.
    """

    ranks: Vector
    values: Vector
    low: Vector
    high: Vector


class ScoreQuantiles(Accumulator):
    """Quantiles of one stream of scores by a relative-error sketch; a block has shape (1, rows).

    The error of a rank shrinks towards the top: with ``k=12`` the rank 0.5 is within 0.016 of the truth, 0.99 within
    0.0003 and 0.999 within 0.00003, at three standard deviations and in about 8 kB. NaN and infinite scores are counted
    apart. Scores are rounded up to float32 (seven digits, at most 3.4e38), so that none is above the quantile that it
    made itself.

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
        self._asked: Any = None  # a copy for questions, since they sort a sketch; made at the first one

    @property
    def count(self) -> int:
        """Finite scores."""
        return self.n - self._missing - self._infinite

    def update(self, block: Vector) -> None:
        """Absorb scores, of shape (1, rows) or (rows,)."""
        scores = np.ravel(block)
        missing = int(np.count_nonzero(np.isnan(scores)))
        finite = scores[np.isfinite(scores)]
        self._sketch.update(_rounded_up(finite))
        self._asked = None
        self.n += len(scores)
        self._missing += missing
        self._infinite += len(scores) - missing - len(finite)

    def merge(self, other: Self) -> None:
        """Absorb another; the bound of the error stays."""
        self._check_mergeable(other)
        if not other._sketch.is_empty():
            self._sketch.merge(other._sketch)
        self._asked = None
        self.n += other.n
        self._missing += other._missing
        self._infinite += other._infinite

    def result(self, ranks: ArrayLike = (0.5, 0.95, 0.98, 0.99), *, inclusive: bool = True) -> BoundedQuantiles:
        """Return the scores at ``ranks``, with bounds.

        Parameters
        ----------
        ranks : array_like, shape (ranks,)
            From 0 to 1.
        inclusive : bool, default True
            Take the smallest score with at least this share at or below it, as NumPy's ``"inverted_cdf"``; otherwise
            the next one where exactly this share is. The bounds hold for both.

        Raises
        ------
        ValueError
            If a rank is not between 0 and 1.
        """
        wanted = np.atleast_1d(np.asarray(ranks, dtype=float))
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise ValueError(f"ranks lie between 0 and 1, not at {ranks!r}")
        if self._sketch.is_empty():
            nan = np.full(wanted.shape, np.nan)
            return BoundedQuantiles(wanted, nan, nan.copy(), nan.copy())
        sketch = self._asked_now()
        low = [sketch.get_rank_lower_bound(q, SIGMAS) for q in wanted.tolist()]
        high = [sketch.get_rank_upper_bound(q, SIGMAS) for q in wanted.tolist()]
        return BoundedQuantiles(
            wanted, _at(sketch, wanted, inclusive), _at(sketch, low, inclusive=True), _at(sketch, high, inclusive=False)
        )

    def below(self, scores: Vector) -> Vector:
        """Return the share of the scores absorbed that are smaller than each of these; NaN where it is unknown.

        Parameters
        ----------
        scores : array, shape (rows,)
            Finite; compared as float32.
        """
        if self._sketch.is_empty() or len(scores) == 0:
            return np.full(len(scores), np.nan)
        points, place = np.unique(_rounded_up(scores), return_inverse=True)  # the sketch wants them sorted, different
        return np.array(self._asked_now().get_cdf(points.tolist()), dtype=float)[place]

    def _asked_now(self) -> Any:
        if self._asked is None:
            self._asked = req_floats_sketch.deserialize(self._sketch.serialize())
        return self._asked

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


def _rounded_up(scores: Vector) -> NDArray[np.float32]:
    """Return the smallest float32 not below each score, the largest one for what is beyond it."""
    near = np.clip(scores, -LARGEST, LARGEST)
    rounded = near.astype(np.float32)
    np.nextafter(rounded, np.float32(np.inf), out=rounded, where=rounded < near)
    return rounded


def _at(sketch: Any, ranks: ArrayLike, inclusive: bool) -> Vector:
    """Return the scores at ranks; beyond 0 and 1 the extremes, which are exact."""
    clipped = np.clip(np.asarray(ranks, dtype=float), 0.0, 1.0)
    scores = np.array(sketch.get_quantiles(clipped.tolist(), inclusive), dtype=float)
    scores[clipped == 0] = sketch.get_min_value()  # need not be among the samples
    return scores
