"""Windows: statistics of the last so many rows, or of the last so much time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import MergeError, StateError, StatisticsError
from smlnb.stats.base import Accumulator, State
from smlnb.stats.cut import pieces, row_count, select

__all__ = ["PaneCounts", "Panes"]

A = TypeVar("A", bound=Accumulator)
Make = Callable[[], A]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PaneCounts:
    """What became of the rows; ``placed + late + early + untimed`` is all of them.

    Attributes
    ----------
    placed : int
        Went into a pane, by their own time.
    late : int
        Came after their pane was closed.
    early : int
        Had a time beyond the clock.
    untimed : int
        Came without times, to panes of time.
    backward : int
        Among the placed and late ones: had a time before one that had come already.
    """

    placed: int = 0
    late: int = 0
    early: int = 0
    untimed: int = 0
    backward: int = 0

    def __add__(self, other: PaneCounts) -> PaneCounts:
        return PaneCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Panes(Accumulator, Generic[A]):
    """A ring of the last ``keep`` panes over any accumulator, merged into a window at any moment.

    Nothing is ever subtracted: what has left the window has left no trace in its digits. Closed panes are merged by two
    stacks, so that a window costs a few merges, on average, however many panes it has; for that every closed pane is
    held twice.

    Parameters
    ----------
    make : callable
        Returns a new, empty accumulator, always of the same configuration.
    size : int
        Of a pane: in rows, or in milliseconds.
    keep : int
        Panes in the window, the present, unfinished one included.
    by : {"time", "rows"}
    lateness : int, default 0
        Milliseconds that a row may be behind the newest one and still be placed; panes stay open so long. Order of
        arrival within it doesn't matter.
    tolerance : int, default 60,000
        Milliseconds that a time may be beyond the clock, where the clock is given.

    Notes
    -----
    Two stacks as in Tangwongsan, Hirzel, Schneider (2021), "In-order sliding-window aggregation in worst-case constant
    time".

    Examples
    --------
    >>> from smlnb.stats.moments import Moments
    >>> panes = Panes(lambda: Moments(1), size=1000, keep=3)
    >>> panes.update(np.array([[1.0, 2.0, 3.0, 1e9]]), times=[0, 500, 1500, 2500])
    >>> panes.update(np.array([[5.0, 6.0]]), times=[5000, 5100])
    >>> panes.window().result().mean.tolist(), panes.span
    ([5.5], (3000, 6000))
    """

    def __init__(
        self,
        make: Make[A],
        size: int,
        keep: int,
        *,
        by: Literal["time", "rows"] = "time",
        lateness: int = 0,
        tolerance: int = 60_000,
    ) -> None:
        if size < 1 or keep < 1:
            raise StatisticsError(f"A window needs panes of a size and a number above 0, not {size} and {keep}.")
        if not 0 <= lateness <= size * (keep - 1) or (by == "rows" and lateness):
            raise StatisticsError(
                f"lateness={lateness} does not fit {keep} panes of {size}: "
                f"at most {size * (keep - 1)} by time, and 0 by rows."
            )
        self.size, self.keep, self.by, self.lateness, self.tolerance = size, keep, by, lateness, tolerance
        self.n = 0
        self.counts = PaneCounts()
        self._make = make
        self._newest: int | None = None
        self._open: dict[int, A] = {}
        self._closed: deque[tuple[int, A]] = deque()
        self._front: list[A] = []  # the last is the merge of the oldest closed panes up to those in the back
        self._back: A | None = None

    @property
    def span(self) -> tuple[int, int] | None:
        """Where the window begins and ends, in milliseconds or in rows; None before the first row."""
        if self._newest is None:
            return None
        last = self._newest // self.size
        return (last - self.keep + 1) * self.size, (last + 1) * self.size

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
            Milliseconds since 1970, one per row; needed by time, not used by rows.
        now : int, optional
            The clock, in milliseconds: rows with times more than the tolerance beyond it are counted as early and left
            out, so that one wrong time does not empty the window.
        absorb : callable, optional
            How an accumulator takes a part of the block; ``accumulator.update(part)`` by default.
        """
        rows = row_count(block)
        if rows == 0:
            return
        if self.by == "rows":
            stamps: Times = np.arange(self.n, self.n + rows)
        elif times is None:
            self.n += rows
            self.counts += PaneCounts(untimed=rows)
            return
        else:
            stamps = as_times(times, rows)
        self.n += rows
        if self.by == "time" and now is not None and stamps.max() > now + self.tolerance:
            timely = stamps <= now + self.tolerance
            self.counts += PaneCounts(early=int(rows - timely.sum()))
            block, stamps = select(block, timely), stamps[timely]
        if len(stamps):
            self._place(block, stamps, absorb or by_update)

    def _place(self, block: Any, stamps: Times, absorb: Callable[[A, Any], None]) -> None:
        newest = running_newest(stamps, self._newest)
        backward = int((stamps < newest).sum())
        index = stamps // self.size
        late = index < (newest - self.lateness) // self.size
        if late.any():
            block, index = select(block, ~late), index[~late]
        self.counts += PaneCounts(placed=len(index), late=int(late.sum()), backward=backward)
        stays = index > int(newest[-1]) // self.size - self.keep  # the others leave the window within this block
        if not stays.all():
            block, index = select(block, stays), index[stays]
        for pane, part in pieces(block, index):
            if pane not in self._open:
                self._open[pane] = self._make()
            absorb(self._open[pane], part)
        self._newest = int(newest[-1])
        self._close()

    def _close(self) -> None:
        """Close panes that can get no more rows, and let go those that have left the window."""
        if self._newest is None:
            return
        first_open = (self._newest - self.lateness) // self.size
        for pane in sorted(i for i in self._open if i < first_open):
            accumulator = self._open.pop(pane)
            self._closed.append((pane, accumulator))
            if self._back is None:
                self._back = accumulator.copy()
            else:
                self._back.merge(accumulator)
        first_kept = self._newest // self.size - self.keep + 1
        while self._closed and self._closed[0][0] < first_kept:
            if not self._front:
                self._turn()
            self._front.pop()
            self._closed.popleft()

    def _turn(self) -> None:
        """Make all closed panes the front stack: the merges of each with all that came after it."""
        for _, accumulator in reversed(self._closed):
            merged = accumulator.copy()
            if self._front:
                merged.merge(self._front[-1])
            self._front.append(merged)
        self._back = None

    def window(self) -> A:
        """Return the merge of the last ``keep`` panes, in an accumulator of its own."""
        merged = self._make()
        for part in (*self._front[-1:], *([self._back] if self._back is not None else [])):
            merged.merge(part)
        for pane in sorted(self._open):
            merged.merge(self._open[pane])
        return merged

    def last(self, panes: int) -> A:
        """Return the merge of the last ``panes`` panes, up to ``keep``: one merge for each."""
        if not 1 <= panes <= self.keep:
            raise StatisticsError(f"This window keeps {self.keep} panes; {panes} were wanted.")
        merged = self._make()
        if self._newest is not None:
            first = self._newest // self.size - panes + 1
            for pane, accumulator in (*self._closed, *sorted(self._open.items(), key=lambda item: item[0])):
                if pane >= first:
                    merged.merge(accumulator)
        return merged

    def result(self) -> Any:
        """Return the result of the window."""
        return self.window().result()

    def merge(self, other: Self) -> None:
        """Absorb other panes of time, pane by pane; rows of two streams have no common order, so those can't be merged.

        Raises
        ------
        MergeError
            If the configurations differ, or both have rows and are by rows.
        """
        self._check_mergeable(other)
        if self.by == "rows" and self.n and other.n:
            raise MergeError("Windows by rows of two streams can't be merged: their rows have no common order.")
        both = [newest for newest in (self._newest, other._newest) if newest is not None]
        self.n += other.n
        self.counts += other.counts
        if other._newest is None:
            return
        panes = dict(self._closed) | self._open
        for pane, accumulator in (*other._closed, *other._open.items()):
            if pane in panes:
                panes[pane].merge(accumulator)
            else:
                panes[pane] = accumulator.copy()
        self._restore(max(both), panes)

    def _restore(self, newest: int | None, panes: dict[int, A]) -> None:
        self._newest, self._open = newest, panes
        self._closed, self._front, self._back = deque(), [], None
        self._close()

    def change(self, make: Make[A], apply: Callable[[A], None]) -> None:
        """Change every pane, as when attributes are added: ``apply`` widens one, ``make`` returns the new empty one."""
        panes = dict(self._closed) | self._open
        for accumulator in panes.values():
            apply(accumulator)
        self._make = make
        self._restore(self._newest, panes)

    def empty(self) -> Self:
        """Return empty panes of the same configuration."""
        options = {"by": self.by, "lateness": self.lateness, "tolerance": self.tolerance}
        return type(self)(self._make, self.size, self.keep, **options)  # type: ignore[arg-type]

    def configuration(self) -> dict[str, Any]:
        """Return sizes, and the configuration of the accumulators."""
        options = {name: getattr(self, name) for name in ("size", "keep", "by", "lateness", "tolerance")}
        return {**options, "of": described(self._make())}

    def _payload(self) -> State:
        panes = dict(self._closed) | self._open
        return {
            "n": self.n,
            "newest": self._newest,
            "counts": self.counts.as_dict(),
            "panes": {str(pane): accumulator.state() for pane, accumulator in panes.items()},
        }

    def _comparable(self) -> State:
        panes = dict(self._closed) | self._open
        return {
            "n": self.n,
            "newest": self._newest,
            "panes": {str(pane): accumulator._comparable() for pane, accumulator in panes.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], make: Make[A] | None = None) -> Self:
        """Rebuild what :meth:`state` returned; ``make`` as it was.

        Raises
        ------
        StateError
            If the state was damaged, or ``make`` is missing or makes something else.
        """
        panes = super().from_state(state)
        stored = state["payload"]["panes"]
        panes._make = checked(make, state["configuration"]["of"], cls.__name__)
        kind = type(panes._make())
        panes._restore(panes._newest, {int(pane): kind.from_state(s) for pane, s in stored.items()})
        return panes

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        options = {key: value for key, value in configuration.items() if key != "of"}
        panes = cls(_unmade, **options)
        panes.n, panes._newest, panes.counts = payload["n"], payload["newest"], PaneCounts(**payload["counts"])
        return panes


def as_times(times: ArrayLike, rows: int) -> Times:
    """Return ``times`` as int64, one per row."""
    stamps = np.asarray(times)
    if stamps.dtype.kind == "M":
        stamps = stamps.astype("datetime64[ms]")
    stamps = stamps.astype(np.int64, copy=False)
    if stamps.shape != (rows,):
        raise StatisticsError(f"{rows} rows need as many times; there are {stamps.shape}.")
    return stamps


def running_newest(stamps: Times, before: int | None) -> Times:
    """Return the newest time up to and including each row."""
    newest: Times = np.maximum.accumulate(stamps)
    return newest if before is None else np.maximum(newest, before)


def described(accumulator: Accumulator) -> dict[str, Any]:
    """Return kind and configuration of an accumulator."""
    return {"kind": type(accumulator).__name__, **accumulator.configuration()}


def checked(make: Make[A] | None, wanted: Mapping[str, Any], name: str) -> Make[A]:
    """Return ``make`` if what it makes is what a state of ``name`` was made of."""
    if make is None:
        raise StateError(f"{name}.from_state needs make=, as the {name} that were stored had it.")
    found = described(make())
    if found != wanted:
        different = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        raise StateError(f"The stored {name} are of accumulators with another {', '.join(different)}.")
    return make


def by_update(accumulator: Accumulator, part: Any) -> None:
    """Let an accumulator take a part of a block in the usual way."""
    accumulator.update(part)


def _unmade() -> Any:
    raise StateError("Panes that were just read have no accumulators yet.")
