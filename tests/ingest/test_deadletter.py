from __future__ import annotations

import pytest
from confluent_kafka import Consumer, TopicPartition

from smlnb.batch import Refusal
from smlnb.cluster.config import KafkaConfig
from smlnb.errors import KafkaError, TopicError
from smlnb.ingest.deadletter import DeadLetters
from tests.waiting import eventually


def test_records_are_kept_as_they_were_with_the_reason(any_broker, topic_name):
    letters = DeadLetters(KafkaConfig.of(any_broker.bootstrap_servers), topic_name)
    letters.send(Refusal("t", 3, i, "learn", "why \ud800 é", b"k" if i else None, bytes([i, 255])) for i in range(3))
    letters.send([])
    assert letters.written == 3
    consumer = Consumer({"bootstrap.servers": any_broker.bootstrap_servers, "group.id": "x", "log_level": 0})
    consumer.assign([TopicPartition(topic_name, 0, 0)])
    found = []
    eventually(lambda: found.extend(consumer.consume(10, 0.2)) or len(found) == 3, 30, "three letters")
    consumer.close()
    assert [(m.key(), m.value()) for m in found] == [(None, b"\0\xff"), (b"k", b"\1\xff"), (b"k", b"\2\xff")]
    assert dict(found[2].headers())["smlnb.source.offset"] == b"2"
    assert dict(found[2].headers())["smlnb.reason"].decode().endswith("é")


def test_what_can_not_be_written_is_an_error(local_broker, topic_name):
    letters = DeadLetters(KafkaConfig.of(local_broker.bootstrap_servers), topic_name)
    with pytest.raises(KafkaError, match="can't be written"):
        letters.send([Refusal("t", 0, 0, "decode", "why", None, b"." * 2_000_000)])


@pytest.mark.kafka
def test_a_name_that_is_none_is_an_error_at_once(kafka):
    with pytest.raises(TopicError, match="no topic"):
        DeadLetters(KafkaConfig.of(kafka.bootstrap_servers), "no topic")
