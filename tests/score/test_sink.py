from __future__ import annotations

import json
from io import BytesIO

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition
from streamz import Stream

from smlnb.batch import Batch
from smlnb.errors import ConfigError, KafkaError, SchemaError
from smlnb.score.scored import Judge
from tests.score.test_scored import Distance
from tests.waiting import eventually


@pytest.fixture
def read():
    """Read all records of a topic, as (partition, offset, headers, key, value)."""

    def read(broker, topic: str, rows: int) -> list[tuple]:
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "t", "log_level": 0})
        parts = consumer.list_topics(topic, 10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in parts])
        found: list[tuple] = []

        def more() -> bool:
            for m in consumer.consume(1000, 0.05):
                assert m.error() is None
                found.append((m.partition(), m.offset(), dict(m.headers() or []), m.key(), m.value()))
            return len(found) >= rows

        eventually(more, 20, f"{rows} records in {topic}")
        consumer.close()
        return sorted(found, key=lambda f: f[:2])

    return read


def batch(partition: int, offsets: list[int], raw=None) -> Batch:
    data = pa.record_batch({"x": np.asarray(offsets, dtype=float)})
    return Batch(data, "origin", partition, offsets[0], offsets[-1] + 1, np.asarray(offsets), raw=raw)


def test_rows_go_to_the_partition_of_their_source_in_order_with_its_coordinates(
    any_broker, topic_name, create_topic, read
):
    create_topic(any_broker, topic_name, 3)
    source = Stream()
    sink = source.to_kafka_arrow(topic_name, bootstrap_servers=any_broker.bootstrap_servers)
    source.emit(batch(2, [10, 11, 13]))
    source.emit(batch(0, [7], raw=[(b"key", b"value")]))
    source.emit(batch(2, [14]))
    assert sink.written == 5
    found = read(any_broker, topic_name, 5)
    assert [(p, json.loads(v)["x"]) for p, _, _, _, v in found] == [
        (0, 7.0),
        (2, 10.0),
        (2, 11.0),
        (2, 13.0),
        (2, 14.0),
    ]
    assert [key for _, _, _, key, _ in found] == [b"key", None, None, None, None]
    assert found[1][2] == {
        "smlnb.source.topic": b"origin",
        "smlnb.source.partition": b"2",
        "smlnb.source.offset": b"10",
    }


def test_a_plain_record_batch_is_written_without_coordinates(local_broker, topic_name, create_topic, read):
    create_topic(local_broker, topic_name, 1)
    source = Stream()
    source.to_kafka_arrow(topic_name, local_broker.bootstrap_servers, {"linger.ms": 1})
    source.emit(pa.record_batch({"n": [1, 2], "t": ["é", None], "b": [True, False]}))
    values = [(headers, json.loads(value)) for _, _, headers, _, value in read(local_broker, topic_name, 2)]
    assert values == [({}, {"n": 1, "t": "é", "b": True}), ({}, {"n": 2, "t": None, "b": False})]


def test_a_record_that_can_not_be_delivered_is_an_error(local_broker, topic_name, create_topic):
    create_topic(local_broker, topic_name, 1)
    source = Stream()
    source.to_kafka_arrow(
        topic_name, bootstrap_servers=local_broker.bootstrap_servers, config={"message.timeout.ms": 1000}
    )
    with pytest.raises(KafkaError, match=f"Writing to '{topic_name}' failed"):
        source.emit(batch(5, [0]))


def test_a_value_that_is_too_large_is_an_error(local_broker, topic_name, create_topic):
    create_topic(local_broker, topic_name, 1)
    source = Stream()
    source.to_kafka_arrow(topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    with pytest.raises(KafkaError, match="too large"):
        source.emit(pa.record_batch({"t": ["x" * 2_000_000]}))


def test_without_flush_an_error_of_delivery_is_raised_by_flush_at_the_latest(local_broker, topic_name, create_topic):
    create_topic(local_broker, topic_name, 1)
    source = Stream()
    sink = source.to_kafka_arrow(
        topic_name,
        bootstrap_servers=local_broker.bootstrap_servers,
        config={"message.timeout.ms": 1000},
        flush=False,
    )
    with pytest.raises(KafkaError, match="failed"):  # noqa: PT012 - by which of the two depends on what is known by then
        source.emit(batch(5, [0]))
        sink.flush(20)


def test_more_rows_than_the_queue_holds_are_all_written(local_broker, topic_name, create_topic):
    create_topic(local_broker, topic_name, 1)
    source = Stream()
    sink = source.to_kafka_arrow(
        topic_name,
        bootstrap_servers=local_broker.bootstrap_servers,
        config={"queue.buffering.max.messages": 100},
    )
    source.emit(batch(0, list(range(3000))))
    assert sink.written == 3000


def test_scores_are_written_as_avro_that_the_registry_explains(local_broker, topic_name, create_topic, registry, read):
    create_topic(local_broker, topic_name, 1)
    source = Stream()
    source.score(Distance(), keep=["n", "t", "empty"], warm_up=1).to_kafka_arrow(
        topic_name,
        bootstrap_servers=local_broker.bootstrap_servers,
        config=registry.config,
        format="avro",
    )
    data = pa.record_batch({"a": [1.0, 2.0], "b": [0.0, 5.0], "n": [1, 2], "t": ["x", None], "empty": pa.nulls(2)})
    source.emit(Batch(data, "origin", 0, 0, 2, np.arange(2)))
    schema = fastavro.parse_schema(json.loads(registry.store.answer("GET", ["schemas", "ids", "1"], {}, {})["schema"]))
    values = [v for *_, v in read(local_broker, topic_name, 2)]
    assert {v[:5] for v in values} == {b"\x00\x00\x00\x00\x01"}
    rows = [fastavro.schemaless_reader(BytesIO(v[5:]), schema, None) for v in values]
    assert rows == list(
        Judge(Distance(), keep=["n", "t", "empty"], warm_up=1)(Batch(data, "o", 0, 0, 2, np.arange(2))).rows()
    )


def test_avro_without_a_registry_says_what_to_set(local_broker):
    with pytest.raises(ConfigError, match=r"schema\.registry\.url"):
        Stream().to_kafka_arrow("t", bootstrap_servers=local_broker.bootstrap_servers, format="avro")


def test_an_unknown_format_is_refused(local_broker):
    with pytest.raises(ConfigError, match="no output format 'xml'"):
        Stream().to_kafka_arrow("t", bootstrap_servers=local_broker.bootstrap_servers, format="xml")


def test_what_avro_has_no_type_for_is_named(local_broker, registry):
    source = Stream()
    source.to_kafka_arrow("t", bootstrap_servers=local_broker.bootstrap_servers, config=registry.config, format="avro")
    with pytest.raises(SchemaError, match="'l' is list"):
        source.emit(pa.record_batch({"l": [[1], [2]]}))


def test_a_registry_that_is_gone_is_an_error_without_secrets(local_broker):
    source = Stream()
    config = {"schema.registry.url": "http://127.0.0.1:1", "schema.registry.basic.auth.user.info": "ann:hush"}
    source.to_kafka_arrow("t", bootstrap_servers=local_broker.bootstrap_servers, config=config, format="avro")
    with pytest.raises(KafkaError, match="schema registry") as caught:
        source.emit(pa.record_batch({"x": [1]}))
    assert "hush" not in str(caught.value)


def test_a_wrong_key_is_a_clear_error(local_broker):
    with pytest.raises(ConfigError, match=r"linger\.mss"):
        Stream().to_kafka_arrow("t", bootstrap_servers=local_broker.bootstrap_servers, config={"linger.mss": 1})
