"""The loop that must always work: produce, connect, build, score, read back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest
from confluent_kafka import Consumer, TopicPartition

import smlnb
from smlnb.evaluate import ranking
from tests.waiting import eventually

ROWS = 4000


def read_all(where: dict, topic: str, rows: int) -> list[tuple[int, dict[str, bytes], dict]]:
    """Return (partition, headers, record) of each record, in the order of each partition."""
    settings = {"bootstrap.servers": where["bootstrap_servers"], **where.get("config", {}), "group.id": "t"}
    consumer = Consumer({**settings, "log_level": 0})
    parts = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in parts])
    found: list = []

    def more() -> bool:
        for m in consumer.consume(2000, 0.05):
            assert m.error() is None, m.error()
            found.append((m.partition(), dict(m.headers()), json.loads(m.value())))
        return len(found) >= rows

    eventually(more, 60, f"{rows} records in {topic}")
    consumer.close()
    return found


def check_loop(where: dict, name: str) -> None:
    source, sink = f"{name}-sensor", f"{name}-scores"
    data = smlnb.datasets.shuttle_like(ROWS, seed=4)
    project = smlnb.Project("shuttle", types=smlnb.datasets.TYPES, histogram=True)

    replay = smlnb.replay(data, source, progress=False, **where)
    with smlnb.connect(project, source, **where) as feed:
        replay.wait(timeout=60)
        feed.wait(timeout=60)
        assert (project.n, feed.metrics.rows, feed.metrics.lag) == (ROWS, ROWS, 0)
        expected = data.drop(columns="class").mean()
        pd.testing.assert_series_equal(project.univariate()["mean"], expected, check_names=False)

        model = project.build("hba", name="hba1")
        with smlnb.Scorer(model, source, sink, keep=["class"], **where).start() as scorer:
            scorer.wait(timeout=60)

    found = read_all(where, sink, ROWS)
    origin = [(int(h["smlnb.source.partition"]), int(h["smlnb.source.offset"])) for _, h, _ in found]
    assert sorted(origin) == [(p, o) for p in range(8) for o in range(ROWS // 8)]  # each once
    assert [p for p, _ in origin] == [p for p, _, _ in found]  # in the partition of its source
    by_partition = defaultdict(list)
    for partition, offset in origin:
        by_partition[partition].append(offset)
    assert all(offsets == sorted(offsets) for offsets in by_partition.values())
    records = [record for _, _, record in found]
    assert ranking([r["score"] for r in records], [r["class"] for r in records]).roc_auc > 0.97
    judged = [r for r in records if r["thresholds"] is not None]
    assert len(judged) == ROWS - 500
    for r in judged:
        limits = r["thresholds"]
        assert limits["q95"] <= limits["q98"] <= limits["q99"]
        assert [r[q] for q in limits] == [r["score"] > limits[q] for q in limits]


def test_the_whole_loop_runs_on_either_broker(any_broker, topic_name):
    check_loop({"bootstrap_servers": any_broker.bootstrap_servers}, topic_name)


@pytest.mark.kafka
def test_the_whole_loop_runs_on_a_cluster_that_wants_a_login(kafka, topic_name):
    check_loop({"bootstrap_servers": kafka.sasl_bootstrap_servers, "config": kafka.sasl_config}, topic_name)


@pytest.mark.kafka
def test_a_feed_and_a_scorer_say_that_the_broker_is_gone_and_go_on_when_it_is_back(kafka, topic_name):
    source, sink = f"{topic_name}-in", f"{topic_name}-out"
    where = {"bootstrap_servers": kafka.bootstrap_servers}
    project = smlnb.Project("p", types=smlnb.datasets.TYPES)

    def write(seed: int) -> None:
        data = smlnb.datasets.shuttle_like(500, seed=seed)
        smlnb.replay(data, source, **where, partitions=2, progress=False, block=True)

    write(0)
    with smlnb.connect(project, source, **where) as feed:
        feed.wait(timeout=60)
        with smlnb.Scorer(project.build("hba"), source, sink, **where).start() as scorer:
            scorer.wait(timeout=60)
            kafka.halt(kill=True)
            try:
                eventually(lambda: "running, disconnected" in repr(feed), 30, "the outage")
                eventually(lambda: "Connection refused" in scorer._repr_html_(), 30, "the reason")
            finally:
                kafka.start()
            write(1)
            feed.wait(timeout=60)
            scorer.wait(timeout=60)
            assert (feed.state, scorer.state, feed.metrics.broker_error) == ("running", "running", None)
    assert (project.n, scorer.metrics.rows) == (1000, 1000)
    origin = [(h["smlnb.source.partition"], h["smlnb.source.offset"]) for _, h, _ in read_all(where, sink, 1000)]
    assert len(set(origin)) == len(origin) == 1000


@pytest.mark.slow
def test_a_scorer_that_is_killed_leaves_no_record_without_a_score(any_broker, topic_name, tmp_path):
    source, sink, rows = f"{topic_name}-in", f"{topic_name}-out", 6000
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    data = smlnb.datasets.shuttle_like(rows, seed=5)
    project = smlnb.Project("plant", types=smlnb.datasets.TYPES)
    project.learn(data)
    with smlnb.Workspace(tmp_path / "plant.db") as workspace:
        workspace.save(project)
        workspace.save_model(project.build("hba", name="hba1"))
    smlnb.replay(data, source, block=True, progress=False, partitions=2, **where)
    (tmp_path / "score.properties").write_text(
        f"sml.kstream.app.id={topic_name}\nsml.kstream.project.id=plant\nsml.kstream.model.id=hba1\n"
        f"sml.kstream.source.topic={source}\nsml.kstream.sink.topic={sink}\nsml.kstream.record.poll.max=25\n"
        f"bootstrap.servers={where['bootstrap_servers']}\n"
    )
    command = [sys.executable, "-m", "smlnb", "score", "score.properties", "-w", "plant.db"]
    root = Path(__file__).parents[1]

    def start(*more: str) -> subprocess.Popen:
        environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.Popen(
            [*command, *more], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def written() -> int:
        if sink not in smlnb.list_topics(**where):
            return 0
        return sum(high for _, high in smlnb.cluster.topics.watermarks(sink, **where).values())

    begun = 0
    for _ in range(2):
        process = start()
        eventually(lambda: written() >= begun + 300, 60, "300 more scores")  # noqa: B023 - asked at once
        process.send_signal(signal.SIGKILL)
        process.communicate()
        begun = written()
    process = start("--until-caught-up")
    _, stderr = process.communicate(timeout=90)
    assert process.returncode == 0, stderr

    scores = defaultdict(set)
    for partition, headers, record in read_all(where, sink, written()):
        assert int(headers["smlnb.source.partition"]) == partition
        scores[partition, int(headers["smlnb.source.offset"])].add(record["score"])
    assert len(scores) == rows
    assert all(len(same) == 1 for same in scores.values())  # what was scored twice was scored the same
