from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition

from smlnb import Project, connect
from smlnb.errors import (
    BrokerUnavailableError,
    ConfigError,
    DecodeError,
    KafkaError,
    SchemaError,
    StateMachineError,
    TopicError,
)
from smlnb.ingest.deadletter import DeadLetters
from tests.ingest.writing import avro, numbers, produce
from tests.waiting import eventually


def test_a_project_learns_each_record_once_over_stops_and_restarts(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 4)
    produce(any_broker, topic_name, numbers(0, 5_000), 4)
    project = Project("p", types="C")
    with connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers, batch_rows=300) as feed:
        feed.wait(rows=600, timeout=30)
        feed.stop()
        feed.restart()
        feed.pause()
        feed.resume()
        feed.wait(timeout=30)
    produce(any_broker, topic_name, numbers(5_000, 6_000), 4)
    with connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
    assert project.n == 6_000
    row = project.univariate().loc["x"]
    assert (row["min"], row["max"]) == (0, 5_999)
    assert row["mean"] == pytest.approx(np.mean(range(6_000)))


def test_the_count_in_is_learned_and_refused_and_pending_at_every_moment(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 3)
    values = numbers(0, 30_000)
    values[::100] = [b"poison"] * 300
    values[1::1000] = [None] * 30
    values[2::1000] = [b'{"x": "text"}'] * 30
    project = Project("p", types="C")
    produce(local_broker, topic_name, values, 3)
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    with connect(project, topic_name, **where, on_malformed="skip", batch_rows=100) as feed:
        while feed.metrics.lag:
            seen = feed.metrics
            assert seen.read == seen.rows + seen.refused + seen.pending
            assert seen.pending >= 0
        feed.wait(timeout=30)
        metrics = feed.metrics
    assert (metrics.read, metrics.rows, metrics.refused, metrics.pending) == (30_000, 29_640, 360, 0)
    assert (project.counts.learned, project.counts.refused) == (29_640, 360)
    assert sum(p.rows for p in metrics.partitions.values()) == 29_640
    assert {p.lag for p in metrics.partitions.values()} == {0}


def test_a_poison_record_fails_the_feed_and_restarting_goes_on_as_told(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, [*numbers(0, 10), b"poison", *numbers(10, 20)])
    project = Project("p", types="C")
    feed = connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers)
    with pytest.raises(DecodeError, match="offset 10"):
        feed.wait(timeout=30)
    assert (feed.state, project.n) == ("failed", 10)
    assert "offset 10" in feed._repr_html_()
    feed.restart(on_malformed="dead_letter")
    feed.wait(timeout=30)
    feed.stop()
    assert (project.n, project.counts.refused) == (20, 1)


def test_records_that_do_not_fit_the_project_go_to_the_dead_letters(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    strange = b'{"x": "text"}'
    produce(local_broker, topic_name, [strange, *numbers(0, 3)])
    project = Project("p", types="C", columns=["x"])
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    with connect(
        project, topic_name, **where, on_malformed="dead_letter", dead_letter_topic=f"{topic_name}-bad"
    ) as feed:
        feed.wait(timeout=30)
    consumer = Consumer({"bootstrap.servers": local_broker.bootstrap_servers, "group.id": "x", "log_level": 0})
    consumer.assign([TopicPartition(f"{topic_name}-bad", 0, 0)])
    found = []
    eventually(lambda: found.extend(consumer.consume(10, 0.2)) or len(found) >= project.counts.refused, 30, "letters")
    consumer.close()
    assert (project.n, project.counts.refused) == (3, 1)
    assert found[0].value() == strange


def test_dead_letters_can_not_go_to_a_topic_that_is_read(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    where = {"bootstrap_servers": local_broker.bootstrap_servers, "dead_letter_topic": topic_name}
    with pytest.raises(ConfigError, match="for ever"):
        connect(Project("p"), topic_name, on_malformed="dead_letter", **where)
    with connect(Project("p"), [topic_name, topic_name], **where) as feed:
        assert feed.topics == [topic_name]
        with pytest.raises(ConfigError, match="for ever"):
            feed.restart(on_malformed="dead_letter")


def test_a_record_that_does_not_fit_is_not_lost_when_the_dead_letters_can_not_be_written(
    local_broker, create_topic, topic_name, monkeypatch
):
    create_topic(local_broker, topic_name, 1)
    unfit = b'{"x": "text"}'
    produce(local_broker, topic_name, [unfit])
    send, sent = DeadLetters.send, []

    def refusing(letters, refusals):
        sent.extend(refusals)
        if refusals and len(sent) == 1:
            raise KafkaError("no room for dead letters")
        send(letters, refusals)

    monkeypatch.setattr(DeadLetters, "send", lambda letters, refusals: refusing(letters, tuple(refusals)))
    project = Project("p", types="C", columns=["x"])
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    feed = connect(project, topic_name, **where, on_malformed="dead_letter")
    with pytest.raises(KafkaError, match="no room"):
        feed.wait(timeout=30)
    assert (project.positions, project.counts.refused) == ({}, 0)
    feed.restart()
    feed.wait(timeout=30)
    feed.stop()
    assert project.counts.refused == 1
    assert [r.value for r in sent] == [unfit, unfit]


def test_a_feed_that_does_not_look_shows_a_lag_of_before_and_says_so(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    until = {(topic_name, 0): 4}
    with connect(Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers, until=until) as feed:
        feed.wait(timeout=30, progress=False)
        assert "done, rows=4, lag=6 when last seen" in repr(feed)
        assert "6 when last seen" in feed._repr_html_()


def test_records_that_have_no_time_are_not_of_1969(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 10), timestamp=-1)
    produce(any_broker, topic_name, numbers(10, 20))
    project = Project("p", types="C", history=True)
    with connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
    assert project.between("-10min").n == project.n == 20
    assert len(project.history()) <= 2


def test_records_that_the_row_filter_leaves_out_are_counted_and_not_pending(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    project = Project("p", types="C", row_filter="x >= 4")
    with connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
        metrics = feed.metrics
    assert (metrics.read, metrics.rows, metrics.filtered, metrics.pending) == (10, 6, 4, 0)


def test_without_a_policy_a_record_that_does_not_fit_stops_and_nothing_of_its_batch_is_learned(
    local_broker, create_topic, topic_name
):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 3))
    project = Project("p", types={"x": "C"})
    project.learn({"x": [1.0]})
    with connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
        feed.stop()
        fresh = Project("q", types={"x": "C"})
        fresh.learn({"x": [1.0]})
        produce(local_broker, topic_name, [b'{"x": "text"}'])
    text_first = connect(fresh, topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    with pytest.raises((SchemaError, DecodeError), match=r"offset 3.*restart\(on_malformed='skip'\)"):
        text_first.wait(timeout=30)
    assert text_first.state == "failed"


@pytest.mark.kafka
def test_a_secured_cluster_and_registry_are_read_with_two_writer_schemas(kafka, create_topic, topic_name):
    from smlnb.testing import SchemaRegistry

    create_topic(kafka, topic_name, 2)
    with SchemaRegistry(user="ann", password="registry-secret") as registry:
        fields = [{"name": "x", "type": "double"}, {"name": "y", "type": "double", "default": 0.0}]
        one = {"type": "record", "name": "R", "fields": fields[:1]}
        two = {"type": "record", "name": "R", "fields": fields}
        ids = [registry.register(f"{topic_name}-value", json.dumps(s)) for s in (one, two)]
        values = [avro(one, {"x": float(i)}, ids[0]) for i in range(100)]
        values += [avro(two, {"x": float(i), "y": 1.0}, ids[1]) for i in range(100, 200)]
        produce(kafka, topic_name, [v for pair in zip(values[:100], values[100:], strict=True) for v in pair], 2)
        config = {**kafka.sasl_config, **registry.config}
        project = Project("p")
        with connect(project, topic_name, bootstrap_servers=kafka.sasl_bootstrap_servers, config=config) as feed:
            feed.wait(timeout=30)
            shown = f"{feed!r} {feed._repr_html_()} {feed.config!r}"
    assert "registry-secret" not in shown
    assert kafka.sasl_config["sasl.password"] not in shown
    table = project.univariate()
    assert table["count"].to_dict() == {"x": 200, "y": 100}
    assert table.loc["x", "mean"] == pytest.approx(99.5)


def test_a_format_that_must_be_told_its_columns_is_told_them(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b"1.5;a", b"2.5;b", b"many;fields;here"])
    project = Project("p")
    where = {"bootstrap_servers": local_broker.bootstrap_servers, "on_malformed": "skip"}
    options = {"columns": ["x", "kind"], "delimiter": ";"}
    with connect(project, topic_name, **where, format="csv", format_options=options) as feed:
        feed.wait(timeout=30)
    assert (project.univariate().loc["x", "mean"], project.counts.refused) == (2.0, 1)
    with pytest.raises(ConfigError, match="columns"):
        connect(project, topic_name, **where, format="csv")


def test_an_empty_topic_is_waited_on_and_read_when_it_fills(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    project = Project("p", types="C")
    with connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
        assert (feed.state, project.n) == ("running", 0)
        produce(any_broker, topic_name, numbers(0, 4), 2)
        feed.wait(rows=4, timeout=30)
    assert project.n == 4


def test_a_missing_topic_or_broker_is_an_error_at_once(local_broker, topic_name):
    project = Project("p")
    with pytest.raises(TopicError, match=topic_name):
        connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    begin = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        connect(project, topic_name, bootstrap_servers="127.0.0.1:1")
    assert time.monotonic() - begin < 10


def test_avro_without_a_registry_fails_the_feed_and_says_what_to_do(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b"\0\0\0\0\1\2"])
    feed = connect(Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    with pytest.raises(ConfigError, match=r"schema\.registry\.url"):
        feed.wait(timeout=30)


def test_stopping_twice_does_nothing_and_pausing_a_stopped_feed_is_an_error(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    feed = connect(Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers)
    feed.stop()
    feed.stop()
    assert feed.state == "stopped"
    with pytest.raises(StateMachineError, match="restart"):
        feed.pause()
    feed.start()
    feed.start()
    assert feed.state == "running"
    feed.stop()


def test_waiting_ends_in_time_and_says_so_if_nothing_can_come(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    with connect(Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            feed.wait(rows=1, timeout=0.2)
        feed.pause()
        with pytest.raises(StateMachineError, match="paused"):
            feed.wait(rows=1)


def test_what_arrives_while_a_feed_from_latest_is_stopped_is_learned_when_it_goes_on(
    local_broker, create_topic, topic_name
):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 10), 2)
    project = Project("p", types="C")
    with connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers, start="latest") as feed:
        feed.stop()
        produce(local_broker, topic_name, numbers(10, 16), 2)
        feed.restart()
        feed.wait(timeout=30)
        feed.stop()
        produce(local_broker, topic_name, numbers(16, 20), 2)
        feed.start()
        feed.wait(timeout=30)
    assert project.n == 10


def test_the_stream_goes_on_behind_the_project(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    project = Project("p", types="C")
    with connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
        rows = feed.stream.map(len).sink_to_list()
        produce(local_broker, topic_name, numbers(10, 15))
        eventually(lambda: sum(rows) == 5, 30, "five more")
    assert project.n == 15


def test_names_in_the_html_are_escaped(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    with connect(Project("<b>p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        shown = feed._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;p" in shown


def test_no_thread_is_left_behind(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    for _ in range(3):
        connect(Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers).stop()
    assert not [t for t in threading.enumerate() if topic_name in t.name]
