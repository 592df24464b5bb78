from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from smlnb import Project, Workspace, connect
from smlnb.errors import ConfigError, WorkspaceError
from smlnb.ingest.checkpoint import Checkpoints
from smlnb.stats.base import digest_of
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

OFTEN = 0.01  # seconds


def learn(project, n=100):
    project.learn({"x": np.arange(float(n))})


class Disk:
    """What a workspace may be told to watch: a disk that is slow or full as long as it is said."""

    def __init__(self):
        self.full = False
        self.free = threading.Event()
        self.free.set()
        self.waits = threading.Event()

    def __call__(self, step):
        if step == "after the blob":
            if self.full:
                raise sqlite3.OperationalError("database or disk is full")
            self.waits.set()
            self.free.wait(30)
            self.waits.clear()


@pytest.fixture
def disk():
    disk = Disk()
    yield disk
    disk.free.set()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plant.db"


def test_a_project_is_saved_while_it_learns_if_it_has_changed_and_once_more_at_the_end(path):
    project = Project("p", types="C")
    with Checkpoints(project, path, every=OFTEN) as checkpoints:
        checkpoints.start()
        checkpoints.start()
        learn(project)
        eventually(lambda: checkpoints.metrics.records == 100, what="a checkpoint")
        first = checkpoints.metrics
        learn(project)
        eventually(lambda: checkpoints.metrics.records == 200, what="another one")
        assert (first.written, first.number, checkpoints.metrics.number) == (1, 1, 2)
        checkpoints.every = 60
        learn(project)
    checkpoints.stop()
    assert (checkpoints.metrics.records, checkpoints.metrics.errors, checkpoints.metrics.error) == (300, 0, None)
    assert checkpoints.metrics.bytes > 100
    assert 0 < checkpoints.metrics.pause <= checkpoints.metrics.seconds
    assert str(checkpoints.metrics).startswith("300 records saved at 20")
    with Workspace(path) as workspace:
        assert workspace.load("p").n == 300
        assert workspace.owners().empty
    assert not [t for t in threading.enumerate() if "checkpoints" in t.name]


def test_a_project_that_has_learned_nothing_is_not_saved(path):
    with Checkpoints(Project("p"), path, every=OFTEN) as checkpoints:
        checkpoints.start()
    assert (checkpoints.metrics.written, str(checkpoints.metrics)) == (0, "nothing saved yet")
    with Workspace(path) as workspace:
        assert workspace.projects().empty


def test_while_the_disk_is_full_it_is_counted_shown_and_logged_once_and_learning_goes_on(path, disk, caplog):
    project = Project("p", types="C")
    learn(project)
    with Workspace(path, watch=disk) as workspace, Checkpoints(project, workspace, every=OFTEN) as checkpoints:
        checkpoints.start()
        eventually(lambda: checkpoints.metrics.written, what="a checkpoint")
        disk.full = True
        learn(project)
        eventually(lambda: checkpoints.metrics.errors >= 3, what="three errors")
        assert "disk is full" in checkpoints.metrics.error
        assert "100 records saved at" in str(checkpoints.metrics)
        assert "disk is full" in str(checkpoints.metrics)
        assert [record.message for record in caplog.records if "disk is full" in record.message][1:] == []
        learn(project)
        assert project.n == 300
        assert workspace.load("p").n == 100
        disk.full = False
        eventually(lambda: checkpoints.metrics.error is None, what="a checkpoint again")
        assert workspace.load("p").n == 300
        assert sorted(f.name for f in path.parent.iterdir()) == ["plant.db", "plant.db-shm", "plant.db-wal"]


def test_a_slow_disk_keeps_neither_learning_nor_reading_nor_loading_waiting(path, disk):
    project = Project("p", types="C")
    learn(project)
    with Workspace(path, watch=disk) as workspace, Checkpoints(project, workspace, every=OFTEN) as checkpoints:
        checkpoints.start()
        eventually(lambda: checkpoints.metrics.written, what="a checkpoint")
        disk.free.clear()
        learn(project)
        assert disk.waits.wait(30)
        learn(project)
        assert project.univariate().loc["x", "count"] == 300
        assert workspace.load("p").n == 100
        assert checkpoints.metrics.written == 1
        disk.free.set()
        eventually(lambda: checkpoints.metrics.records == 300, what="what was learned meanwhile")


def test_what_another_writes_is_refused_when_it_begins_and_leaves_nothing_behind(path):
    with Workspace(path) as workspace:
        project = Project("p", types="C")
        learn(project)
        workspace.save(project)
        for what, reason in (
            (workspace.load("p"), "another workspace object"),
            (Project("p"), "another project named"),
        ):
            with pytest.raises(WorkspaceError, match=reason):
                Checkpoints(what, path).start()
        with pytest.raises(WorkspaceError, match="another project named"):
            Checkpoints(Project("p"), workspace).start()
        workspace.save(project)
    assert not [t for t in threading.enumerate() if "checkpoints" in t.name]
    with pytest.raises(ConfigError, match="more than 0"):
        Checkpoints(project, path, every=0)


def test_a_feed_saves_shows_it_and_goes_on_where_it_was(local_broker, create_topic, topic_name, path):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 3_000), 2)
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    project = Project("p", types="C")
    with connect(project, topic_name, **where, workspace=path, checkpoint_every=OFTEN) as feed:
        feed.wait(timeout=30)
        eventually(lambda: feed.metrics.checkpoint.records == 3_000, what="a checkpoint")
        assert "3,000 records saved at" in repr(feed)
        assert "3,000 records saved at" in feed._repr_html_()
        assert feed.metrics.to_dict()["checkpoint"]["records"] == 3_000
        with Workspace(path) as workspace, pytest.raises(WorkspaceError, match="is written by another workspace"):
            connect(workspace.load("p"), topic_name, **where, workspace=workspace)
    produce(local_broker, topic_name, numbers(3_000, 4_000), 2)
    with Workspace(path) as workspace:
        resumed = workspace.resume("p")
        with connect(resumed, topic_name, **where, workspace=workspace, checkpoint_every=60) as feed:
            feed.wait(timeout=30)
        assert workspace.load("p").n == resumed.n == 4_000
        assert workspace.log("p")["action"].isin(["learned", "to be read again"]).all()
    assert not [t for t in threading.enumerate() if "checkpoints" in t.name]


def test_a_feed_that_can_not_connect_leaves_the_workspace_to_others(path):
    project = Project("p", types="C")
    with pytest.raises(ConfigError):
        connect(project, "topic", config={"no.such.key": 1}, workspace=path)
    with Workspace(path) as workspace:
        workspace.save(project)


@pytest.fixture
def start_learner(any_broker, topic_name, path):
    """Start processes that learn the topic into the workspace."""
    started = []

    def start(seconds, *end):
        command = [sys.executable, "-m", "tests.ingest.learner", any_broker.bootstrap_servers, topic_name, str(path)]
        started.append(subprocess.Popen([*command, str(seconds), *end], cwd=Path(__file__).parents[2]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_what_is_killed_again_and_again_ends_with_the_bits_of_what_was_not(
    any_broker, create_topic, topic_name, start_learner, path
):
    create_topic(any_broker, topic_name, 3)
    undisturbed = Project(topic_name, types="C", quantiles=False, window=1_000)
    where = {"bootstrap_servers": any_broker.bootstrap_servers}

    def records():
        with Workspace(path) as workspace:
            found = workspace.projects().set_index("name")["records"]
        return int(found.get(topic_name, 0))

    for begin in (0, 20_000, 40_000):
        process = start_learner(0.02)
        produce(any_broker, topic_name, numbers(begin, begin + 20_000), 3)
        eventually(lambda: records() >= begin + 7_000, 60, "7,000 more records")  # noqa: B023 - asked at once
        process.kill()
        process.wait()
    process = start_learner(60, "end")
    assert process.wait(90) == 0
    with connect(undisturbed, topic_name, **where) as feed:
        feed.wait(timeout=60)
    with Workspace(path) as workspace:
        resumed = workspace.load(topic_name)
        assert workspace.owners()["gone"].all()
    assert resumed.n == undisturbed.n == 60_000
    assert resumed.positions == undisturbed.positions
    undisturbed_sealed = [[*place, shard["sealed"]] for *place, shard in undisturbed.state()["shards"]]
    resumed_sealed = [[*place, shard["sealed"]] for *place, shard in resumed.state()["shards"]]
    assert digest_of(resumed_sealed) == digest_of(undisturbed_sealed)
