"""Topics to learn: made from a seed, and counted again by a client that knows nothing of smlnb."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import fastavro
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from smlnb import LocalBroker

__all__ = ["SCHEMA", "TYPES", "Trickle", "count", "create", "fill", "framed", "records"]

Format = Literal["json", "avro"]

SENSORS = 4
TYPES = {**{f"s{i}": "C" for i in range(SENSORS)}, "y": "C", "kind": "T", "ok": "B"}
SCHEMA = {
    "type": "record",
    "name": "Reading",
    "fields": [
        *({"name": f"s{i}", "type": "double"} for i in range(SENSORS)),
        {"name": "y", "type": ["null", "double"]},
        {"name": "kind", "type": "string"},
        {"name": "ok", "type": "boolean"},
    ],
}
_PARSED = fastavro.parse_schema(SCHEMA)
BEGIN = 1_700_000_000_000  # milliseconds since 1970; long ago, so that no clock decides about these times
STEP = 5  # milliseconds between records
SEED = 11
COUNTED = 120.0  # seconds to read a topic


@dataclass(frozen=True)
class Record:
    """One record to write."""

    value: bytes | None
    partition: int
    time: int


def framed(record: dict[str, Any], schema_id: int) -> bytes:
    """Return a record as Avro, behind the id of its schema."""
    out = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, _PARSED, record)
    return out.getvalue()


def records(
    count: int, partitions: int, kind: Format, *, schema_id: int = 1, seed: int = SEED, first: int = 0
) -> Iterator[Record]:
    """Give records to the partitions at random: one in 200 is poison, one in 500 has no value."""
    rng = np.random.default_rng(seed)
    sensors = np.cumsum(rng.normal(size=(count, SENSORS)), 0) + 1e4
    y, absent = rng.gamma(2, size=count), rng.random(count) < 0.1
    fate, kinds, ok = rng.random(count), rng.choice(["a", "b", "c", "d"], count), rng.random(count) < 0.3
    places = rng.integers(0, partitions, count)
    for i in range(count):
        row = {f"s{j}": v for j, v in enumerate(sensors[i].tolist())}
        row |= {"y": None if absent[i] else float(y[i]), "kind": str(kinds[i]), "ok": bool(ok[i])}
        value: bytes | None = json.dumps(row).encode() if kind == "json" else framed(row, schema_id)
        if fate[i] < 0.005 and i >= partitions:
            value = value[:-3] if value else value
        elif fate[i] < 0.007:
            value = None
        yield Record(value, int(places[i]), BEGIN + STEP * (first + i))


def create(broker: LocalBroker | str, topic: str, partitions: int) -> None:
    """Create a topic that keeps records however old they say that they are."""
    if isinstance(broker, LocalBroker):
        broker.create_topic(topic, partitions)
        return
    new = NewTopic(topic, partitions, 1, config={"retention.ms": "-1"})
    admin = AdminClient({"bootstrap.servers": broker, "log_level": 0})  # to be held until it has answered
    admin.create_topics([new], operation_timeout=20)[topic].result(30)


def fill(servers: str, topic: str, what: Iterator[Record]) -> None:
    """Write records, each once and in order whatever becomes of the broker."""
    with Trickle(servers, topic, what, rate=None):
        pass


class Trickle:
    """A thread that writes records, at so many a second; on leaving, all are written."""

    def __init__(self, servers: str, topic: str, what: Iterator[Record], rate: int | None) -> None:
        self._what, self._topic, self._rate = what, topic, rate
        self._hurry = threading.Event()
        settings = {"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 0}
        settings |= {"queue.buffering.max.messages": 1_000_000, "reconnect.backoff.max.ms": 500}
        self._producer = Producer(settings)
        self._thread = threading.Thread(target=self._run, name="trickle", daemon=True)

    @property
    def writing(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def _run(self) -> None:
        for i, record in enumerate(self._what):
            self._produce(record)
            if i % 200 == 0:
                self._producer.poll(0)
                if self._rate is not None:
                    self._hurry.wait(200 / self._rate)

    def _produce(self, record: Record) -> None:
        while True:
            try:
                self._producer.produce(self._topic, record.value, partition=record.partition, timestamp=record.time)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hurry.set()
        self._thread.join(120)
        left = self._producer.flush(120)
        assert not left, f"{left} records of {self._topic} were not written"
        assert not self._thread.is_alive()


@dataclass(frozen=True)
class Truth:
    """What is in a topic, by partition, and the epochs of the leaders that took its records."""

    learned: dict[int, int]
    refused: dict[int, int]
    ends: dict[int, int]
    epochs: frozenset[int]


def count(servers: str, topic: str, kind: Format) -> Truth:
    """Read a topic by itself and count, by partition, what can be learned of it and what can't."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "count", "enable.partition.eof": True})
    learned: Counter[int] = Counter()
    refused: Counter[int] = Counter()
    epochs: set[int] = set()
    ends: dict[int, int] = {}
    try:
        partitions = sorted(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        for p in partitions:
            ends[p] = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1]
        missing, deadline = sum(ends.values()), time.monotonic() + COUNTED
        while missing:
            assert time.monotonic() < deadline, f"{missing} records of {topic} do not come"
            for message in consumer.consume(1_000, 0.2):
                if message.error() is not None:
                    continue
                missing -= 1
                (learned if _is_good(message.value(), kind) else refused)[message.partition()] += 1
                if message.leader_epoch() is not None:
                    epochs.add(message.leader_epoch())
    finally:
        consumer.close()
    return Truth(dict(learned), dict(refused), ends, frozenset(epochs))


def _is_good(value: bytes | None, kind: Format) -> bool:
    if value is None:
        return False
    try:
        if kind == "json":
            json.loads(value)
        else:
            fastavro.schemaless_reader(io.BytesIO(value[5:]), _PARSED, None)
    except (ValueError, EOFError, IndexError, UnicodeDecodeError):
        return False
    return True
