from __future__ import annotations

import threading
import time
import traceback

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from streamz import Stream

from smlnb.errors import (
    BrokerUnavailableError,
    ConfigError,
    DecodeError,
    LostRecordsError,
    PositionError,
    StateMachineError,
    TopicError,
)
from smlnb.ingest import kafka as module
from smlnb.ingest import task
from smlnb.ingest.kafka import from_kafka_arrow
from tests.ingest.writing import Collected, numbers, produce
from tests.waiting import eventually


@pytest.mark.parametrize("partitions", [1, 5])
def test_every_record_comes_once_and_positions_are_continuous(any_broker, create_topic, topic_name, partitions):
    create_topic(any_broker, topic_name, partitions)
    produce(any_broker, topic_name, numbers(0, 20_000), partitions)
    with Collected(any_broker, topic_name, batch_rows=700) as got:
        got.until(20_000)
    assert sorted(got.values()) == list(range(20_000))
    assert all(len(b) <= 700 for b in got.batches)
    got.assert_continuous()


def test_several_topics_are_read_into_batches_of_their_own(local_broker, create_topic, topic_name):
    names = [create_topic(local_broker, f"{topic_name}-{i}", 2) for i in range(3)]
    for i, name in enumerate(names):
        produce(local_broker, name, numbers(i * 100, i * 100 + 100), 2)
    with Collected(local_broker, names) as got:
        got.until(300)
    assert {b.topic for b in got.batches} == set(names)
    for batch in got.batches:
        assert {v // 100 for v in batch.data["x"].to_pylist()} == {names.index(batch.topic)}


def test_records_that_arrive_later_are_read_too(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    with Collected(any_broker, topic_name) as got:
        for i in range(5):
            produce(any_broker, topic_name, numbers(i, i + 1))
            got.until(i + 1)
    assert got.values() == [0, 1, 2, 3, 4]


def test_latest_begins_at_the_end(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    with Collected(local_broker, topic_name, start="latest") as got:
        produce(local_broker, topic_name, numbers(10, 15))
        got.until(5)
    assert got.values() == [10, 11, 12, 13, 14]


def test_positions_say_where_to_begin(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    with Collected(local_broker, topic_name, positions={(topic_name, 0): 7}) as got:
        got.until(3)
    assert got.values() == [7, 8, 9]
    assert got.batches[0].start == 7


def test_pausing_resuming_stopping_and_restarting_lose_and_double_nothing(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 3)
    written = threading.Event()

    def write():
        for i in range(0, 9_000, 300):
            produce(any_broker, topic_name, numbers(i, i + 300), 3)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    with Collected(any_broker, topic_name, batch_rows=50) as got:
        rounds = 0
        while not written.is_set():
            rounds += 1
            seen = got.source.metrics.rows
            got.source.pause()
            got.source.resume()
            eventually(lambda seen=seen: got.source.metrics.rows > seen or written.is_set(), 30, "more rows")
            got.source.stop() if rounds % 2 else None
            got.source.restart()
        got.until(9_000)
    writer.join()
    assert sorted(got.values()) == list(range(9_000))
    got.assert_continuous()


def test_nothing_is_emitted_while_paused_and_pausing_keeps_what_was_read(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 100))
    with Collected(local_broker, topic_name) as got:
        got.until(100)
        got.source.pause()
        produce(local_broker, topic_name, numbers(100, 200))
        assert not threading.Event().wait(0.4)
        assert got.source.metrics.rows == 100
        assert got.source.state == "paused"
        got.source.resume()
        got.until(200)
    assert got.values() == list(range(200))


def test_stopping_is_immediate_and_stopping_twice_does_nothing(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 8)
    got = Collected(local_broker, topic_name)
    with got:
        eventually(lambda: got.source.state == "running")
        begin = time.monotonic()
        got.source.stop()
        assert time.monotonic() - begin < 2
    got.source.stop()
    assert got.source.state == "stopped"
    assert not [t for t in threading.enumerate() if t.name == f"smlnb-{topic_name}"]


def test_pausing_what_does_not_run_is_an_error_that_says_what_to_do(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    source = from_kafka_arrow(topic_name, local_broker.bootstrap_servers)
    with pytest.raises(StateMachineError, match=r"created.*restart\(\)"):
        source.pause()
    with pytest.raises(StateMachineError, match="Can't resume"):
        source.resume()


def test_a_stream_that_is_slow_holds_the_reading_back(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 4)
    produce(local_broker, topic_name, numbers(0, 40_000), 4)
    go = threading.Event()
    source = from_kafka_arrow(topic_name, local_broker.bootstrap_servers, batch_rows=100)
    seen = []
    sink = source.sink(lambda batch: (seen.append(batch), go.wait(30)))  # noqa: F841 - it keeps the stream alive
    source.start()
    try:
        eventually(lambda: seen, 30, "the first batch")
        assert not threading.Event().wait(0.5)
        assert len(seen) == 1
        assert source.metrics.pending <= 17 * 100 + 500
        go.set()
        eventually(lambda: source.metrics.rows == 40_000, 30, "all rows")
    finally:
        go.set()
        source.stop()


def test_timed_nodes_downstream_are_waited_for(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 1_000))
    source = from_kafka_arrow(topic_name, local_broker.bootstrap_servers, batch_rows=100)
    rows = []
    limited = source.rate_limit("20ms").sink(lambda batch: rows.extend(batch.data["x"].to_pylist()))  # noqa: F841
    source.start()
    eventually(lambda: source.metrics.rows == 1_000 or source.error, 30, "all rows")
    source.stop()
    assert source.error is None
    assert rows == list(range(1_000))


def test_what_raises_downstream_fails_the_source_and_keeps_its_position(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, numbers(0, 300))
    broken = True

    def sink(batch):
        if broken and batch.start >= 100:
            raise ZeroDivisionError("of the user")
        rows.extend(batch.data["x"].to_pylist())

    rows = []
    source = from_kafka_arrow(topic_name, any_broker.bootstrap_servers, batch_rows=100)
    node = source.sink(sink)  # noqa: F841 - it keeps the stream alive
    source.start()
    eventually(lambda: source.state == "failed", 30, "failure")
    assert isinstance(source.error, ZeroDivisionError)
    assert source.positions == {(topic_name, 0): 100}
    with pytest.raises(StateMachineError, match="of the user"):
        source.resume()
    broken = False
    source.restart()
    eventually(lambda: source.metrics.rows == 300, 30, "the rest")
    source.stop()
    assert source.error is None
    assert rows == list(range(300))


def test_tombstones_are_counted_and_stop_nothing(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, [b'{"x": 0}', None, b'{"x": 2}', None], key="k")
    with Collected(any_broker, topic_name) as got:
        got.until_position((topic_name, 0), 4)
    assert got.source.error is None
    assert got.values() == [0, 2]
    refused = [r for b in got.batches for r in b.refused]
    assert [(r.offset, r.key, r.value) for r in refused] == [(1, b"k", None), (3, b"k", None)]
    assert "tombstone" in refused[0].reason
    metrics = got.source.metrics
    assert (metrics.read, metrics.rows, metrics.refused, metrics.pending) == (4, 2, 2, 0)


@pytest.fixture
def poisoned(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    produce(any_broker, topic_name, [*numbers(0, 500), b"\xffpoison", *numbers(500, 999)], key=b"the key")
    return topic_name


def test_the_policy_stop_emits_what_precedes_the_bad_record_and_names_it(any_broker, poisoned):
    with Collected(any_broker, poisoned) as got:
        got.until_state("failed")
        assert isinstance(got.source.error, DecodeError)
        message = str(got.source.error)
        for part in (poisoned, "[0]", "offset 500", "UTF-8", "skip", "dead_letter"):
            assert part in message
        assert got.values() == list(range(500))
        assert got.source.positions == {(poisoned, 0): 500}
        got.source.restart()
        got.until_state("failed")
        assert got.values() == list(range(500))
        got.source.restart(on_malformed="skip")
        got.until(999)
    assert got.values() == list(range(999))
    got.assert_continuous()
    assert got.source.metrics.refused == 1


def test_the_policy_skip_counts_the_bad_record(any_broker, poisoned):
    with Collected(any_broker, poisoned, on_malformed="skip") as got:
        got.until(999)
    metrics = got.source.metrics
    assert (metrics.read, metrics.rows, metrics.refused, metrics.pending) == (1_000, 999, 1, 0)
    (refusal,) = (r for b in got.batches for r in b.refused)
    assert (refusal.topic, refusal.partition, refusal.offset, refusal.stage) == (poisoned, 0, 500, "decode")
    assert (refusal.key, refusal.value) == (b"the key", b"\xffpoison")


def test_the_policy_dead_letter_keeps_the_bytes_and_says_where_they_came_from(any_broker, poisoned):
    with Collected(any_broker, poisoned, on_malformed="dead_letter") as got:
        got.until(999)
    consumer = Consumer({"bootstrap.servers": any_broker.bootstrap_servers, "group.id": "dlq", "log_level": 0})
    consumer.assign([TopicPartition(f"{poisoned}-dlq", 0, 0)])
    found = []
    eventually(lambda: found.extend(consumer.consume(10, 0.2)) or found, 30, "the dead letter")
    consumer.close()
    (letter,) = found
    assert (letter.key(), letter.value()) == (b"the key", b"\xffpoison")
    headers = dict(letter.headers())
    assert headers["smlnb.source.topic"] == poisoned.encode()
    assert (headers["smlnb.source.partition"], headers["smlnb.source.offset"]) == (b"0", b"500")
    assert headers["smlnb.stage"] == b"decode"
    assert b"UTF-8" in headers["smlnb.reason"]


def test_raw_records_can_be_had_row_by_row(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, [b'{"x": 0}', b"bad", b'{"x": 2}'], key=b"k")
    with Collected(local_broker, topic_name, on_malformed="skip") as got:
        got.until(2)
    (batch,) = got.batches
    assert list(batch.raw) == [(b"k", b'{"x": 0}'), (b"k", b'{"x": 2}')]
    assert batch.raw[1:] == [(b"k", b'{"x": 2}')]


@pytest.mark.kafka
def test_transaction_markers_and_aborted_records_make_no_gap(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": topic_name, "log_level": 0})
    producer.init_transactions(30)
    for begin, keep in ((0, True), (10, False), (20, True), (30, False)):
        producer.begin_transaction()
        for value in numbers(begin, begin + 10):
            producer.produce(topic_name, value)
        producer.flush(30)
        producer.commit_transaction(30) if keep else producer.abort_transaction(30)
    with Collected(kafka, topic_name) as got:
        got.until_position((topic_name, 0), 44)  # 40 records and 4 markers: the last 11 offsets hold nothing to read
        producer.begin_transaction()
        producer.produce(topic_name, b'{"x": 40}')
        producer.commit_transaction(30)
        got.until_position((topic_name, 0), 46)
    assert got.values() == [*range(10), *range(20, 30), 40]
    got.assert_continuous()
    assert got.source.metrics.lag == 0


@pytest.mark.kafka
def test_records_that_retention_deleted_are_an_error_that_counts_them(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, numbers(0, 100))
    with Collected(kafka, topic_name) as got:
        got.until(100)
    produce(kafka, topic_name, numbers(100, 200))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for future in admin.delete_records([TopicPartition(topic_name, 0, 150)]).values():
        future.result(30)
    with pytest.raises(LostRecordsError, match=r"50 records are lost.*100 to 149"):
        got.source.restart()
    assert issubclass(LostRecordsError, PositionError)


def test_records_that_the_embedded_broker_deleted_under_us_are_an_error(create_topic, topic_name):
    from smlnb import LocalBroker

    with LocalBroker() as broker:
        create_topic(broker, topic_name, 1)
        produce(broker, topic_name, numbers(0, 10))
        with Collected(broker, topic_name) as got:
            got.until(10)
            got.source.stop()
            value = b'{"x": 1, "pad": "' + b"." * 60_000 + b'"}'
            produce(broker, topic_name, [value] * 200)
            with pytest.raises(LostRecordsError, match="records are lost"):
                got.source.restart()


@pytest.mark.kafka
def test_a_login_is_used_and_a_wrong_one_is_refused_within_ten_seconds(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, numbers(0, 10))
    address = kafka.sasl_bootstrap_servers
    source = from_kafka_arrow(topic_name, address, kafka.sasl_config)
    rows = source.map(len).sink_to_list()
    source.start()
    eventually(lambda: sum(rows) == 10, 30, "ten rows")
    source.stop()
    wrong = {**kafka.sasl_config, "sasl.password": "planted-secret"}
    begin = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=r"refused the login.*sasl\.password") as caught:
        from_kafka_arrow(topic_name, address, wrong).start()
    assert time.monotonic() - begin < 10
    assert address in str(caught.value)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in trace.stack if "smlnb/ingest" in frame.filename]
    assert ours
    assert "planted-secret" not in f"{caught.value!r}{[frame.locals for frame in ours]}"


def test_no_broker_is_an_error_within_ten_seconds_that_names_the_address(topic_name):
    begin = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1\b"):
        from_kafka_arrow(topic_name, "127.0.0.1:1").start()
    assert time.monotonic() - begin < 10


def test_a_missing_topic_is_an_error_that_lists_names_like_it(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    with pytest.raises(TopicError, match=f"Did you mean.*{topic_name}"):
        from_kafka_arrow(f"{topic_name}s", any_broker.bootstrap_servers).start()


def test_the_consumer_group_is_told_the_positions(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 100), 2)
    with Collected(any_broker, topic_name, group_id=f"group-{topic_name}") as got:
        got.until(100)
    consumer = Consumer(
        {"bootstrap.servers": any_broker.bootstrap_servers, "group.id": f"group-{topic_name}", "log_level": 0}
    )
    parts = [TopicPartition(topic_name, p) for p in (0, 1)]
    eventually(lambda: [p.offset for p in consumer.committed(parts, 10)] == [50, 50], 30, "the commit")
    consumer.close()


@pytest.mark.kafka
def test_partitions_that_are_added_are_read_from_their_beginning(kafka, create_topic, topic_name, monkeypatch):
    monkeypatch.setattr(task, "LOOK", 0.2)
    create_topic(kafka, topic_name, 1)
    with Collected(kafka, topic_name, start="latest") as got:
        produce(kafka, topic_name, numbers(0, 10))
        got.until(10)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        admin.create_partitions([NewPartitions(topic_name, 3)], operation_timeout=20)[topic_name].result(30)
        produce(kafka, topic_name, numbers(10, 40), 3)
        got.until(40)
        assert sorted(got.source.positions) == [(topic_name, p) for p in range(3)]
        got.source.stop()
        produce(kafka, topic_name, numbers(40, 70), 3)
        got.source.restart()
        got.until(70)
    assert sorted(got.values()) == list(range(70))
    got.assert_continuous()


def test_a_broker_that_goes_away_is_seen_and_nothing_hangs(topic_name):
    from smlnb import LocalBroker

    broker = LocalBroker()
    broker.create_topic(topic_name, 1)
    produce(broker, topic_name, numbers(0, 10))
    got = Collected(broker, topic_name)
    with got:
        got.until(10)
        broker.stop()
        eventually(lambda: got.source.metrics.broker_error, 30, "the error")
        begin = time.monotonic()
        got.source.stop()
        assert time.monotonic() - begin < 10


def test_settings_that_make_no_sense_are_refused_by_name(topic_name):
    for wrong in ({"start": "yesterday"}, {"batch_rows": 0}, {"on_malformed": "explode"}, {"format": "xml"}):
        with pytest.raises(ConfigError, match=str(next(iter(wrong.values())))):
            from_kafka_arrow(topic_name, "localhost:9092", **wrong)
    for nothing in ([], "", None):
        with pytest.raises(ConfigError, match="No topic"):
            from_kafka_arrow(nothing, "localhost:9092")
    with pytest.raises(ConfigError, match="config is int"):
        from_kafka_arrow(topic_name, config=9092)
    with pytest.raises(ConfigError, match="bootstrap_servers"):
        from_kafka_arrow(topic_name)


def test_an_unknown_key_is_refused_by_name(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    with pytest.raises(ConfigError, match=r"fetch\.wait\.max"):
        from_kafka_arrow(topic_name, local_broker.bootstrap_servers, {"fetch.wait.max": 5}).start()


def test_it_is_a_streamz_source_that_streamz_knows(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 3))
    source = Stream.from_kafka_arrow(topic_name, local_broker.bootstrap_servers)
    total = source.map(lambda batch: sum(batch.data["x"].to_pylist())).sink_to_list()
    source.start()
    eventually(lambda: total, 30, "a sum")
    source.stop()
    assert sum(total) == 3
    assert repr(source).startswith("from_kafka_arrow(")


def test_the_sources_that_still_run_are_stopped_when_the_interpreter_ends(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    got = Collected(local_broker, topic_name)
    with got:
        module._stop_all()
        assert got.source.state == "stopped"
