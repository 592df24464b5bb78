"""How fast a count grows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

__all__ = ["Rate"]


class Rate:
    """The growth of a count per second, over the last few seconds.

    Examples
    --------
    >>> now = iter([0.0, 1.0, 2.0])
    >>> rate = Rate(clock=lambda: next(now))
    >>> [rate.of(n) for n in (0, 100, 300)]
    [0.0, 100.0, 150.0]
    """

    def __init__(self, seconds: float = 3.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, count: int) -> float:
        """Take note of the count now; return its growth per second."""
        now = self._clock()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._seconds:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / (now - then) if now > then else 0.0
