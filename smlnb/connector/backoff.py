"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Backoff"]

_LARGEST = 62  # doublings; more would only be cut off again


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: ``min(longest, base * 2**attempt * U(0, 1))``.

    The formula is that of the ancestor's connector; why the jitter is there: clients that lost the same broker at the
    same moment come back at different ones.

    Parameters
    ----------
    base, longest : float
        Seconds.
    retries : int
        Attempts after the first; 0 gives up at once.
    draw : callable
        Gives a number in [0, 1).

    Examples
    --------
    >>> backoff = Backoff(base=5.0, longest=10.0, retries=3, draw=lambda: 0.5)
    >>> [backoff.seconds(attempt) for attempt in range(backoff.retries)]
    [2.5, 5.0, 10.0]
    """

    base: float = 5.0
    longest: float = 10.0
    retries: int = 5
    draw: Callable[[], float] = field(default=random.random, repr=False, compare=False)

    def seconds(self, attempt: int) -> float:
        """Return how long to wait before the retry after ``attempt`` retries that failed."""
        return min(self.longest, self.base * 2.0 ** min(attempt, _LARGEST) * self.draw())
