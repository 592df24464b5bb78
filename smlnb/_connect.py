"""``smlnb connect``: a topic, or a sink connector's configuration, into projects of a workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console, RenderableType
from rich.text import Text

import smlnb
from smlnb._command import RunFailedError, running, stopped_by_signals
from smlnb.errors import BadRecordsError, DecodeError, LostRecordsError, SchemaError, WorkspaceError
from smlnb.ingest.metrics import Metrics
from smlnb.terminal import connect_view, connector_view, follow

__all__ = ["connect_configuration", "connect_topic"]

_BAD: Final = (
    "Go on with --on-malformed skip, which leaves such records out, or --on-malformed dead_letter, which writes them "
    "to a topic of their own."
)
_LOST: Final = "Go on with --on-gap count, which counts them as lost, or begin another --project."


def connect_topic(
    topic: str,
    project: str,
    workspace: Path,
    *,
    types: str | None,
    reading: Mapping[str, Any],
    bootstrap_servers: str | None,
    cluster: Path | None,
    build: str | None,
    save_every: float,
    until_caught_up: bool,
) -> None:
    """Learn a topic into a project of the workspace until Ctrl-C."""
    with smlnb.Workspace(workspace) as store:
        learner = _project(store, project, types)
        with _advice():
            feed = smlnb.connect(
                learner,
                topic,
                bootstrap_servers=bootstrap_servers,
                config=cluster,
                workspace=store,
                checkpoint_every=save_every,
                **reading,
            )

        def view(console: Console) -> RenderableType:
            metrics = feed.metrics
            wrong = metrics.checkpoint.error if metrics.checkpoint is not None else None
            saved = f"saved to {workspace} every {save_every:g} s" if wrong is None else f"NOT SAVED: {wrong}"
            return connect_view(learner, metrics, saved, console)

        with stopped_by_signals() as stop, running(), _advice():
            try:
                follow(feed, stop, show=view, until_caught_up=until_caught_up)
            finally:
                feed.stop()
            last = feed.metrics.checkpoint
            if last is not None and last.error is not None:
                raise WorkspaceError(last.error)
        if until_caught_up:
            _check_learned([learner], feed.metrics)
        _finish(store, learner, build)
    _say_why(feed.metrics)


@contextmanager
def _advice() -> Iterator[None]:
    """Say what to do about records as options."""
    try:
        yield
    except (BadRecordsError, DecodeError) as error:
        raise error.advising(_BAD) from None
    except LostRecordsError as error:
        raise error.advising(_LOST) from None


def connect_configuration(
    configuration: Path,
    workspace: Path,
    *,
    bootstrap_servers: str | None,
    cluster: Path | None,
    build: str | None,
    save_every: float,
    until_caught_up: bool,
) -> None:
    """Run a sink connector's configuration until Ctrl-C."""
    connector = smlnb.Connector.from_config(
        configuration,
        bootstrap_servers=bootstrap_servers,
        workspace=workspace,
        cluster=cluster,
        save_every=save_every,
    )
    notes = Console(stderr=True)
    for line in connector.report:
        notes.print(Text(line, "dim"), soft_wrap=True)
    saved = f"saved to {workspace} every {save_every:g} s"
    with connector:
        connector.start()
        with stopped_by_signals() as stop, running():
            follow(
                connector,
                stop,
                show=lambda console: connector_view(connector, saved, console),
                until_caught_up=until_caught_up,
            )
    if until_caught_up:
        _check_learned(connector.projects.values(), connector.metrics)
    with smlnb.Workspace(workspace) as store:
        for project in connector.projects.values():
            _finish(store, project, build)
    _say_why(connector.metrics)


def _check_learned(projects: Iterable[smlnb.Project], metrics: Metrics) -> None:
    """Let a run fail after which nothing is learned, and something refused: nobody may be there to see it."""
    counts = [project.counts for project in projects]
    refused = sum(c.refused for c in counts)
    used = sum(c.learned + c.filtered for c in counts)
    if refused and not used and metrics.last_error:  # without a reason they are tombstones
        raise RunFailedError(f"Nothing was learned: {refused:,} records were refused, the latest {metrics.last_error}.")


def _finish(store: smlnb.Workspace, project: smlnb.Project, build: str | None) -> None:
    if build is not None:
        store.save_model(project.build("hba", name=build))
    refused = project.counts.refused
    also = f" ({refused:,} refused)" if refused else ""
    kept = f"saved as {project.name!r} in {store.path}" if project.positions else "nothing to save"
    model = f", with the model {build!r}" if build is not None else ""
    typer.echo(f"{project.n:,} records learned{also}, {kept}{model}")


def _say_why(metrics: Metrics) -> None:
    if metrics.refused and metrics.last_error:
        Console(stderr=True).print(Text(f"The latest that was refused: {metrics.last_error}", "yellow"), soft_wrap=True)


def _project(store: smlnb.Workspace, name: str, types: str | None) -> smlnb.Project:
    if name not in set(store.projects()["name"]):
        return smlnb.Project(name, types=types)
    project = store.load(name)
    if types is not None:
        given = [letter.strip().upper() for letter in types.split(",")]
        if project.schema.letters and given != project.schema.letters.split(","):
            raise SchemaError(
                f"The project {name!r} in {store.path} has the types {project.schema.letters}, not {types}. "
                "Leave --types out to go on with it, or name another project.",
            )
    return project
