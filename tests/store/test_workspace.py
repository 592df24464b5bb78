from __future__ import annotations

import json
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from smlnb.errors import SmlnbWarning, WorkspaceError
from smlnb.project import Project
from smlnb.store import Workspace


def project(name: str = "p", n: int = 500) -> Project:
    made = Project(name, types="C,T")
    rng = np.random.default_rng(n)
    made.learn({"x": rng.normal(size=n), "k": rng.choice(["a", "é"], n)})
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "plant.db")


def test_a_project_and_its_model_come_back_to_the_bit(workspace: Workspace) -> None:
    saved = project()
    model = saved.build("hba", name="m")
    workspace.save(saved)
    workspace.save_model(model)
    with Workspace(workspace.path) as other:
        loaded = other.load("p")
        again = other.load_model("m", loaded)
    assert loaded.state()["sha256"] == saved.state()["sha256"]
    assert again.state()["sha256"] == model.state()["sha256"]
    assert again.rebuild().version == 2
    assert loaded.models["m"] is again
    workspace.close()


def test_saving_again_replaces_and_another_project_of_the_name_is_refused(workspace: Workspace) -> None:
    saved = project()
    workspace.save(saved)
    saved.learn({"x": [1.0], "k": ["a"]})
    workspace.save(saved)
    assert workspace.projects()["records"].tolist() == [501]
    with pytest.raises(WorkspaceError, match="another project named 'p'"):
        workspace.save(project())
    workspace.delete("p")
    workspace.save(project())
    workspace.close()


def test_what_is_not_there_is_named_with_what_is(workspace: Workspace) -> None:
    workspace.save(project("a"))
    with pytest.raises(WorkspaceError, match=r"no project 'b'. It has: a\."):
        workspace.load("b")
    with pytest.raises(WorkspaceError, match=r"no model 'm' of project 'a'. It has: nothing yet"):
        workspace.load_model("m", "a")
    with pytest.raises(WorkspaceError, match="to delete"):
        workspace.delete("b")
    workspace.close()


def test_what_is_saved_in_the_wrong_way_is_refused_with_the_right_one(workspace: Workspace) -> None:
    given = Project("p", types="C", window=10)
    given.learn({"x": [1.0, 2.0, 3.0]})
    model = given.build("hba", name="m")
    wrong = [
        (workspace.save, model, r"A project was to be saved, and this is the model 'm'\. Use save_model\(model\)\."),
        (workspace.save, given.window(), "the part 'p, latest' of one. Save the project"),
        (workspace.save, "p", r"this is a str\. Give what smlnb\.Project"),
        (workspace.save_model, given, r"A model was to be saved, and this is the project 'p'\. Use save\(project\)\."),
        (workspace.save_model, None, "this is a NoneType"),
    ]
    for save, thing, message in wrong:
        with pytest.raises(WorkspaceError, match=message):
            save(thing)
    assert workspace.projects().empty


def test_only_the_owner_can_read_the_file(workspace: Workspace) -> None:
    workspace.save(project())
    for file in workspace.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    workspace.close()


def test_a_changed_byte_anywhere_is_refused_before_anything_is_parsed(workspace: Workspace) -> None:
    workspace.save(project(n=50))
    connection = sqlite3.connect(workspace.path)
    (blob,) = connection.execute("SELECT state FROM checkpoints").fetchone()
    for at in np.random.default_rng(0).integers(0, len(blob), 200).tolist():
        damaged = bytearray(blob)
        damaged[at] ^= 1 << (at % 8)
        connection.execute("UPDATE checkpoints SET state = ?", [bytes(damaged)])
        connection.commit()
        with pytest.raises(WorkspaceError, match="damaged"):
            workspace.load("p")
    connection.close()
    workspace.close()


def test_foreign_future_and_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(WorkspaceError, match="no smlnb workspace"):
        Workspace(foreign)
    text = tmp_path / "text.db"
    text.write_text("not a database, but long enough to be looked at as one " * 40)
    with pytest.raises(WorkspaceError, match="can't be opened"):
        Workspace(text)
    future = tmp_path / "future.db"
    Workspace(future).close()
    connection = sqlite3.connect(future)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(WorkspaceError, match="newer smlnb"):
        Workspace(future)
    with pytest.raises(WorkspaceError, match="existing folder"):
        Workspace(tmp_path / "no" / "where.db")


def test_a_file_is_made_whole_however_many_open_it_at_once(tmp_path: Path) -> None:
    threads = 8
    start = threading.Barrier(threads)

    def open_all(_: int) -> list[int]:
        found = []
        for i in range(10):
            start.wait(30)
            with Workspace(tmp_path / f"{i}.db") as workspace:
                found.append(len(workspace.projects()))
        return found

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(open_all, range(threads))) == [[0] * 10] * threads


def test_a_file_in_which_nothing_was_made_yet_is_a_new_one(tmp_path: Path) -> None:
    half = tmp_path / "half.db"
    connection = sqlite3.connect(half)
    connection.execute("PRAGMA journal_mode=WAL")  # as far as somebody came who was killed then
    connection.close()
    assert half.stat().st_size > 0
    with Workspace(half) as workspace:
        assert workspace.projects().empty


def test_a_failed_save_leaves_what_was_saved_before(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "plant.db", timeout=0.05)
    workspace.save(project(n=10))
    blocker = sqlite3.connect(workspace.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    bigger = workspace.load("p")
    bigger.learn({"x": [1.0], "k": ["a"]})
    with pytest.raises(WorkspaceError, match="could not be written: database is locked"):
        workspace.save(bigger)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert workspace.load("p").n == 10
    workspace.close()


def test_a_project_is_saved_and_loaded_with_its_models(workspace: Workspace) -> None:
    saved = project()
    saved.build("hba", name="m", live=True)
    workspace.save(saved)
    loaded = workspace.load("p")
    assert loaded.models["m"].state()["sha256"] == saved.models["m"].state()["sha256"]
    loaded.learn({"x": [3.0], "k": ["a"]})
    loaded.models["m"].score_samples({"x": [3.0]})
    assert loaded.models["m"].n == 501
    workspace.close()
    with pytest.raises(WorkspaceError, match="could not be read"):
        workspace.projects()


def test_the_last_few_checkpoints_are_kept_and_each_can_be_loaded(tmp_path: Path) -> None:
    saved = project(n=10)
    with Workspace(tmp_path / "plant.db", keep=2) as workspace:
        for _ in range(4):
            saved.learn({"x": [1.0], "k": ["a"]})
            workspace.save(saved)
        kept = workspace.checkpoints("p")
        assert kept[["number", "records"]].values.tolist() == [[4, 14], [3, 13]]
        assert kept["problem"].isna().all()
        assert (workspace.load("p").n, workspace.load("p", 3).n) == (14, 13)
        with pytest.raises(WorkspaceError, match="number 1 can't be used: there is none of this number"):
            workspace.load("p", 1)
    with pytest.raises(WorkspaceError, match="at least 1 checkpoint"):
        Workspace(tmp_path / "plant.db", keep=0)


def test_the_checkpoint_before_a_damaged_one_is_loaded_and_it_is_said_so(tmp_path: Path) -> None:
    saved = project(n=10)
    path = tmp_path / "plant.db"
    with Workspace(path) as workspace:
        for _ in range(3):
            saved.learn({"x": [1.0], "k": ["a"]})
            workspace.save(saved)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE checkpoints SET state = substr(state, 1, 100) WHERE number = 3")
    connection.execute("UPDATE checkpoints SET records = records + 1 WHERE number = 2")
    connection.commit()
    with Workspace(path) as workspace:
        said = "'p', number 3 can't be used: it was damaged.*number 2 can't be used.* Number 1 is used, with 11 records"
        with pytest.warns(SmlnbWarning, match=said):
            assert workspace.load("p").n == 11
        assert workspace.checkpoints("p")["problem"].notna().tolist() == [True, True, False]
        with pytest.raises(WorkspaceError, match="no good checkpoint of the project 'p': number 3"):
            workspace.load("p", 3)
        connection.execute("UPDATE checkpoints SET sha256 = ''")
        connection.commit()
        connection.close()
        with pytest.raises(WorkspaceError, match=r"number 3 .*; number 2 .*; number 1 .*Restore a copy"):
            workspace.load("p")


def test_a_damaged_model_is_left_out_and_it_is_said_so(workspace: Workspace) -> None:
    saved = project()
    saved.build("hba", name="m")
    saved.build("hba", name="good")
    workspace.save(saved)
    connection = sqlite3.connect(workspace.path)
    connection.execute("UPDATE models SET version = 7 WHERE name = 'm'")
    connection.commit()
    connection.close()
    with pytest.warns(SmlnbWarning, match="model 'm' of project 'p'.* loaded without it"):
        assert list(workspace.load("p").models) == ["good"]
    with pytest.raises(WorkspaceError, match="it was damaged"):
        workspace.load_model("m", "p")
    workspace.close()


def test_the_configuration_and_what_was_learned_can_be_read_without_loading(workspace: Workspace) -> None:
    saved = project()
    workspace.save(saved)
    log = workspace.log("p")
    assert log[["source", "action", "rows"]].values.tolist() == [["direct", "learned", 500]]
    connection = sqlite3.connect(workspace.path)
    (text,) = connection.execute("SELECT configuration FROM projects").fetchone()
    connection.close()
    assert json.loads(text)["attributes"] == {"x": "C", "k": "T"}
    workspace.close()
    workspace.close()


def test_a_file_of_an_older_format_is_refused_by_name(tmp_path: Path) -> None:
    Workspace(tmp_path / "old.db").close()
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    with pytest.raises(WorkspaceError, match="older smlnb"):
        Workspace(tmp_path / "old.db")
