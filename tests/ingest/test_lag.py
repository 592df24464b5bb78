from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from confluent_kafka import Consumer, TopicPartition

import smlnb
from smlnb.errors import BrokerUnavailableError, KafkaError, TopicError
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually


def commit(broker, group, topic, offsets):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group, "log_level": 0})
    parts = [TopicPartition(topic, p, at) for p, at in offsets.items()]
    eventually(lambda: consumer.commit(offsets=parts, asynchronous=False), what="the commit")
    consumer.close()


def test_a_group_is_behind_by_what_it_has_not_committed(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 3)
    produce(any_broker, topic_name, numbers(0, 10), 2)
    commit(any_broker, topic_name, topic_name, {0: 2, 1: 5})
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    frame = smlnb.lag(topic_name, **where)
    assert frame.index.tolist() == [(topic_name, 0), (topic_name, 1)]
    assert frame[["low", "high", "position", "lag"]].values.tolist() == [[0, 5, 2, 3], [0, 5, 5, 0]]
    assert frame["rate"].isna().all()
    named = smlnb.lag(topic_name, topic_name, **where)
    assert len(named) == 3
    assert named.loc[(topic_name, 2), ["position", "lag"]].isna().all()


def test_the_rate_of_a_group_is_what_it_commits_between_two_looks(local_broker, create_topic, topic_name, monkeypatch):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    commit(local_broker, topic_name, topic_name, {0: 2})
    clock = iter([100.0, 102.0])
    time = SimpleNamespace(
        monotonic=lambda: next(clock), sleep=lambda _: commit(local_broker, topic_name, topic_name, {0: 8})
    )
    monkeypatch.setattr("smlnb.ingest.lag.time", time)
    frame = smlnb.lag(topic_name, over=2.0, bootstrap_servers=local_broker.bootstrap_servers)
    assert frame[["position", "lag", "rate"]].values.tolist() == [[8, 2, 3.0]]


def test_a_feed_knows_its_own_positions(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 10), 2)
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, **where) as feed:
        feed.wait(timeout=30)
        assert smlnb.lag(feed)[["position", "lag"]].values.tolist() == [[5, 0], [5, 0]]
    produce(any_broker, topic_name, numbers(0, 4), 2)
    assert smlnb.lag(feed)["lag"].tolist() == [2, 2]
    assert smlnb.lag(feed, topic_name)["lag"].sum() == 4


def test_what_a_feed_tells_its_group_is_seen_by_others(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 10))
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, group_id=topic_name, **where) as feed:
        feed.wait(timeout=30)

        def committed() -> bool:
            try:
                return smlnb.lag(topic_name, **where)["lag"].tolist() == [0]
            except KafkaError:
                return False

        eventually(committed, what="the commit")


def test_an_unknown_group_or_topic_is_an_error_that_says_so(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    with pytest.raises(KafkaError, match=f"'{topic_name}' has committed nothing"):
        smlnb.lag(topic_name, **where)
    with pytest.raises(TopicError, match="no topic 'nowhere-at-all'"):
        smlnb.lag(topic_name, "nowhere-at-all", **where)
    with pytest.raises(BrokerUnavailableError):
        smlnb.lag(topic_name, bootstrap_servers="127.0.0.1:1")


def test_numbers_are_whole_even_where_some_are_missing(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    commit(local_broker, topic_name, topic_name, {0: 0})
    frame = smlnb.lag(topic_name, topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    assert [str(t) for t in frame.dtypes] == ["Int64", "Int64", "Int64", "Int64", "float64"]
    assert frame["position"].tolist() == [0, pd.NA]
