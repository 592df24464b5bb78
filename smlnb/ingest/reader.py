"""A consumer of whole partitions that gathers records and knows, for each, which positions they cover."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import numpy as np
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import KafkaError as ClientError

from smlnb.cluster.config import KafkaConfig, client_error, tidy
from smlnb.cluster.topics import ends_of
from smlnb.errors import KafkaError, LostRecordsError
from smlnb.ingest.arrivals import Event, arrivals
from smlnb.ingest.chunk import Chunk, Place
from smlnb.ingest.records import Records

__all__ = ["OnGap", "Place", "Reader"]

OnGap = Literal["stop", "count"]

BUFFERED = 16  # batches of records held over all partitions, at most
LINGER = 0.1  # seconds that records wait for more of their partition, while there is a backlog
ASK = 5.0  # seconds between questions whether brokers that were gone are back; librdkafka keeps quiet about both
REQUEST = 8.0  # seconds for a request to the broker
LOOK = 1.0  # seconds for a look at the topics' partitions while reading

TUNING: Mapping[str, Any] = {
    "fetch.queue.backoff.ms": 1,  # with the default of 1,000 a backlog over many partitions stalls
    "fetch.wait.max.ms": 10,
    "queued.max.messages.kbytes": 16_384,
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # records that retention has deleted are never skipped in silence
}
FIXED = ("enable.partition.eof", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset")

# what a broker answers that can't serve a partition just now: librdkafka says so and asks it again by itself
TRANSIENT = frozenset(
    {
        ClientError.REQUEST_TIMED_OUT,
        ClientError.NETWORK_EXCEPTION,
        ClientError.BROKER_NOT_AVAILABLE,
        ClientError.LEADER_NOT_AVAILABLE,
        ClientError.NOT_LEADER_FOR_PARTITION,
        ClientError.REPLICA_NOT_AVAILABLE,
        ClientError.KAFKA_STORAGE_ERROR,
        ClientError.OFFSET_NOT_AVAILABLE,
        ClientError.FENCED_LEADER_EPOCH,
        ClientError.UNKNOWN_LEADER_EPOCH,
        ClientError.COORDINATOR_LOAD_IN_PROGRESS,
        ClientError.COORDINATOR_NOT_AVAILABLE,
        ClientError.NOT_COORDINATOR,
        ClientError.THROTTLING_QUOTA_EXCEEDED,
        ClientError._TRANSPORT,
        ClientError._TIMED_OUT,
        ClientError._ALL_BROKERS_DOWN,
    }
)

# a partition that was deleted, or is not there yet: librdkafka says so, and goes on asking for it
ABSENT = frozenset(
    {ClientError.UNKNOWN_TOPIC_OR_PART, ClientError._UNKNOWN_TOPIC, ClientError._UNKNOWN_PARTITION},
)


class Reader:
    """Reads partitions from known positions; used by one thread, but for :attr:`high`, :attr:`read` and errors.

    Partitions are assigned, not subscribed: there is no rebalance, and a reader that does not poll is not thrown out.
    Each chunk begins where the one before it ended, so holes (compaction, transaction markers) are within chunks. The
    ends of partitions are reported by the broker, so that a hole at the very end is covered, too.

    Parameters
    ----------
    config : KafkaConfig
    topics : sequence of str
    positions : mapping of (topic, partition) to int
        Where to begin in each partition.
    ends : mapping of (topic, partition) to int, optional
        Where to end; without it, never.
    batch_rows : int
        The most records of a chunk.
    group_id : str, optional
        Which consumer group is told the positions; one of its own by default.
    on_gap : {"stop", "count"}
        What happens where retention has deleted what comes next: an error, or the chunk says that it is lost.
    headers : bool
        Whether the headers of the records are wanted.
    alone : bool
        Whether no other reader shares the topics: then partitions that are added later are read, too.
    """

    def __init__(
        self,
        config: KafkaConfig,
        topics: Sequence[str],
        *,
        positions: Mapping[Place, int],
        ends: Mapping[Place, int] | None = None,
        batch_rows: int,
        group_id: str | None = None,
        on_gap: OnGap = "stop",
        headers: bool = False,
        alone: bool = True,
    ) -> None:
        self.config = config
        self.topics = topics
        self.high: dict[Place, int] = {}
        self.commit_errors = 0
        self.statistics: str | None = None
        self._broker_error, self._asked = "", 0.0
        self.read: dict[Place, int] = {}
        self.pending = 0
        self._linger = LINGER
        self._any_full, self._looked = False, 0.0  # whether some buffer holds a batch; when all were looked at
        self._batch_rows = batch_rows
        self._ends = ends
        self._on_gap = on_gap
        self._alone = alone
        self._paused = False
        self._buffers: dict[Place, Chunk] = {}
        self._finished: set[Place] = set()  # read up to their ends
        settings = {**TUNING, **config.client(), **{k: TUNING[k] for k in FIXED}, **self._settings()}
        settings["group.id"] = group_id or config.settings.get("group.id") or f"smlnb-{uuid.uuid4().hex[:12]}"
        try:
            self._consumer = Consumer({**settings, **self._callbacks()})
        except (KafkaException, ValueError, TypeError) as error:
            raise client_error(error, config) from None
        self._arrivals = arrivals(self._consumer, headers=headers)
        try:
            self._join(positions)
        except KafkaException as error:
            self.close()
            raise client_error(error, config, "The topic can't be read") from None
        except KafkaError:
            self.close()
            raise

    def _settings(self) -> Mapping[str, Any]:
        """Return what this kind of reader needs of the client."""
        return {}

    def _callbacks(self) -> dict[str, Any]:
        found = {"error_cb": self._on_error, "on_commit": self._on_commit}
        if self.config.settings.get("statistics.interval.ms"):
            found["stats_cb"] = self._on_statistics
        return found

    def _join(self, positions: Mapping[Place, int]) -> None:
        """Begin to read."""
        self._buffers = {p: self._begin(p, at) for p, at in positions.items() if not self._ended(p, at)}
        self._assign({place: buffer.stop for place, buffer in self._buffers.items()})

    def _assign(self, positions: Mapping[Place, int]) -> None:
        self._arrivals.expect(positions)
        self._consumer.incremental_assign([TopicPartition(*place, offset) for place, offset in positions.items()])

    def _unassign(self, parts: list[TopicPartition]) -> None:
        """Leave partitions to others. A pause would outlast that, should they come back."""
        self._consumer.resume(parts)
        self._consumer.incremental_unassign(parts)

    def _ended(self, place: Place, position: int) -> bool:
        return self._ends is not None and position >= self._ends.get(place, 0)

    def _begin(self, place: Place, position: int | None) -> Chunk:
        """Return an empty buffer at a position, or at the partition's beginning."""
        low, high = ends_of(self._consumer, *place)
        self.high[place] = high
        if position is None:
            position = low
        elif position > high:
            raise KafkaError(
                f"{place[0]}[{place[1]}] ends at offset {high}, before position {position} where reading should go on. "
                "The topic was deleted and made anew, or its end was lost. Learn it into a new project.",
            )
        buffer = Chunk(place, position, position)
        if position < low:
            self._lose(buffer, low)
        return buffer

    def _lose(self, buffer: Chunk, low: int) -> None:
        """Let a buffer go on at ``low``, as what is before was deleted; or raise, by the policy ``stop``."""
        (topic, partition), position = buffer.place, buffer.stop
        if self._on_gap == "stop":
            raise LostRecordsError(
                f"{topic}[{partition}]: {low - position:,} records are lost: the broker's retention has deleted "
                f"offsets {position} to {low - 1} before they were read. Keep records longer.",
            ).advising(
                "Go on with on_gap='count', which counts them as lost, or begin a new project with start='earliest'."
            )
        if buffer.start == buffer.stop:
            buffer.since = time.monotonic()
        buffer.lost.append((position, low))
        buffer.stop = low

    @property
    def headers(self) -> bool:
        """Whether the headers of the records are wanted."""
        return self._arrivals.headers

    @headers.setter
    def headers(self, wanted: bool) -> None:
        self._arrivals.headers = wanted

    @property
    def positions(self) -> dict[Place, int]:
        """Where the chunks that have not been taken yet begin."""
        return {place: buffer.start for place, buffer in self._buffers.items()}

    @property
    def broker_error(self) -> str | None:
        """Why the broker can't be reached; None since it has answered."""
        return self._broker_error or None

    # -- reading --------------------------------------------

    def poll(self, timeout: float) -> None:
        """Read some records into the buffers; wait for at most ``timeout`` seconds.

        Raises
        ------
        KafkaError
            If the broker refuses, or records were lost to retention.
        """
        try:
            found = self._arrivals.poll(timeout)
        except KafkaException as error:
            raise client_error(error, self.config, "Reading failed") from None
        self._linger = LINGER if self._arrivals.full else 0.0  # whoever has caught up does not wait for more
        if found:
            self._broker_error = ""
        elif self._broker_error and time.monotonic() - self._asked >= ASK:
            self._ask()
        for arrival in found:
            if isinstance(arrival, Event):
                self._on_event(arrival)
            else:
                self._append(arrival.place, arrival.records)

    def _ask(self) -> None:
        """Find out whether the brokers are back: where nothing is written, nothing else would tell."""
        with suppress(KafkaException):
            self._consumer.list_topics(self.topics[0], timeout=LOOK)
            self._broker_error = ""
        self._asked = time.monotonic()

    def _append(self, place: Place, records: Records) -> None:
        buffer = self._buffers.get(place)
        if buffer is None or place in self._finished:  # another reader's by now, or read up to its end
            return
        first = int(records.offsets[0])
        if first < buffer.stop:  # fetched before a pause or seek, and fetched again
            records = records.part(slice(int(np.searchsorted(records.offsets, buffer.stop)), None))
            if not len(records):
                return
        elif first > buffer.stop:
            self._check_hole(buffer, first)
        if buffer.start == buffer.stop:
            buffer.since = time.monotonic()
        buffer.append(records)
        self.high[place] = max(self.high[place], buffer.stop)
        self.read[place] = self.read.get(place, 0) + len(records)
        self.pending += len(records)
        if len(buffer) >= self._batch_rows:
            self._any_full = True

    def _check_hole(self, buffer: Chunk, first: int) -> None:
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(*buffer.place), cached=True)
        if low > buffer.stop:
            self._lose(buffer, min(low, first))

    def _on_event(self, event: Event) -> None:
        error, place = event.error, event.place
        buffer = self._buffers.get(place)
        unknown = buffer is None and place[1] is not None and place[1] >= 0
        if unknown or place in self._finished:
            return
        if error.code() == ClientError._PARTITION_EOF and buffer is not None:
            self.high[place] = max(self.high[place], event.offset)
            if event.offset > buffer.stop:
                if buffer.start == buffer.stop:
                    buffer.since = time.monotonic()
                buffer.stop = event.offset
        elif error.code() in (ClientError._AUTO_OFFSET_RESET, ClientError.OFFSET_OUT_OF_RANGE) and buffer is not None:
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=REQUEST)
            if low <= buffer.stop:
                raise KafkaError(
                    f"{place[0]}[{place[1]}]: the broker does not have offset {buffer.stop}: {error.str()}."
                )
            self._lose(buffer, low)
            self._fetch_from(place, low)
        elif error.code() in TRANSIENT or (buffer is not None and error.code() in ABSENT):
            self._on_error(error)
        elif not error.retriable():
            raise client_error(KafkaException(error), self.config, f"{place[0]}[{place[1]}] can't be read")

    def _fetch_from(self, place: Place, offset: int) -> None:
        """Fetch a partition from here on; what was fetched before is forgotten."""
        self._consumer.incremental_unassign([TopicPartition(*place)])
        self._assign({place: offset})
        if self._paused:
            self._consumer.pause([TopicPartition(*place)])

    def due(self) -> list[Place]:
        """Return the partitions whose records should be taken now, those that have waited longest first."""
        now = time.monotonic()
        limit = BUFFERED * self._batch_rows
        if not self._any_full and self.pending < limit and now < self._looked + LINGER / 10:
            return []  # looking at all of them after each poll would cost 15 ns a record
        self._any_full, self._looked = False, now
        waiting = [
            (b.since, place)
            for place, b in self._buffers.items()
            if len(b) >= self._batch_rows
            or (b.stop > b.start and (now - b.since >= self._linger or self.pending >= limit))
        ]
        return [place for _, place in sorted(waiting)]

    def take(self, place: Place) -> Chunk:
        """Return the first records of a partition's buffer, at most ``batch_rows`` of them.

        Where records are dense, a batch ends at a multiple of ``batch_rows``, if it can: so do the blocks that the
        statistics take in, which need not be put together then.
        """
        chunk = self._buffers[place]
        if self._ends is not None and place not in self._finished and self._ended(place, chunk.stop):
            chunk = self._finish(place, self._ends[place])
        rows = self._batch_rows
        if len(chunk) >= rows and chunk.start % rows:
            aligned = int(np.searchsorted(chunk.records.offsets, chunk.start - chunk.start % rows + rows))
            rows = aligned if 2 * aligned >= rows - chunk.start % rows else rows
        if len(chunk) <= rows:
            self._buffers[place] = Chunk(place, chunk.stop, chunk.stop)
        else:
            chunk, self._buffers[place] = chunk.split(rows)
        self.pending -= len(chunk)
        return chunk

    def _finish(self, place: Place, end: int) -> Chunk:
        """Read no more of a partition than is before its end, and return that."""
        everything = self._buffers[place]
        chunk = self._buffers[place] = everything.before(end)
        self._uncount(place, len(everything) - len(chunk))
        self._finished.add(place)
        self._consumer.pause([TopicPartition(*place)])
        return chunk

    def _uncount(self, place: Place, records: int) -> None:
        self.pending -= records
        self.read[place] = self.read.get(place, 0) - records

    def give_back(self, place: Place) -> None:
        """Forget what was read of a partition and not taken; it is not read any more."""
        self._finished.discard(place)
        self._arrivals.forget(place)
        buffer = self._buffers.pop(place, None)
        if buffer is not None:
            self._uncount(place, len(buffer))

    def give_all_back(self) -> None:
        """Forget what was read and not taken."""
        for place in list(self._buffers):
            self.give_back(place)

    def move(self, place: Place, position: int) -> None:
        """Forget what was read of a partition and not taken, and go on from a position."""
        self.give_back(place)
        with suppress(KafkaException):  # it is another reader's by now: then there is nothing to go on with
            self._fetch_from(place, position)
            self._buffers[place] = Chunk(place, position, position)

    # -- control --------------------------------------------

    def pause(self, paused: bool) -> None:
        """Stop or go on fetching; the connection is kept."""
        if paused == self._paused:
            return
        self._paused = paused
        parts = [TopicPartition(*place) for place in self._buffers if place not in self._finished]
        (self._consumer.pause if paused else self._consumer.resume)(parts)

    def take_up_new_partitions(self) -> None:
        """Read partitions that were added to the topics meanwhile, too, from their beginning.

        If the broker does not tell now, the next call will see them.
        """
        if not self._alone or self._paused or self.broker_error or self._ends is not None:
            return
        with suppress(KafkaException):
            for topic in self.topics:
                known = self._consumer.list_topics(topic, timeout=LOOK).topics[topic]
                for place in sorted({(topic, p) for p in known.partitions} - self._buffers.keys()):
                    buffer = self._begin(place, None)
                    self._assign({place: buffer.start})
                    self._buffers[place] = buffer

    def see_ends(self) -> None:
        """Take note of the ends of the partitions as of what was fetched last; nobody is asked."""
        for place in self._buffers:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            self.high[place] = max(self.high[place], high)

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Tell the consumer group the positions, without waiting; for lag tools only."""
        parts = [TopicPartition(t, p, o) for (t, p), o in positions.items() if o >= 0]
        if not parts or self.broker_error:
            return
        try:
            self._consumer.commit(offsets=parts, asynchronous=True)
        except KafkaException:
            self.commit_errors += 1

    def close(self) -> None:
        """Close the consumer."""
        self._arrivals.close()
        self._consumer.close()

    def _on_commit(self, error: Any, _parts: Sequence[TopicPartition]) -> None:
        if error is not None and error.code() != ClientError._NO_OFFSET:
            self.commit_errors += 1

    def _on_statistics(self, text: str) -> None:
        self.statistics = text

    def _on_error(self, error: Any) -> None:
        text = tidy(self.config, error.str())
        if error.code() == ClientError._ALL_BROKERS_DOWN:  # follows the reason, and says less
            text = self._broker_error or text
        if not self._broker_error:
            self._asked = time.monotonic()
        self._broker_error = text
