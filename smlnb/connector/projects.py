"""The projects that a connector feeds: found in a workspace or made, and saved there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from smlnb.connector.settings import Settings
from smlnb.errors import BadRecordsError, SchemaError, UnknownAttributeError, WorkspaceError
from smlnb.ingest.divided import Divided
from smlnb.project import Project
from smlnb.store import Workspace

__all__ = ["ConnectorProjects"]


class ConnectorProjects:
    """Projects by name, and the workspace that keeps them, if there is one.

    Parameters
    ----------
    settings : Settings
    workspace : Workspace or path, optional
        A path is opened and closed here; a workspace stays open.

    Attributes
    ----------
    by_name : dict of str to Project
    notes : list of str
        What was decided when they were found.

    Raises
    ------
    WorkspaceError
        If a project must be there, and is not; or has learned what is another's now.
    SchemaError
        If a project that is there has other types.
    """

    def __init__(self, settings: Settings, workspace: Workspace | str | os.PathLike[str] | None = None) -> None:
        self._settings = settings
        self._given = workspace
        self._store: Workspace | None = None
        self._saved: dict[str, int] = {}  # versions
        self._guessed: set[str] = set()
        self.notes: list[str] = []
        self.open()
        try:
            self.by_name = {name: self._project(name) for name in dict.fromkeys(settings.projects)}
            self._check_shares()
        except BaseException:
            self.close()
            raise

    def _project(self, name: str) -> Project:
        store = self._store
        if store is not None and name in set(store.projects()["name"]):
            project = store.load(name)
            self._saved[name] = project.version
            self._check_types(project, store)
            return project
        if self._settings.must_preexist:
            where = f"{store.path} does not have it" if store is not None else "no workspace was given"
            raise WorkspaceError(
                f"sml.project.must.preexist is true, but there is no project {name!r}: {where}. Name a workspace "
                "that has the project, or set the key to false.",
            )
        return Project(name, self._settings.types, **self._settings.options)

    def _check_types(self, project: Project, store: Workspace) -> None:
        """Let a project keep its types where there is another number of letters; where they differ, refuse."""
        given, has = self._settings.types, project.schema.letters
        if given is None or not has or given == has:
            return
        letters = given.count(",") + 1
        if letters == len(project.schema):
            raise SchemaError(
                f"sml.attribute.types is {given}, but the project {project.name!r} in {store.path} has the types "
                f"{has}. Leave the key out to go on with it, or name another project.",
            )
        self.notes.append(
            f"sml.attribute.types has {letters} letters, but the project {project.name!r} has {len(project.schema)} "
            f"attributes: it keeps its types, {has}.",
        )

    def _check_shares(self) -> None:
        """Make sure that no partition was another project's before, or its records would be in both."""
        for name, places in Divided([self.by_name[n] for n in self._settings.projects]).strangers().items():
            topic, partition = places[0]
            raise WorkspaceError(
                f"The project {name!r} has learned {topic}[{partition}], which is another project's now: "
                f"{len(self._settings.projects)} projects share the partitions, and before it was another number. "
                "Go on with the same projects in the same order, or name new ones.",
            )

    @property
    def learner(self) -> Project:
        """What a feed teaches: the project, or all of them as one."""
        learners = [self.by_name[name] for name in self._settings.projects]
        return learners[0] if len(self.by_name) == 1 else cast("Project", Divided(learners))

    @property
    def positions(self) -> int:
        """A number that grows when anything is learned."""
        return sum(sum(project.positions.values()) for project in self.by_name.values())

    def guess_types(self, error: BaseException) -> str | None:
        """Let those projects guess whose letters by position do not fit the first records that came.

        Returns
        -------
        str or None
            What was done; None if the error has another reason.
        """
        if self._settings.types is None or not isinstance(error, SchemaError):
            return None
        if isinstance(error, BadRecordsError | UnknownAttributeError):
            return None
        empty = [
            name for name, p in self.by_name.items() if not len(p.schema) and not p.n and name not in self._guessed
        ]
        if not empty:
            return None
        for name in empty:
            self._guessed.add(name)
            self.by_name[name].guess_types()
        return f"sml.attribute.types is left out, and the types are guessed: {error}"

    def open(self) -> None:
        """Open the workspace; nothing happens if it is open, or there is none."""
        if self._store is None and self._given is not None:
            self._store = self._given if isinstance(self._given, Workspace) else Workspace(Path(self._given))

    def close(self) -> None:
        """Close the workspace if it was opened here."""
        if self._store is not None and self._store is not self._given:
            self._store.close()
            self._store = None

    def save(self) -> None:
        """Save what has changed.

        Raises
        ------
        WorkspaceError
            If the workspace can't be written.
        """
        if self._store is None:
            return
        for name, project in self.by_name.items():
            version = project.version
            if project.positions and self._saved.get(name) != version:  # else one made by mistake would stay
                self._store.save(project)
                self._saved[name] = version
