from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.java_server import Missing, fetch
from tests.kafka_server import KafkaServer
from tests.waiting import eventually


def round_trip(config, topic):
    producer = Producer({"log_level": 0, **config})
    producer.produce(topic, b"hello", partition=0)
    assert producer.flush(20) == 0
    consumer = Consumer({"log_level": 0, "group.id": topic, "enable.auto.commit": False, **config})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = eventually(lambda: consumer.poll(0.2), 20, "the record")
    consumer.close()
    return message.value()


def test_either_broker_takes_a_record_and_gives_it_back(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 3)
    assert round_trip({"bootstrap.servers": any_broker.bootstrap_servers}, topic_name) == b"hello"
    admin = AdminClient({"bootstrap.servers": any_broker.bootstrap_servers, "log_level": 0})
    assert len(admin.list_topics(topic_name, timeout=10).topics[topic_name].partitions) == 3


@pytest.mark.kafka
def test_the_secured_listener_takes_a_record_and_gives_it_back(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name)
    config = {"bootstrap.servers": kafka.sasl_bootstrap_servers, **kafka.sasl_config}
    assert round_trip(config, topic_name) == b"hello"


@pytest.mark.kafka
@pytest.mark.parametrize("wrong", [{"sasl.password": "not this"}, {"sasl.username": "bob"}])
def test_wrong_credentials_are_refused(kafka, wrong):
    errors = []
    config = {"bootstrap.servers": kafka.sasl_bootstrap_servers, **kafka.sasl_config, **wrong}
    admin = AdminClient({"log_level": 0, "error_cb": errors.append, **config})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=2)
    eventually(lambda: admin.poll(0.1) or errors, 5, "the error of authentication")
    assert KafkaError._AUTHENTICATION in {error.code() for error in errors}


@pytest.mark.kafka
def test_without_credentials_the_secured_listener_is_closed(kafka):
    admin = AdminClient({"bootstrap.servers": kafka.sasl_bootstrap_servers, "log_level": 0})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_killed_server_comes_back_at_its_address_with_its_records(kafka, create_topic, topic_name):
    server = KafkaServer(kafka._jars).start()
    try:
        create_topic(server, topic_name)
        config = {"bootstrap.servers": server.bootstrap_servers}
        assert round_trip(config, topic_name) == b"hello"
        server.restart(kill=True)
        assert round_trip(config, topic_name) == b"hello"
        data = server.folder
    finally:
        server.stop()
    assert not server.running
    assert not data.exists()


def test_without_java_the_reason_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match="Java 17 is not installed"):
        fetch("nothing")


def test_without_maven_the_reason_is_said(monkeypatch, tmp_path):
    java = tmp_path / "java"
    java.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SMLNB_TEST_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Missing, match=r"Maven is not installed and kafka-1 was not fetched before"):
        fetch("kafka-1")


def test_what_was_fetched_is_used_without_maven(monkeypatch, tmp_path):
    (tmp_path / "java").touch(mode=0o755)
    (tmp_path / "cache" / "kafka-1").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SMLNB_TEST_CACHE", str(tmp_path / "cache"))
    assert fetch("kafka-1") == tmp_path / "cache" / "kafka-1"
