"""The streamz source: topics in, Arrow batches with their positions out.

One thread per source polls, gathers, decodes and emits. It emits synchronously: while a batch is being worked on
downstream nothing more is read, so memory is bounded. Its positions are those of what has been emitted, and nothing
else.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from streamz import Source, Stream
from streamz.core import sync, thread_state

from smlnb.batch import Batch, Refusal
from smlnb.errors import ConfigError, DecodeError, StateMachineError
from smlnb.ingest.config import KafkaConfig
from smlnb.ingest.deadletter import DeadLetters
from smlnb.ingest.decode import decoder
from smlnb.ingest.decoded import TOMBSTONE, Decoded
from smlnb.ingest.meter import Meter, log_refusals
from smlnb.ingest.metrics import Metrics
from smlnb.ingest.reader import Chunk, Place, Reader
from smlnb.logs import Seldom, event, quiet_logger

__all__ = ["from_kafka_arrow"]

Policy = Literal["stop", "dead_letter", "skip"]

POLL = 0.05  # seconds; also how long pause and stop may take to be noticed
COMMIT = 1.0  # seconds between commits
LOOK = 10.0  # seconds between looks for partitions that were added to the topics
JOIN = 30.0  # seconds that stop() waits for the batch that is being worked on
CLOSE = 2.0  # seconds that it waits for the connection to close

_log = quiet_logger(__name__)
_NOTHING = Decoded(pa.RecordBatch.from_arrays([], names=[]), np.empty(0, np.int64))

_running: weakref.WeakSet[from_kafka_arrow] = weakref.WeakSet()


@Stream.register_api(staticmethod)
class from_kafka_arrow(Source):  # type: ignore[misc] # noqa: N801 - streamz names its nodes like functions
    """Read topics into batches of Arrow columns.

    Every partition of the topics is read, also those that are added while it runs (from their beginning, within some
    seconds). A batch holds records of one partition and covers the positions from the one
    before it to its own end, with whatever holes there are. Created, it waits for :meth:`start`.

    Parameters
    ----------
    topics : str or sequence of str
    bootstrap_servers, config
        See :meth:`smlnb.KafkaConfig.of`.
    start : {"earliest", "latest"}
        Where to begin in partitions without a position.
    positions : mapping of (topic, partition) to int, optional
        Where to begin; those of a project, say.
    format : {"auto", "json", "avro"}
    batch_rows : int
        Records per batch, at most; fewer come together when the topic is slow.
    group_id : str, optional
        Consumer group that is told the positions, for lag tools; one of its own by default.
    on_malformed : {"stop", "dead_letter", "skip"}
        What happens at a record that can't be decoded: stop before it, with an error; write it to the dead letters
        and go on; or just count it and go on. Tombstones (records without a value) are counted and nothing else.
    dead_letter_topic : str, optional
        ``<topic>-dlq`` by default.

    Attributes
    ----------
    state : str
        ``created``, ``running``, ``paused``, ``stopped`` or ``failed``.
    error : Exception or None
        Why it failed.
    """

    def __init__(
        self,
        topics: str | Sequence[str],
        bootstrap_servers: str | None = None,
        config: Mapping[str, Any] | KafkaConfig | str | Path | None = None,
        *,
        start: Literal["earliest", "latest"] = "earliest",
        positions: Mapping[Place, int] | None = None,
        format: str = "auto",  # noqa: A002 - the word that users know
        batch_rows: int = 5_000,
        group_id: str | None = None,
        on_malformed: Policy = "stop",
        dead_letter_topic: str | None = None,
        stream_name: str | None = None,
    ) -> None:
        Stream.__init__(self, stream_name=stream_name)  # not Source's: it would start an event loop that nobody needs
        self.topics = [topics] if isinstance(topics, str) else list(dict.fromkeys(topics or ()))
        if not self.topics or not all(self.topics):
            raise ConfigError("No topic was named.")
        if start not in ("earliest", "latest"):
            raise ConfigError(f"start is {start!r}; use 'earliest' or 'latest'.")
        if batch_rows < 1:
            raise ConfigError(f"batch_rows is {batch_rows}; a batch has at least one row.")
        config = self.config = KafkaConfig.of(bootstrap_servers, config)
        self.batch_rows = batch_rows
        self.error: BaseException | None = None
        self.on_malformed = on_malformed
        self._from = start
        self._format = format
        self._decoder = decoder(format, self.config)
        self._group_id = group_id
        self._dead_letter_topic = dead_letter_topic
        if on_malformed == "dead_letter":
            self._check_dead_letter_topic()
        self._dead_letters: DeadLetters | None = None
        self._positions: dict[Place, int] = dict(positions or {})
        self._meter = Meter()
        self._refusals = Seldom()
        self._reader: Reader | None = None
        self._thread: threading.Thread | None = None
        self._state = "created"
        self._stopping = False
        self._control = threading.RLock()  # one start, stop or restart at a time
        self.progress = threading.Condition()  # notified after each batch and each change of state

    # -- control --------------------------------------------

    @property
    def state(self) -> str:
        """What the source is doing."""
        return self._state

    @property
    def stopped(self) -> bool:
        """Whether nothing is read, as streamz asks."""
        return self._state not in ("running", "paused")

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
        self.error, self._stopping = None, False
        self.connect_dead_letters()
        reader = Reader(
            self.config,
            self.topics,
            positions=self._positions,
            start=self._from,
            batch_rows=self.batch_rows,
            group_id=self._group_id,
        )
        self._positions.update(reader.positions)
        with self.progress:
            self._meter.begin()
            self._reader = reader
        self._set("running")
        self._thread = threading.Thread(target=self._run, args=(reader,), name=f"smlnb-{self.topics[0]}", daemon=True)
        _running.add(self)
        self._thread.start()

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

    def pause(self) -> None:
        """Emit nothing more until :meth:`resume`; the connection is kept. A batch that is being worked on is finished.

        Raises
        ------
        StateMachineError
            If it is not running.
        """
        self._switch("paused", "pause")

    def resume(self) -> None:
        """Go on after :meth:`pause`; nothing happens if it is running.

        Raises
        ------
        StateMachineError
            If it is stopped.
        """
        self._switch("running", "resume")

    def stop(self) -> None:
        """Stop reading and close the connection; nothing happens if that was done before.

        Raises
        ------
        StateMachineError
            If the batch that is being worked on takes more than 30 seconds.
        """
        self._stopping = True
        if self._thread is threading.current_thread():
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

    def wait_until(self, done: Callable[[], bool], timeout: float | None, whose: object) -> None:
        """Wait until ``done()``, which is asked after each batch; errors name ``whose`` waiting it is.

        Raises
        ------
        SmlnbError
            What made the source fail.
        StateMachineError
            If it is paused or stopped before.
        TimeoutError
            After ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.progress:
            while not done():
                if self.error is not None:
                    raise self.error
                if self._state != "running":
                    raise StateMachineError(f"Nothing to wait for: {whose!r}. Start or resume it.")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{whose!r} was not done after {timeout:g} s.")
                self.progress.wait(0.5 if left is None else min(left, 0.5))

    def reached(self, ends: Mapping[Place, int]) -> bool:
        """Return whether all before these offsets has been emitted."""
        return all(self._positions.get(place, 0) >= end for place, end in ends.items())

    def _switch(self, state: str, what: str) -> None:
        with self.progress:
            if self.stopped:
                why = f" ({self.error})" if self.error else ""
                raise StateMachineError(
                    f"Can't {what}: the source of {self._named} is {self._state}{why}. Use restart().",
                )
            changed, self._state = self._state != state, state
            self.progress.notify_all()
        if changed:
            self._say(state)

    def _set(self, state: str) -> None:
        with self.progress:
            self._state = state
            self.progress.notify_all()
        self._say(state)

    def _say(self, state: str) -> None:
        m, level = self.metrics, logging.ERROR if state == "failed" else logging.INFO
        why = None if m.last_error is None or state != "failed" else self.config.masked(m.last_error)
        at, parts = self.config.bootstrap_servers, len(m.partitions)
        counts = {"read": m.read, "rows": m.rows, "refused": m.refused, "lag": m.lag, "error": why}
        event(_log, level, state, topics=self.topics, brokers=at, partitions=parts, **counts)

    def _join(self, timeout: float = JOIN) -> None:
        thread = self._thread
        if thread is None:
            return
        with self.progress:
            done = self.progress.wait_for(lambda: self.stopped, timeout)
        thread.join(CLOSE)
        if not done:
            raise StateMachineError(
                f"The source of {self._named} did not stop within {timeout:g} s: something downstream is at work.",
            )
        self._thread = None

    @property
    def _named(self) -> str:
        return ", ".join(map(repr, self.topics))

    @property
    def dead_letter_topic(self) -> str:
        """Where refused records are written to, by the policy ``dead_letter``."""
        return self._dead_letter_topic or f"{self.topics[0]}-dlq"

    # -- the thread --------------------------------------------

    def _run(self, reader: Reader) -> None:
        state, failure = "stopped", None
        try:
            self._loop(reader)
        except BaseException as error:  # noqa: BLE001 - whatever happens is kept and shown: nobody else would see it
            state, failure = "failed", error
        finally:
            reader.commit(self._positions)
            with self.progress:
                self._meter.end(reader)
                self._reader = None
                self.error = failure
            _running.discard(self)
            self._set(state)
            reader.close()  # takes a while if the broker is gone

    def _loop(self, reader: Reader) -> None:
        committed = looked = time.monotonic()
        while not self._stopping:
            paused = self._state == "paused"
            reader.pause(paused)
            reader.poll(POLL)
            for place in reader.due():
                if self._stopping or self._state == "paused":
                    break
                self._work(reader.take(place))
            if time.monotonic() - committed >= COMMIT:
                reader.see_ends()
                reader.commit(self._positions)
                committed = time.monotonic()
            if time.monotonic() - looked >= LOOK:
                reader.take_up_new_partitions()
                with self.progress:
                    self._positions = {**reader.positions, **self._positions}
                looked = time.monotonic()

    def _work(self, chunk: Chunk) -> None:
        begin = time.perf_counter()
        decoded = self._decoder.decode(chunk.values) if chunk.values else _NOTHING
        seconds = time.perf_counter() - begin
        batch, failure = self._batch(chunk, decoded)
        if batch.stop > batch.start:
            if self.dead_letters is not None:
                self.dead_letters.send(r for r in batch.refused if r.reason != TOMBSTONE)
            self._deliver(batch)
            done = len(batch) + len(batch.refused)
            self._count(batch, _size(chunk.values if failure is None else chunk.values[:done]), seconds)
        if failure is not None:
            raise failure

    def _batch(self, chunk: Chunk, decoded: Decoded) -> tuple[Batch, DecodeError | None]:
        """Return the batch and, by the policy ``stop``, the error of the record that it was cut before."""
        topic, partition = chunk.place
        offsets = chunk.offsets
        data, rows, refused, stop, failure = decoded.data, decoded.rows, decoded.refused, chunk.stop, None
        bad = next(((i, why) for i, why in refused if why != TOMBSTONE), None) if self.on_malformed == "stop" else None
        if bad is not None:
            first, reason = bad
            kept = int(np.searchsorted(rows, first))
            data, rows, refused = data.slice(0, kept), rows[:kept], tuple(r for r in refused if r[0] < first)
            stop = int(offsets[first])
            failure = DecodeError(
                f"{topic}[{partition}] offset {stop} can't be decoded: {reason}. Reading stopped before this record. "
                "Go on with restart(on_malformed='skip'), which leaves such records out, or 'dead_letter', which "
                f"writes them to {self.dead_letter_topic!r}.",
            )
        refusals = tuple(
            Refusal(topic, partition, int(offsets[i]), "decode", why, chunk.keys[i], chunk.values[i])
            for i, why in refused
        )
        raw, times = _Raw(chunk, rows), chunk.times[rows]
        return Batch(data, topic, partition, chunk.start, stop, offsets[rows], refusals, raw, times), failure

    def _deliver(self, batch: Batch) -> None:
        """Emit, and return when everything downstream is done, on an event loop if some node needs one."""
        if self.loop is None:
            waiting = self._emit(batch)
            if waiting:
                asyncio.run(_all(waiting))
        else:
            sync(self.loop, self._emit_in_loop, batch)

    async def _emit_in_loop(self, batch: Batch) -> None:
        thread_state.asynchronous = True
        try:
            await asyncio.gather(*self._emit(batch))
        finally:
            del thread_state.asynchronous

    def _count(self, batch: Batch, size: int, decode_seconds: float) -> None:
        with self.progress:
            self._meter.count(batch, size, decode_seconds)
            self._positions[batch.topic, batch.partition] = batch.stop
            self.progress.notify_all()
        if batch.refused:
            log_refusals(_log, self._refusals, batch.refused)

    # -- what can be seen --------------------------------------------

    @property
    def metrics(self) -> Metrics:
        """A snapshot of the numbers."""
        with self.progress:
            why = None if self.error is None else str(self.error)
            return self._meter.metrics(self._state, self._positions, self._reader, why)

    @property
    def broker_statistics(self) -> str | None:
        """What librdkafka said of itself last, as JSON, if the key ``statistics.interval.ms`` asks for it."""
        return None if self._reader is None else self._reader.statistics

    _ipython_display_ = None  # streamz' own shows every batch in an output widget from our thread

    def __repr__(self) -> str:  # and streamz' own __str__ shows less
        m = self.metrics
        return f"from_kafka_arrow({self._named}, {m.state}, rows={m.rows:_}, lag={m.lag:_}, rate={m.rate:.0f}/s)"

    __str__ = __repr__


class _Raw(Sequence[tuple[bytes | None, bytes | None]]):
    """Keys and values of a batch's rows, looked up when asked for."""

    def __init__(self, chunk: Chunk, rows: NDArray[np.int64]) -> None:
        self._chunk = chunk
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        return self._chunk.keys[row], self._chunk.values[row]


def _size(values: Sequence[bytes | None]) -> int:
    try:
        return sum(map(len, values))  # type: ignore[arg-type]
    except TypeError:  # there are tombstones
        return sum(map(len, filter(None, values)))


async def _all(waiting: Sequence[Any]) -> None:
    await asyncio.gather(*waiting)


def _stop_all() -> None:
    """Stop what still runs when the interpreter ends, and wait for it, but not for long."""
    sources = list(_running)
    for source in sources:
        source._stopping = True
    for source in sources:
        if source._thread is not None:
            source._thread.join(2.0)


atexit.register(_stop_all)
