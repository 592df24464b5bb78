"""What a source has done so far, as numbers that can be shown while it runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Metrics", "PartitionMetrics", "Rate"]


@dataclass(frozen=True, slots=True)
class PartitionMetrics:
    """The numbers of one partition.

    Attributes
    ----------
    position : int
        Offset of the next record that will be emitted.
    high : int
        The partition's end, as far as known.
    rows, refused : int
        Records emitted, and records that could not be decoded.
    """

    position: int
    high: int
    rows: int = 0
    refused: int = 0

    @property
    def lag(self) -> int:
        """Offsets between the position and the end."""
        return max(self.high - self.position, 0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """A snapshot; ``read == rows + refused + filtered + pending`` holds in each.

    Attributes
    ----------
    state : str
    read : int
        Records that were taken from the topic, since the source was made.
    rows : int
        Records decoded and emitted.
    refused : int
        Records that could not be decoded, tombstones included.
    filtered : int
        Records that the project's row filter leaves out.
    pending : int
        Records read and not yet done with.
    bytes : int
        Size of the values of the records emitted or refused.
    batches : int
    lag : int
        Offsets from the positions to the ends of all partitions.
    rate : float
        Rows per second over the last few seconds.
    commit_errors : int
        Commits that failed; they matter for lag tools only.
    broker_error : str or None
        Why the broker can't be reached, while that is so.
    partitions : mapping of (topic, partition) to PartitionMetrics
    """

    state: str
    read: int = 0
    rows: int = 0
    refused: int = 0
    filtered: int = 0
    pending: int = 0
    bytes: int = 0
    batches: int = 0
    lag: int = 0
    rate: float = 0.0
    commit_errors: int = 0
    broker_error: str | None = None
    partitions: Mapping[tuple[str, int], PartitionMetrics] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as for JSON; partitions are named ``topic[0]``."""
        plain = {k: v for k, v in asdict(self).items() if k != "partitions"}
        plain["partitions"] = {f"{t}[{p}]": {**asdict(m), "lag": m.lag} for (t, p), m in self.partitions.items()}
        return plain


class Rate:
    """Events per second over the last few seconds.

    Examples
    --------
    >>> now = iter([0.0, 1.0, 2.0, 2.0])
    >>> rate = Rate(window=5.0, clock=lambda: next(now))
    >>> rate.add(10); rate.add(20)
    >>> rate.per_second
    15.0
    """

    def __init__(self, window: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._events: deque[tuple[float, int]] = deque()
        self._begin = clock()

    def add(self, count: int) -> None:
        """Count events that happened now."""
        self._events.append((self._clock(), count))
        self._forget()

    def _forget(self) -> None:
        while self._events and self._events[0][0] < self._events[-1][0] - self._window:
            self._events.popleft()

    @property
    def per_second(self) -> float:
        """The rate now; 0 when nothing happened within the window."""
        now = self._clock()
        begin = max(now - self._window, self._begin)
        count = sum(n for t, n in tuple(self._events) if t >= begin)
        return count / max(now - begin, 0.1)
