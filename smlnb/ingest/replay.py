"""Data into a topic, at a chosen rate: the simulator."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from confluent_kafka import KafkaException, Message, Producer
from tqdm import tqdm

from smlnb.cluster.broker import LocalBroker, check_settings
from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.cluster.topics import ensure_topic, watermarks
from smlnb.errors import ConfigError, KafkaError, StateMachineError, UnknownAttributeError
from smlnb.formats.encode import row_encoder
from smlnb.ingest.metrics import Rate
from smlnb.ingest.tables import batches_of
from smlnb.stoppable import Stoppable

__all__ = ["Replay", "ReplayMetrics", "replay"]

SLICE = 500  # rows between two looks at the clock, the queue and the stop sign
TICKS = 20  # slices per second at a chosen rate, at least
DELIVERED = 60.0  # seconds
ROOM = 0.5  # share of the retention that may lie between writing and reading

Consumed = Callable[[], Mapping[Any, int]]


def replay(
    data: Any,
    topic: str,
    *,
    rate: float | None = None,
    bootstrap_servers: str | None = None,
    config: Mapping[str, Any] | KafkaConfig | str | Path | None = None,
    format: Literal["json", "avro"] = "json",  # noqa: A002 - the word that users know
    partitions: int | None = None,
    key: str | None = None,
    names: Sequence[str] | None = None,
    block: bool = False,
    progress: bool = True,
    consumed: Consumed | None = None,
) -> Replay:
    """Write data to a topic, one record per row, in a thread; return the running replay.

    Parameters
    ----------
    data
        An Arrow, pandas or polars table, a dict of columns, a list of dicts, an array with ``names``; the path of a
        CSV, Parquet or JSON-lines file; or an iterator of such tables.
    topic : str
        Created with ``partitions`` if it is missing.
    rate : float, optional
        Rows per second; as fast as possible by default.
    bootstrap_servers, config
        Where the cluster is and how to log in; see :meth:`smlnb.KafkaConfig.of`.
    format : {"json", "avro"}
        Of the records' values; Avro needs a schema registry in ``config``.
    partitions : int, optional
        Of a topic that has to be created; 8 by default. An embedded broker of another process makes topics of 4.
    key : str, optional
        The column whose values are the records' keys; Kafka then chooses the partition by the key. Without, rows go to
        the partitions in turn.
    block : bool
        Return when all is written.
    progress : bool
        Show a progress bar, on the standard error stream.
    consumed : function, optional
        Returns the next offset to be read of each partition, or of each (topic, partition), such as
        ``lambda: project.positions``. Then writing waits for reading before the embedded broker would delete what is
        unread.

    Raises
    ------
    BrokerUnavailableError
        Within 10 seconds, if no broker answers or the login is refused.
    BrokerLimitError
        If an embedded broker is asked for what it does not have, such as transactions.
    SchemaError, DataError
        If the data is not tabular, or the file can't be read.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     where = {"bootstrap_servers": broker.bootstrap_servers}
    ...     smlnb.replay({"x": [1, 2, 3]}, "numbers", block=True, progress=False, **where).produced
    3
    """
    config = KafkaConfig.of(bootstrap_servers, config)  # in its place: a traceback with variables shows no passwords
    if rate is not None and not rate > 0:
        raise ConfigError(f"rate is {rate}; give rows per second, or None for as fast as possible.")
    batches, total = batches_of(data, names)
    encode = row_encoder(format, topic, config)
    check_settings(config.client(), writing=True)
    count = ensure_topic(topic, partitions, config=config)
    running = Replay(batches, topic, encode, config, count, total=total, rate=rate, key=key, consumed=consumed)
    running.start(progress=progress)
    if block:
        running.wait()
    return running


@dataclass(frozen=True, slots=True)
class ReplayMetrics:
    """A snapshot: rows acknowledged by the broker, all rows (None if unknown), rows per second, bytes."""

    state: str
    produced: int
    total: int | None
    rate: float
    bytes: int


class Replay(Stoppable):
    """Data on its way into a topic; made by :func:`replay`.

    Attributes
    ----------
    produced : int
        Rows that the broker has acknowledged.
    total : int or None
        Rows to write, if known beforehand.
    state : str
        ``created``, ``running``, ``done``, ``stopped`` or ``failed``.
    error : Exception or None
        Why it failed.
    """

    def __init__(
        self,
        batches: Any,
        topic: str,
        encode: Callable[[pa.RecordBatch], list[bytes]],
        config: KafkaConfig,
        partitions: int,
        *,
        total: int | None = None,
        rate: float | None = None,
        key: str | None = None,
        consumed: Consumed | None = None,
    ) -> None:
        self.topic = topic
        self.partitions = partitions
        self.total = total
        self.produced = 0
        self.bytes = 0
        self.error: BaseException | None = None
        self.state = "created"
        self._batches = batches
        self._encode = encode
        self._config = config
        self._rate = rate
        self._key = key
        self._consumed = consumed
        self._sent = 0
        self._ends: dict[int, tuple[int, int]] = {}  # per partition: the first offset, and the one after the last
        self._seen = Rate()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            self._producer = Producer(config.client(**{"linger.ms": 5, "enable.idempotence": True}))
        except (KafkaException, ValueError, TypeError) as error:
            raise client_error(error, config) from None

    # -- control --------------------------------------------

    def start(self, *, progress: bool = True) -> None:
        """Begin to write; a replay runs once.

        Raises
        ------
        StateMachineError
            If it was started before.
        """
        if self._thread is not None:
            raise StateMachineError(
                f"This replay into {self.topic!r} is {self.state}; make another with smlnb.replay()."
            )
        self.state = "running"
        self._thread = threading.Thread(
            target=self._run, args=(progress,), name=f"smlnb-replay-{self.topic}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Write nothing more, and wait until what was written is acknowledged; nothing happens if it has ended."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all is written.

        Raises
        ------
        SmlnbError
            What made it fail.
        TimeoutError
            After ``timeout`` seconds.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"After {timeout:g} s {self!r} was not done.")
        if self.error is not None:
            raise self.error

    # -- the thread --------------------------------------------

    def _run(self, progress: bool) -> None:
        state = "failed"
        bar = tqdm(total=self.total, desc=self.topic, unit=" rows", disable=not progress, mininterval=0.5)
        try:
            self._write(bar)
            self._flush()
            bar.update(self.produced - bar.n)
            state = "stopped" if self._stop.is_set() else "done"
        except BaseException as error:  # noqa: BLE001 - kept, and raised by wait(): nobody else would see it
            self.error = error
        finally:
            bar.close()
            self.state = state

    def _write(self, bar: Any) -> None:
        if self._consumed is not None:
            self._ends = watermarks(self.topic, config=self._config)
        begin = time.monotonic()
        step = SLICE if self._rate is None else max(1, min(SLICE, int(self._rate / TICKS)))
        for batch in self._batches:
            if self._key is not None and self._key not in batch.schema.names:
                raise UnknownAttributeError.of(self._key, batch.schema.names)
            for first in range(0, batch.num_rows, step):
                if not self._may_go_on(begin):
                    return
                self._write_slice(batch.slice(first, step))
                bar.update(self.produced - bar.n)
            if self._stop.is_set():
                return

    def _may_go_on(self, begin: float) -> bool:
        """Wait for the clock and for the readers; return False when it is time to stop."""
        if self._rate is not None:
            while (early := self._sent / self._rate - (time.monotonic() - begin)) > 0:
                self._producer.poll(0)
                if self._stop.wait(min(early, 0.1)):
                    return False
        while self._consumed is not None and self._too_far_ahead():
            self._producer.poll(0.01)
            if self._stop.is_set():
                return False
        return not self._stop.is_set()

    def _too_far_ahead(self) -> bool:
        if self._consumed is None:
            return False
        read: dict[int, int] = {}
        for place, offset in self._consumed().items():
            if not isinstance(place, tuple):
                read[place] = offset
            elif place[0] == self.topic:
                read[place[1]] = offset
        size = self.bytes / max(self._sent, 1) + 100  # and what a record carries besides its value
        room = ROOM * min(LocalBroker.retention.records, LocalBroker.retention.bytes / size)
        flying = len(self._producer)
        return any(end + flying - max(read.get(p, 0), first) > room for p, (first, end) in self._ends.items())

    def _write_slice(self, rows: pa.RecordBatch) -> None:
        values = self._encode(rows)
        keys = (
            [None if k is None else str(k).encode() for k in rows.column(self._key).to_pylist()] if self._key else None
        )
        for i, value in enumerate(values):
            self._raise_failure()
            where = {"key": keys[i]} if keys is not None else {"partition": (self._sent + i) % self.partitions}
            self._produce(value, where)
        self.bytes += sum(map(len, values))
        self._sent += len(values)
        self._producer.poll(0)
        self._seen.add(len(values))

    def _produce(self, value: bytes, where: Mapping[str, Any]) -> None:
        while True:
            try:
                self._producer.produce(self.topic, value, on_delivery=self._delivered, **where)
            except BufferError:  # the queue is full: wait for the broker
                self._producer.poll(0.05)
                self._raise_failure()
            except KafkaException as error:
                raise client_error(error, self._config, f"Writing to {self.topic!r} failed") from None
            else:
                return

    def _delivered(self, error: Any, message: Message) -> None:
        if error is not None:
            self.error = self.error or client_error(
                KafkaException(error), self._config, f"Writing to {self.topic!r} failed"
            )
            return
        self.produced += 1
        partition = message.partition()
        self._ends[partition] = (self._ends.get(partition, (0, 0))[0], message.offset() + 1)

    def _flush(self) -> None:
        left = self._producer.flush(DELIVERED)
        self._raise_failure()
        if left:
            raise KafkaError(
                f"{left} rows were not acknowledged by {self._config.bootstrap_servers} within {DELIVERED:g} s. "
                "Is the broker running?",
            )

    def _raise_failure(self) -> None:
        if self.error is not None:
            raise self.error

    # -- what can be seen --------------------------------------------

    @property
    def metrics(self) -> ReplayMetrics:
        """A snapshot of the numbers."""
        return ReplayMetrics(self.state, self.produced, self.total, self._seen.per_second, self.bytes)

    def __repr__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        return f"Replay({self.topic!r}, {self.state}, {self.produced:,}{of} rows)"

    def _repr_html_(self) -> str:
        error = f"<br>{html.escape(str(self.error))}" if self.error is not None else ""
        return f"<code>{html.escape(repr(self))}</code>{error}"
