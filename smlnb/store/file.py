"""A workspace as an SQLite file: its tables, and transactions that are all or nothing."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from smlnb.errors import WorkspaceError

__all__ = ["File", "Watch", "listed", "now"]

Watch = Callable[[str], object]

APPLICATION_ID: Final = 0x534D4C4E  # "SMLN"
FORMAT: Final = 2
ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)  # the second where SQLite quotes from a damaged file
TABLES: Final = (
    """CREATE TABLE projects (
    name TEXT PRIMARY KEY, id TEXT NOT NULL, configuration TEXT NOT NULL) STRICT""",
    """CREATE TABLE checkpoints (
    project TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL, records INTEGER NOT NULL,
    positions TEXT NOT NULL, saved_at TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (project, number)) STRICT""",
    """CREATE TABLE panes (
    project TEXT NOT NULL, name TEXT NOT NULL, last INTEGER NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    state BLOB NOT NULL, PRIMARY KEY (project, name)) STRICT""",
    """CREATE TABLE models (
    project TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, saved_at TEXT NOT NULL,
    size INTEGER NOT NULL, sha256 TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (project, name)) STRICT""",
    """CREATE TABLE journal (
    project TEXT NOT NULL, source TEXT NOT NULL, action TEXT NOT NULL, times INTEGER NOT NULL, rows INTEGER NOT NULL,
    first TEXT NOT NULL, last TEXT NOT NULL, PRIMARY KEY (project, source, action)) STRICT""",
    """CREATE TABLE owners (
    project TEXT PRIMARY KEY, token TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL, born TEXT NOT NULL,
    since TEXT NOT NULL) STRICT""",
)


class File:
    """An open workspace file: one connection that writes, and one that reads meanwhile.

    Parameters
    ----------
    path : Path
        Made if it does not exist, for its owner alone.
    watch : callable
        Told the steps of each transaction.
    timeout : float
        Seconds to wait for another who writes.

    Attributes
    ----------
    read_only : bool
        Whether file or folder can't be written.

    Raises
    ------
    WorkspaceError
        If the file is no workspace, is damaged, or of another format.
    """

    def __init__(self, path: Path, watch: Watch, timeout: float) -> None:
        self.path, self._timeout = path, timeout
        self._watch = watch
        self._writing, self._reading = threading.RLock(), threading.RLock()
        if path.is_dir() or not path.parent.is_dir():
            raise WorkspaceError(f"{path} can't be a workspace file: give the path of a file in an existing folder.")
        try:
            self.read_only = not _writable(path)
            self._writer = self._connect()
            try:
                self._open()
                self._reader = self._connect()
            except BaseException:
                self._writer.close()
                raise
        except (*ERRORS, OSError) as error:
            raise WorkspaceError(
                f"{path} can't be opened as a workspace: {error}. Give another file, or restore a copy."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        # each connection has a lock here, and may so be used from whichever thread has something to save or to load
        connect = partial(sqlite3.connect, isolation_level=None, check_same_thread=False, timeout=self._timeout)
        if not self.read_only:
            return connect(self.path)
        # beside a file that is alone nobody writes: SQLite needs no files of its own to read it
        alone = "&immutable=1" if not self.path.with_name(f"{self.path.name}-wal").exists() else ""
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro{alone}", uri=True)

    def _open(self) -> None:
        """Make the tables in a file that has none, in one transaction: nobody sees half a workspace."""
        self._writer.execute("PRAGMA trusted_schema=OFF")
        if self.read_only:
            if not self._is_workspace():
                raise WorkspaceError(f"{self.path} is empty and can't be written. Give another file.")
            return
        with self._all_or_nothing():
            if not self._is_workspace():
                for table in TABLES:
                    self._writer.execute(table)
                self._writer.execute(f"PRAGMA application_id={APPLICATION_ID}")
                self._writer.execute(f"PRAGMA user_version={FORMAT}")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.execute("PRAGMA temp_store=MEMORY")
        self._writer.execute("PRAGMA wal_autocheckpoint=0")  # done after each transaction, where it can be watched
        with suppress(sqlite3.OperationalError):  # somebody else uses the file: the next to open it will
            self._writer.execute("PRAGMA journal_mode=WAL")

    def _is_workspace(self) -> bool:
        """Return False for a file in which nothing was made yet.

        Raises
        ------
        WorkspaceError
            If it is a database of something else, or of another format.
        """
        (application,) = self._writer.execute("PRAGMA application_id").fetchone()
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        (tables,) = self._writer.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (application, version, tables) == (0, 0, 0):
            return False
        if application != APPLICATION_ID:
            raise WorkspaceError(f"{self.path} is an SQLite file, but no smlnb workspace. Give another file.")
        if version > FORMAT:
            raise WorkspaceError(
                f"{self.path} was written by a newer smlnb (format {version}; this one reads {FORMAT}). Update it."
            )
        if version < FORMAT:
            raise WorkspaceError(
                f"{self.path} was written by an older smlnb (format {version}; this one reads {FORMAT}). Read it with "
                "that one, or learn the topics again into another file."
            )
        return True

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            with suppress(*ERRORS):  # after some errors, such as a full disk, SQLite has done it already
                self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all that is executed in here, or nothing.

        Raises
        ------
        WorkspaceError
            If the file can't be written; it is as it was before.
        """
        if self.read_only:
            raise WorkspaceError(
                f"{self.path} can't be written: the file or its folder is read-only. Copy it elsewhere."
            )
        try:
            with self._writing:
                self._watch("before begin")
                with self._all_or_nothing():
                    yield self._writer
                    self._watch("before commit")
                self._watch("after commit")
                with suppress(*ERRORS):  # what was committed is safe where it is; the next one tries again
                    self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except ERRORS as error:
            raise WorkspaceError(
                f"{self.path} could not be written: {error}. What was saved before is still there."
            ) from error

    def step(self, name: str) -> None:
        """Tell who watches that a step of a transaction is done."""
        self._watch(name)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that is fetched in here be of one moment."""
        with self._reading:
            try:
                self._reader.execute("BEGIN")
            except ERRORS as error:
                raise WorkspaceError(f"{self.path} could not be read: {error}.") from error
            try:
                yield
            finally:
                with suppress(*ERRORS):
                    self._reader.execute("ROLLBACK")

    def fetch(self, query: str, *values: Any) -> list[Any]:
        """Return the rows of a query.

        Raises
        ------
        WorkspaceError
            If they can't be read.
        """
        try:
            with self._reading:
                return self._reader.execute(query, values).fetchall()
        except ERRORS as error:
            raise WorkspaceError(f"{self.path} could not be read: {error}.") from error

    def close(self) -> None:
        """Close the file; twice is fine."""
        for lock, connection in ((self._reading, self._reader), (self._writing, self._writer)):
            with lock:
                connection.close()


def _writable(path: Path) -> bool:
    """Make a file if it isn't there; return whether it can be written, and others beside it."""
    if not path.exists():
        path.touch(mode=0o600)
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def now() -> str:
    """Return the time in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def listed(names: Sequence[object]) -> str:
    """Return names, which in a damaged file may be anything, as a list for people."""
    return ", ".join(map(str, names)) or "nothing yet"
