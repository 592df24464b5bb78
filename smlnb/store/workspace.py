"""What a person holds of a workspace: saving, loading, and looking at what there is."""

from __future__ import annotations

import logging
import threading
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import pandas as pd

from smlnb.errors import SmlnbWarning, WorkspaceError
from smlnb.logs import event, quiet_logger
from smlnb.models.base import AnomalyModel
from smlnb.project import Project
from smlnb.slices import Slice
from smlnb.store.checkpoints import Checkpoint, Draft, check_same, load_newest, problems
from smlnb.store.file import File, Watch, listed
from smlnb.store.models import load_model, model_row, write_models
from smlnb.store.owner import Owner, release, take

__all__ = ["Workspace"]

_log = quiet_logger(__name__)


class Workspace:
    """One file that keeps projects, with the positions they have absorbed, and models.

    Each save of a project is a checkpoint: its statistics and positions, written in one transaction, with a SHA-256
    over them that is verified before anything in them is read. The last few are kept; where the newest was damaged, the
    one before it is loaded, with a :class:`~smlnb.errors.SmlnbWarning`. The panes of a history are rows of their own,
    and only those that have changed are written again.

    Saving makes a project this object's own, until it is closed or its process ends: another process, or another
    object, can load the project meanwhile, and is refused when it saves it.

    The file is an SQLite database (WAL), readable by its owner only. States are MessagePack of plain values. All
    methods may be called from any thread.

    Parameters
    ----------
    path : str or Path
        Made if it does not exist.
    keep : int, default 3
        Checkpoints of each project to keep.
    timeout : float, default 10
        Seconds to wait for another who writes the file.
    watch : callable, optional
        Called with the name of each step of writing, in the thread that writes: ``before begin``, ``after the blob``,
        ``before commit``, ``after commit``. For tests that interrupt it.

    Raises
    ------
    WorkspaceError
        If the file is no workspace, is damaged, or of another format.

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

    def __init__(
        self, path: str | Path, *, keep: int = 3, timeout: float = 10.0, watch: Watch = lambda _: None
    ) -> None:
        if keep < 1:
            raise WorkspaceError(f"A workspace keeps at least 1 checkpoint of each project, not {keep}.")
        self.path = Path(path)
        self.keep = keep
        self._file = File(self.path, watch, timeout)
        self._owner = Owner.new()
        self._end = weakref.finalize(self, self._owner.end)
        self._panes: dict[str, set[str]] = {}  # by project: names of those that were written
        self._saving = threading.RLock()

    # -- saving -------------------------------------------------------------------------------------------------------

    def save(self, project: Project) -> None:
        """Save a project with its positions and its models.

        Raises
        ------
        WorkspaceError
            If it is no project, another of the same name is there, somebody else writes this one, or the file can't be
            written. What was saved before is still there.
        """
        self.checkpoint(project)

    def checkpoint(self, project: Project) -> Checkpoint:
        """Save a project, as :meth:`save` does, and return what was written.

        The project is held still while its state is taken, not while it is written.

        Raises
        ------
        WorkspaceError
            As :meth:`save`.
        """
        if not isinstance(project, Project):
            raise WorkspaceError(f"A project was to be saved, and this is {_named(project)}.")
        with self._saving:
            known = self._panes.setdefault(project.name, set())
            made = Draft.of(project, known).write(self._file, self._owner, self.keep, known)
        written = {"records": made.records, "bytes": made.bytes, "seconds": made.seconds}
        event(_log, logging.INFO, "checkpoint", project=project.name, number=made.number, **written)
        return made

    def own(self, project: Project | str) -> None:
        """Refuse others who want to save a project from now on; saving does it by itself.

        Raises
        ------
        WorkspaceError
            If somebody else writes it, or another project of this name is there.
        """
        name = project if isinstance(project, str) else project.name
        with self._file.transaction() as connection:
            if isinstance(project, Project):
                check_same(connection, name, project.id, self.path)
            take(connection, name, self._owner, self.path)

    def take_over(self, name: str) -> None:
        """Make a project this object's own although somebody else has it, who is gone but can't be seen from here.

        An owner on this computer whose process has ended is found out without this. If he is still there, after all,
        his next save is refused.
        """
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM owners WHERE project = ?", [name])
            take(connection, name, self._owner, self.path)

    def save_model(self, model: AnomalyModel) -> None:
        """Save a model, in place of what was saved of it before.

        Raises
        ------
        WorkspaceError
            If it is no model, or the file can't be written.
        """
        if not isinstance(model, AnomalyModel):
            raise WorkspaceError(f"A model was to be saved, and this is {_named(model)}.")
        with self._file.transaction() as connection:
            write_models(connection, [model_row(model)])

    def delete(self, name: str) -> None:
        """Delete a project, its checkpoints and its models.

        Raises
        ------
        WorkspaceError
            If there is no such project, or somebody else writes it.
        """
        with self._file.transaction() as connection:
            take(connection, name, self._owner, self.path)
            if connection.execute("DELETE FROM projects WHERE name = ?", [name]).rowcount == 0:
                raise WorkspaceError(f"{self.path} has no project {name!r} to delete. It has: {self._names()}.")
            for table in ("checkpoints", "panes", "models", "journal", "owners"):
                connection.execute(f"DELETE FROM {table} WHERE project = ?", [name])  # noqa: S608 - names of ours
        self._panes.pop(name, None)

    # -- loading ------------------------------------------------------------------------------------------------------

    def load(self, name: str, number: int | None = None) -> Project:
        """Load a project with its models, which can be rebuilt and can follow it.

        Anybody may, whoever writes it: what is loaded is as it was saved last.

        Parameters
        ----------
        name : str
        number : int, optional
            Of a checkpoint; the newest good one by default, with a :class:`~smlnb.errors.SmlnbWarning` if a newer one
            was damaged.

        Raises
        ------
        WorkspaceError
            If there is no such project, or nothing good is left of it.
        """
        self._check_there(name)
        project = load_newest(self._file, name, number)
        for (model,) in self._file.fetch("SELECT name FROM models WHERE project = ? ORDER BY name", name):
            try:
                load_model(self._file, model, project)
            except WorkspaceError as error:
                warnings.warn(f"{error} The project is loaded without it.", SmlnbWarning, stacklevel=2)
        return project

    def resume(self, name: str, default: Callable[[], Project] | None = None) -> Project:
        """Load a project to go on with it: others are refused who want to save it from now on.

        Parameters
        ----------
        name : str
        default : callable, optional
            Makes the project where there is none of that name yet, so that one program serves the first start and all
            others: ``workspace.resume("plant", lambda: Project("plant", types="C,C,X"))``.

        Raises
        ------
        WorkspaceError
            As :meth:`load`, and if somebody else writes it.
        """
        if default is not None and not self._is_there(name):
            return default()
        self._check_there(name)
        self.own(name)
        return self.load(name)

    def _is_there(self, name: str) -> bool:
        return bool(self._file.fetch("SELECT 1 FROM projects WHERE name = ?", name))

    def _check_there(self, name: str) -> None:
        if not self._is_there(name):
            raise WorkspaceError(f"{self.path} has no project {name!r}. It has: {self._names()}.")

    def load_model(self, name: str, project: Project | str) -> AnomalyModel:
        """Load a model of a project; given the project itself, the model can be rebuilt and can follow it.

        Raises
        ------
        WorkspaceError
            If there is no such model, or what is stored was damaged.
        """
        model = load_model(self._file, name, project)
        if model is None:
            of = project.name if isinstance(project, Project) else project
            models = self.models()
            there = listed(models.loc[models["project"] == of, "name"].tolist())
            raise WorkspaceError(f"{self.path} has no model {name!r} of project {of!r}. It has: {there}.")
        return model

    # -- looking ------------------------------------------------------------------------------------------------------

    def projects(self) -> pd.DataFrame:
        """Return what projects there are: name, records, saved_at."""
        rows = self._file.fetch(
            "SELECT project, records, saved_at, max(number) FROM checkpoints GROUP BY project ORDER BY project"
        )
        return pd.DataFrame([row[:3] for row in rows], columns=["name", "records", "saved_at"])

    def checkpoints(self, name: str) -> pd.DataFrame:
        """Return a project's checkpoints, each verified: number, records, saved_at, bytes, problem; newest first."""
        columns = ["number", "records", "saved_at", "bytes"]
        query = (
            "SELECT number, records, saved_at, length(state) FROM checkpoints WHERE project = ? ORDER BY number DESC"
        )
        wrong = dict(problems(self._file, name))
        rows = [[*row, wrong.get(row[0])] for row in self._file.fetch(query, name)]
        return pd.DataFrame(rows, columns=[*columns, "problem"])

    def models(self) -> pd.DataFrame:
        """Return what models there are: project, name, kind, version, saved_at."""
        columns = ["project", "name", "kind", "version", "saved_at"]
        rows = self._file.fetch(f"SELECT {', '.join(columns)} FROM models ORDER BY project, name")  # noqa: S608
        return pd.DataFrame(rows, columns=columns)

    def owners(self) -> pd.DataFrame:
        """Return who writes which project: project, pid, host, since, gone."""
        rows = self._file.fetch("SELECT project, token, pid, host, born, since FROM owners ORDER BY project")
        found = [(project, Owner(*rest)) for project, *rest in rows]
        return pd.DataFrame(
            [(project, o.pid, o.host, o.since, o.gone) for project, o in found],
            columns=["project", "pid", "host", "since", "gone"],
        )

    def log(self, name: str) -> pd.DataFrame:
        """Return what was learned, refused, filtered out and merged until the last save, as ``Project.log`` does."""
        columns = ["source", "action", "times", "rows", "first", "last"]
        query = f"SELECT {', '.join(columns)} FROM journal WHERE project = ? ORDER BY last DESC"  # noqa: S608
        return pd.DataFrame(self._file.fetch(query, name), columns=columns)

    def _names(self) -> str:
        return listed([name for (name,) in self._file.fetch("SELECT name FROM projects ORDER BY name")])

    # -- ending -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file, and let others write its projects; twice is fine."""
        if self._end.detach() is not None:
            # if it can't be written, that this object or its process has ended says the same
            with suppress(WorkspaceError), self._file.transaction() as connection:
                release(connection, self._owner)
            self._owner.end()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Workspace({str(self.path)!r})"


def _named(thing: object) -> str:
    """Say what something is that can't be saved where it was given, and what to do."""
    if isinstance(thing, Project):
        return f"the project {thing.name!r}. Use save(project)"
    if isinstance(thing, AnomalyModel):
        return f"the model {thing.name!r}. Use save_model(model)"
    if isinstance(thing, Slice):
        return f"the part {thing.name!r} of one. Save the project, which holds it"
    return f"a {type(thing).__name__}. Give what smlnb.Project(...) or project.build(...) has made"
