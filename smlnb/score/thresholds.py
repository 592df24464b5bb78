"""Which scores are high: the quantiles of the scores seen so far, and the flags that follow from them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.scores import BoundedQuantiles, ScoreQuantiles

__all__ = ["FLAGS", "LEVELS", "Marks", "Thresholds"]

FLAGS: Final = ("q95", "q98", "q99")
LEVELS: Final = (0.95, 0.98, 0.99)
_K: Final = 50  # 33 kB after three million scores: one sketch per scorer, so precision is cheap
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
    The sketch is ReqSketch (:class:`~smlnb.stats.scores.ScoreQuantiles`), whose ranks are the sharper the higher they
    are: with 99.7 % confidence 0.5 is right to 0.4 %, 0.95 to 0.04 %, 0.98 to 0.016 %, 0.99 to 0.008 % of the scores;
    :meth:`bounds` tells what that is in scores. It draws random numbers, so two runs over the same scores may differ by
    that much in their thresholds. Thresholds have the seven digits of float32.

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
        self._scores = ScoreQuantiles(_K)
        self._lock = threading.Lock()

    @property
    def n(self) -> int:
        """Scores absorbed; those that are no finite numbers are left out."""
        return self._scores.count

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
            with self._lock:
                if until_warm <= 0:
                    limits = self._scores.result(LEVELS, inclusive=False).values
                    marks.thresholds[begin:end][finite] = limits
                    marks.quantiles[begin:end][finite] = self._scores.below(block[finite])
                    marks.flags[begin:end][finite] = block[finite, None] > limits
                    marks.known[begin:end] = finite
                self._scores.update(block)
            begin = end
        return marks

    def quantiles(self, levels: Sequence[float] = (0.5, *LEVELS)) -> dict[str, float]:
        """Return the quantiles of all scores so far, as ``{"q50": ...}``; empty before the first score."""
        found = self.bounds(levels)
        if np.isnan(found.values).any():
            return {}
        return {f"q{100 * level:g}": value for level, value in zip(levels, found.values.tolist(), strict=True)}

    def bounds(self, levels: Sequence[float] = LEVELS) -> BoundedQuantiles:
        """Return the quantiles of all scores so far and where the true ones lie with 99.7 % confidence.

        NaN before the first score.
        """
        with self._lock:
            return self._scores.result(levels, inclusive=False)
