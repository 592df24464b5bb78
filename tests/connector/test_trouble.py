"""What a connector does about records that can't be used, and about what is out of reach."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, TopicPartition

from smlnb import Connector, KafkaConfig, Workspace
from smlnb.connector import feeds as connector_feeds
from smlnb.connector.backoff import Backoff
from smlnb.connector.settings import Settings
from smlnb.errors import BrokerUnavailableError, DecodeError
from tests.connector.sinks import SCHEMA, connector, shuttle
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

# -- records that can't be used ----------------------------------------------------------------------------------------

BAD = [b'{"x": 1}', b"poison", b'{"x": 2}', None]


@pytest.mark.parametrize("behavior", ["ignore", "warn"])
def test_records_that_can_not_be_used_are_counted_and_by_warn_logged(local_broker, topic, behavior, caplog):
    produce(local_broker, topic, BAD)
    keys = {"behavior.on.malformed.documents": behavior}
    with caplog.at_level(logging.WARNING, "smlnb"), connector(local_broker, topic, **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
        if behavior == "warn":
            eventually(lambda: caplog.messages, 30, "a warning")
    assert (sink.projects["plant"].n, sink.metrics.refused) == (2, 2)
    logged = f"smlnb: 2 records of {topic}[0] could not be used, 2 so far"
    assert caplog.messages == ([logged] if behavior == "warn" else [])
    assert "poison" not in caplog.text


def test_a_topic_full_of_them_is_logged_every_few_seconds_and_at_the_end_not_batch_by_batch(
    local_broker, topic, caplog, monkeypatch
):
    monkeypatch.setattr("smlnb.connector.connector.WARN", 3_600)
    produce(local_broker, topic, [b"poison"] * 500)
    keys = {"behavior.on.malformed.documents": "warn", "sml.dataframe.max.chunk.size": "1"}
    with caplog.at_level(logging.WARNING, "smlnb"), connector(local_broker, topic, **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
    assert len(caplog.messages) in (1, 2)
    assert caplog.messages[-1].endswith("500 so far")


@pytest.mark.parametrize("keys", [{}, {"behavior.on.malformed.documents": "fail"}, {"errors.tolerance": "none"}])
def test_by_default_and_by_fail_it_fails_at_the_first_of_them(local_broker, topic, keys, tmp_path):
    produce(local_broker, topic, BAD)
    with connector(local_broker, topic, tmp_path / "w.db", **keys) as sink:
        sink.start()
        with pytest.raises(DecodeError, match="offset 1"):
            sink.wait(timeout=30)
        assert sink.state == "failed"
        assert "offset 1" in sink._repr_html_()
    with Workspace(tmp_path / "w.db") as store:
        assert store.load("plant").n == 1


def test_dead_letters_say_where_they_came_from(local_broker, topic):
    produce(local_broker, topic, BAD)
    dead = f"{topic}-dead"
    keys = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": dead}
    with connector(local_broker, topic, **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
    consumer = Consumer({"bootstrap.servers": local_broker.bootstrap_servers, "group.id": dead, "log_level": 0})
    consumer.assign([TopicPartition(dead, 0, 0)])
    (letter,) = consumer.consume(1, 20)
    consumer.close()
    assert letter.value() == b"poison"
    assert {v for _, v in letter.headers()} >= {topic.encode(), b"1"}


# -- retries -----------------------------------------------------------------------------------------------------------


def with_backoff(settings, **more):
    return replace(settings, backoff=Backoff(**more))


def test_a_broker_that_is_not_there_is_tried_again_with_growing_waits_and_then_given_up(monkeypatch, tmp_path):
    attempts = []

    def refusing(*_args, **_options):
        attempts.append(1)
        raise BrokerUnavailableError("No broker answered at h:1.")

    monkeypatch.setattr(connector_feeds, "connect", refusing)
    settings = Settings.of({"topics": "t", "sml.project": "p"})
    settings = with_backoff(settings, base=1.0, longest=3.0, retries=4, draw=lambda: 0.5)
    waits: list[float] = []
    with Connector(settings, KafkaConfig.of("h:1"), pause=waits.append) as sink:
        sink.start()
        with pytest.raises(BrokerUnavailableError, match="h:1"):
            sink.wait(timeout=30)
        assert sink.state == "failed"
    assert waits == [0.5, 1.0, 2.0, 3.0]
    assert len(attempts) == 5
    assert "Trying again in 2.0 s, 3 of 4." in sink.report[2]


def test_no_retries_is_an_error_at_once(monkeypatch):
    def refusing(*_args, **_options):
        raise BrokerUnavailableError("No broker answered at h:1.")

    monkeypatch.setattr(connector_feeds, "connect", refusing)
    config = {"topics": "t", "sml.project": "p", "sml.backoff.max.retries": 0}
    with Connector.from_config(config, bootstrap_servers="h:1") as sink:
        with pytest.raises(BrokerUnavailableError):
            sink.start()
        assert sink.state == "failed"
        with pytest.raises(BrokerUnavailableError):
            sink.wait()


def test_when_it_works_again_the_count_of_tries_begins_anew(monkeypatch, local_broker, topic):
    real, outages = connector_feeds.connect, iter([True, True, False])

    def sometimes(*args, **options):
        if next(outages):
            raise BrokerUnavailableError("No broker answered.")
        return real(*args, **options)

    monkeypatch.setattr(connector_feeds, "connect", sometimes)
    produce(local_broker, topic, numbers(0, 10), 2)
    settings = Settings.of({"topics": topic, "sml.project": "p"})
    settings = with_backoff(settings, base=1.0, longest=9.0, retries=2, draw=lambda: 1.0)
    waits: list[float] = []
    with Connector(settings, KafkaConfig.of(local_broker.bootstrap_servers), pause=waits.append) as sink:
        sink.start()
        assert sink.state in ("retrying", "running")
        sink.wait(timeout=30)
        (feed,) = sink.feeds
        feed.stop()
        feed._source.error = BrokerUnavailableError("The schema registry does not answer.")
        eventually(lambda: len(waits) > 2, 30, "a wait")
        produce(local_broker, topic, numbers(10, 20), 2)
        sink.wait(rows=20, timeout=30)
        assert (sink.state, sink.metrics.broker_error) == ("running", None)
    assert waits == [1.0, 2.0, 1.0]


def test_a_registry_that_does_not_answer_is_waited_for(local_broker, topic, registry, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(registry, "authorised", lambda _header: len(waits) >= 2)
    produce(local_broker, topic, shuttle(10, registry.register("t", json.dumps(SCHEMA))))
    config = {"topics": topic, "sml.project": "p", "value.converter": "io.confluent.connect.avro.AvroConverter"}
    settings = Settings.of({**config, "value.converter.schema.registry.url": registry.url})
    kafka = KafkaConfig.of(local_broker.bootstrap_servers, settings.kafka)
    with Connector(settings, kafka, pause=waits.append) as sink:
        sink.start()
        sink.wait(rows=10, timeout=60)
    assert len(waits) == 2
    assert sink.projects["p"].n == 10


class Forwarder:
    """A port at which nobody listens before :meth:`open`; then what comes there goes to a broker."""

    def __init__(self, broker):
        self._target = broker.bootstrap_servers.split(",")[0].rsplit(":", 1)
        self._server = socket.socket()
        self._server.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"

    def open(self):
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                one = self._server.accept()[0]
                other = socket.create_connection((self._target[0], int(self._target[1])))
                for a, b in ((one, other), (other, one)):
                    threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        with suppress(OSError), source, sink:
            while data := source.recv(1 << 16):
                sink.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.close()


def test_a_broker_that_comes_late_is_waited_for(local_broker, topic):
    produce(local_broker, topic, numbers(0, 10), 2)
    waits: list[float] = []
    with Forwarder(local_broker) as late:

        def pause(seconds):
            waits.append(seconds)
            if len(waits) == 1:
                late.open()

        settings = Settings.of({"topics": topic, "sml.project": "p"})
        with Connector(settings, KafkaConfig.of(late.address), pause=pause) as sink:
            sink.start()
            assert "No broker answered" in sink._repr_html_() or sink.state == "running"
            sink.wait(rows=10, timeout=60)
        assert sink.projects["p"].n == 10
        assert 1 <= len(waits) < 5


def test_stopping_ends_a_wait_between_tries_at_once(monkeypatch):
    def refusing(*_args, **_options):
        raise BrokerUnavailableError("No broker answered.")

    monkeypatch.setattr(connector_feeds, "connect", refusing)
    config = {
        "topics": "t",
        "sml.project": "p",
        "sml.reconnect.backoff.ms": 10**9,
        "sml.reconnect.backoff.max.ms": 10**9,
    }
    sink = Connector.from_config(config, bootstrap_servers="h:1")
    sink.start()
    eventually(lambda: sink.state == "retrying", 30, "a wait")
    assert "No broker answered." in sink._repr_html_()
    sink.stop()
    assert sink.state == "stopped"
