from __future__ import annotations

import time

import pytest

from smlnb import list_topics, peek
from smlnb.cluster.topics import ensure_topic, watermarks
from smlnb.errors import BrokerLimitError, BrokerUnavailableError, TopicError
from tests.ingest.writing import numbers, produce


def test_topics_are_listed_with_their_partitions(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 3)
    found = list_topics(bootstrap_servers=any_broker.bootstrap_servers)
    assert found[topic_name] == 3
    assert not [name for name in found if name.startswith("__")]


def test_a_missing_topic_is_made_once(any_broker, topic_name):
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    assert ensure_topic(topic_name, 5, **where) == 5
    assert ensure_topic(topic_name, 2, **where) == 5


def test_a_topic_that_can_not_be_made_is_an_error_that_says_why(any_broker):
    with pytest.raises(TopicError, match="not a topic"):
        ensure_topic("not a topic", bootstrap_servers=any_broker.bootstrap_servers)


def test_an_embedded_broker_of_another_process_makes_the_topic_by_itself(local_broker, topic_name, monkeypatch):
    monkeypatch.setattr("smlnb.cluster.topics.find_broker", lambda _: None)
    there = {"bootstrap_servers": local_broker.bootstrap_servers}
    with pytest.raises(BrokerLimitError, match="creates no topics for admin clients"):
        ensure_topic(topic_name, 8, **there)
    assert topic_name not in list_topics(**there)
    assert ensure_topic(topic_name, **there) == 4
    assert ensure_topic(topic_name, 8, **there) == 4


def test_no_topic_is_made_that_kafka_would_not_have(local_broker, topic_name, monkeypatch):
    monkeypatch.setattr("smlnb.cluster.topics.find_broker", lambda _: None)  # as from another process
    for name, partitions in (("a b", 1), (topic_name, 0)):
        with pytest.raises(TopicError):
            ensure_topic(name, partitions, bootstrap_servers=local_broker.bootstrap_servers)
        assert name not in list_topics(bootstrap_servers=local_broker.bootstrap_servers)


def test_watermarks_are_the_ends_of_each_partition(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 7), 2)
    assert watermarks(topic_name, bootstrap_servers=any_broker.bootstrap_servers) == {0: (0, 4), 1: (0, 3)}


def test_no_broker_is_an_error_within_ten_seconds(topic_name):
    for call in (list_topics, lambda **w: peek(topic_name, **w), lambda **w: ensure_topic(topic_name, **w)):
        begin = time.monotonic()
        with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
            call(bootstrap_servers="127.0.0.1:1")
        assert time.monotonic() - begin < 10
