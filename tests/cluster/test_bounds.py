from __future__ import annotations

import datetime as dt
import time

import pytest
from confluent_kafka import Producer

from smlnb import Project, connect
from smlnb.cluster.bounds import Bounds
from smlnb.cluster.topics import watermarks
from smlnb.errors import BrokerLimitError, ConfigError, StateMachineError
from tests.ingest.writing import Collected, numbers, produce
from tests.waiting import eventually

HOUR = 3_600_000


def produce_at(broker, topic, times, partitions=1):
    """Write records of some times, which count up, to the partitions in turn."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for i, (value, when) in enumerate(zip(numbers(0, len(times)), times, strict=True)):
        producer.produce(topic, value, partition=i % partitions, timestamp=when)
    assert producer.flush(30) == 0


@pytest.mark.kafka
@pytest.mark.parametrize("tasks", [1, 2])
def test_a_time_stands_for_the_first_record_that_is_not_older(kafka, create_topic, topic_name, tasks):
    create_topic(kafka, topic_name, 2)
    now = int(time.time() * 1000)
    produce_at(kafka, topic_name, [now - (20 - i) * HOUR // 2 for i in range(20)], 2)
    for start in ("-4h15min", dt.datetime.now(dt.UTC) - dt.timedelta(hours=4.25), now - 17 * HOUR // 4):
        with Collected(kafka, topic_name, start=start, tasks=tasks) as got:
            got.until(8)
        assert sorted(got.values()) == list(range(12, 20))
    with Collected(kafka, topic_name, start="-1min", tasks=tasks) as got:  # nothing is as young: from the end on
        produce(kafka, topic_name, numbers(20, 23))
        got.until(3)
    assert sorted(got.values()) == [20, 21, 22]


def test_the_embedded_broker_says_that_it_finds_no_times(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name)
    for bound in ({"start": "-1h"}, {"until": "-1h"}):
        with pytest.raises(BrokerLimitError, match="no offsets by time"):
            connect(Project("p"), topic_name, bootstrap_servers=local_broker.bootstrap_servers, **bound)


def test_offsets_say_where_to_begin_and_what_is_not_named_begins_at_the_beginning(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, numbers(0, 20), 2)
    with Collected(any_broker, topic_name, start={(topic_name, 1): 7}) as got:
        got.until(13)
    assert sorted(got.values()) == sorted([*range(0, 20, 2), 15, 17, 19])


def test_a_project_that_has_read_a_partition_goes_on_there_whatever_start_says(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    produce(local_broker, topic_name, numbers(0, 20), 2)
    project = Project("p", types="C")
    with connect(project, topic_name, **where) as feed:
        feed.wait(timeout=30)
    produce(local_broker, topic_name, numbers(20, 30), 2)
    with connect(project, topic_name, start={(topic_name, 0): 3}, **where) as feed:
        feed.wait(timeout=30)
    assert project.n == 30


@pytest.mark.parametrize("tasks", [1, 3])
def test_a_backfill_reads_what_is_there_now_and_ends_by_itself(any_broker, create_topic, topic_name, tasks, capsys):
    create_topic(any_broker, topic_name, 4)
    produce(any_broker, topic_name, numbers(0, 9_000), 4)
    project = Project("p", types="C")
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    feed = connect(project, topic_name, until="now", tasks=tasks, batch_rows=500, **where)
    produce(any_broker, topic_name, numbers(9_000, 9_400), 4)
    feed.wait(timeout=60)
    assert (feed.state, project.n) == ("done", 9_000)
    assert project.univariate().loc["x", "max"] == 8_999
    assert (feed.backfill.left, feed.backfill.seconds_left) == (0, 0.0)
    assert feed.backfill.total == 9_000
    assert "9000/9000" in capsys.readouterr().err
    assert "9,000 of 9,000" in repr(feed)
    assert feed.metrics.pending == 0
    feed.wait(timeout=1, progress=False)
    with pytest.raises(StateMachineError, match="is done"):
        feed.pause()
    feed.start()  # by now there is more
    feed.wait(timeout=60, progress=False)
    assert (feed.state, project.n) == ("done", 9_400)


def test_an_empty_backfill_is_done_at_once(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    feed = connect(Project("p"), topic_name, until="now", bootstrap_servers=local_broker.bootstrap_servers)
    feed.wait(timeout=30, progress=False)
    assert feed.state == "done"


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_backfill_goes_to_offsets_to_the_record_and_reads_no_other_partition(
    any_broker, create_topic, topic_name, tasks
):
    create_topic(any_broker, topic_name, 3)
    produce(any_broker, topic_name, numbers(0, 3_000), 3)
    ends = {(topic_name, 0): 123, (topic_name, 2): 1_001}  # the second is still to come
    with Collected(any_broker, topic_name, until=ends, batch_rows=50, tasks=tasks) as got:
        got.until(1_123)
        eventually(lambda: got.source.positions[topic_name, 2] == 1_000, 30, "the end so far")
        assert got.source.state == "running"
        produce(any_broker, topic_name, numbers(3_000, 3_009), 3)
        got.until_state("done")
    assert sorted(got.values()) == sorted([*range(0, 369, 3), *range(2, 3_000, 3), 3_002])
    got.assert_continuous()
    assert got.source.positions == {(topic_name, 0): 123, (topic_name, 1): 0, (topic_name, 2): 1_001}
    assert got.source.metrics.pending == 0


@pytest.mark.kafka
def test_a_backfill_goes_to_a_time_and_over_the_markers_of_transactions(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": topic_name, "log_level": 0})
    producer.init_transactions(30)
    where = {"bootstrap_servers": kafka.bootstrap_servers}
    when = 0
    for begin, keep in ((0, True), (10, False), (20, True)):
        if begin == 20:
            eventually(lambda: watermarks(topic_name, **where)[0][1] == 22, 30, "the marker of the aborted transaction")
            when = int(time.time() * 1000) + 1
            eventually(lambda when=when: time.time() * 1000 > when + 1, 5, "the next millisecond")
        producer.begin_transaction()
        for value in numbers(begin, begin + 10):
            producer.produce(topic_name, value)
        producer.flush(30)
        producer.commit_transaction(30) if keep else producer.abort_transaction(30)
    with Collected(kafka, topic_name, until=when) as got:
        got.until_state("done")
    assert got.values() == [*range(10)]
    assert got.source.positions == {(topic_name, 0): 22}
    with Collected(kafka, topic_name, until="now") as got:  # the last offset is a marker's
        got.until_state("done")
    assert got.values() == [*range(10), *range(20, 30)]
    assert got.source.positions == {(topic_name, 0): 33}
    producer.begin_transaction()
    producer.produce(topic_name, b'{"x": 30}')
    producer.flush(30)
    with Collected(kafka, topic_name, until="now") as got:  # what is not committed is not there
        got.until_state("done")
    assert len(got.values()) == 20
    producer.abort_transaction(30)


def test_a_backfill_that_is_stopped_and_goes_on_ends_where_it_would_have(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 2_000), 2)
    project = Project("p", types="C")
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    feed = connect(project, topic_name, until="now", batch_rows=20, **where)
    feed.wait(rows=100, timeout=30)
    feed.stop()
    produce(local_broker, topic_name, numbers(2_000, 2_100), 2)
    if feed.state == "stopped":
        with pytest.raises(StateMachineError, match="Nothing to wait for"):
            feed.wait(timeout=5, progress=False)
        feed.restart()
        feed.wait(timeout=30, progress=False)
    assert (feed.state, project.n) == ("done", 2_000)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"start": "yesterday"}, r"start is 'yesterday'.*'earliest' or 'latest'.*'-1h'"),
        ({"until": "later"}, r"until is 'later'.*'now'"),
        ({"until": "+1h"}, "still to come"),
        ({"start": {"t": 3}}, r"names 't'; offsets are given as \{\('t', 0\): 100\}"),
        ({"start": {("other", 0): 3}}, "other"),
        ({"start": {("t", 0): -3}}, "holds -3"),
        ({"until": {("t", 0): True}}, "holds True"),
        ({"start": None}, "start is None"),
    ],
)
def test_what_is_no_bound_is_refused_in_words(bounds, message):
    with pytest.raises(ConfigError, match=message):
        Bounds(["t"], **bounds)


def test_offsets_that_the_topic_does_not_have_are_refused_by_name(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    with pytest.raises(ConfigError, match=rf"start names {topic_name}\[7\], but .* has 2 partitions"):
        connect(Project("p"), topic_name, start={(topic_name, 7): 0}, **where)
    with pytest.raises(ConfigError, match=rf"offset 5 of {topic_name}\[0\], which ends at 0"):
        connect(Project("p"), topic_name, start={(topic_name, 0): 5}, **where)
