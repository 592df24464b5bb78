"""Who may write a project: one process at a time, found out without its help when it is gone."""

from __future__ import annotations

import os
import socket
import sqlite3
import uuid
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final, Self

from smlnb.errors import WorkspaceError
from smlnb.store.file import now

__all__ = ["Owner", "release", "take"]

_live: Final[set[str]] = set()  # tokens of this process's open workspaces
_BORN: Final = 19  # the place of the start time in /proc/PID/stat, counted from behind the name


@dataclass(frozen=True, slots=True)
class Owner:
    """An open workspace of some process.

    Attributes
    ----------
    token : str
        Of the open workspace.
    pid : int
    host : str
    born : str
        When the process was started, by a clock that is never set; empty where the system does not tell. It tells a
        process from a later one of the same number.
    since : str
        When the workspace was opened.
    """

    token: str
    pid: int
    host: str
    born: str
    since: str

    @classmethod
    def new(cls) -> Self:
        """Return a new one of this process, which lives until :meth:`end`."""
        pid = os.getpid()
        owner = cls(uuid.uuid4().hex, pid, socket.gethostname(), _born(pid), now())
        _live.add(owner.token)
        return owner

    def end(self) -> None:
        """Let others of this process take over; twice is fine."""
        _live.discard(self.token)

    @property
    def here(self) -> bool:
        """Whether it is of this process."""
        return (self.pid, self.host, self.born) == (os.getpid(), socket.gethostname(), _born(os.getpid()))

    @property
    def gone(self) -> bool:
        """Whether it is certain that its process has ended, or has closed it without saying so; or it was damaged."""
        if [type(value) for value in astuple(self)] != [str, int, str, str, str]:
            return True
        if self.here:
            return self.token not in _live
        if self.host != socket.gethostname():
            return False
        born = _born(self.pid)  # of another process of that number, if it is another
        return not _runs(self.pid) or (born != "" and self.born not in ("", born))

    def __str__(self) -> str:
        which = "another workspace object of this process, " if self.here else "process "
        return f"{which}{self.pid} on {self.host} since {self.since}"


def take(connection: sqlite3.Connection, project: str, owner: Owner, where: Path) -> None:
    """Make ``owner`` the one that writes a project, within a transaction.

    Raises
    ------
    WorkspaceError
        If it is another's, who is not known to be gone.
    """
    row = connection.execute("SELECT token, pid, host, born, since FROM owners WHERE project = ?", [project]).fetchone()
    if row is not None:
        other = Owner(*row)
        if other.token == owner.token and owner.here:
            return
        if not other.gone:
            raise WorkspaceError(
                f"The project {project!r} in {where} is written by {other}. A second writer would undo its work. Stop "
                "it there; or only look at the project, which load() allows; or give this one another name. If that "
                f"process is surely gone, though it can't be seen from here: workspace.take_over({project!r})."
            )
    connection.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?, ?, ?)", [project, *astuple(owner)])


def release(connection: sqlite3.Connection, owner: Owner) -> None:
    """Let others write what ``owner`` wrote, within a transaction."""
    connection.execute("DELETE FROM owners WHERE token = ? AND pid = ?", [owner.token, owner.pid])


def _runs(pid: int) -> bool:
    if os.name != "posix":  # where signal 0 is none: it can't be told
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _born(pid: int) -> str:
    """Return the computer's start and the process's, in ticks since then."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[_BORN]
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text('ascii').strip()}:{ticks}"
    except (OSError, IndexError):
        return ""
