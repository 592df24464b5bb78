"""How far a bounded feed has come, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tqdm.auto import tqdm

__all__ = ["Backfill", "BackfillMetrics", "followed"]

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class BackfillMetrics:
    """A snapshot, in offsets.

    Attributes
    ----------
    total, done : int
        Offsets from where it began to where it ends, over all partitions; and how many of them are done with.
    rate : float
        Offsets per second so far.
    """

    total: int
    done: int
    rate: float

    @property
    def left(self) -> int:
        """Offsets to go."""
        return self.total - self.done

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the time that the rest will take, at the rate so far; None where there is none yet."""
        if not self.left:
            return 0.0
        return self.left / self.rate if self.rate else None

    def __str__(self) -> str:
        seconds = self.seconds_left
        when = "" if seconds is None or not self.left else f", about {seconds:,.0f} s left"
        return f"{self.done:,} of {self.total:,}{when}"


class Backfill:
    """What is to be read from some positions to the ends.

    Parameters
    ----------
    ends, begin : mapping of (topic, partition) to int
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> now = iter([0.0, 10.0])
    >>> backfill = Backfill({("t", 0): 100}, {("t", 0): 20}, clock=lambda: next(now))
    >>> print(backfill.at({("t", 0): 60}))
    40 of 80, about 10 s left
    """

    def __init__(
        self, ends: Mapping[Place, int], begin: Mapping[Place, int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ends = {place: end for place, end in ends.items() if end > begin.get(place, 0)}
        self._total = sum(end - begin.get(place, 0) for place, end in self._ends.items())
        self._clock = clock
        self._since = clock()

    def at(self, positions: Mapping[Place, int]) -> BackfillMetrics:
        """Return how far it has come."""
        left = sum(max(end - positions.get(place, 0), 0) for place, end in self._ends.items())
        done = max(self._total - left, 0)
        return BackfillMetrics(self._total, done, done / max(self._clock() - self._since, 1e-3))


@contextmanager
def followed(total: int, name: str, *, show: bool = True) -> Iterator[Callable[[BackfillMetrics | None], None]]:
    """Give a function that shows how far it has come, on a progress bar of the kind that the surroundings have.

    It belongs in the thread that waits: a notebook shows nothing reliably that other threads send.
    """
    with tqdm(total=total, desc=name, unit=" offsets", disable=not show, mininterval=0.25) as bar:

        def at(now: BackfillMetrics | None) -> None:
            if now is not None:
                bar.update(now.done - bar.n)

        yield at
