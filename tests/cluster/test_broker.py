from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from streamz import Stream

from smlnb import list_topics, replay
from smlnb.cluster import _librdkafka, _mock_cluster
from smlnb.cluster.broker import LIMITS, LocalBroker, broker_limit, check_limit, check_settings, find_broker, is_local
from smlnb.errors import BrokerLimitError, BrokerUnavailableError, StateMachineError, TopicError
from tests.waiting import eventually


def partitions(broker, topic):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    return len(admin.list_topics(topic, timeout=5).topics[topic].partitions)


def produce(broker, topic, values, partition=0):
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(10) == 0


def read(broker, topic, count, partition=0):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "unused", "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, 0)])
    messages = []
    eventually(lambda: messages.extend(consumer.consume(count, 0.2)) or len(messages) >= count, 10, f"{count} records")
    consumer.close()
    return [message.value() for message in messages]


def threads():
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.fixture
def without_library(monkeypatch, tmp_path):
    monkeypatch.setattr(_librdkafka.confluent_kafka, "__file__", str(tmp_path / "confluent_kafka" / "__init__.py"))


def test_records_go_in_and_come_out(local_broker, topic_name):
    local_broker.create_topic(topic_name, 1)
    produce(local_broker, topic_name, [b"a", b"b"])
    assert read(local_broker, topic_name, 2) == [b"a", b"b"]


@pytest.mark.parametrize("count", [1, 8, 32])
def test_a_topic_has_the_partitions_that_were_asked_for(local_broker, topic_name, count):
    assert local_broker.create_topic(topic_name, count) == count
    assert partitions(local_broker, topic_name) == count


def test_a_topic_has_8_partitions_where_nothing_else_was_said():
    with LocalBroker() as broker:
        assert broker.create_topic("t") == 8


def test_another_process_reads_and_writes_by_the_address(local_broker, topic_name):
    local_broker.create_topic(topic_name, 1)
    program = (
        "import sys; from confluent_kafka import Producer; from smlnb.cluster.broker import find_broker, is_local;"
        "p = Producer({'bootstrap.servers': sys.argv[1]}); p.produce(sys.argv[2], b'from afar'); assert p.flush(10) == 0;"
        "assert find_broker(sys.argv[1]) is None; assert is_local(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", program, local_broker.bootstrap_servers, topic_name], check=True, timeout=60)
    assert read(local_broker, topic_name, 1) == [b"from afar"]


def test_a_group_is_joined_without_the_usual_three_seconds(local_broker, topic_name):
    local_broker.create_topic(topic_name, 1)
    produce(local_broker, topic_name, [b"a"])
    consumer = Consumer(
        {
            "bootstrap.servers": local_broker.bootstrap_servers,
            "group.id": topic_name,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        },
    )
    consumer.subscribe([topic_name])
    assert eventually(lambda: consumer.poll(0.1), 2.5, "a record of the group").value() == b"a"
    consumer.close()


def test_the_running_broker_is_found_by_its_address_in_this_process():
    broker = LocalBroker()
    port = broker.bootstrap_servers.rpartition(":")[2]
    assert find_broker(broker.bootstrap_servers) is broker
    assert find_broker(f"elsewhere:1, PLAINTEXT://localhost:{port}") is broker
    broker.close()
    assert find_broker(broker.bootstrap_servers) is None


def test_stopping_twice_is_stopping_once_and_leaves_no_thread():
    first = LocalBroker()
    first.stop()
    before = threads()
    broker = LocalBroker()
    assert threads() > before
    broker.stop()
    broker.stop()
    assert not broker.running
    assert "stopped" in repr(broker)
    eventually(lambda: threads() == before, 5, "the end of the broker's threads")


def test_a_forgotten_broker_ends_by_itself():
    broker = LocalBroker()
    address = broker.bootstrap_servers
    del broker
    gc.collect()
    assert find_broker(address) is None
    with pytest.raises(BrokerUnavailableError, match=address):
        is_local(address, timeout=0.3)


def test_stopping_under_connected_clients_neither_hangs_nor_crashes():
    program = """
import threading
from confluent_kafka import Consumer, Producer, TopicPartition
from smlnb.cluster.broker import LocalBroker
for _ in range(10):
    broker = LocalBroker()
    broker.create_topic("t", 2)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0,
                         "message.timeout.ms": 2000})
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 0,
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition("t", 0, 0)])
    producer.produce("t", b"x", partition=0)
    assert producer.flush(10) == 0
    assert consumer.consume(1, 10)
    producer.produce("t", b"y" * 1000, partition=1)
    broker.stop()
    producer.purge()
    assert producer.flush(10) == 0
    consumer.close()
last = LocalBroker()
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_repr_names_the_address(local_broker):
    assert repr(local_broker) == f"LocalBroker('{local_broker.bootstrap_servers}')"


def test_a_topic_that_is_there_already_is_refused(local_broker, topic_name):
    local_broker.create_topic(topic_name, 2)
    with pytest.raises(TopicError, match=f"{topic_name}.*already exists"):
        local_broker.create_topic(topic_name, 2)


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250])
def test_a_name_that_kafka_would_refuse_is_refused(local_broker, name):
    with pytest.raises(TopicError, match="is no name for a topic"):
        local_broker.create_topic(name)


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_a_number_of_partitions_that_can_not_be_is_refused(local_broker, count):
    with pytest.raises(TopicError, match="1 to 10,000 partitions"):
        local_broker.create_topic("t", count)
    with pytest.raises(TopicError, match="1 to 10,000 partitions"):
        LocalBroker(partitions=count)


def test_a_stopped_broker_creates_no_topic():
    with LocalBroker() as broker:
        pass
    with pytest.raises(StateMachineError, match="was stopped"):
        broker.create_topic("t")


def test_older_records_go_when_a_partition_holds_5_mib(local_broker, topic_name):
    local_broker.create_topic(topic_name, 1)
    produce(local_broker, topic_name, [bytes(100_000)] * 80)
    consumer = Consumer({"bootstrap.servers": local_broker.bootstrap_servers, "group.id": "unused", "log_level": 0})
    low, high = consumer.get_watermark_offsets(TopicPartition(topic_name, 0), timeout=5)
    consumer.close()
    assert high == 80
    assert 0 < (high - low) * 100_000 <= local_broker.retention.bytes


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_is_named_with_the_way_out(local_broker, limit):
    with pytest.raises(BrokerLimitError, match=r"The embedded broker .*; or use Apache Kafka\.") as caught:
        check_limit(limit, local_broker.bootstrap_servers)
    assert str(caught.value) == str(broker_limit(limit))


def test_without_the_library_the_broker_runs_with_4_partitions_and_says_so(without_library):
    with LocalBroker() as broker:
        assert not broker.can_set_partitions
        assert broker.create_topic("t", 8) == 4
        assert partitions(broker, "t") == 4
        with pytest.raises(TopicError, match="already exists"):
            broker.create_topic("t")
        assert is_local(broker.bootstrap_servers)
        assert "topics have 4 partitions" in broker.notice
        assert broker.notice in repr(broker)
        produce(broker, "t", [b"a"])
        assert read(broker, "t", 1) == [b"a"]
        assert "\n" not in broker.notice
    assert not broker.running


@pytest.mark.parametrize(
    "wheel",
    [
        "confluent_kafka.libs/librdkafka-0cb94173.so.1",
        "confluent_kafka/.dylibs/librdkafka.1.dylib",
        "confluent_kafka.libs/librdkafka-1a2b3c.dll",
    ],
)
def test_the_library_is_found_in_the_wheels_of_linux_macos_and_windows(tmp_path, wheel):
    library = tmp_path / wheel
    library.parent.mkdir(parents=True)
    library.touch()
    assert _librdkafka.library_path(tmp_path) == library


def test_a_library_without_the_broker_is_not_used(tmp_path, monkeypatch):
    library = tmp_path / "librdkafka.so.1"
    library.write_bytes(b"not a library")
    monkeypatch.setattr(_mock_cluster, "library_path", lambda: library)
    with LocalBroker() as broker:
        assert "librdkafka.so.1 can't be used" in broker.notice


@pytest.mark.kafka
def test_apache_kafka_is_not_taken_for_an_embedded_broker(kafka):
    assert not is_local(kafka.bootstrap_servers)
    check_limit("transactions", kafka.bootstrap_servers)


@pytest.mark.kafka
def test_apache_kafka_is_recognised_through_its_secured_listener(kafka):
    assert not is_local(kafka.sasl_bootstrap_servers, kafka.sasl_config)


@pytest.mark.parametrize("protocol", ["ssl", "SASL_PLAINTEXT"])
def test_logging_in_at_an_embedded_broker_is_an_error_at_once(local_broker, topic_name, protocol):
    config = {"bootstrap.servers": local_broker.bootstrap_servers, "security.protocol": protocol}
    for call in (lambda: replay({"x": [1]}, topic_name, config=config), lambda: list_topics(config=config)):
        with pytest.raises(BrokerLimitError, match=r"neither TLS nor SASL\. Leave out security\.protocol"):
            call()


def test_transactions_at_an_embedded_broker_are_refused(local_broker, topic_name):
    config = {"bootstrap.servers": local_broker.bootstrap_servers, "transactional.id": "mine"}
    for call in (
        lambda: replay({"x": [1]}, topic_name, config=config),
        lambda: Stream().to_kafka_arrow(topic_name, config=config),
    ):
        with pytest.raises(BrokerLimitError, match="no transactions"):
            call()


def test_settings_without_a_login_or_transactions_are_accepted(local_broker):
    address = {"bootstrap.servers": local_broker.bootstrap_servers}
    check_settings({**address, "security.protocol": "PLAINTEXT"}, writing=True)
    check_settings({**address, "transactional.id": "mine"})
