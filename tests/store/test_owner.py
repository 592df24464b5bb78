from __future__ import annotations

import gc
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from smlnb.errors import WorkspaceError
from smlnb.project import Project
from smlnb.store import Workspace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "plant.db"
    with Workspace(path) as workspace:
        workspace.save(saved())
    return path


def saved(name: str = "p") -> Project:
    project = Project(name, types="C")
    project.learn({"x": [1.0, 2.0]})
    return project


def test_a_second_process_is_refused_with_the_first_ones_number_and_host_until_it_is_killed(path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.faults", "own", "0", str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "owned\n"
        with Workspace(path) as workspace:
            project = workspace.load("p")
            assert project.n == 2
            for write in (workspace.save, workspace.own):
                with pytest.raises(WorkspaceError, match=f"by process {child.pid} on {socket.gethostname()} since 20"):
                    write(project)
            for write in (workspace.resume, workspace.delete):
                with pytest.raises(WorkspaceError, match="A second writer would undo its work"):
                    write("p")
            owners = workspace.owners()
            assert owners[["project", "pid", "gone"]].values.tolist() == [["p", child.pid, False]]
            workspace.save(saved("another"))
            child.kill()
            child.wait()
            assert workspace.owners().set_index("project").loc["p", "gone"]
            workspace.save(project)
            assert workspace.owners()["pid"].tolist() == [os.getpid()] * 2
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_second_object_is_refused_until_the_first_is_closed_or_collected(path: Path) -> None:
    first, second = Workspace(path), Workspace(path)
    project = first.resume("p")
    with pytest.raises(WorkspaceError, match=f"another workspace object of this process, {os.getpid()} on"):
        second.save(project)
    first.close()
    assert second.owners().empty
    second.save(project)
    third = Workspace(path)
    with pytest.raises(WorkspaceError, match="another workspace object"):
        third.save(project)
    del second
    gc.collect()
    third.save(project)
    third.close()


def test_an_owner_that_can_not_be_seen_is_believed_until_somebody_takes_over(path: Path) -> None:
    first, second = Workspace(path), Workspace(path)
    project = first.resume("p")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE owners SET host = 'elsewhere', token = 'theirs'")
    connection.commit()
    with pytest.raises(WorkspaceError, match=r"on elsewhere since .* workspace\.take_over\('p'\)"):
        second.save(project)
    second.take_over("p")
    second.save(project)
    with pytest.raises(WorkspaceError, match="another workspace object"):
        first.save(project)  # it was there, after all
    first.close()
    second.save(project)
    second.close()
    connection.close()


def test_a_process_of_the_same_number_is_not_taken_for_the_one_that_has_ended(path: Path) -> None:
    with Workspace(path) as first:
        project = first.resume("p")
        born = sqlite3.connect(path)
        parent = os.getppid()
        born.execute("UPDATE owners SET pid = ?, token = 'gone', born = 'another-boot:1'", [parent])
        born.commit()
        born.close()
        with Workspace(path) as second:
            if Path("/proc/self/stat").exists():
                second.save(project)
                assert second.owners()["pid"].tolist() == [os.getpid()]


def test_a_project_that_is_not_there_is_not_owned_by_asking_for_it(path: Path) -> None:
    with Workspace(path) as workspace:
        with pytest.raises(WorkspaceError, match="no project 'q'"):
            workspace.resume("q")
        assert workspace.owners().empty
        with pytest.raises(WorkspaceError, match="another project named 'p'"):
            workspace.own(saved())
        assert workspace.owners().empty


def test_one_program_serves_the_first_start_and_all_others(tmp_path: Path) -> None:
    made: list[Project] = []

    def make() -> Project:
        made.append(Project("plant", types="C"))
        return made[-1]

    for start in range(3):
        with Workspace(tmp_path / "plant.db") as workspace:
            project = workspace.resume("plant", make)
            assert project.n == 2 * start
            project.learn({"x": [1.0, 2.0]})
            workspace.save(project)
    assert len(made) == 1
