from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import smlnb
from smlnb.batch import Batch, Refusal
from smlnb.formats.decoded import TOMBSTONE
from smlnb.ingest.meter import Meter
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

PLACES = [("t", 0), ("t", 1), ("u", 0)]


class Reader:
    commit_errors = 0
    broker_error = None

    def __init__(self):
        self.read, self.high = {}, {}


def whole(metrics) -> bool:
    each = [metrics, *metrics.partitions.values()]
    sums = all(m.read == m.rows + m.refused + m.filtered + m.pending and m.pending >= 0 for m in each)
    parts = metrics.partitions.values()
    names = ("read", "rows", "refused", "filtered", "pending", "lag", "bytes")
    return sums and all(getattr(metrics, n) == sum(getattr(p, n) for p in parts) for n in names)


def batch(place, start, rows, refused):
    topic, partition = place
    offsets = np.arange(start, start + rows)
    bad = tuple(Refusal(topic, partition, start + rows + i, "decode", "bad") for i in range(refused))
    data = pa.record_batch({"x": np.zeros(rows)})
    return Batch(data, topic, partition, start, start + rows + refused, offsets, bad)


STEPS = st.one_of(
    st.tuples(st.just("read"), st.sampled_from(PLACES), st.integers(1, 9)),
    st.tuples(st.just("count"), st.sampled_from(PLACES), st.integers(0, 9)),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@given(st.lists(STEPS, max_size=40), st.data())
def test_every_record_read_is_in_one_count_whatever_happens(steps, data):
    meter, reader, positions = Meter(), Reader(), dict.fromkeys(PLACES, 0)
    waiting = dict.fromkeys(PLACES, 0)
    done = rows = 0
    for what, place, count in steps:
        if what == "read":
            reader.read[place] = reader.read.get(place, 0) + count
            waiting[place] += count
        elif what == "count" and waiting[place]:
            taken = min(count, waiting[place])
            refused = data.draw(st.integers(0, taken))
            found = batch(place, positions[place], taken - refused, refused)
            meter.count(found, size=taken * 3, decode_seconds=0.0)
            positions[place] += taken
            waiting[place] -= taken
            done += taken
            rows += taken - refused
        elif what == "restart":
            meter.end(reader)
            assert meter.metrics("stopped", positions, None).pending == 0
            reader, waiting = Reader(), dict.fromkeys(PLACES, 0)
            meter.begin()
        metrics = meter.metrics("running", positions, reader)
        assert whole(metrics)
        assert (metrics.rows, metrics.bytes) == (rows, done * 3)
        assert {place: p.pending for place, p in metrics.partitions.items()} == waiting


def test_the_end_that_was_known_is_kept_when_reading_ends():
    meter, reader = Meter(), Reader()
    reader.high["t", 0] = 10
    meter.end(reader)
    assert meter.metrics("failed", {("t", 0): 3}, None).lag == 7


def test_a_tombstone_is_no_error():
    meter = Meter()
    found = Refusal("t", 0, 0, "decode", TOMBSTONE)
    data = pa.record_batch({"x": np.empty(0)})
    meter.count(Batch(data, "t", 0, 0, 1, np.empty(0, np.int64), (found,)), 0, 0.0)
    metrics = meter.metrics("running", {("t", 0): 1}, None)
    assert (metrics.refused, metrics.last_error) == (1, None)


def test_every_snapshot_of_a_feed_at_work_adds_up(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 4)
    values = numbers(0, 20_000)
    values[::50] = [b"poison"] * len(values[::50])
    values[7::100] = [b'{"x": "text"}'] * len(values[7::100])
    values[9::100] = [None] * len(values[9::100])
    produce(any_broker, topic_name, values, 4)
    project = smlnb.Project("p", types="C")
    wrong, halt = [], threading.Event()
    where = {"bootstrap_servers": any_broker.bootstrap_servers, "batch_rows": 300}
    with smlnb.connect(project, topic_name, on_malformed="skip", **where) as feed:

        def watch() -> None:
            while not halt.is_set():
                seen = feed.metrics
                if not whole(seen):
                    wrong.append(seen)

        watcher = threading.Thread(target=watch)
        watcher.start()
        feed.wait(timeout=60)
        halt.set()
        watcher.join()
        metrics = feed.metrics
    assert wrong == []
    assert (metrics.read, metrics.refused, metrics.pending, metrics.lag) == (20_000, 800, 0, 0)
    assert metrics.bytes == sum(map(len, filter(None, values)))
    assert metrics.frame()["read"].tolist() == [5_000] * 4
    assert metrics.decode_seconds > 0
    assert metrics.last_error


def test_what_the_row_filter_leaves_out_is_counted_where_it_stood(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 10), 2)
    project = smlnb.Project("p", types="C", row_filter="x >= 4")
    with smlnb.connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
        metrics = feed.metrics
    assert whole(metrics)
    assert metrics.frame()[["rows", "filtered"]].values.tolist() == [[3, 2], [3, 2]]


def test_what_a_paused_feed_has_read_is_pending(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, **where) as feed:
        feed.pause()
        produce(local_broker, topic_name, numbers(0, 100))
        assert feed.metrics.rows == 0
        assert whole(feed.metrics)
        feed.resume()
        feed.wait(timeout=30)
        assert feed.metrics.rows == 100


def test_the_lag_grows_while_more_is_written_than_learned(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    where = {"bootstrap_servers": any_broker.bootstrap_servers, "batch_rows": 10}
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, **where) as feed:
        go_on = threading.Event()
        feed.stream.sink(lambda _: go_on.wait(30))
        produce(any_broker, topic_name, numbers(0, 10))
        eventually(lambda: feed.metrics.rows == 10, what="the first batch")
        produce(any_broker, topic_name, numbers(10, 1_000))
        go_on.set()
        feed.wait(timeout=30)
        assert feed.metrics.lag == 0


def test_librdkafka_tells_of_itself_on_request(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 1)
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    project = smlnb.Project("p", types="C")
    with smlnb.connect(project, topic_name, statistics_interval_ms=50, **where) as feed:
        told = eventually(lambda: feed.broker_statistics, what="the statistics")
        assert told["type"] == "consumer"
        assert topic_name in eventually(lambda: feed.broker_statistics["topics"], what="the topic")
    with smlnb.connect(smlnb.Project("p", types="C"), topic_name, **where) as feed:
        feed.wait(timeout=30)
        assert feed.broker_statistics == {}


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_the_last_error_of_what_failed_is_why(state):
    assert Meter().metrics(state, {}, None, "gone").last_error == "gone"
