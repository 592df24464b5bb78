"""A process that learns a topic into a workspace, tells how far it is, and may be killed at any moment."""

from __future__ import annotations

import codecs
import logging
import multiprocessing
import os
import resource
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from benchmarks.chaos.topics import TYPES, Format
from smlnb import Project, Workspace, clock, connect
from smlnb.errors import SmlnbError
from smlnb.ingest.feed import Feed
from smlnb.ingest.task import Policy

__all__ = ["Learner", "Order", "learning", "project"]

TELL = 0.01  # seconds between two messages to the parent
NAME = "chaos"
NOBODY = 65_534
HOUR = 3_600_000_000_000  # nanoseconds


@dataclass(frozen=True)
class Order:
    """What to learn, and how.

    Attributes
    ----------
    pace : float
        Seconds of rest after each batch: a topic is learned in less time than it takes to kill somebody.
    fault : str
        What is wrong with this process: nothing, or ``full``, ``read only``, ``slow`` or ``clock``.
    """

    servers: str
    topic: str
    file: str
    format: Format = "json"
    config: Mapping[str, str] = field(default_factory=dict)
    every: float = 0.05
    batch_rows: int = 1_000
    tasks: int = 1
    pace: float = 0.0
    fault: str = ""
    on_malformed: Policy = "skip"

    def feed(self, one: Project, workspace: Workspace | str | None = None, **more: Any) -> Feed:
        """Connect a project to the topic."""
        saved = {} if workspace is None else {"workspace": workspace, "checkpoint_every": self.every}
        options = {"batch_rows": self.batch_rows, "tasks": self.tasks, **saved, **more}
        where = {"bootstrap_servers": self.servers, "config": dict(self.config) or None}
        return connect(one, self.topic, **where, format=self.format, on_malformed=self.on_malformed, **options)


def project() -> Project:
    """Return a new project that keeps all there is to keep."""
    past: dict[str, Any] = {"history": [("1min", 10), ("5min", 20)], "window": "10min", "decay": "10min"}
    return Project(NAME, types=TYPES, **past)


def learn(order: Order, tell: Connection) -> None:
    """Learn the topic to its present end, from where the last one was killed."""
    logging.disable()
    if order.fault == "read only" and os.getuid() == 0:  # whom no folder stops
        codecs.lookup("ascii")  # loaded now: nobody may be kept from Python's own files, too
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if order.fault == "clock":
        clock.time = Stepping()  # type: ignore[assignment]
    try:
        with Workspace(order.file, watch=Disk(order)) as workspace:
            known = NAME in set(workspace.projects()["name"])
            one = workspace.resume(NAME) if known else project()
            with order.feed(one, workspace) as feed:
                feed.stream.sink(lambda _: time.sleep(order.pace))
                ended = threading.Event()
                thread = threading.Thread(target=_telling, args=(feed, tell, ended), daemon=True)
                thread.start()
                feed.wait(timeout=120)
                ended.set()
                thread.join()
            tell.send({**_seen(feed), "done": True})
    except SmlnbError as error:
        tell.send({"refused": str(error), "where": traceback.format_exc()})


def _seen(feed: Feed) -> dict[str, Any]:
    m = feed.metrics
    return {"rows": m.rows, "saved": m.checkpoint.written, "errors": m.checkpoint.errors, "error": m.checkpoint.error}


def _telling(feed: Feed, tell: Connection, ended: threading.Event) -> None:
    while not ended.wait(TELL):
        tell.send(_seen(feed))


class Stepping:
    """A clock that is set an hour on or back every tenth of a second."""

    @staticmethod
    def time_ns() -> int:
        """Return nanoseconds since 1970."""
        return time.time_ns() + HOUR * (int(time.monotonic() * 10) % 3 - 1)


class Disk:
    """What watches a workspace write: a disk that is slow, or full for a while after the third checkpoint."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._writes = 0

    def __call__(self, step: str) -> None:
        if self._order.fault == "slow" and step in {"after the blob", "before commit"}:
            time.sleep(0.5)
        if self._order.fault == "full" and step == "before begin":
            self._writes += 1
            size = os.stat(self._order.file).st_size  # noqa: PTH116 - a str
            limit = size // 2 if 5 <= self._writes < 12 else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


class Learner:
    """Starts processes that learn, and knows what they told last.

    Processes are forked from one that has imported everything, so that they begin at once.
    """

    def __init__(self) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._process: ForkServerProcess | None = None
        self.last: dict[str, Any] = {}
        self._tells: Connection | None = None

    def start(self, order: Order) -> None:
        """Begin to learn."""
        self._tells, tell = self._context.Pipe(duplex=False)
        self._process = self._context.Process(target=learn, args=(order, tell), daemon=True)
        self._process.start()
        tell.close()
        self.last = {}

    def listen(self, seconds: float) -> bool:
        """Take what it tells for so long, or until it has ended; return whether it goes on."""
        assert self._tells is not None
        until = time.monotonic() + seconds
        try:
            while (left := until - time.monotonic()) > 0:
                if self._tells.poll(left):
                    self.last = self._tells.recv()
        except (EOFError, ConnectionResetError):
            return False
        return True

    def kill(self) -> bool:
        """Kill it by force; return whether it was still there to be killed."""
        assert self._process is not None
        self._process.kill()
        self._process.join(30)
        self.listen(0.2)
        return self._process.exitcode == -9

    def wait(self, seconds: float) -> None:
        """Wait until it has ended by itself."""
        going = self.listen(seconds)
        assert self._process is not None
        if going:
            self.kill()
        self._process.join(30)
        assert not going, f"it did not end in {seconds:g} s: {self.last}"
        assert self._process.exitcode == 0, f"it ended with {self._process.exitcode}: {self.last}"


@contextmanager
def learning() -> Iterator[Learner]:
    """Give a learner whose process is gone afterwards."""
    learner = Learner()
    try:
        yield learner
    finally:
        if learner._process is not None and learner._process.is_alive():
            learner.kill()
