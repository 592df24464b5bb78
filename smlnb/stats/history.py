"""The past at coarsening resolution: the statistics of any interval, without the rows."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Generic, Self

import numpy as np
from numpy.typing import ArrayLike

from smlnb.clock import written
from smlnb.errors import NotEnoughDataError, StatisticsError
from smlnb.stats.base import Accumulator, State
from smlnb.stats.cut import pieces, row_count, select
from smlnb.stats.panes import A, Make, PaneCounts, Times, as_times, by_update, checked, described, running_newest

__all__ = ["TIERS", "History", "Interval", "leaving_out"]

MINUTE = 60_000
TIERS = ((MINUTE, 60), (30 * MINUTE, 48), (24 * 60 * MINUTE, 90))
"""Pane sizes in milliseconds and how many of each: minutes for an hour, half hours for a day, days for a quarter."""


_left_out: ContextVar[Container[str]] = ContextVar("_left_out", default=())


@contextmanager
def leaving_out(digests: Container[str]) -> Iterator[None]:
    """Let the states of histories that are asked for in here have just the digests of some panes in their places.

    Most panes are as they were long ago. Who has stored their states can so do without having them made again: it
    takes a hundredth of the time.
    """
    before = _left_out.set(digests)
    try:
        yield
    finally:
        _left_out.reset(before)


@dataclass(frozen=True, slots=True)
class Interval(Generic[A]):
    """The statistics of a part of the past.

    Attributes
    ----------
    start, stop : int
        What is really covered, in milliseconds since 1970, ``stop`` not included: the interval that was asked for,
        widened to whole panes.
    statistics : Accumulator
        Merged over the panes; its own.
    panes : int
        How many were merged.
    """

    start: int
    stop: int
    statistics: A
    panes: int

    def __str__(self) -> str:
        return f"{written(self.start)} to {written(self.stop)}: {self.statistics.n:,} rows"


class History(Accumulator, Generic[A]):
    """Panes of time over any accumulator: fine for the recent past, coarser the older they get, and a total.

    As time goes on, neighbouring panes are merged into coarser ones; those older than the last tier become one with
    the rows that have no time. The total keeps everything, whatever its time. Nothing is ever subtracted. Rows may come
    in any order: each goes to the pane of its own time, and the panes are the same in the end.

    Parameters
    ----------
    make : callable
        Returns a new, empty accumulator, always of the same configuration.
    tiers : sequence of (size, keep)
        Pane sizes in milliseconds, each a multiple of the one before, and how many of each to keep at least. At most
        ``keep + next size / size`` are kept.
    tolerance : int, default 60,000
        Milliseconds that a time may be beyond the clock, where the clock is given.

    Notes
    -----
    A block that lies in the newest pane costs one update, as without a history: that pane is merged into the total when
    the next one begins. A block that reaches over several panes costs two updates, one of them in parts.

    Examples
    --------
    >>> from smlnb.stats.moments import Moments
    >>> history = History(lambda: Moments(1))
    >>> minutes = np.arange(0, 180 * MINUTE, MINUTE)
    >>> history.update(np.arange(180.0)[None, :], times=minutes)
    >>> past = history.between(10 * MINUTE, 20 * MINUTE)  # two hours later it is known by half hours
    >>> past.start // MINUTE, past.stop // MINUTE, past.statistics.result().mean.tolist()
    (0, 30, [14.5])
    >>> history.total().result().mean.tolist()
    [89.5]
    """

    version: ClassVar[int] = 2

    def __init__(self, make: Make[A], tiers: Sequence[tuple[int, int]] = TIERS, *, tolerance: int = MINUTE) -> None:
        sizes = [size for size, _ in tiers]
        if not tiers or min(min(t) for t in tiers) < 1:
            raise StatisticsError(f"A history needs tiers of (milliseconds, panes), both above 0, not {tiers!r}.")
        if any(b % a or b == a for a, b in pairwise(sizes)):
            raise StatisticsError(f"Each pane size must be a multiple of the one before; these are {sizes}.")
        self.tiers = tuple((int(size), int(keep)) for size, keep in tiers)
        self.tolerance = tolerance
        self.n = 0
        self.untimed = 0
        self.early = 0
        self.backward = 0
        self._make = make
        self._newest: int | None = None
        self._settled: A = make()  # everything but the rows in _hot
        self._beyond: A = make()  # what is in no pane: too old, without a time, or with one beyond the clock
        self._panes: dict[int, A] = {}  # by start; the tier follows from the newest time
        self._digests: dict[int, tuple[A, int, str]] = {}  # of panes' states, and the rows that they had then
        self._hot: tuple[int, A] | None = None  # rows of the newest pane that are in neither yet

    def _edges(self, newest: int) -> list[int]:
        """Return where the tiers begin, finest first; the last is where the past is forgotten."""
        edge = (newest // self.tiers[0][0] + 1) * self.tiers[0][0]
        edges = []
        for i, (size, keep) in enumerate(self.tiers):
            grid = self.tiers[i + 1][0] if i + 1 < len(self.tiers) else size
            edge = (edge - keep * size) // grid * grid
            edges.append(edge)
        return edges

    def _starts(self, times: Times) -> tuple[Times, Times]:
        """Return the starts of the panes that times belong to, and their tiers; a tier beyond the last is forgotten."""
        edges = np.array(self._edges(self._newest or 0))
        tiers = len(edges) - np.searchsorted(edges[::-1], times, side="right")
        sizes = np.array([size for size, _ in self.tiers])[np.minimum(tiers, len(self.tiers) - 1)]
        return times // sizes * sizes, tiers

    def update(
        self,
        block: Any,
        times: ArrayLike | None = None,
        *,
        now: int | None = None,
        absorb: Callable[[A, Any], None] | None = None,
    ) -> None:
        """Absorb a block.

        Parameters
        ----------
        block
            What the accumulators take: an array of shape (d, rows), a record batch, or a sequence of columns.
        times : array of int, shape (rows,), optional
            Milliseconds since 1970, one per row. Without times, rows go to the total only.
        now : int, optional
            The clock, in milliseconds: rows with times more than the tolerance beyond it are counted as early and go
            to the total only, so that one wrong time does not age the whole past.
        absorb : callable, optional
            How an accumulator takes a part of the block; ``accumulator.update(part)`` by default.
        """
        rows = row_count(block)
        if rows == 0:
            return
        take = absorb or by_update
        self.n += rows
        if times is None:
            self.untimed += rows
            take(self._settled, block)
            take(self._beyond, block)
            return
        stamps = as_times(times, rows)
        if now is not None and stamps.max() > now + self.tolerance:
            early = stamps > now + self.tolerance
            self.early += int(early.sum())
            take(self._settled, select(block, early))
            take(self._beyond, select(block, early))
            block, stamps = select(block, ~early), stamps[~early]
        if len(stamps):
            newest = running_newest(stamps, self._newest)
            self.backward += int((stamps < newest).sum())
            self._advance(int(newest[-1]))
            self._place(block, stamps, take)

    def _advance(self, newest: int) -> None:
        """Move the newest time on: settle the newest pane where it is over, and coarsen."""
        size = self.tiers[0][0]
        before, self._newest = self._newest, newest
        if before is None or before // size == newest // size:
            return
        self._settle()
        self._coarsen()

    def _settle(self) -> None:
        if self._hot is not None:
            start, accumulator = self._hot
            self._hot = None
            self._settled.merge(accumulator)
            self._add(start, accumulator)

    def _add(self, start: int, accumulator: A) -> None:
        if start in self._panes:
            self._panes[start].merge(accumulator)
        else:
            self._panes[start] = accumulator

    def _coarsen(self) -> None:
        starts = sorted(self._panes)
        if not starts:
            return
        to, tiers = self._starts(np.array(starts))
        for start, target, tier in zip(starts, to.tolist(), tiers.tolist(), strict=True):
            if tier == len(self.tiers):
                self._beyond.merge(self._panes.pop(start))
            elif target != start:
                self._add(target, self._panes.pop(start))

    def _place(self, block: Any, stamps: Times, take: Callable[[A, Any], None]) -> None:
        size = self.tiers[0][0]
        newest = (self._newest or 0) // size * size
        if stamps.min() >= newest:  # the usual case: one update now, one merge when the pane is over
            if self._hot is None:
                self._hot = (newest, self._make())
            take(self._hot[1], block)
            return
        take(self._settled, block)  # with many panes, a second update is cheaper than a merge for each
        starts, tiers = self._starts(stamps)
        forgotten = tiers == len(self.tiers)
        if forgotten.any():
            take(self._beyond, select(block, forgotten))
            block, starts = select(block, ~forgotten), starts[~forgotten]
        for start, part in pieces(block, starts):
            if start not in self._panes:
                self._panes[start] = self._make()
            take(self._panes[start], part)

    @property
    def counts(self) -> PaneCounts:
        """What became of the rows; ``late`` are those older than the last tier, when they came or by now."""
        placed = sum(accumulator.n for _, accumulator in self._parts())
        late = self.n - placed - self.early - self.untimed
        return PaneCounts(placed, late, self.early, self.untimed, self.backward)

    @property
    def span(self) -> tuple[int, int] | None:
        """From the start of the oldest pane to the end of the newest, in milliseconds; None before the first row."""
        starts = [start for start, _ in self._parts()]
        if not starts or self._newest is None:
            return None
        size = self.tiers[0][0]
        return min(starts), (self._newest // size + 1) * size

    @property
    def panes(self) -> list[tuple[int, int, int]]:
        """Start, stop and rows of every pane, oldest first."""
        found: dict[int, int] = {}
        for start, accumulator in self._parts():
            found[start] = found.get(start, 0) + accumulator.n
        return [(start, start + self._size_at(start), rows) for start, rows in sorted(found.items())]

    def _parts(self) -> Iterator[tuple[int, A]]:
        yield from sorted(self._panes.items(), key=lambda item: item[0])
        if self._hot is not None:
            yield self._hot

    def _size_at(self, time: int) -> int:
        _, tiers = self._starts(np.array([time]))
        return self.tiers[min(int(tiers[0]), len(self.tiers) - 1)][0]

    def total(self) -> A:
        """Return the statistics of everything, in an accumulator of its own."""
        total = self._make()
        self.add_to(total)
        return total

    def add_to(self, total: A) -> None:
        """Merge the statistics of everything into an accumulator."""
        total.merge(self._settled)
        if self._hot is not None:
            total.merge(self._hot[1])

    def forget_parts(self, block: Any, times: ArrayLike, remove: Callable[[A, Any], None]) -> None:
        """Take rows out of the total and of the panes of their times: all of them or, with an error, none.

        Parameters
        ----------
        block, times
            As they were absorbed.
        remove : callable
            How an accumulator gives up a part of a block; it raises where it can't.
        """
        self._settle()
        stamps = as_times(times, row_count(block))
        if len(stamps) == 0:
            return
        starts, tiers = self._starts(stamps)
        starts[tiers == len(self.tiers)] = -1
        settled, beyond, panes = self._settled.copy(), self._beyond.copy(), dict(self._panes)
        remove(settled, block)
        for start, part in pieces(block, starts):
            if start in panes:
                panes[start] = panes[start].copy()
                remove(panes[start], part)
            else:
                remove(beyond, part)
        self._settled, self._beyond = settled, beyond
        self._panes = {start: pane for start, pane in panes.items() if pane.n}
        self.n -= len(stamps)

    def forget_between(self, start: int | None = None, stop: int | None = None) -> Interval[A]:
        """Give up the panes that cover an interval; the total is merged anew from all others.

        Nothing is subtracted: extremes and sketches are those of the rows that are left.

        Returns
        -------
        Interval
            What was given up.

        Raises
        ------
        NotEnoughDataError, StatisticsError
            As :meth:`between`.
        """
        gone = self.between(start, stop)
        self._settle()
        self._panes = {at: pane for at, pane in self._panes.items() if not gone.start <= at < gone.stop}
        self._settled = self._beyond.copy()
        for _, pane in self._parts():
            self._settled.merge(pane)
        self.n = self._settled.n
        return gone

    def covers(self, start: int, stop: int) -> bool:
        """Whether anything is known of an interval."""
        span = self.span
        return span is not None and start < span[1] and stop > span[0]

    def between(self, start: int | None = None, stop: int | None = None) -> Interval[A]:
        """Return the statistics of the panes that cover an interval.

        Parameters
        ----------
        start, stop : int, optional
            Milliseconds since 1970; ``stop`` is not included. From the oldest pane, to the end of the newest.

        Raises
        ------
        StatisticsError
            If the interval ends before it begins.
        NotEnoughDataError
            If the history knows nothing of that time.
        """
        merged = self._make()
        first, last, panes = self.add_between(merged, start, stop)
        return Interval(first, last, merged, panes)

    def add_between(self, total: A, start: int | None = None, stop: int | None = None) -> tuple[int, int, int]:
        """Merge the panes that cover an interval into an accumulator; return start and stop of them, and how many."""
        first, last = self.widened(start, stop)
        covered = [(at, part) for at, part in self._parts() if first <= at < last]
        for _, part in covered:
            total.merge(part)
        return first, last, len({at for at, _ in covered})

    def widened(self, start: int | None = None, stop: int | None = None) -> tuple[int, int]:
        """Return the start and stop of the panes that cover an interval; it raises as :meth:`between` does."""
        span = self.span
        if span is None:
            raise NotEnoughDataError("The history is empty: no record with a time has been learned.")
        first, last = (span[0] if start is None else start), (span[1] if stop is None else stop)
        if first >= last:
            raise StatisticsError(f"The interval from {written(first)} to {written(last)} holds no time.")
        if last <= span[0] or first >= span[1]:
            raise NotEnoughDataError(
                f"The history knows {written(span[0])} to {written(span[1])}, "
                f"nothing of {written(first)} to {written(last)}."
            )
        first, last = max(first, span[0]), min(last, span[1])
        size_first, size_last = self._size_at(first), self._size_at(last - 1)
        return first // size_first * size_first, -(-last // size_last) * size_last

    def result(self) -> Any:
        """Return the result of the total."""
        return self.total().result()

    def merge(self, other: Self) -> None:
        """Absorb another history, pane by pane."""
        self._check_mergeable(other)
        self.n += other.n
        self.untimed += other.untimed
        self.early += other.early
        self.backward += other.backward
        self._settled.merge(other._settled)
        self._beyond.merge(other._beyond)
        if other._hot is not None:
            self._settled.merge(other._hot[1])
        self._settle()
        if other._newest is None:
            return
        self._newest = max(other._newest, other._newest if self._newest is None else self._newest)
        self._coarsen()
        parts = list(other._parts())
        to, tiers = self._starts(np.array([start for start, _ in parts], np.int64))
        for (_, part), target, tier in zip(parts, to.tolist(), tiers.tolist(), strict=True):
            if tier < len(self.tiers):
                self._add(target, part.copy())
            else:
                self._beyond.merge(part)

    def change(self, make: Make[A], apply: Callable[[A], None]) -> None:
        """Change every pane, as when attributes are added: ``apply`` widens one, ``make`` returns the new empty one."""
        for accumulator in (self._settled, self._beyond, *(part for _, part in self._parts())):
            apply(accumulator)
        self._make, self._digests = make, {}

    def empty(self) -> Self:
        """Return an empty history of the same configuration."""
        return type(self)(self._make, self.tiers, tolerance=self.tolerance)

    def configuration(self) -> dict[str, Any]:
        """Return tiers, tolerance, and the configuration of the accumulators."""
        tiers = [list(tier) for tier in self.tiers]
        return {"tiers": tiers, "tolerance": self.tolerance, "of": described(self._make())}

    def _payload(self) -> State:
        hot = None if self._hot is None else [self._hot[0], self._hot[1].state()]
        return {
            **{name: getattr(self, name) for name in ("n", "untimed", "early", "backward")},
            "newest": self._newest,
            "settled": self._settled.state(),
            "beyond": self._beyond.state(),
            "hot": hot,
            "panes": self._pane_states(),
        }

    def _pane_states(self) -> dict[str, State]:
        known, left_out = {}, _left_out.get()
        states: dict[str, State] = {}
        for start, pane in self._panes.items():
            before = self._digests.get(start)
            if before is not None and before[0] is pane and before[1] == pane.n and before[2] in left_out:
                states[str(start)], known[start] = {"sha256": before[2]}, before
            else:
                state = states[str(start)] = pane.state()
                known[start] = (pane, pane.n, state["sha256"])
        self._digests = known
        return states

    def _comparable(self) -> State:
        panes: dict[str, A] = {}
        for start, part in self._parts():
            panes.setdefault(str(start), self._make()).merge(part)
        return {
            **{name: getattr(self, name) for name in ("n", "untimed", "early")},
            "newest": self._newest,
            "total": self.total()._comparable(),
            "beyond": self._beyond._comparable(),
            "panes": {start: pane._comparable() for start, pane in panes.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], make: Make[A] | None = None) -> Self:
        """Rebuild what :meth:`state` returned; ``make`` as it was.

        Raises
        ------
        StateError
            If the state was damaged, or ``make`` is missing or makes something else.
        """
        verified = super().from_state(state)
        known = checked(make, state["configuration"]["of"], cls.__name__)
        history, kind, payload = (
            cls(known, verified.tiers, tolerance=verified.tolerance),
            type(known()),
            state["payload"],
        )
        for name in ("n", "untimed", "early", "backward"):
            setattr(history, name, payload[name])
        history._newest = payload["newest"]
        history._settled = kind.from_state(payload["settled"])
        history._beyond = kind.from_state(payload["beyond"])
        history._panes = {int(start): kind.from_state(s) for start, s in payload["panes"].items()}
        history._hot = None if payload["hot"] is None else (payload["hot"][0], kind.from_state(payload["hot"][1]))
        return history

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        del payload  # its accumulators need make: from_state goes on from here
        tiers = [(size, keep) for size, keep in configuration["tiers"]]
        return cls(lambda: None, tiers, tolerance=configuration["tolerance"])  # type: ignore[arg-type, return-value]
