from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from streamz import Stream

from smlnb import Project
from smlnb.batch import Batch
from smlnb.errors import DuplicateBatchError
from smlnb.ingest.kafka import from_kafka_arrow
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually


def batch(start: int, stop: int) -> Batch:
    return Batch(
        pa.record_batch({"x": np.arange(start, stop, dtype=float)}), "t", 0, start, stop, np.arange(start, stop)
    )


def test_a_batch_that_was_learned_before_is_passed_on_and_not_learned_again():
    source, project = Stream(), Project("p", types="C")
    node = source.learn(project)
    passed = node.sink_to_list()
    for again in (batch(0, 10), batch(10, 20), batch(0, 10), batch(10, 20), batch(20, 30)):
        source.emit(again)
    assert [b.start for b in passed] == [0, 10, 0, 10, 20]
    assert project.n == 30
    assert node.counts == {("t", 0): (30, 0, 0)}


def test_a_batch_that_was_learned_in_part_is_an_error():
    source, project = Stream(), Project("p", types="C")
    source.learn(project)
    source.emit(batch(0, 10))
    with pytest.raises(DuplicateBatchError):
        source.emit(batch(5, 15))
    assert project.n == 10


def test_if_asked_a_batch_that_was_learned_before_is_an_error():
    source, project = Stream(), Project("p", types="C")
    source.learn(project, strict=True)
    source.emit(batch(0, 10))
    with pytest.raises(DuplicateBatchError):
        source.emit(batch(0, 10))


def test_a_pipeline_goes_on_after_a_node_behind_the_project_has_failed(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 300))
    rows, broken = [], True

    def sink(found):
        if broken and found.start >= 100:
            raise ZeroDivisionError
        rows.extend(found.data["x"].to_pylist())

    project = Project("p", types="C")
    source = from_kafka_arrow(topic_name, local_broker.bootstrap_servers, batch_rows=100)
    source.learn(project).sink(sink)
    source.start()
    eventually(lambda: source.state == "failed", 30, "failure")
    broken = False
    source.restart()
    eventually(lambda: source.metrics.rows == 300 or source.error, 30, "the rest")
    source.stop()
    assert source.error is None
    assert rows == list(range(300))
    assert project.n == 300
