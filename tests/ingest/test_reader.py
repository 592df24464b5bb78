from __future__ import annotations

import pytest
from confluent_kafka.admin import NewTopic

from smlnb import Project, connect
from smlnb.errors import ConfigError, LostRecordsError
from smlnb.ingest.chunk import Chunk, clipped
from tests.ingest.writing import Collected, admin_of, delete_before, numbers, produce
from tests.waiting import eventually


@pytest.mark.kafka
@pytest.mark.parametrize("tasks", [1, 2])
def test_what_retention_deleted_is_counted_as_lost_if_one_asks_for_it(kafka, create_topic, topic_name, tasks):
    create_topic(kafka, topic_name, 2)
    produce(kafka, topic_name, numbers(0, 200), 2)
    project = Project("p", types="C")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "on_gap": "count", "tasks": tasks}
    with connect(project, topic_name, **where) as feed:
        feed.wait(timeout=60)
    produce(kafka, topic_name, numbers(200, 400), 2)
    delete_before(kafka, topic_name, 150, partition=1)
    stopping = {**where, "on_gap": "stop"}
    with pytest.raises(LostRecordsError, match=r"50 records are lost.*100 to 149.*on_gap='count'"):
        connect(project, topic_name, **stopping).wait(timeout=60)
    with connect(project, topic_name, **where) as feed:
        feed.wait(timeout=60)
        metrics = feed.metrics
        assert "lost=50" in repr(feed)
        assert "lost" in feed._repr_html_()
    assert (metrics.lost, metrics.partitions[topic_name, 1].lost, metrics.partitions[topic_name, 0].lost) == (50, 50, 0)
    assert metrics.read == metrics.rows + metrics.refused + metrics.pending
    assert (project.n, project.counts.lost) == (350, 50)
    assert project.positions == {(topic_name, 0): 200, (topic_name, 1): 200}
    log = project.log().set_index(["source", "action"])["rows"]
    assert log[f"{topic_name}[1]", "lost"] == 50
    assert Project.from_state(project.state()).counts.lost == 50


@pytest.mark.kafka
@pytest.mark.parametrize("tasks", [1, 2])
def test_what_retention_deletes_under_a_running_feed_is_counted_too(kafka, create_topic, topic_name, tasks):
    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, numbers(0, 100))
    project = Project("p", types="C")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "on_gap": "count", "tasks": tasks}
    with connect(project, topic_name, **where) as feed:
        feed.wait(timeout=60)
        feed.pause()
        eventually(
            lambda: all(task.reader._paused for task in feed._source._crew.tasks), 30, "the pause of all readers"
        )
        produce(kafka, topic_name, numbers(100, 300))
        delete_before(kafka, topic_name, 250)
        feed.resume()
        feed.wait(timeout=60)
        produce(kafka, topic_name, numbers(300, 310))
        feed.wait(timeout=60)
    assert (project.n, project.counts.lost) == (160, 150)
    assert project.positions == {(topic_name, 0): 310}


@pytest.mark.kafka
def test_all_that_comes_may_be_lost(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, numbers(0, 100))
    delete_before(kafka, topic_name, 100)
    project = Project("p", types="C")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "on_gap": "count"}
    with connect(project, topic_name, start={(topic_name, 0): 30}, **where) as feed:
        feed.wait(timeout=60)
    assert (project.n, project.counts.lost, project.positions) == (0, 70, {(topic_name, 0): 100})


@pytest.mark.kafka
def test_a_backfill_ends_within_what_is_lost(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    produce(kafka, topic_name, numbers(0, 100))
    delete_before(kafka, topic_name, 50)
    bounds = {"start": {(topic_name, 0): 10}, "until": {(topic_name, 0): 40}}
    with Collected(kafka, topic_name, on_gap="count", **bounds) as got:
        got.until_state("done")
    (batch,) = got.batches
    assert (batch.start, batch.stop, batch.lost, len(batch)) == (10, 40, ((10, 40),), 0)
    assert got.source.metrics.lost == 30


@pytest.mark.kafka
def test_holes_of_compaction_are_neither_lost_nor_missing(kafka, topic_name):
    settings = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "100"}
    settings |= {"delete.retention.ms": "0", "max.compaction.lag.ms": "100", "segment.jitter.ms": "0"}
    admin = admin_of(kafka)
    admin.create_topics([NewTopic(topic_name, 1, 1, config=settings)], operation_timeout=20)[topic_name].result(30)
    produce(kafka, topic_name, [b'{"x": 1}', b"", None, b'{"x": 2}'], key="same")
    produce(kafka, topic_name, [b'{"x": 3}'], key="other")

    def compacted():
        produce(kafka, topic_name, [b'{"x": 9}'], key="last")  # rolls the segment
        with Collected(kafka, topic_name, on_malformed="skip", until="now") as got:
            got.until_state("done")
        return got if sum(map(len, got.batches)) < got.source.positions[topic_name, 0] - 2 else None

    got = eventually(compacted, 90, "compaction", every=0.5)
    got.assert_continuous()
    metrics = got.source.metrics
    assert (metrics.lost, metrics.lag, metrics.pending) == (0, 0, 0)
    assert metrics.read == metrics.rows + metrics.refused < got.source.positions[topic_name, 0]
    project = Project("p", types="C")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "on_malformed": "skip"}
    feed = connect(project, topic_name, until="now", on_gap="count", **where)
    feed.wait(timeout=60, progress=False)
    assert project.counts.lost == 0


def test_tombstones_and_empty_and_null_values_are_counted_apart(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name)
    values = [b'{"x": 0}', None, b"", b"null", b"{}", b'{"x": null}', b'{"x": 6}', None]
    produce(any_broker, topic_name, values, key="k")
    project = Project("p", types="C", columns=["x"])
    where = {"bootstrap_servers": any_broker.bootstrap_servers, "on_malformed": "skip"}
    with connect(project, topic_name, **where) as feed:
        feed.wait(timeout=60)
        reasons = []
        metrics = feed.metrics
    with Collected(any_broker, topic_name, on_malformed="skip") as got:
        got.until_position((topic_name, 0), len(values))
        reasons = {r.offset: r.reason for b in got.batches for r in b.refused}
    assert {o: r for o, r in reasons.items() if "tombstone" in r}.keys() == {1, 7}
    assert "empty" in reasons[2]
    assert metrics.read == len(values) == project.n + project.counts.refused
    assert project.counts.refused == len(reasons)
    assert project.univariate().loc["x", "count"] == 2


def test_headers_are_read_only_where_the_decoder_uses_them(any_broker, create_topic, topic_name, monkeypatch):
    from smlnb.formats.json_decode import JsonDecoder
    from smlnb.ingest import kafka as module

    class Noting(JsonDecoder):
        def __init__(self, uses_headers):
            super().__init__()
            self.uses_headers, self.seen = uses_headers, []

        def decode(self, values, headers=None):
            self.seen.append((len(values), headers))
            return super().decode(values, None)

    create_topic(any_broker, topic_name, 2)
    for i in range(2):
        produce(any_broker, topic_name, numbers(100 * i, 100 * i + 100), 2, headers=[("n", b"%d" % i), ("null", None)])
    produce(any_broker, topic_name, numbers(200, 210), 2)
    for uses in (True, False):
        noting = Noting(uses)
        monkeypatch.setattr(module, "decoder", lambda *_, noting=noting, **__: noting)
        with Collected(any_broker, topic_name, batch_rows=30) as got:
            got.until(210)
        assert sorted(got.values()) == list(range(210))
        if not uses:
            assert all(headers is None for _, headers in noting.seen)
            continue
        assert all(len(headers) == count for count, headers in noting.seen)
        found = [h for _, headers in noting.seen for h in headers]
        assert found.count([("n", b"0"), ("null", None)]) == found.count([("n", b"1"), ("null", None)]) == 100
        assert sum(not h for h in found) == 10


def test_what_is_lost_is_cut_with_the_positions():
    assert clipped([(0, 10), (20, 30)], 5, 25) == ((5, 10), (20, 25))
    assert clipped([(0, 10)], 10, 20) == ()
    chunk = Chunk(("t", 0), 0, 50, lost=[(10, 20)])
    assert clipped(chunk.before(15).lost, 0, chunk.before(15).stop) == ((10, 15),)


def test_a_policy_for_gaps_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="on_gap is 'ignore'; use 'stop' or 'count'"):
        connect(Project("p"), "t", bootstrap_servers="127.0.0.1:1", on_gap="ignore")
