from __future__ import annotations

import threading
from collections import Counter

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewPartitions

from smlnb import Project, connect
from smlnb.errors import ConfigError, DecodeError, LostRecordsError, MergeError
from smlnb.ingest.kafka import from_kafka_arrow
from smlnb.stats.base import digest_of
from tests.ingest.writing import Collected, numbers, produce
from tests.waiting import eventually


class Visitor:
    """Another consumer in the group, as of another process, which learns nothing."""

    def __init__(self, broker, group, topic):
        strategy = {"partition.assignment.strategy": "cooperative-sticky", "log_level": 0}
        self._consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group, **strategy})
        self.parts = 0
        self._consumer.subscribe([topic], on_assign=self._assigned)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _assigned(self, _, parts):
        self.parts += len(parts)

    def _run(self):
        while not self._stop.is_set():
            self._consumer.consume(500, 0.05)
        self._consumer.close()

    def leave(self):
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


def owners(source):
    """Return how many partitions each task has."""
    return [len(task.reader.positions) for task in list(source._crew.tasks)]


@pytest.mark.parametrize("tasks", [2, 4])
def test_several_tasks_learn_what_one_does_to_the_last_bit(any_broker, create_topic, topic_name, tasks):
    create_topic(any_broker, topic_name, 4)
    produce(any_broker, topic_name, numbers(0, 24_000), 4)
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    bits = []
    for count in (1, tasks):
        project = Project("p", types="C", quantiles=False)
        feed = connect(project, topic_name, tasks=count, until="now", batch_rows=700 * count, **where)
        feed.wait(timeout=60, progress=False)
        assert (feed.metrics.read, feed.metrics.rows, feed.metrics.pending) == (24_000, 24_000, 0)
        assert project.counts.by_partition == {(topic_name, p): (6_000, 0) for p in range(4)}
        shards = project.state()["shards"]
        for *_, shard in shards:
            assert shard.pop("tail")["position"] == 6_000
        bits.append(digest_of(shards))
    assert bits[0] == bits[1]


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_each_offset_counts_once_over_twenty_rebalances(kafka, create_topic, topic_name):
    """Tasks join and leave, and so do consumers of others, while records arrive and batches are on their way."""
    create_topic(kafka, topic_name, 6)
    where = {"bootstrap_servers": kafka.bootstrap_servers, "config": {"heartbeat.interval.ms": 300}}
    project, seen = Project("p", types="C"), Counter()
    feed = connect(project, topic_name, tasks=2, batch_rows=40, group_id=topic_name, **where)
    count = feed.stream.sink(lambda batch: seen.update(batch.offsets.tolist()))  # noqa: F841 - it keeps the stream
    written, visitors, moved = 0, [], 0

    def more():
        nonlocal written
        produce(kafka, topic_name, numbers(written, written + 3_000), 6)
        written += 3_000

    for round_ in range(10):
        more()
        if round_ % 2:
            visitors.append(Visitor(kafka, topic_name, topic_name))
            eventually(lambda: visitors[-1].parts or feed.error, 60, "partitions of the visitor")
            more()
            visitors.pop().leave()
        else:
            feed.rescale(3)
            eventually(lambda: sorted(owners(feed._source)) == [2, 2, 2] or feed.error, 60, "partitions of the third")
            more()
            feed.rescale(2)
        moved += 2
        assert feed.error is None
        before = project.n
        more()
        eventually(lambda before=before: project.n > before or feed.error, 60, "records of this round")
    feed.wait(timeout=60)
    metrics = feed.metrics
    feed.stop()
    assert moved == 20
    assert project.n == written == metrics.rows == metrics.read
    assert seen == Counter(dict.fromkeys(range(written // 6), 6))  # each offset of each partition
    assert project.counts.by_partition == {(topic_name, p): (written // 6, 0) for p in range(6)}
    assert project.univariate().loc["x", "max"] == written - 1
    assert not [t for t in threading.enumerate() if topic_name in t.name]


@pytest.mark.kafka
def test_where_a_partition_goes_on_is_the_projects_position_whatever_the_group_says(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 2)
    produce(kafka, topic_name, numbers(0, 100), 2)
    liar = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic_name, "log_level": 0})
    from confluent_kafka import TopicPartition

    liar.commit(offsets=[TopicPartition(topic_name, p, 40) for p in (0, 1)], asynchronous=False)
    liar.close()
    project = Project("p", types="C")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "group_id": topic_name, "tasks": 2}
    with connect(project, topic_name, **where) as feed:
        feed.wait(timeout=60)
    assert project.n == 100


@pytest.mark.kafka
def test_partitions_that_are_added_are_shared_out_and_read_from_their_beginning(
    kafka, create_topic, topic_name, monkeypatch
):
    from smlnb.ingest import group

    monkeypatch.setattr(group, "PACE", {**group.PACE, "topic.metadata.refresh.interval.ms": 300})
    create_topic(kafka, topic_name, 2)
    with Collected(kafka, topic_name, start="latest", tasks=2) as got:
        produce(kafka, topic_name, numbers(0, 10), 2)
        got.until(10, 60)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        admin.create_partitions([NewPartitions(topic_name, 4)], operation_timeout=20)[topic_name].result(30)
        produce(kafka, topic_name, numbers(10, 50), 4)
        got.until(50, 60)
    assert sorted(got.values()) == list(range(50))
    got.assert_continuous()


@pytest.mark.kafka
def test_pausing_holds_all_tasks_and_partitions_that_move_meanwhile(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 4)
    with Collected(kafka, topic_name, tasks=2, config={"heartbeat.interval.ms": 300}) as got:
        produce(kafka, topic_name, numbers(0, 400), 4)
        got.until(400, 60)
        got.source.pause()
        got.source.rescale(3)
        eventually(lambda: sorted(owners(got.source)) == [1, 1, 2], 60, "partitions of the third")
        produce(kafka, topic_name, numbers(400, 800), 4)
        assert not threading.Event().wait(0.5)
        assert got.source.metrics.rows == 400
        got.source.resume()
        got.until(800, 60)
    assert sorted(got.values()) == list(range(800))
    got.assert_continuous()


def test_one_task_that_fails_ends_all_and_its_error_is_the_feeds(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 4)
    produce(any_broker, topic_name, numbers(0, 400), 4)
    project = Project("p", types="C")
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    feed = connect(project, topic_name, tasks=3, **where)
    feed.wait(timeout=60)
    produce(any_broker, topic_name, [b"poison"])
    with pytest.raises(DecodeError, match=rf"{topic_name}\[0\] offset 100"):
        feed.wait(timeout=60)
    eventually(lambda: feed.state == "failed", 30, "the end of all tasks")
    assert project.n == 400
    feed.restart(on_malformed="skip")
    feed.wait(timeout=60)
    feed.stop()
    assert (project.n, project.counts.refused) == (400, 1)


@pytest.mark.kafka
def test_what_retention_deleted_is_an_error_for_several_tasks_too(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 2)
    produce(kafka, topic_name, numbers(0, 100), 2)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    from confluent_kafka import TopicPartition

    admin.delete_records([TopicPartition(topic_name, 1, 20)])[TopicPartition(topic_name, 1)].result(30)
    source = from_kafka_arrow(topic_name, kafka.bootstrap_servers, positions={(topic_name, 1): 5}, tasks=2)
    source.start()
    with pytest.raises(LostRecordsError, match=r"15 records are lost.*5 to 19"):
        source.wait_until(lambda: False, 60, source)
    source.stop()


def test_any_number_of_tasks_follows_another(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 3)
    project = Project("p", types="C")
    feed = connect(project, topic_name, bootstrap_servers=any_broker.bootstrap_servers)
    for i, tasks in enumerate((2, 5, 1, 1, 3)):
        feed.rescale(tasks)
        produce(any_broker, topic_name, numbers(30 * i, 30 * i + 30), 3)
        feed.wait(timeout=60)
        assert project.n == 30 * i + 30
    feed.stop()
    feed.rescale(1)
    assert feed.state == "stopped"
    with pytest.raises(ConfigError, match="tasks is 0"):
        feed.rescale(0)


def test_projects_that_have_both_read_a_partition_do_not_merge(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 20), 2)
    projects = [Project(name, types="C") for name in "pq"]
    for project in projects:
        feed = connect(project, topic_name, until="now", tasks=2, bootstrap_servers=local_broker.bootstrap_servers)
        feed.wait(timeout=30, progress=False)
    with pytest.raises(MergeError, match="count twice"):
        projects[0] + projects[1]
