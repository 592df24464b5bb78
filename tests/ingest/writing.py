"""Writing records for the tests of ingest, and collecting what comes out."""

from __future__ import annotations

import io
import json
import uuid

import fastavro
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from smlnb.cluster.registry import frame
from smlnb.formats.protobuf_schema import compiled
from smlnb.ingest.kafka import from_kafka_arrow
from tests.waiting import eventually

__all__ = [
    "Collected",
    "admin_of",
    "avro",
    "compiled_classes",
    "delete_before",
    "numbers",
    "produce",
    "written_by_confluent",
]


def produce(broker, topic, values, partitions=1, **more):
    """Write values to the partitions in turn."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for i, value in enumerate(values):
        producer.produce(topic, value, partition=i % partitions, **more)
        producer.poll(0)
    assert producer.flush(30) == 0


def numbers(begin, end):
    """Return records with a column ``x`` that counts."""
    return [json.dumps({"x": i}).encode() for i in range(begin, end)]


def avro(schema, record, schema_id):
    """Return one framed value."""
    out = io.BytesIO(frame(schema_id))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def compiled_classes(text):
    """Return the classes of the messages in a file of Protobuf, as generated code would give them."""
    pool = descriptor_pool.DescriptorPool()
    files = compiled({"": text})
    for name, raw in files.items():
        file = descriptor_pb2.FileDescriptorProto.FromString(raw)
        file.name = name or f"{uuid.uuid4().hex}.proto"
        pool.Add(file)
    return {
        m.name: message_factory.GetMessageClass(m)
        for m in pool.FindFileByName(file.name).message_types_by_name.values()
    }


def written_by_confluent(serializer, objects, topic, *, in_header=False):
    """Return the values that a serialiser of Confluent's writes, and the headers of each."""
    values, headers = [], []
    for one in objects:
        context = SerializationContext(topic, MessageField.VALUE, [])
        values.append(serializer(one, context))
        headers.append(context.headers)
    assert any(headers) == in_header
    return values, headers


class Collected:
    """A source with a list of the batches that it emitted."""

    def __init__(self, broker, topic, **options):
        self.source = from_kafka_arrow(topic, broker.bootstrap_servers, **options)
        self.batches = []
        self._sink = self.source.sink(self.batches.append)

    def __enter__(self):
        self.source.start()
        return self

    def __exit__(self, *_):
        self.source.stop()

    def values(self, column="x"):
        return [v for b in list(self.batches) if column in b.data.schema.names for v in b.data[column].to_pylist()]

    def until(self, rows, timeout=30):
        eventually(lambda: self.source.metrics.rows >= rows or self.source.error, timeout, f"{rows} rows")
        assert self.source.error is None
        return self

    def until_state(self, state, timeout=30):
        eventually(lambda: self.source.state == state, timeout, f"state {state}")
        return self

    def until_position(self, place, position, timeout=30):
        eventually(lambda: self.source.positions.get(place, -1) >= position, timeout, f"position {position}")
        return self

    def assert_continuous(self):
        """Check that the batches of each partition follow each other without gap or overlap."""
        ends = {}
        for batch in self.batches:
            place = (batch.topic, batch.partition)
            assert batch.start == ends.get(place, batch.start)
            assert batch.start < batch.stop
            assert all(batch.start <= o < batch.stop for o in batch.offsets.tolist())
            ends[place] = batch.stop
        assert ends == {p: o for p, o in self.source.positions.items() if p in ends}


def admin_of(broker):
    """Return a client for what a broker's operator does."""
    return AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})


def delete_before(broker, topic, offset, partition=0):
    """Let the broker forget records, as retention does."""
    admin = admin_of(broker)
    for future in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        future.result(30)
