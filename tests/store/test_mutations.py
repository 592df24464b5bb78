"""Whatever is changed in a workspace, by accident or on purpose: it is refused by name, or was of no account."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from smlnb.errors import SmlnbWarning, StateError, WorkspaceError
from smlnb.project import Project
from smlnb.store import Workspace
from smlnb.store.sealed import Sealed

MUTATIONS = int(os.environ.get("SMLNB_MUTATIONS", "1000"))
SEED = 20_260_801


def mutated(content: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Give changed copies, without end: bits flipped, bytes set, cut off, swapped, repeated, and lengthened."""
    while True:
        copy = bytearray(content)
        kind = ("bits", "bytes", "cut", "swap", "zeros", "repeat", "longer")[rng.integers(7)]
        at, to = sorted(rng.integers(0, len(copy), 2).tolist())
        size = int(rng.integers(1, max(2, min(5_000, len(copy) - to))))
        if kind == "bits":
            for place in rng.integers(0, len(copy), rng.integers(1, 9)).tolist():
                copy[place] ^= 1 << int(rng.integers(8))
        elif kind == "bytes":
            copy[at : at + 8] = rng.bytes(8)
        elif kind == "cut":
            del copy[to:]
        elif kind == "swap":
            copy[at : at + size], copy[to : to + size] = copy[to : to + size], copy[at : at + size]
        elif kind == "zeros":
            copy[at : at + size] = bytes(len(copy[at : at + size]))
        elif kind == "repeat":
            copy[to : to + size] = copy[at : at + size]
        else:
            copy += rng.bytes(size)
        if bytes(copy) != content:
            yield kind, bytes(copy)


def project(name: str, n: int = 0) -> Project:
    made = Project(name, types="C,T", conditional=False, history=[("1min", 3)])
    rng = np.random.default_rng(n)
    for i in range(3):
        made.learn({"x": rng.normal(size=40), "k": rng.choice(["a", "é"], 40)}, times=np.full(40, i * 60_000))
    return made


def test_no_mutation_of_a_sealed_state_is_accepted() -> None:
    label = ["p", 3, "id", 120, "[]", "now"]
    sealed = Sealed.of(project("p").state(), label)
    changes = mutated(sealed.blob, np.random.default_rng(SEED))
    for _ in range(10_000):
        _, blob = next(changes)
        with pytest.raises(StateError, match="SHA-256"):
            Sealed(sealed.size, sealed.sha256, blob).opened(label)


def test_a_sealed_state_is_only_what_its_label_says() -> None:
    label = ["p", 3, "id", 120, "[]", "now"]
    sealed = Sealed.of({"n": 1}, label)
    others = [["q", *label[1:]], ["p", 4, *label[2:]], [*label[:3], 121, *label[4:]], label[:-1], [*label, None]]
    for other in others:
        with pytest.raises(StateError, match="SHA-256"):
            sealed.opened(other)
    with pytest.raises(StateError, match="SHA-256"):
        Sealed(sealed.size + 1, sealed.sha256, sealed.blob).opened(label)
    with pytest.raises(StateError, match="SHA-256"):
        Sealed(sealed.size, sealed.sha256, sealed.blob.hex()).opened(label)  # type: ignore[arg-type]


@pytest.mark.timeout(60 + MUTATIONS // 10)
def test_no_mutation_of_a_file_is_accepted_as_a_state_that_was_never_saved(tmp_path: Path) -> None:
    path, target = tmp_path / "plant.db", tmp_path / "mutated.db"
    saved = project("p")
    known = []
    with Workspace(path) as workspace:
        for _ in range(4):
            saved.learn({"x": [1.0], "k": ["a"]}, times=[200_000])
            workspace.save(saved)
            known.append(saved.state()["sha256"])
        workspace.save_model(saved.build("hba", name="m"))
    content = path.read_bytes()
    changes = mutated(content, np.random.default_rng(SEED))
    became: Counter[str] = Counter()
    for _ in range(MUTATIONS):
        kind, changed = next(changes)
        target.write_bytes(changed)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", SmlnbWarning)
            try:
                with Workspace(target) as workspace:
                    loaded = workspace.load("p")
            except WorkspaceError:
                became["refused"] += 1
                continue
        sha256 = loaded.state()["sha256"]
        assert sha256 in known[1:], f"{kind}: a state that was never saved"
        if sha256 != known[-1]:
            assert any("Number" in str(w.message) for w in said), f"{kind}: an earlier checkpoint, and nothing was said"
            became["an earlier one, and said so"] += 1
        else:
            became["the last one"] += 1
    assert min(became.values()) > MUTATIONS // 50, became
    assert became["refused"] + became["an earlier one, and said so"] > MUTATIONS // 4, became


def test_rows_of_another_checkpoint_or_project_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with Workspace(path) as workspace:
        for name in ("p", "q"):
            saved = project(name)
            for _ in range(2):
                saved.learn({"x": [1.0], "k": ["a"]}, times=[200_000])
                workspace.save(saved)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM checkpoints WHERE project = 'q' AND number = 2").fetchall()
    connection.execute("DELETE FROM checkpoints WHERE project = 'p' AND number = 2")
    connection.executemany("INSERT INTO checkpoints VALUES ('p', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", rows)
    connection.commit()
    with Workspace(path) as workspace, pytest.warns(SmlnbWarning, match="number 2 can't be used.*SHA-256"):
        assert workspace.load("p").n == 121
    connection.execute("UPDATE checkpoints SET number = 3 WHERE project = 'q' AND number = 1")
    connection.commit()
    connection.close()
    with Workspace(path) as workspace, pytest.warns(SmlnbWarning, match="number 3 can't be used"):
        assert workspace.load("q").n == 122
