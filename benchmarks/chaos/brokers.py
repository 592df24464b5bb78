"""Brokers that stop, die and come back, and partitions that move, while a topic is written and learned."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import Consumer

from benchmarks.chaos.judge import problems
from benchmarks.chaos.kills import Reference, undisturbed
from benchmarks.chaos.learner import NAME, Order, project
from benchmarks.chaos.topics import Record, Trickle
from smlnb import Workspace
from smlnb.ingest.feed import Feed

__all__ = ["Live", "Server", "outage", "rebalances"]

RATE = 6_000  # records written in a second
SLOW = 1_500  # where it has to last longer
NOTICED = 5.0  # seconds in which a feed must say that the broker is gone
BACK = 90.0  # seconds


class Server(Protocol):
    """A broker that can be stopped and started again."""

    bootstrap_servers: str

    def halt(self, *, kill: bool = False) -> None:
        """Stop it in order, or by force."""

    def start(self) -> object:
        """Start it, with its data."""


def until(true: Callable[[], Any], seconds: float, what: str) -> float:
    """Wait until something is true; return how long that took."""
    begin, pause = time.monotonic(), threading.Event()
    while not true():
        assert time.monotonic() - begin < seconds, f"{what}: not within {seconds:g} s"
        pause.wait(0.02)
    return time.monotonic() - begin


@dataclass
class Live:
    """A topic that is written while a feed learns it into a workspace."""

    order: Order
    feed: Feed
    trickle: Trickle
    file: str

    def judged(self) -> tuple[list[str], Reference]:
        """Learn to the end; return what is wrong with what was learned and with what was saved."""
        self.trickle.__exit__()
        self.feed.wait(timeout=BACK)
        self.feed.stop()
        reference = undisturbed(replace(self.order, tasks=1))
        found = problems(self.feed.project, reference.project, reference.truth, self.order.topic)
        with Workspace(self.file) as workspace:
            saved = problems(workspace.load(NAME), reference.project, reference.truth, self.order.topic)
        return found + [f"saved: {each}" for each in saved], reference


@contextmanager
def living(order: Order, what: Iterator[Record], rate: int = RATE, **options: Any) -> Iterator[Live]:
    """Begin to write and to learn."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "plant.db")
        trickle = Trickle(order.servers, order.topic, what, rate).__enter__()
        with order.feed(project(), file, **options) as feed:
            yield Live(order, feed, trickle, file)


def outage(server: Server, order: Order, what: Iterator[Record], *, seconds: float, kill: bool) -> list[str]:
    """Stop the broker for some seconds, or kill it; return what is wrong afterwards, and in what the feed said."""
    found = []
    with living(order, what) as live:
        feed = live.feed
        until(lambda: feed.metrics.rows > RATE // 2, BACK, "progress")
        server.halt(kill=kill)
        begin = time.monotonic()
        try:
            noticed = until(lambda: "disconnected" in repr(feed), seconds=BACK, what="'disconnected'")
            if noticed > NOTICED:
                found.append(f"that the broker is gone was said after {noticed:.1f} s")
            while (left := begin + seconds - time.monotonic()) > 0:
                threading.Event().wait(min(left, 1.0))
                if "disconnected" not in repr(feed) or feed.state != "running":
                    found.append(f"after {time.monotonic() - begin:.0f} s of outage the feed says {feed!r}")
                    break
        finally:
            server.start()
        before = feed.metrics.rows
        until(lambda: feed.metrics.rows > before, BACK, "learning again")
        wrong, reference = live.judged()
        found += wrong
        if "disconnected" in repr(feed):
            found.append(f"the broker is back, and the feed says {feed!r}")
        if len(reference.truth.epochs) < 2:
            found.append("all records were taken by leaders of one epoch: nothing was tried")
    return found


def rebalances(order: Order, what: Iterator[Record], times: int) -> tuple[int, list[str]]:
    """Let readers join and leave so many times; return how many did while there was something to read.

    They are a third task of the feed, and a consumer of somebody else who takes partitions away and learns nothing.
    """
    group = f"{order.topic}-group"
    amid = 0
    with living(replace(order, tasks=2), what, rate=SLOW, group_id=group) as live:
        feed = live.feed
        until(lambda: feed.metrics.rows > SLOW // 2, BACK, "progress")
        for turn in range(times):
            amid += live.trickle.writing
            if turn % 2:
                feed.rescale(2 if turn % 4 == 3 else 3)
            else:
                _join_and_leave(order, group)
        return amid, live.judged()[0]


def _join_and_leave(order: Order, group: str) -> None:
    """Take partitions away from the feed, and give them back."""
    settings = {"bootstrap.servers": order.servers, "group.id": group, "enable.auto.commit": False}
    settings |= {"partition.assignment.strategy": "cooperative-sticky", "auto.offset.reset": "latest"}
    stranger = Consumer(settings)
    try:
        stranger.subscribe([order.topic])

        def assigned() -> bool:
            stranger.poll(0.05)
            return bool(stranger.assignment())

        until(assigned, BACK, "partitions for the stranger")
    finally:
        stranger.close()
