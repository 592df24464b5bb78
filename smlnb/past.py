"""What a project knows of its past: intervals, the latest records, figures that fade; and how it forgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike

from smlnb.batch import Batch, as_record_batch
from smlnb.clock import Time, hull, interval, written
from smlnb.errors import ForgetError, MergeError, NotEnoughDataError, StateMachineError, StatisticsError
from smlnb.explorable import Explorable
from smlnb.exploration.alerts import Limits, alerts
from smlnb.exploration.drift import Drift, Thresholds, drift
from smlnb.exploration.fading import Fading
from smlnb.exploration.names import listed
from smlnb.filter import RowFilter
from smlnb.journal import Journal
from smlnb.options import Options
from smlnb.schema import Schema
from smlnb.shards.encoding import Encoding
from smlnb.shards.intake import Intake, Types, take_in
from smlnb.shards.recent import Recent
from smlnb.shards.rows import Rows
from smlnb.shards.shard import Shard
from smlnb.shards.stamps import stamps_of
from smlnb.slices import Slice
from smlnb.stats.table import Table

__all__ = ["Key", "Past"]

Key = tuple[str, int]
"""Topic and partition."""

Part = Explorable | tuple[Time | None, Time | None]
"""Something with statistics, or an interval of the past."""


class Past(Explorable):
    """The part of a :class:`~smlnb.project.Project` that deals with time."""

    _version: int
    _frozen: bool
    _schema: Schema
    _options: Options
    _types: Types
    _encoding: Encoding
    _filter: RowFilter | None
    _journal: Journal
    _direct: Shard
    _shards: dict[Key, Shard]
    _latest: Recent
    """By rows; of the sealed rows, and of those of tails that came from a file."""
    _latest_sealed: Recent | None
    """Without those tails."""

    @property
    def refused_by_attribute(self) -> dict[str, int]:
        """Records that did not fit, by attribute; under the empty name those that could not be decoded."""
        with self._lock:
            total: Counter[str] = sum((shard.refused_by_attribute for _, shard in self._all_shards()), Counter())
            return dict(total)

    def alerts(self, limits: Limits | None = None, *, refused: Mapping[str, int] | None = None) -> pd.DataFrame:
        """Return what is odd, refused records included; see :func:`smlnb.exploration.alerts.alerts`."""
        return alerts(self.summary(), limits, refused=self.refused_by_attribute if refused is None else refused)

    def _all_shards(self) -> Iterator[tuple[Key | None, Shard]]:
        yield None, self._direct
        yield from sorted(self._shards.items())

    def _check_thawed(self, what: str) -> None:
        if self._frozen:
            raise StateMachineError(f"Project {self.name!r} is frozen: nothing was {what}. Call unfreeze() first.")

    def between(self, start: Time | None = None, stop: Time | None = None) -> Slice:
        """Return the statistics of an interval of the past: every question that the project answers, it answers, too.

        Parameters
        ----------
        start, stop
            ``"10:30"``, ``"2026-11-22 10:30"``, ``"-15min"``, a datetime, or milliseconds since 1970; see
            :func:`smlnb.clock.milliseconds`. From the beginning, and to the end, by default.

        Returns
        -------
        Slice
            With what it really covers, ``start`` and ``stop``: the interval widened to whole panes, which are the
            coarser the older they are.

        Raises
        ------
        StatisticsError
            If the project keeps no history, or the interval ends before it begins.
        NotEnoughDataError
            If nothing was learned in that time.

        Examples
        --------
        >>> import smlnb
        >>> project = smlnb.Project("demo", types="C", history=True)
        >>> _ = project.learn({"x": [1.0, 2.0, 30.0]}, times=[0, 59_000, 61_000])
        >>> project.between(0, 60_000).univariate().loc["x", "mean"].item()
        1.5
        """
        with self._lock:
            span = self._interval(start, stop)
            total = Table(self._schema, **self._options.table)
            for _, shard in self._all_shards():
                shard.add_between(total, *span)
            if not total.n:
                raise NotEnoughDataError(f"Nothing was learned of {written(span[0])} to {written(span[1])}.")
            return Slice(f"{self.name}, past", total.result(), span, self.positions, self.encoders)

    def _interval(self, start: Time | None, stop: Time | None) -> tuple[int, int]:
        known = hull(span for _, shard in self._all_shards() if (span := shard.span))
        if known is None:
            learned = sum(shard.n for _, shard in self._all_shards())
            why = (
                f"none of the {learned:,} records of {self.name!r} has a time in it: they lie ahead of the clock. "
                "Times are in UTC, and numbers are milliseconds since 1970"
                if learned
                else f"{self.name!r} holds no records"
            )
            raise NotEnoughDataError(f"There is no past: {why}.")
        first, last = interval(start, stop, known)
        if last <= known[0] or first >= known[1]:
            raise NotEnoughDataError(
                f"The history reaches from {written(known[0])} to {written(known[1])}; "
                f"it knows nothing of {written(first)} to {written(last)}."
            )
        first, last = max(first, known[0]), min(last, known[1])
        while (wider := self._widened(first, last)) != (first, last):  # panes of one partition may be coarser
            first, last = wider
        return first, last

    def _widened(self, first: int, last: int) -> tuple[int, int]:
        """Return an interval with all panes of all partitions that it touches."""
        covered = [c for _, shard in self._all_shards() if (c := shard.covered(first, last))]
        return min([first, *(a for a, _ in covered)]), max([last, *(b for _, b in covered)])

    def history(self) -> pd.DataFrame:
        """Return what is known of the past: start and stop of every pane, and its records, oldest first."""
        with self._lock:
            panes = [pane for _, shard in self._all_shards() for pane in shard.panes]
        table = pd.DataFrame(panes, columns=["start", "stop", "records"]).groupby(["start", "stop"]).sum().reset_index()
        for edge in ("start", "stop"):
            table[edge] = pd.to_datetime(table[edge], unit="ms", utc=True)
        return table

    def window(self) -> Slice:
        """Return the statistics of the latest records, as the option ``window`` says; up to a twentieth fewer.

        Raises
        ------
        StatisticsError
            If the project keeps no window.
        """
        with self._lock:
            panes = self._recent("window").window
            if panes is None:
                raise StatisticsError(f"{self.name!r} keeps no window. Make it with Project(..., window='10min').")
            span = panes.span if panes.by == "time" else None
            return Slice(f"{self.name}, latest", panes.window().result(), span, self.positions, self.encoders)

    def fading(self) -> Fading:
        """Return means, spread and correlations in which old records count less, as the option ``decay`` says.

        Raises
        ------
        StatisticsError
            If the project keeps none.
        """
        with self._lock:
            decayed = self._recent("decay").decayed
            if decayed is None:
                raise StatisticsError(f"{self.name!r} keeps no fading figures. Make it with Project(..., decay='1h').")
            return Fading(decayed.result(), self._schema.numeric)

    def _recent(self, option: Literal["window", "decay"]) -> Recent:
        """Return what is kept of the latest records for an option, tails included."""
        extent = getattr(self._options, option)
        if extent is None or extent.by == "rows":
            return self._shown()
        recent = Recent(self._schema, self._options, "time")
        for _, shard in self._all_shards():
            recent.merge(shard.latest())
        return recent

    def _check_other(self, other: Any) -> None:
        if not isinstance(other, Past):
            raise MergeError(f"A project was wanted, not a {type(other).__name__}.")
        if other is self:
            raise MergeError(f"{self.name!r} can't be merged with itself: its records would count twice.")

    def _check_order(self, other: Past) -> None:
        """Refuse to merge what is kept by rows of two streams."""
        by_rows = any(extent is not None and extent.by == "rows" for extent in self._options.extents)
        if by_rows and all(any(shard.n for _, shard in p._all_shards()) for p in (self, other)):
            raise MergeError(
                f"{self.name!r} and {other.name!r} both keep a window or fading figures by rows, and their rows "
                "have no common order. Keep them by time, such as window='10min'."
            )

    def _take_latest(self, other: Past) -> None:
        """Take over what is kept by rows, where one of the two has no records."""
        if other._latest.n:
            sealed = other._latest_sealed
            self._latest, self._latest_sealed = other._latest.copy(), None if sealed is None else sealed.copy()

    def _shown(self) -> Recent:
        """Return what is kept by rows, with those of all tails."""
        recent = self._latest.copy()
        for _, shard in self._all_shards():
            if (rows := shard.tail.encoded()) is not None:
                recent.update(rows)
        return recent

    def compare(self, before: Part, after: Part | None = None, /, *, thresholds: Thresholds | None = None) -> Drift:
        """Tell what has drifted from ``before`` to ``after``; see :func:`smlnb.exploration.drift.drift`.

        Parameters
        ----------
        before, after
            Projects, slices, or intervals of this project's past as ``(start, stop)``; with one of them, the change is
            that from this project to it.
        thresholds : Thresholds, optional

        Examples
        --------
        >>> import numpy as np, smlnb
        >>> project = smlnb.Project("demo", types="C", history=True)
        >>> times = np.arange(0, 120_000, 100)
        >>> _ = project.learn({"x": np.where(times < 60_000, 1.0, 5.0)}, times=times)
        >>> print(project.compare((0, 60_000), (60_000, 120_000)))
        1 of 1 attributes drift: drift overall
        """
        first, second = (self, before) if after is None else (before, after)
        one, two = (p if isinstance(p, Explorable) else self.between(*_ends(p)) for p in (first, second))
        return drift(one.summary(), two.summary(), thresholds)

    def forget(
        self,
        data: Any,
        names: Sequence[str] | None = None,
        *,
        place: Key | None = None,
        times: ArrayLike | None = None,
    ) -> int:
        """Take records out of the statistics again: all of them or, with an error, none.

        Counts and histogram cells are exact. Moments and co-moments are computed backwards, which costs digits: where
        fewer than six would be left, nothing is forgotten. What can't be computed backwards is reported as missing:
        extremes are NaN, and quantiles come from the histogram. Positions stay; the next record learned is the next
        of the topic. A window and fading figures keep the records until they leave. To forget an interval without
        these losses, see :meth:`forget_between`.

        Parameters
        ----------
        data
            The records as they were learned, anything tabular. Those that would be refused, or that the row filter
            leaves out, were never learned, and are passed over.
        names : sequence of str, optional
            Column names of an array.
        place : (topic, partition), optional
            Where they were learned from; directly by default.
        times : array, shape (rows,), optional
            As in :meth:`learn`; needed by a project with a history and without the option ``time``.

        Returns
        -------
        int
            How many records were forgotten.

        Raises
        ------
        ForgetError
            If the records were not learned from there, or too few digits would be left.
        """
        records = as_record_batch(data, names or self._names_for(data))
        with self._lock:
            self._check_thawed("forgotten")
            if place is not None and place not in self._shards:
                known = ", ".join(f"{topic}[{partition}]" for topic, partition in sorted(self._shards)) or "none"
                if not isinstance(place, tuple) or len(place) != 2:
                    raise ForgetError(
                        f"A place is (topic, partition), not {place!r}. Partitions learned from: {known}."
                    )
                raise ForgetError(f"Nothing was learned from {place[0]}[{place[1]}]. Partitions learned from: {known}.")
            if self._encoding.learns:
                raise ForgetError(
                    f"{self.name!r} has encoders that learn, so it can't tell what numbers they made of these records "
                    "then. Forget an interval instead: forget_between(start, stop)."
                )
            if self._options.history and times is None and self._options.time is None:
                raise ForgetError(
                    f"{self.name!r} keeps a history, so it must know when these records were made: forget(data, "
                    "times=...). Or forget an interval: forget_between(start, stop).",
                )
            intake = self._take_in(records, None, times)
            if new := [a.name for a in intake.schema if a.name not in self._schema]:
                raise ForgetError(f"These records were not learned here: {self.name!r} has no {listed(new)}.")
            rows = intake.rows
            draft = (self._direct if place is None else self._shards[place]).copy()
            self._keep_latest(draft.forget(rows))
            if place is None:
                self._direct = draft
            else:
                self._shards[place] = draft
            self._journal.note(place, "forgotten", len(rows))
            self._version += 1
            return len(rows)

    def forget_between(self, start: Time, stop: Time) -> int:
        """Forget all records of an interval, widened to whole panes; see :meth:`between`.

        The statistics are merged anew from the panes that are left: nothing is subtracted, and extremes, distinct
        counts and quantiles are those of the records that are left.

        Returns
        -------
        int
            How many records were forgotten.

        Raises
        ------
        NotEnoughDataError
            If nothing was learned in that time.
        """
        with self._lock:
            self._check_thawed("forgotten")
            first, last = self._interval(start, stop)
            total = 0
            for key, shard in self._all_shards():
                gone, sealed = shard.forget_between(first, last)
                self._keep_latest(sealed)
                self._journal.note(key, "forgotten", gone)
                total += gone
            self._version += 1
            if not total:
                raise NotEnoughDataError(f"Nothing was learned of {written(first)} to {written(last)}.")
            return total

    def _keep_latest(self, sealed: Sequence[Rows]) -> None:
        for rows in sealed:
            self._latest.update(rows)

    def rewind(self, available: Mapping[Key, int]) -> None:
        """Give up the records of unfinished blocks that came from a file, where they can be read again.

        A file holds statistics, not rows. So a block that was unfinished when it was written can only be completed to
        the last bit by reading it from its beginning. A feed calls this when it starts.

        Parameters
        ----------
        available : mapping of (topic, partition) to int
            The first offset that each partition still has.
        """
        with self._lock:
            for key, shard in self._shards.items():
                before = shard.n
                if available.get(key, shard.position) <= shard.sealed_at and shard.rewind():
                    self._journal.note(key, "to be read again", before - shard.n)
                    self._latest, self._latest_sealed = self._latest_sealed or self._latest, None
                    self._version += 1

    def _take_in(self, records: pa.RecordBatch, batch: Batch | None, times: ArrayLike | None) -> Intake:
        return take_in(
            records,
            batch,
            self._schema,
            types=self._types,
            options=self._options,
            encoding=self._encoding,
            row_filter=self._filter,
            times=None if times is None else stamps_of(times, records.num_rows),
            first=self._direct.n,
        )

    def _names_for(self, data: Any) -> Sequence[str] | None:
        """Name the columns of a bare array like the project's, where the numbers agree."""
        if isinstance(data, np.ndarray) and data.ndim == 2 and data.shape[1] == len(self._schema) > 0:
            return self._schema.names
        return None


def _ends(interval: Any) -> tuple[Time | None, Time | None]:
    """Return the ends of an interval that a person gives."""
    if not isinstance(interval, tuple | list) or len(interval) != 2:
        raise StatisticsError(
            f"A project, a slice or an interval (start, stop) was wanted, such as ('-2h', '-1h') or ('-1h', None), "
            f"not {interval!r}."
        )
    return interval[0], interval[1]
