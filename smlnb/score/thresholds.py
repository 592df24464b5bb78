"""Which scores are high: the quantiles of the scores seen so far, and the flags that follow from them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import datasketches
import numpy as np
from numpy.typing import NDArray

__all__ = ["FLAGS", "LEVELS", "Marks", "Thresholds"]

FLAGS: Final = ("q95", "q98", "q99")
LEVELS: Final = (0.95, 0.98, 0.99)
_K: Final = 2000  # rank error 0.14 %, about 60 kB: one sketch per scorer, so precision is cheap
_BLOCK: Final = 500


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said about scores, row by row; NaN and False where nothing can be said yet.

    Attributes
    ----------
    quantiles : array, shape (rows,)
        The share of the earlier scores that are smaller; NaN in the warm-up.
    thresholds : array, shape (rows, 3)
        The quantiles 0.95, 0.98 and 0.99 of the earlier scores; NaN in the warm-up.
    flags : array of bool, shape (rows, 3)
        Whether the score is larger than each of the thresholds.
    known : array of bool, shape (rows,)
        False in the warm-up, and where the score is no finite number.
    """

    quantiles: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    flags: NDArray[np.bool_]
    known: NDArray[np.bool_]


class Thresholds:
    """A sketch of the scores so far, which judges new ones before it takes them in.

    Scores are judged in blocks of at most 500: within a block all are compared with the same thresholds, those from
    before the block, so that a score never judges itself. The first ``warm_up`` scores are not judged. A score equal to
    a threshold is not above it. One thread may mark while others read.

    Parameters
    ----------
    warm_up : int
        How many scores must have been seen before flags are given.

    Notes
    -----
    The sketch is KLL (Karnin, Lang, Liberty 2016): its ranks are right to 0.14 % with 99 % confidence. It draws random
    numbers, so two runs over the same scores may differ by that much in their thresholds.

    Examples
    --------
    >>> thresholds = Thresholds(warm_up=100)
    >>> thresholds.mark(np.arange(100.0)).known.any()
    np.False_
    >>> thresholds.mark(np.array([50.0, 98.5])).flags.tolist()
    [[False, False, False], [True, True, False]]
    >>> thresholds.quantiles()["q50"]
    50.0
    """

    def __init__(self, warm_up: int = 500) -> None:
        if warm_up < 1:
            raise ValueError(f"warm_up={warm_up}: at least one score must be seen first")
        self.warm_up = warm_up
        self._sketch = datasketches.kll_doubles_sketch(_K)
        self._lock = threading.Lock()

    @property
    def n(self) -> int:
        """Scores absorbed; those that are no finite numbers are left out."""
        return int(self._sketch.n)

    def mark(self, scores: NDArray[np.float64]) -> Marks:
        """Judge scores, in their order, and then take them in; of those that are no finite numbers nothing is said."""
        rows = len(scores)
        marks = Marks(
            quantiles=np.full(rows, np.nan),
            thresholds=np.full((rows, len(LEVELS)), np.nan),
            flags=np.zeros((rows, len(LEVELS)), dtype=bool),
            known=np.zeros(rows, dtype=bool),
        )
        begin = 0
        while begin < rows:
            until_warm = self.warm_up - self.n
            end = min(rows, begin + (min(_BLOCK, until_warm) if until_warm > 0 else _BLOCK))
            block = scores[begin:end]
            finite = np.isfinite(block)
            if until_warm <= 0:
                limits = np.asarray(self._sketch.get_quantiles(list(LEVELS)), dtype=np.float64)
                marks.thresholds[begin:end][finite] = limits
                marks.quantiles[begin:end][finite] = self._ranks(block[finite])
                marks.flags[begin:end][finite] = block[finite, None] > limits
                marks.known[begin:end] = finite
            with self._lock:
                self._sketch.update(np.ascontiguousarray(block[finite], dtype=np.float64))
            begin = end
        return marks

    def quantiles(self, levels: Sequence[float] = (0.5, *LEVELS)) -> dict[str, float]:
        """Return the quantiles of all scores so far, as ``{"q50": ...}``; empty before the first score."""
        with self._lock:
            if self.n == 0:
                return {}
            values = self._sketch.get_quantiles(list(levels))
        return {f"q{100 * level:g}": float(value) for level, value in zip(levels, values, strict=True)}

    def _ranks(self, finite: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(finite) == 0:
            return finite
        points, place = np.unique(finite, return_inverse=True)  # the sketch wants them sorted and different
        ranks: NDArray[np.float64] = np.asarray(self._sketch.get_cdf(points), dtype=np.float64)[place]
        return ranks
