"""The streamz source: topics in, Arrow batches with their positions out.

One thread polls, gathers, decodes and emits, or several do. They emit synchronously: while a batch is being worked on
downstream no other is emitted, so memory is bounded. The positions are those of what has been emitted, and nothing
else.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import uuid
import weakref
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamz import Source, Stream

from smlnb.batch import Batch
from smlnb.cluster.bounds import Bounds, Start, Until
from smlnb.cluster.broker import is_local
from smlnb.cluster.config import KafkaConfig, check_broker
from smlnb.cluster.topics import partitions_of
from smlnb.errors import ConfigError, StateMachineError
from smlnb.formats.decode import decoder
from smlnb.formats.decoded import TOMBSTONE, Decoder
from smlnb.ingest.backfill import Backfill, BackfillMetrics
from smlnb.ingest.control import ACTIVE, Controlled
from smlnb.ingest.crew import Crew
from smlnb.ingest.deadletter import DeadLetters
from smlnb.ingest.delivery import deliver
from smlnb.ingest.group import Member
from smlnb.ingest.meter import Meter, log_refusals
from smlnb.ingest.metrics import Metrics
from smlnb.ingest.reader import OnGap, Place, Reader
from smlnb.ingest.task import Policy, Task
from smlnb.logs import Seldom, event, quiet_logger

__all__ = ["Policy", "from_kafka_arrow"]

JOIN = 30.0  # seconds that stop() waits for the batch that is being worked on
CLOSE = 2.0  # seconds that it waits for the connections to close

_log = quiet_logger(__name__)
_running: weakref.WeakSet[from_kafka_arrow] = weakref.WeakSet()


@Stream.register_api(staticmethod)
class from_kafka_arrow(Controlled, Source):  # type: ignore[misc] # noqa: N801 - streamz names its nodes like functions
    """Read topics into batches of Arrow columns.

    Every partition of the topics is read, also those that are added while it runs (from their beginning, within some
    seconds). A batch holds records of one partition and covers the positions from the one
    before it to its own end, with whatever holes there are. Created, it waits for :meth:`start`.

    Parameters
    ----------
    topics : str or sequence of str
    bootstrap_servers, config
        See :meth:`smlnb.KafkaConfig.of`.
    start : {"earliest", "latest"}, time, or mapping of (topic, partition) to int
        Where to begin in partitions without a position; see :class:`~smlnb.cluster.bounds.Bounds`.
    until : "now", time, or mapping of (topic, partition) to int, optional
        Where to end; then the state is ``done``. Never, by default.
    positions : mapping of (topic, partition) to int, optional
        Where to begin; those of a project, say.
    format : str
        See :func:`~smlnb.formats.decode.decoder`.
    format_options : mapping, optional
        Of that format: the ``columns`` and ``delimiter`` of CSV, the ``schema`` of plain Avro, and so on.
    known : collection of str
        Columns that there are: an Avro field that has one of these as alias goes by that name. It may grow.
    batch_rows : int
        Records per batch, at most; fewer come together when the topic is slow.
    group_id : str, optional
        Consumer group that is told the positions, for lag tools; one of its own by default.
    on_malformed : {"stop", "dead_letter", "skip"}
        What happens at a record that can't be decoded: stop before it, with an error; write it to the dead letters
        and go on; or just count it and go on. Tombstones (records without a value) are counted and nothing else.
    dead_letter_topic : str, optional
        ``<topic>-dlq`` by default.
    on_gap : {"stop", "count"}
        What happens where retention has deleted records before they were read: stop with an error that says how many;
        or go on with the first that is there, in a batch that says what is lost.
    tasks : int
        Consumers, each with a thread and a decoder of its own, that share the partitions as one consumer group; on the
        embedded broker, whose groups do not work, each has its share for good.

    Attributes
    ----------
    state : str
        ``created``, ``running``, ``paused``, ``stopped``, ``done`` or ``failed``.
    error : Exception or None
        Why it failed.
    """

    def __init__(
        self,
        topics: str | Sequence[str],
        bootstrap_servers: str | None = None,
        config: Mapping[str, Any] | KafkaConfig | str | Path | None = None,
        *,
        start: Start = "earliest",
        until: Until | None = None,
        positions: Mapping[Place, int] | None = None,
        format: str = "auto",  # noqa: A002 - the word that users know
        format_options: Mapping[str, Any] | None = None,
        known: Collection[str] = (),
        batch_rows: int = 5_000,
        group_id: str | None = None,
        on_malformed: Policy = "stop",
        dead_letter_topic: str | None = None,
        on_gap: OnGap = "stop",
        tasks: int = 1,
        stream_name: str | None = None,
    ) -> None:
        Stream.__init__(self, stream_name=stream_name)  # not Source's: it would start an event loop that nobody needs
        self._begin_control()
        self.topics = [topics] if isinstance(topics, str) else list(dict.fromkeys(topics or ()))
        if not self.topics or not all(self.topics):
            raise ConfigError("No topic was named.")
        if batch_rows < 1:
            raise ConfigError(f"batch_rows is {batch_rows}; a batch has at least one row.")
        if on_gap not in ("stop", "count"):
            raise ConfigError(f"on_gap is {on_gap!r}; use 'stop' or 'count'.")
        config = self.config = KafkaConfig.of(bootstrap_servers, config)
        self.batch_rows = batch_rows
        self.on_malformed = on_malformed
        self._bounds = Bounds(self.topics, start, until)
        self._ends: dict[Place, int] | None = None
        self._backfill: Backfill | None = None
        self._format = format
        self._format_options = dict(format_options or {})
        if format in ("avro", "auto"):  # nothing else has aliases
            self._format_options["known"] = known
        self._group_id = group_id
        self._dead_letter_topic = dead_letter_topic
        self._on_gap = on_gap
        self._crew = Crew(self, self._new_decoder, self._new_reader, tasks, f"smlnb-{self.topics[0]}")
        if on_malformed == "dead_letter":
            self._check_dead_letter_topic()
        self._dead_letters: DeadLetters | None = None
        self._positions: dict[Place, int] = dict(positions or {})
        self._meter = Meter()
        self._refusals = Seldom()
        self._stopping = False
        self._control = threading.RLock()  # one start, stop or restart at a time
        self._delivering = threading.Lock()  # one batch at a time

    # -- control --------------------------------------------

    @property
    def stopped(self) -> bool:
        """Whether nothing is read, as streamz asks."""
        return self._state not in ACTIVE

    @stopped.setter
    def stopped(self, value: bool) -> None:  # streamz sets it
        if value:
            self._stopping = True

    @property
    def on_malformed(self) -> Policy:
        """What happens at a record that can't be decoded."""
        return self._policy

    @on_malformed.setter
    def on_malformed(self, policy: Policy) -> None:
        if policy not in ("stop", "dead_letter", "skip"):
            raise ConfigError(f"on_malformed is {policy!r}; use 'stop', 'dead_letter' or 'skip'.")
        self._policy: Policy = policy

    @property
    def positions(self) -> dict[Place, int]:
        """The next offset of each partition: all before it has been emitted."""
        with self.progress:
            return dict(self._positions)

    def start(self) -> None:
        """Begin to read, from the positions where there are any; nothing happens if it is running already.

        Raises
        ------
        BrokerUnavailableError, TopicError
            Within 10 seconds.
        """
        with self._control:
            if self.stopped:
                self._start()

    def _start(self) -> None:
        self._join()
        self.connect_dead_letters()
        self._plan()
        self.error, self._stopping = None, False
        with self.progress:
            self._meter.begin()
        tasks = self._crew.ready()
        self._set("running")
        _running.add(self)
        self._crew.launch(tasks)

    def _plan(self) -> None:
        """Decide where reading begins and ends, and as which group."""
        counts = partitions_of(self.topics, check_broker(self.config))
        places = [(topic, partition) for topic, count in counts.items() for partition in range(count)]
        self._bounds.check_partitions(places)
        new = [place for place in places if place not in self._positions]
        if new:
            self.know(self._bounds.begin(self.config, new))
        self._places = places
        if self._ends is None or self._state == "done":
            self._ends = self._bounds.end(self.config, places)
            self._backfill = None if self._ends is None else Backfill(self._ends, self.positions)
        self._grouped = self._crew.wanted > 1 and not is_local(self.config.bootstrap_servers, self.config.client())
        named = self._group_id or self.config.settings.get("group.id")
        self._group = str(named or f"smlnb-{uuid.uuid4().hex[:12]}")  # anew each time: nobody of before is waited for

    def _new_decoder(self) -> Decoder:
        return decoder(self._format, self.config, **self._format_options)

    def _new_reader(self, number: int, headers: bool) -> Reader:
        options: dict[str, Any] = {
            "ends": self._ends,
            "batch_rows": self.batch_rows,
            "group_id": self._group,
            "on_gap": self._on_gap,
            "headers": headers,
        }
        if self._grouped:
            return Member(self.config, self.topics, position_of=self._position, **options)
        positions = {place: self._positions[place] for place in self._places[number :: self._crew.wanted]}
        return Reader(self.config, self.topics, positions=positions, alone=self._crew.wanted == 1, **options)

    def rescale(self, tasks: int) -> None:
        """Share the partitions among another number of tasks; while it runs, they move to those that join.

        From or to a single task, which is in no group, and on the embedded broker, it is stopped and goes on.
        """
        with self._control:
            before, self._crew.wanted = self._crew.wanted, tasks
            if self.stopped or tasks == before:
                return
            if self._grouped and tasks > 1:
                self._crew.adapt(JOIN)
            else:
                self.restart()

    def _check_dead_letter_topic(self) -> None:
        if self.dead_letter_topic in self.topics:
            raise ConfigError(
                f"The dead letters would go to {self.dead_letter_topic!r}, which is read: they would come back for "
                "ever. Name another dead_letter_topic.",
            )

    def connect_dead_letters(self) -> None:
        """Open the dead letters now, if the policy needs them; :meth:`start` does it by itself."""
        if self.on_malformed == "dead_letter" and self._dead_letters is None:
            self._check_dead_letter_topic()
            self._dead_letters = DeadLetters(self.config, self.dead_letter_topic)

    @property
    def dead_letters(self) -> DeadLetters | None:
        """Where refused records go by the present policy."""
        return self._dead_letters if self.on_malformed == "dead_letter" else None

    @property
    def dead_letter_topic(self) -> str:
        """Where refused records are written to, by the policy ``dead_letter``."""
        return self._dead_letter_topic or f"{self.topics[0]}-dlq"

    def stop(self) -> None:
        """Stop reading and close the connection; nothing happens if that was done before.

        Raises
        ------
        StateMachineError
            If the batch that is being worked on takes more than 30 seconds.
        """
        self._stopping = True
        if threading.current_thread() in self._crew.threads:
            return
        with self._control:
            self._join()
            if self._state == "created":
                self._set("stopped")

    def restart(self, *, on_malformed: Policy | None = None, positions: Mapping[Place, int] | None = None) -> None:
        """Stop, then go on from the positions; with another policy for malformed records, if one is given."""
        with self._control:
            self.stop()
            if on_malformed is not None:
                self.on_malformed = on_malformed
            if positions is not None:
                self._positions = dict(positions)
            self.start()

    def _join(self, timeout: float = JOIN) -> None:
        with self.progress:
            done = self.progress.wait_for(lambda: self.stopped, timeout)
        self._crew.join(CLOSE)
        if not done:
            raise StateMachineError(
                f"The source of {self.named} did not stop within {timeout:g} s: something downstream is at work.",
            )

    def reached(self, ends: Mapping[Place, int]) -> bool:
        """Return whether all before these offsets has been emitted."""
        return all(self._positions.get(place, 0) >= end for place, end in ends.items())

    # -- what tasks call --------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether the tasks are to end: told so, or at the ends of all partitions."""
        return self._stopping or self._done

    @property
    def _done(self) -> bool:
        return self._ends is not None and self.reached(self._ends)

    def _position(self, place: Place) -> int | None:
        return self._positions.get(place)

    def know(self, positions: Mapping[Place, int]) -> None:
        """Take note of partitions and where they begin, if they are new."""
        with self.progress:
            self._positions = {**positions, **self._positions}

    def hand_on(self, batch: Batch, size: int, seconds: float) -> int | None:
        """Emit a batch that took some seconds to decode and has values of some bytes.

        If it does not begin at the position, another task has emitted it since: then nothing is emitted, and the
        position is returned.
        """
        place = (batch.topic, batch.partition)
        with self._delivering:
            position = self._positions.get(place, batch.start)
            if position != batch.start:
                return position
            if self.dead_letters is not None:
                self.dead_letters.send(r for r in batch.refused if r.reason != TOMBSTONE)
            deliver(self, batch)
            with self.progress:
                self._meter.count(batch, size, seconds)
                self._positions[place] = batch.stop
                self.progress.notify_all()
        if batch.refused:
            log_refusals(_log, self._refusals, batch.refused)
        if batch.lost:
            what = {"topic": batch.topic, "partition": batch.partition, "offsets": batch.offsets_lost}
            event(_log, logging.WARNING, "lost", **what)
        return None

    def ended(self, task: Task, failure: BaseException | None) -> None:
        """Take note that a task has ended; the others follow if it has failed."""
        with self.progress:
            self._meter.end(task.reader)
            last = self._crew.gone(task)
            if failure is not None:
                self.error, self._stopping = self.error or failure, True
        if last:
            _running.discard(self)
            self._set("failed" if self.error is not None else "done" if self._done else "stopped")

    # -- what can be seen --------------------------------------------

    @property
    def metrics(self) -> Metrics:
        """A snapshot of the numbers."""
        with self.progress:
            why = None if self.error is None else str(self.error)
            return self._meter.metrics(self._state, self._positions, self._crew.together, why)

    @property
    def backfill(self) -> BackfillMetrics | None:
        """How far it has come towards ``until``; None if there is no end, or it was not started."""
        return None if self._backfill is None else self._backfill.at(self.positions)

    @property
    def broker_statistics(self) -> str | None:
        """What librdkafka said of itself last, as JSON, if the key ``statistics.interval.ms`` asks for it."""
        return next((task.reader.statistics for task in self._crew.tasks if task.reader.statistics), None)

    @property
    def named(self) -> str:
        """The topics, for messages."""
        return ", ".join(map(repr, self.topics))

    def _say(self, state: str) -> None:
        m, level = self.metrics, logging.ERROR if state == "failed" else logging.INFO
        why = None if m.last_error is None or state != "failed" else self.config.masked(m.last_error)
        at, parts = self.config.bootstrap_servers, len(m.partitions)
        counts = {"read": m.read, "rows": m.rows, "refused": m.refused, "lag": m.lag, "error": why}
        event(_log, level, state, topics=self.topics, brokers=at, partitions=parts, **counts)

    _ipython_display_ = None  # streamz' own shows every batch in an output widget from our thread

    def __repr__(self) -> str:  # and streamz' own __str__ shows less
        m = self.metrics
        return f"from_kafka_arrow({self.named}, {m.state}, rows={m.rows:_}, lag={m.lag_text('_')}, rate={m.rate:.0f}/s)"

    __str__ = __repr__


def _stop_all() -> None:
    """Stop what still runs when the interpreter ends, and wait for it, but not for long."""
    threads: list[threading.Thread] = []
    for source in list(_running):
        source._stopping = True
        threads += source._crew.threads
    deadline = time.monotonic() + CLOSE
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))


atexit.register(_stop_all)
