"""The first and the last value of every attribute, and when they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import StatisticsError
from smlnb.stats.base import Accumulator, State
from smlnb.stats.panes import as_times

__all__ = ["Ends", "EndsSummary"]

Vector = NDArray[np.float64]
Integers = NDArray[np.int64]

NEVER, ALWAYS = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""Before and after all times; the first is NaT as a NumPy datetime."""


@dataclass(frozen=True, slots=True)
class EndsSummary:
    """First and last values, in the order of the times that the rows came with.

    Attributes
    ----------
    first, last : array, shape (attributes,)
        Finite values; NaN where there is none that came with a time.
    first_time, last_time : array of datetime64[ms], shape (attributes,)
        In UTC; NaT where there is no value.
    untimed : int
        Rows that came without a time. They can be neither first nor last.
    """

    first: Vector
    first_time: NDArray[np.datetime64]
    last: Vector
    last_time: NDArray[np.datetime64]
    untimed: int


class Ends(Accumulator):
    """First and last values of ``width`` attributes, and their times; missing and infinite values don't count.

    Rows are ordered by (time, order, value): ``order`` is a number that the caller gives to rows of one time, such as
    their offsets, and the value decides where that is equal, too (the smallest is first, the largest last). That is an
    order of the rows themselves, not of their arrival, so that parts may be merged in any order.

    Parameters
    ----------
    width : int
        The number of attributes.

    Notes
    -----
    A block costs four passes over its times, and nothing per value where the first and the last row lack none.

    Examples
    --------
    >>> ends = Ends(2)
    >>> ends.update(np.array([[1.0, 2.0, 3.0], [np.nan, 5.0, np.inf]]), times=[1000, 2000, 3000])
    >>> summary = ends.result()
    >>> summary.first.tolist(), summary.last.tolist()
    ([1.0, 5.0], [3.0, 5.0])
    >>> summary.last_time.astype(str).tolist()
    ['1970-01-01T00:00:03.000', '1970-01-01T00:00:02.000']
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.n = 0
        self.untimed = 0
        self._first = _End(width, first=True)
        self._last = _End(width, first=False)

    def update(self, block: Vector, times: ArrayLike | None = None, order: ArrayLike | None = None) -> None:
        """Absorb a block of shape (width, rows).

        Parameters
        ----------
        block : array, shape (width, rows)
        times : array of int, shape (rows,), optional
            Milliseconds since 1970. Rows without one, or with NaT, are only counted.
        order : array of int, shape (rows,), optional
            What comes first among rows of one time; without it they are equal.

        Raises
        ------
        StatisticsError
            If there are not as many times, or numbers of the order, as rows. Nothing is absorbed then.
        """
        rows = block.shape[1]
        if times is not None:
            stamps = as_times(times, rows)
            places = None if order is None else np.asarray(order, np.int64)
            if places is not None and places.shape != (rows,):
                raise StatisticsError(f"{rows} rows need as many numbers of their order; there are {places.shape}.")
            if rows:
                self._absorb(block, stamps, places)
        else:
            self.untimed += rows
        self.n += rows

    def _absorb(self, block: Vector, times: Integers, order: Integers | None) -> None:
        earliest = times.min()
        if earliest == NEVER:
            timed = times != NEVER
            self.untimed += int((~timed).sum())
            block, times, order = block[:, timed], times[timed], None if order is None else order[timed]
            if len(times) == 0:
                return
        if earliest <= self._first.time.max(initial=NEVER):  # in a stream that goes on in time only the first block
            self._first.absorb(block, times, order)
        self._last.absorb(block, times, order)

    def merge(self, other: Self) -> None:
        """Absorb another: of two ends the one further out stays."""
        self._check_mergeable(other)
        self._first.merge(other._first)
        self._last.merge(other._last)
        self.n += other.n
        self.untimed += other.untimed

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        self._first.widen(width)
        self._last.widen(width)
        self.width = width

    def result(self) -> EndsSummary:
        """Return the ends."""
        first, last = self._first, self._last
        return EndsSummary(
            first=first.value.copy(),
            first_time=np.where(np.isnan(first.value), NEVER, first.time).astype("datetime64[ms]"),
            last=last.value.copy(),
            last_time=last.time.astype("datetime64[ms]"),
            untimed=self.untimed,
        )

    def empty(self) -> Self:
        """Return an empty one of the same width."""
        return type(self)(self.width)

    def configuration(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}

    def _payload(self) -> State:
        return {"n": self.n, "untimed": self.untimed, "first": self._first.state(), "last": self._last.state()}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        ends = cls(configuration["width"])
        ends.n, ends.untimed = payload["n"], payload["untimed"]
        ends._first = _End.from_state(payload["first"], first=True)
        ends._last = _End.from_state(payload["last"], first=False)
        return ends


class _End:
    """The first or the last value per attribute, with the time and the order of its row.

    Where there is none, the value is NaN and the time lies beyond every other, on the far side.
    """

    FIELDS: ClassVar = ("time", "order", "value")

    def __init__(self, width: int, *, first: bool) -> None:
        self.first = first
        self.time = np.full(width, ALWAYS if first else NEVER)
        self.order = np.zeros(width, np.int64)
        self.value = np.full(width, np.nan)

    def absorb(self, block: Vector, times: Integers, order: Integers | None) -> None:
        """Look for the end of a block that has rows."""
        found = _End(len(block), first=self.first)
        if not found._note(slice(None), block, times, order):
            for i in np.flatnonzero(np.isnan(found.value)):  # what the outermost row lacks: from those that have it
                rows = np.flatnonzero(np.isfinite(block[i]))
                if len(rows):
                    places = None if order is None else order[rows]
                    found._note(slice(i, i + 1), block[i : i + 1, rows], times[rows], places)
        self.merge(found)

    def _note(self, which: slice, block: Vector, times: Integers, order: Integers | None) -> bool:
        """Note, for the attributes ``which``, the values of the outermost row; return whether it has all of them."""
        time, place = (times.min() if self.first else times.max()), np.int64(0)
        rows = (times == time).nonzero()[0]
        if order is not None:
            places = order[rows]
            place = places.min() if self.first else places.max()
            rows = rows[places == place]
        together = rows[-1] - rows[0] + 1 == len(rows)
        values = block[:, rows[0] : rows[-1] + 1] if together else block[:, rows]
        value = values.min(axis=1) if self.first else values.max(axis=1)
        complete = bool(np.isfinite(value).all())
        self.time[which], self.order[which] = time, place
        if not complete:
            finite = np.isfinite(values)
            inner = (
                np.where(finite, values, np.inf).min(axis=1)
                if self.first
                else np.where(finite, values, -np.inf).max(axis=1)
            )
            none = ~finite.any(axis=1)
            value = np.where(none, np.nan, inner)
            self.time[which][none], self.order[which][none] = ALWAYS if self.first else NEVER, 0
        self.value[which] = value + 0.0  # -0 and 0 are one value, of one bit pattern
        return complete

    def merge(self, other: _End) -> None:
        """Become the earlier of the two, or the later, attribute by attribute."""
        earlier, later = (other, self) if self.first else (self, other)
        take = earlier.time < later.time
        if not take.all():
            same_order = (earlier.order == later.order) & (earlier.value < later.value)
            take |= (earlier.time == later.time) & ((earlier.order < later.order) | same_order)
        for name in self.FIELDS:
            np.copyto(getattr(self, name), getattr(other, name), where=take)

    def widen(self, width: int) -> None:
        more = _End(width - len(self.value), first=self.first)
        for name in self.FIELDS:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))

    def state(self) -> State:
        return {name: getattr(self, name).copy() for name in self.FIELDS}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, first: bool) -> Self:
        end = cls(0, first=first)
        for name in cls.FIELDS:
            setattr(end, name, state[name].copy())
        return end
