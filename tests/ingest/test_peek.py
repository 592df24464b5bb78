from __future__ import annotations

import json
import time

import pandas as pd
import pytest

from smlnb import guess_types, peek
from smlnb.errors import ConfigError, DecodeError, StatisticsError, TopicError
from smlnb.testing import SchemaRegistry
from tests.ingest import poison
from tests.ingest.writing import avro, numbers, produce

SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "double"}]}
FIRST = 1_700_000_000_000  # milliseconds


def test_peeking_shows_the_latest_records_in_order(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 50))
    frame = peek(topic_name, 5, bootstrap_servers=any_broker.bootstrap_servers)
    assert frame["x"].tolist() == [45, 46, 47, 48, 49]


def test_peeking_takes_the_latest_over_all_partitions(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 8)
    produce(any_broker, topic_name, numbers(0, 16), 8)
    frame = peek(topic_name, 20, bootstrap_servers=any_broker.bootstrap_servers)
    assert sorted(frame["x"]) == list(range(16))


def test_what_can_not_be_decoded_is_shown_with_the_reason(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, [*numbers(0, 2), b"poison", None])
    frame = peek(topic_name, 10, bootstrap_servers=any_broker.bootstrap_servers)
    assert frame["x"].tolist()[:2] == [0, 1]
    assert frame["x"].isna().tolist() == [False, False, True, True]
    assert frame["kafka.error"].isna().tolist() == [True, True, False, False]
    assert "malformed JSON" in frame["kafka.error"][2]
    assert "tombstone" in frame["kafka.error"][3]


@pytest.mark.parametrize("values", [[None], [b""], [b"poison"], [None, None]])
def test_a_topic_of_nothing_that_can_be_decoded_is_shown_all_the_same(local_broker, create_topic, topic_name, values):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, values)
    frame = peek(topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    assert list(frame.columns) == ["kafka.error"]
    assert frame["kafka.error"].notna().sum() == len(values)


@pytest.mark.kafka
def test_peeking_past_aborted_records_at_the_end_does_not_wait(kafka, create_topic, topic_name):
    from confluent_kafka import Producer

    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, numbers(0, 3))
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": topic_name, "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic_name, b'{"x": 99}')
    producer.flush(30)
    producer.abort_transaction(30)
    begin = time.monotonic()
    frame = peek(topic_name, 10, bootstrap_servers=kafka.bootstrap_servers)
    assert frame["x"].tolist() == [0, 1, 2]
    assert time.monotonic() - begin < 5


def test_where_records_stand_is_shown_on_request(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 2), 2, key="plant", timestamp=FIRST)
    produce(any_broker, topic_name, [b"poison"], key=b"\x00\xff", timestamp=FIRST + 1)
    frame = peek(topic_name, bootstrap_servers=any_broker.bootstrap_servers, details=True)
    assert list(frame.columns) == [
        *(f"kafka.{n}" for n in ("partition", "offset", "timestamp", "key")),
        "x",
        "kafka.error",
    ]
    assert frame["kafka.partition"].tolist() == [0, 1, 0]
    assert frame["kafka.offset"].tolist() == [0, 0, 1]
    assert frame["kafka.key"].tolist() == ["plant", "plant", "0x00ff"]
    assert frame["kafka.timestamp"][2] == pd.Timestamp(FIRST + 1, unit="ms", tz="UTC")


def test_a_look_from_a_time_shows_the_first_records_from_then(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 3)
    for i, value in enumerate(numbers(0, 60)):
        produce(any_broker, topic_name, [value], timestamp=FIRST + 1000 * i)
    for i, value in enumerate(numbers(100, 103)):
        produce(any_broker, topic_name, [b"x", value], 2, timestamp=FIRST + 10 * i)  # long before
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    assert peek(topic_name, 5, start=FIRST + 30_000, **where)["x"].tolist() == [30, 31, 32, 33, 34]
    assert peek(topic_name, 5, start=FIRST + 57_500, **where)["x"].tolist() == [58, 59]
    assert peek(topic_name, 1, start="2023-11-14T22:13:50Z", **where)["x"].tolist() == [30]
    with pytest.raises(TopicError, match=r"no record since 2023-11-14T22:30:00\+00:00"):
        peek(topic_name, start="2023-11-14T22:30Z", **where)
    with pytest.raises(StatisticsError, match="is no time"):
        peek(topic_name, start="noon", **where)


def test_a_look_from_some_minutes_ago_shows_what_was_just_written(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 3), timestamp=FIRST)
    produce(any_broker, topic_name, numbers(3, 5))
    assert peek(topic_name, start="-5min", bootstrap_servers=any_broker.bootstrap_servers)["x"].tolist() == [3, 4]


def test_looking_at_nothing_is_an_error_that_says_so(local_broker, create_topic, topic_name):
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    with pytest.raises(TopicError, match="no topic"):
        peek(topic_name, **where)
    create_topic(local_broker, topic_name, 1)
    for look in (peek, guess_types):
        with pytest.raises(TopicError, match="is empty"):
            look(topic_name, **where)
    with pytest.raises(ValueError, match="at least one"):
        peek(topic_name, 0, **where)


def test_avro_without_a_registry_is_shown_with_the_reason(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    with SchemaRegistry() as registry:
        schema_id = registry.register(f"{topic_name}-value", json.dumps(SCHEMA))
        produce(local_broker, topic_name, [avro(SCHEMA, {"x": 1.5}, schema_id)])
        there = {"bootstrap_servers": local_broker.bootstrap_servers}
        frame = peek(topic_name, details=True, **there)
        assert "schema.registry.url" in frame["kafka.error"][0]
        assert frame["kafka.offset"].tolist() == [0]
        assert peek(topic_name, config=registry.config, **there)["x"].tolist() == [1.5]
        assert (
            peek(topic_name, format="avro-plain", format_options={"schema": json.dumps(SCHEMA)}, **there)["kafka.error"]
            .notna()
            .all()
        )


def test_an_unknown_schema_is_shown_with_the_reason(local_broker, create_topic, topic_name, registry):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [avro(SCHEMA, {"x": 1.5}, 99)])
    frame = peek(topic_name, bootstrap_servers=local_broker.bootstrap_servers, config=registry.config)
    assert "99" in frame["kafka.error"][0]


def test_peeking_is_told_the_format_by_the_word_that_all_calls_use(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 3))
    assert list(peek(topic_name, bootstrap_servers=local_broker.bootstrap_servers, format="json")["x"]) == [0, 1, 2]


@pytest.mark.parametrize("kind", poison.FORMATS)
def test_no_poison_breaks_a_look(local_broker, create_topic, topic_name, registry, kind):
    poison.register(registry)
    create_topic(local_broker, topic_name, 1)
    bad = [p.value for p in poison.corpus(kind) if p.value is None or len(p.value) < 100_000]
    good = [poison.good(kind, n) for n in range(len(bad) + 1)]  # the types of columns are those of most values
    produce(local_broker, topic_name, [*good, *bad])
    more = {} if kind in ("json", "csv", "avro-plain", "number", "double", "long") else {"config": registry.config}
    name = kind.replace("-rich", "")
    where = {"bootstrap_servers": local_broker.bootstrap_servers, **more}
    looked = peek(topic_name, 1000, format=name, format_options=poison.options(kind), **where)
    assert looked["kafka.error"].notna().tolist() == [False] * len(good) + [True] * len(bad)


def test_options_of_a_format_are_those_of_its_decoder(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b"0.5,a", b"1.5,b"])
    csv = {"format": "csv", "format_options": {"columns": "x,name"}}
    there = {"bootstrap_servers": local_broker.bootstrap_servers}
    assert peek(topic_name, **csv, **there)["x"].tolist() == [0.5, 1.5]
    assert guess_types(topic_name, **csv, **there).letters == "C,S"
    with pytest.raises(ConfigError, match=r"no format option 'config'. It has columns, delimiter\."):
        peek(topic_name, format="csv", format_options={"columns": "x", "config": {}}, **there)


def test_a_record_without_a_time_is_shown_without_one(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 1), timestamp=-1)
    produce(any_broker, topic_name, numbers(1, 2))
    frame = peek(topic_name, details=True, bootstrap_servers=any_broker.bootstrap_servers)
    assert frame["kafka.timestamp"].isna().tolist() == [True, False]


def test_types_are_guessed_from_a_look(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    values = [{"x": i / 2, "on": i % 2, "place": "ab"[i % 2], "note": f"number {i}"} for i in range(20)]
    produce(any_broker, topic_name, [*(json.dumps(v).encode() for v in values), b"poison", None], 2)
    schema = guess_types(topic_name, bootstrap_servers=any_broker.bootstrap_servers)
    assert (schema.names, schema.letters) == (("x", "on", "place", "note"), "C,B,T,S")


def test_types_of_nothing_that_can_be_decoded_are_an_error_with_the_reason(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b"poison"])
    with pytest.raises(DecodeError, match=r"malformed JSON"):
        guess_types(topic_name, bootstrap_servers=local_broker.bootstrap_servers)
