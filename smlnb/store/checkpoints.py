"""The saved states of a project: written with their positions in one transaction, the last few kept."""

from __future__ import annotations

import sqlite3
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import msgspec

from smlnb.errors import SmlnbError, SmlnbWarning, StateError, WorkspaceError
from smlnb.models.base import AnomalyModel
from smlnb.project import Project
from smlnb.stats.base import State
from smlnb.stats.history import leaving_out
from smlnb.store.file import File, now
from smlnb.store.models import model_row, write_models
from smlnb.store.owner import Owner, take
from smlnb.store.panes import put_together, taken_apart
from smlnb.store.sealed import Packed, Sealed

__all__ = ["Checkpoint", "Draft", "check_same", "load_newest", "problems"]

_COLUMNS: Final = "id, records, positions, saved_at, size, sha256, state"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A saved state of a project.

    Attributes
    ----------
    number : int
        Counts the project's checkpoints.
    records : int
        Learned when it was made.
    saved_at : str
        In ISO 8601, UTC.
    bytes : int
        Written for it: the panes of the history that have not changed since are there already.
    pause, seconds : float
        For how long the project was held still, and how long it took in all.
    """

    number: int
    records: int
    saved_at: str
    bytes: int
    pause: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """What a checkpoint will hold, taken at one moment.

    Attributes
    ----------
    state : dict
        Of the project.
    records : int
    positions : dict of (topic, partition) to int
    models : sequence of AnomalyModel
        Those to write with it.
    begun, pause : float
        When the state was taken, by the monotonic clock, and how many seconds it took.
    """

    state: State
    records: int
    positions: Mapping[tuple[str, int], int]
    models: Sequence[AnomalyModel]
    begun: float
    pause: float

    @classmethod
    def of(cls, project: Project, known: set[str]) -> Draft:
        """Take the state of a project, but for ``known`` panes; it is held still meanwhile, and only then."""
        with project.reading(), leaving_out(known):
            begun = time.monotonic()
            state, models = project.state(), list(project.models.values())
            return cls(state, project.n, project.positions, models, begun, time.monotonic() - begun)

    def write(self, file: File, owner: Owner, keep: int, known: set[str]) -> Checkpoint:
        """Write the checkpoint, and give up those before the last ``keep``.

        Parameters
        ----------
        file : File
        owner : Owner
            Who writes; the project becomes, or is, his.
        keep : int
        known : set of str
            Names of panes that were written already; those written here are added.

        Raises
        ------
        WorkspaceError
            If the file can't be written, the project is another's, or another project has its name.
        """
        project, identity = self.state["name"], self.state["id"]
        rest, panes = taken_apart(self.state)
        new = {name: Sealed.of(pane, [project, name]) for name, pane in panes.items() if pane and name not in known}
        positions = msgspec.json.encode([[*place, at] for place, at in sorted(self.positions.items())]).decode()
        saved_at = now()
        models = [model_row(model) for model in self.models]
        packed = Packed.of(rest)
        with file.transaction() as connection:
            take(connection, project, owner, file.path)
            check_same(connection, project, identity, file.path)
            (number,) = connection.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM checkpoints WHERE project = ?", [project]
            ).fetchone()
            facts = [project, number, identity, self.records, positions, saved_at]
            sealed = Sealed.of(packed, facts)
            connection.execute(
                "INSERT OR REPLACE INTO projects VALUES (?, ?, ?)", [project, identity, _configuration(self.state)]
            )
            connection.executemany(
                "INSERT OR REPLACE INTO panes VALUES (?, ?, ?, ?, ?, ?)",
                [[project, name, number, *astuple(pane)] for name, pane in new.items()],
            )
            used = connection.executemany(
                "UPDATE panes SET last = ? WHERE project = ? AND name = ?", [[number, project, name] for name in panes]
            )
            if panes and used.rowcount != len(panes):  # somebody else has written meanwhile, and is gone again
                known.clear()
                raise WorkspaceError(f"{file.path} lacks panes of {project!r} that were there. Save it again.")
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [*facts, *astuple(sealed)])
            file.step("after the blob")
            write_models(connection, models)
            connection.execute("DELETE FROM journal WHERE project = ?", [project])
            connection.executemany(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", [[project, *line] for line in self.state["journal"]]
            )
            connection.execute("DELETE FROM checkpoints WHERE project = ? AND number <= ?", [project, number - keep])
            connection.execute("DELETE FROM panes WHERE project = ? AND last <= ?", [project, number - keep])
        known.intersection_update(panes)
        known.update(new)
        written = len(sealed.blob) + sum(len(pane.blob) for pane in new.values())
        return Checkpoint(number, self.records, saved_at, written, self.pause, time.monotonic() - self.begun)


def check_same(connection: sqlite3.Connection, project: str, identity: str, where: Path) -> None:
    """Refuse a project if another one has its name.

    Raises
    ------
    WorkspaceError
        If the name is another's.
    """
    row = connection.execute("SELECT id FROM projects WHERE name = ?", [project]).fetchone()
    if row is not None and row[0] != identity:
        raise WorkspaceError(
            f"{where} already has another project named {project!r}. "
            f"Go on with that one: workspace.resume({project!r}). Or give this one another name, or delete the other.",
        )


def load_newest(file: File, project: str, number: int | None = None) -> Project:
    """Return a project as its newest checkpoint has it, or that ``number``; or, with a warning, the newest good one.

    Raises
    ------
    WorkspaceError
        If there is none, or none is good.
    """
    numbers = [number] if number is not None else _numbers(file, project)
    bad: list[str] = []
    for candidate in numbers:
        try:
            with file.snapshot():
                loaded = Project.from_state(_state(file, project, candidate))
        except SmlnbError as error:
            bad.append(f"number {candidate} can't be used: {str(error).rstrip('.')}")
            continue
        if bad:
            warnings.warn(
                f"{file.path}: of the checkpoints of {project!r}, {'; '.join(bad)}. Number {candidate} is used, with "
                f"{loaded.n:,} records; those learned later can be read again, as its positions are of that moment.",
                SmlnbWarning,
                stacklevel=3,
            )
        return loaded
    raise WorkspaceError(
        f"{file.path} has no good checkpoint of the project {project!r}: {'; '.join(bad) or 'there is none'}. "
        "Restore a copy of the file."
    )


def problems(file: File, project: str) -> list[tuple[int, str | None]]:
    """Return the numbers of a project's checkpoints, the newest first, and what is wrong with each, if anything."""
    found: list[tuple[int, str | None]] = []
    for number in _numbers(file, project):
        try:
            with file.snapshot():
                _state(file, project, number)
        except SmlnbError as error:
            found.append((number, str(error)))
        else:
            found.append((number, None))
    return found


def _numbers(file: File, project: str) -> list[int]:
    rows = file.fetch("SELECT number FROM checkpoints WHERE project = ? ORDER BY number DESC", project)
    return [number for (number,) in rows]


def _state(file: File, project: str, number: int) -> State:
    query = f"SELECT {_COLUMNS} FROM checkpoints WHERE project = ? AND number = ?"  # noqa: S608 - of ours
    rows = file.fetch(query, project, number)
    if not rows:
        raise StateError("there is none of this number")
    *facts, size, sha256, blob = rows[0]
    state = Sealed(size, sha256, blob).opened([project, number, *facts])
    return put_together(state, _panes(file, project, number))


def _panes(file: File, project: str, number: int) -> dict[str, State]:
    """Return the panes that a checkpoint may need, and that are good."""
    query = "SELECT name, size, sha256, state FROM panes WHERE project = ? AND last >= ?"
    found = {}
    for name, size, sha256, blob in file.fetch(query, project, number):
        with suppress(StateError):
            found[name] = Sealed(size, sha256, blob).opened([project, name])
    return found


def _configuration(state: State) -> str:
    """Return what a project keeps and of which attributes, for people and other programs."""
    parts = {name: state[name] for name in ("options", "types", "row_filter")}
    attributes = dict(state["schema"])
    return msgspec.json.encode({**parts, "attributes": attributes, "encoders": len(state["encoders"])}).decode()
