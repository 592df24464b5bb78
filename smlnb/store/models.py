"""Models in a workspace."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from smlnb.algorithms import algorithm
from smlnb.errors import StateError, WorkspaceError
from smlnb.models.base import AnomalyModel
from smlnb.project import Project
from smlnb.store.file import File, now
from smlnb.store.sealed import Sealed

__all__ = ["load_model", "model_row", "write_models"]


def model_row(model: AnomalyModel) -> list[Any]:
    """Return a model as a row of the table of models."""
    facts = [model.project, model.name, model.kind, model.version, now()]
    return [*facts, *astuple(Sealed.of(model.state(), facts))]


def write_models(connection: sqlite3.Connection, rows: Sequence[list[Any]]) -> None:
    """Write models, in place of what there was of them, within a transaction."""
    connection.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def load_model(file: File, name: str, project: Project | str) -> AnomalyModel | None:
    """Return a model of a project; given the project itself, the model is one of its own. None if there is none.

    Raises
    ------
    WorkspaceError
        If it was damaged.
    """
    of = project.name if isinstance(project, Project) else project
    query = "SELECT kind, version, saved_at, size, sha256, state FROM models WHERE project = ? AND name = ?"
    rows = file.fetch(query, of, name)
    if not rows:
        return None
    *facts, size, sha256, blob = rows[0]
    source = project if isinstance(project, Project) else None
    try:
        state = Sealed(size, sha256, blob).opened([of, name, *facts])
        model: AnomalyModel = algorithm(facts[0]).from_state(state, source)
    except StateError as error:
        raise WorkspaceError(
            f"The stored model {name!r} of project {of!r} in {file.path} can't be used: {error}. Build it again, or "
            "restore a copy of the file."
        ) from error
    if source is not None:
        source.models[model.name] = model
    return model
