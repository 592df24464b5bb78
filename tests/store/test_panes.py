from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from smlnb.errors import WorkspaceError
from smlnb.packing import pack
from smlnb.project import Project
from smlnb.stats.base import digest_of
from smlnb.stats.history import leaving_out
from smlnb.store import Workspace
from smlnb.store.panes import taken_apart

MINUTE = 60_000


def learn(project: Project, *minutes: int, rows: int = 200) -> None:
    for minute in minutes:
        values = np.random.default_rng(minute).normal(size=rows)
        project.learn({"x": values, "y": values**2}, times=np.full(rows, minute * MINUTE))


@pytest.fixture
def project() -> Project:
    project = Project("p", types="C,C", quantiles=False, history=[("1min", 20), ("10min", 6)])
    learn(project, *range(20))
    return project


def stored(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name FROM panes").fetchall()
    connection.close()
    return sorted(name for (name,) in rows)


def test_only_panes_that_have_changed_are_written_again_and_the_whole_comes_back(
    project: Project, tmp_path: Path
) -> None:
    with Workspace(tmp_path / "plant.db", keep=2) as workspace:
        first = workspace.checkpoint(project)
        learn(project, 20, 21)
        second = workspace.checkpoint(project)
        assert second.bytes < first.bytes / 3
        learn(project, 5, 22)  # one of them late
        third = workspace.checkpoint(project)
        assert third.bytes < first.bytes / 3
        assert workspace.load("p").state()["sha256"] == project.state()["sha256"]
        assert workspace.load("p", second.number).n == 22 * 200
    with Workspace(tmp_path / "plant.db", keep=2) as workspace:
        resumed = workspace.resume("p")
        learn(resumed, *range(23, 200))
        learn(project, *range(23, 200))
        workspace.save(resumed)
        workspace.save(resumed)
        again = workspace.load("p")
        assert digest_of(again.state()["direct"]) == digest_of(project.state()["direct"])
        assert again.n == resumed.n == project.n
        assert stored(workspace.path) == sorted(taken_apart(again.state())[1])  # those of earlier ones were given up


def test_what_is_left_out_of_a_state_changes_nothing_in_its_digest(project: Project) -> None:
    whole = project.state()
    names = set(taken_apart(whole)[1])
    with leaving_out(names):
        without = project.state()
    assert without["sha256"] == whole["sha256"]
    assert len(pack(without)) < len(pack(whole)) / 3
    assert set(taken_apart(without)[1].values()) == {None}
    assert pack(project.state()) == pack(whole)


def test_attributes_that_come_later_change_every_pane(project: Project, tmp_path: Path) -> None:
    with Workspace(tmp_path / "plant.db") as workspace:
        workspace.save(project)
        project.learn({"x": [1.0], "y": [1.0], "z": [3.0]}, times=[19 * MINUTE])
        workspace.save(project)
        loaded = workspace.load("p")
        assert loaded.state()["sha256"] == project.state()["sha256"]
        assert loaded.between(0, 5 * MINUTE).univariate().loc["z", "missing"] == 1_000


def test_panes_that_somebody_removed_are_missed_and_written_anew(project: Project, tmp_path: Path) -> None:
    with Workspace(tmp_path / "plant.db") as workspace:
        workspace.save(project)
        connection = sqlite3.connect(workspace.path)
        connection.execute("DELETE FROM panes")
        connection.commit()
        connection.close()
        with pytest.raises(WorkspaceError, match="19 panes of its history are missing or damaged"):
            workspace.load("p")
        assert "panes of its history" in workspace.checkpoints("p").loc[0, "problem"]
        learn(project, 20)
        with pytest.raises(WorkspaceError, match="lacks panes of 'p' that were there"):
            workspace.save(project)
        workspace.save(project)
        assert workspace.load("p").n == project.n
