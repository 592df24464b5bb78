"""Projects and models in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pandas as pd

from smlnb.algorithms import algorithm
from smlnb.errors import StateError, WorkspaceError
from smlnb.models.base import AnomalyModel
from smlnb.packing import pack, sha256, unpack
from smlnb.project import Project

__all__ = ["Workspace"]

APPLICATION_ID = 0x534D4C4E  # "SMLN"
FORMAT = 1
TABLES = (
    """CREATE TABLE projects (
    name TEXT PRIMARY KEY, id TEXT NOT NULL, records INTEGER NOT NULL, saved_at TEXT NOT NULL,
    sha256 TEXT NOT NULL, state BLOB NOT NULL) STRICT""",
    """CREATE TABLE models (
    project TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, saved_at TEXT NOT NULL,
    sha256 TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (project, name)) STRICT""",
)


class Workspace:
    """One file that keeps projects, with the positions they have absorbed, and models.

    States are stored as MessagePack of plain values; their SHA-256 is verified before anything in them is read.
    Statistics and positions are one value, written in one transaction. The file is readable by its owner only.

    Parameters
    ----------
    path : str or Path
        Made if it does not exist.

    Raises
    ------
    WorkspaceError
        If the file is no workspace, is damaged, or was written by a newer smlnb.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> project = Project("demo", types="C")
    >>> _ = project.learn({"x": [1.0, 2.0]})
    >>> with Workspace(Path(folder.name) / "plant.db") as workspace:
    ...     workspace.save(project)
    ...     workspace.load("demo").n
    2
    >>> folder.cleanup()
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise WorkspaceError(
                f"{self.path} can't be a workspace file: give the path of a file in an existing folder."
            )
        try:
            self.path.touch(mode=0o600)
            # one connection, used under SQLite's own lock from whichever thread saves
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
            try:
                self._open()
            except BaseException:
                self._connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise WorkspaceError(
                f"{self.path} can't be opened as a workspace: {error}. Give another file, or restore a copy."
            ) from error

    def _open(self) -> None:
        """Make the tables in a file that has none, in one transaction: nobody sees half a workspace."""
        with self._all_or_nothing():
            if not self._is_workspace():
                for table in TABLES:
                    self._connection.execute(table)
                self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                self._connection.execute(f"PRAGMA user_version={FORMAT}")
        self._connection.execute("PRAGMA synchronous=FULL")
        with suppress(sqlite3.OperationalError):  # somebody else uses the file: the next to open it will
            self._connection.execute("PRAGMA journal_mode=WAL")

    def _is_workspace(self) -> bool:
        """Return False for a file in which nothing was made yet.

        Raises
        ------
        WorkspaceError
            If it is a database of something else, or of a newer smlnb.
        """
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (application, version, tables) == (0, 0, 0):
            return False
        if application != APPLICATION_ID:
            raise WorkspaceError(f"{self.path} is an SQLite file, but no smlnb workspace. Give another file.")
        if version > FORMAT:
            raise WorkspaceError(
                f"{self.path} was written by a newer smlnb (format {version}; this one reads {FORMAT}). Update it."
            )
        return True

    def save(self, project: Project) -> None:
        """Save a project with its positions and its models, in place of what was saved of them before.

        Raises
        ------
        WorkspaceError
            If another project of the same name is there.
        """
        with project.reading():
            blob = pack(project.state())
            records = project.n
            models = list(project.models.values())
        with self._transaction() as connection:
            row = connection.execute("SELECT id FROM projects WHERE name = ?", [project.name]).fetchone()
            if row is not None and row[0] != project.id:
                raise WorkspaceError(
                    f"{self.path} already has another project named {project.name!r}. "
                    "Load that one and go on with it, give this one another name, or delete the other one.",
                )
            connection.execute(
                "INSERT OR REPLACE INTO projects VALUES (?, ?, ?, ?, ?, ?)",
                [project.name, project.id, records, _now(), sha256(blob), blob],
            )
            for model in models:
                _write_model(connection, model)

    def load(self, name: str) -> Project:
        """Load a project with its models, which can be rebuilt and can follow it.

        Raises
        ------
        WorkspaceError
            If there is no such project, or what is stored was damaged.
        """
        row = self._fetch("SELECT sha256, state FROM projects WHERE name = ?", [name])
        if row is None:
            raise WorkspaceError(f"{self.path} has no project {name!r}. It has: {_listed(self.projects()['name'])}.")
        project: Project = self._parse(f"project {name!r}", row, Project.from_state)
        models = self.models()
        for model in models.loc[models["project"] == name, "name"]:
            self.load_model(model, project)
        return project

    def save_model(self, model: AnomalyModel) -> None:
        """Save a model, in place of what was saved of it before."""
        with self._transaction() as connection:
            _write_model(connection, model)

    def load_model(self, name: str, project: Project | str) -> AnomalyModel:
        """Load a model of a project; given the project itself, the model can be rebuilt and can follow it.

        Raises
        ------
        WorkspaceError
            If there is no such model, or what is stored was damaged.
        """
        of = project.name if isinstance(project, Project) else project
        row = self._fetch("SELECT sha256, state, kind FROM models WHERE project = ? AND name = ?", [of, name])
        if row is None:
            models = self.models()
            there = _listed(models.loc[models["project"] == of, "name"])
            raise WorkspaceError(f"{self.path} has no model {name!r} of project {of!r}. It has: {there}.")
        source = project if isinstance(project, Project) else None
        model: AnomalyModel = self._parse(f"model {name!r}", row[:2], lambda s: algorithm(row[2]).from_state(s, source))
        if source is not None:
            source.models[model.name] = model
        return model

    def projects(self) -> pd.DataFrame:
        """Return what projects there are: name, records, saved_at."""
        rows = self._fetch_all("SELECT name, records, saved_at FROM projects ORDER BY name")
        return pd.DataFrame(rows, columns=["name", "records", "saved_at"])

    def models(self) -> pd.DataFrame:
        """Return what models there are: project, name, kind, version, saved_at."""
        query = "SELECT project, name, kind, version, saved_at FROM models ORDER BY project, name"
        return pd.DataFrame(
            self._fetch_all(query),
            columns=["project", "name", "kind", "version", "saved_at"],
        )

    def delete(self, name: str) -> None:
        """Delete a project and its models."""
        with self._transaction() as connection:
            if connection.execute("DELETE FROM projects WHERE name = ?", [name]).rowcount == 0:
                raise WorkspaceError(
                    f"{self.path} has no project {name!r} to delete. It has: {_listed(self.projects()['name'])}."
                )
            connection.execute("DELETE FROM models WHERE project = ?", [name])

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._all_or_nothing():
                yield self._connection
        except sqlite3.Error as error:
            raise WorkspaceError(
                f"{self.path} could not be written: {error}. What was saved before is still there."
            ) from error

    def _fetch(self, query: str, values: Sequence[Any]) -> Any:
        rows = self._fetch_all(query, values)
        return rows[0] if rows else None

    def _fetch_all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise WorkspaceError(f"{self.path} could not be read: {error}.") from error

    def _parse(self, what: str, row: tuple[str, bytes], make: Any) -> Any:
        digest, blob = row
        if sha256(blob) != digest:
            raise WorkspaceError(
                f"The stored {what} in {self.path} was damaged: its SHA-256 does not fit. Restore a copy of the file."
            )
        try:
            return make(unpack(blob))
        except StateError as error:
            raise WorkspaceError(f"The stored {what} in {self.path} can't be read: {error}") from error

    def __repr__(self) -> str:
        return f"Workspace({str(self.path)!r})"


def _write_model(connection: sqlite3.Connection, model: AnomalyModel) -> None:
    blob = pack(model.state())
    connection.execute(
        "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?)",
        [model.project, model.name, model.kind, model.version, _now(), sha256(blob), blob],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _listed(names: pd.Series[str]) -> str:
    return ", ".join(names) or "nothing yet"
