"""What a program hears of ingest through ``logging``: each change, few words about many records, no secrets."""

from __future__ import annotations

import logging
import threading

import pytest

import smlnb
from smlnb.errors import BrokerUnavailableError
from smlnb.ingest.kafka import from_kafka_arrow
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually


@pytest.fixture
def heard(caplog):
    """All events of our loggers, as (name, fields)."""
    caplog.set_level(logging.INFO, logger="smlnb")
    return lambda: [(r.event, r.fields) for r in caplog.records if hasattr(r, "event")]


def test_each_change_of_a_feed_and_each_checkpoint_is_told(any_broker, create_topic, topic_name, heard, tmp_path):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 10), 2)
    project = smlnb.Project("plant", types="C")
    with smlnb.connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
        feed.pause()
        feed.resume()
    with smlnb.Workspace(tmp_path / "w.db") as workspace:
        workspace.save(project)
    told = heard()
    assert [name for name, _ in told] == ["running", "paused", "running", "stopped", "checkpoint"]
    assert told[3][1]["rows"] == 10
    assert told[3][1]["topics"] == [topic_name]
    assert told[4][1]["records"] == 10


def test_a_failure_is_told_as_an_error_with_the_reason(local_broker, create_topic, topic_name, heard, caplog):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b"poison"])
    feed = smlnb.connect(smlnb.Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    eventually(lambda: feed.state == "failed", what="the failure")
    _name, fields = eventually(lambda: [e for e in heard() if e[0] == "failed"], what="the event")[0]
    assert "offset 0 can't be decoded" in fields["error"]
    assert [r.levelname for r in caplog.records if getattr(r, "event", "") == "failed"] == ["ERROR"]
    feed.stop()


def test_many_refusals_are_told_of_in_few_lines(local_broker, create_topic, topic_name, heard):
    create_topic(local_broker, topic_name, 1)
    values = [b'{"x": 1}', *[b"poison"] * 500, *[b'{"x": "text"}'] * 500, None]
    produce(local_broker, topic_name, values * 3)
    where = {"bootstrap_servers": local_broker.bootstrap_servers, "batch_rows": 50}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, on_malformed="skip", **where) as feed:
        feed.wait(timeout=60)
        assert feed.metrics.refused == 3_003
    told = [fields for name, fields in heard() if name == "refused"]
    assert 1 <= len(told) <= 4
    assert told[0]["offset"] > 0
    assert told[0]["topic"] == topic_name
    assert "malformed JSON" in told[0]["reason"]


@pytest.mark.kafka
def test_who_reads_which_partition_is_told_at_each_rebalance(kafka, create_topic, topic_name, heard):
    create_topic(kafka, topic_name, 4)
    produce(kafka, topic_name, numbers(0, 40), 4)
    source = from_kafka_arrow(topic_name, kafka.bootstrap_servers, tasks=2)
    source.start()
    eventually(lambda: source.metrics.rows == 40, 60, what="all rows")
    source.stop()
    shared = [fields for name, fields in heard() if name == "assigned"]
    assert {place for fields in shared for place in fields["partitions"]} == {f"{topic_name}[{p}]" for p in range(4)}


PLANTED = ("wonder-land-7", "planted-registry-word", "planted-token")


def everything(caplog) -> str:
    return "\n".join(f"{r.getMessage()} {vars(r)}" for r in caplog.records)


@pytest.mark.kafka
def test_no_secret_is_logged_even_with_all_that_librdkafka_tells(kafka, create_topic, topic_name, caplog):
    caplog.set_level(logging.DEBUG)
    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, [*numbers(0, 3), b"poison"])
    config = {
        **kafka.sasl_config,
        "schema.registry.url": "http://ann:planted-registry-word@127.0.0.1:1",
        "schema.registry.bearer.auth.token": "planted-token",
        "log_level": 7,
        "debug": "all",
    }
    there = {"bootstrap_servers": kafka.sasl_bootstrap_servers, "config": config}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, on_malformed="skip", **there) as feed:
        feed.wait(timeout=60)
    smlnb.peek(topic_name, **there)
    with pytest.raises(BrokerUnavailableError):
        smlnb.peek(topic_name, **{**there, "config": {**config, "sasl.password": "planted-token"}})
    text = everything(caplog)
    assert sum(r.name == "smlnb.librdkafka" for r in caplog.records) > 100
    assert "sasl.password" in text
    assert [word for word in PLANTED if word in text] == []


def test_librdkafka_is_silent_unless_it_is_asked(local_broker, create_topic, topic_name, caplog, capfd):
    caplog.set_level(logging.DEBUG, logger="smlnb")
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 3))
    smlnb.peek(topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    assert [r for r in caplog.records if r.name == "smlnb.librdkafka"] == []
    assert capfd.readouterr().err == ""


def test_no_thread_is_left_of_logging(local_broker, create_topic, topic_name):
    before = set(threading.enumerate())
    create_topic(local_broker, topic_name, 1)
    there = {"bootstrap_servers": local_broker.bootstrap_servers, "config": {"log_level": 7, "debug": "broker"}}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, **there):
        pass
    assert set(threading.enumerate()) <= before
