"""A project saved again and again while it learns, in a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, replace

from smlnb.errors import ConfigError
from smlnb.project import Project
from smlnb.stoppable import Stoppable
from smlnb.store import Workspace

__all__ = ["CheckpointMetrics", "Checkpoints"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckpointMetrics:
    """What was saved so far, and what went wrong.

    Attributes
    ----------
    written, errors : int
        Checkpoints that were saved, and that could not be.
    error : str or None
        Why the last one could not be saved; None if it was.
    number, records : int
        Of the last one that was saved: how many of the project there were, and how many records it had learned.
    saved_at : str or None
        When that was, in ISO 8601.
    bytes : int
        Written for it.
    pause, seconds : float
        For how long learning waited for it, and how long it took.
    """

    written: int = 0
    errors: int = 0
    error: str | None = None
    number: int = 0
    records: int = 0
    saved_at: str | None = None
    bytes: int = 0
    pause: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        last = "nothing saved yet" if self.saved_at is None else f"{self.records:,} records saved at {self.saved_at}"
        return last if self.error is None else f"{last}; {self.errors:,} times not: {self.error}"


class Checkpoints(Stoppable):
    """Saves a project every so many seconds, if it has changed, and once more when it is stopped.

    Learning waits while the state is taken, not while it is packed and written. What goes wrong is counted and shown,
    and tried again the next time; the checkpoints of before stay.

    Parameters
    ----------
    project : Project
    workspace : Workspace or path
        A path is opened and closed here; a workspace stays open.
    every : float, default 5
        Seconds from the end of one save to the next.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> project = Project("demo", types="C")
    >>> with Workspace(f"{folder.name}/plant.db") as workspace:
    ...     with Checkpoints(project, workspace) as checkpoints:
    ...         checkpoints.start()
    ...         _ = project.learn({"x": [1.0, 2.0]})
    ...     workspace.load("demo").n
    2
    >>> folder.cleanup()
    """

    def __init__(self, project: Project, workspace: Workspace | str | os.PathLike[str], every: float = 5.0) -> None:
        if not every > 0:
            raise ConfigError(f"Checkpoints are made every so many seconds, more than 0; not {every}.")
        self.project = project
        self.every = every
        self._given = workspace
        self._workspace: Workspace | None = None
        self._metrics = CheckpointMetrics()
        self._saved = -1  # version
        self._halt = threading.Event()
        self._control = threading.RLock()  # one start or stop at a time
        self._thread: threading.Thread | None = None

    @property
    def metrics(self) -> CheckpointMetrics:
        """A snapshot of the numbers."""
        return self._metrics

    def start(self) -> None:
        """Begin; nothing happens if it has begun.

        Raises
        ------
        WorkspaceError
            If the workspace can't be opened or written, somebody else writes this project there, or another project
            of its name is there.
        """
        with self._control:
            if self._thread is not None:
                return
            workspace = self._given if isinstance(self._given, Workspace) else Workspace(os.fspath(self._given))
            try:
                workspace.own(self.project)
            except BaseException:
                self._close(workspace)
                raise
            self._halt.clear()
            self._workspace = workspace
            self._thread = threading.Thread(
                target=self._run, args=(workspace,), name=f"smlnb-checkpoints-{self.project.name}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Save once more what has changed, and end; nothing happens if that was done before."""
        with self._control:
            if self._thread is None:
                return
            self._halt.set()
            self._thread.join()
            self._thread = None

    def _run(self, workspace: Workspace) -> None:
        try:
            while not self._halt.wait(self.every):
                self._save(workspace)
            self._save(workspace)
        finally:
            self._close(workspace)

    def _close(self, workspace: Workspace) -> None:
        if workspace is not self._given:
            workspace.close()

    def _save(self, workspace: Workspace) -> None:
        version = self.project.version
        if version == self._saved or not (self.project.positions or self.project.n):  # one made by mistake would stay
            return
        before = self._metrics
        try:
            made = workspace.checkpoint(self.project)
        except Exception as error:  # noqa: BLE001 - whatever happens is counted and shown, and learning goes on
            if str(error) != before.error:
                _log.warning("%s: %s", self.project.name, error)
            self._metrics = replace(before, errors=before.errors + 1, error=str(error) or type(error).__name__)
            return
        self._saved = version
        self._metrics = CheckpointMetrics(
            before.written + 1,
            before.errors,
            None,
            made.number,
            made.records,
            made.saved_at,
            made.bytes,
            made.pause,
            made.seconds,
        )
