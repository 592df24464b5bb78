"""Killing the process that learns, at random moments, until it has learned everything."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.chaos.judge import problems
from benchmarks.chaos.learner import NAME, Learner, Order, learning, project
from benchmarks.chaos.topics import Truth, count
from smlnb import Project, Workspace

__all__ = ["Reference", "Run", "kill_until_done", "undisturbed"]

FIRST = 60.0  # seconds for the first progress of a process
ALL = 240.0  # seconds to learn all, left alone
LIFE = (0.1, 1.0)  # seconds from its first progress to its death


@dataclass(frozen=True)
class Reference:
    """A topic, what is in it, and a project that has learned it in one go."""

    order: Order
    truth: Truth
    project: Project


@dataclass(frozen=True)
class Run:
    """How often a process was killed until it was done, how many checkpoints it made, and what is wrong at the end."""

    kills: int
    before_any: int
    problems: list[str]


def undisturbed(order: Order) -> Reference:
    """Learn a topic in one go."""
    one = project()
    with replace(order, batch_rows=5_000).feed(one) as feed:
        feed.wait(timeout=ALL)
    return Reference(order, count(order.servers, order.topic, order.format), one)


def kill_until_done(reference: Reference, rng: random.Random, most: int = 1_000) -> Run:
    """Learn the topic anew, in processes that are killed, at most so many; compare what is in the file then."""
    kills = early = 0
    with tempfile.TemporaryDirectory() as folder, learning() as learner:
        order = replace(reference.order, file=str(Path(folder) / "plant.db"))
        while kills < most:
            batches = {"batch_rows": rng.choice([300, 700, 1_500, 5_000]), "tasks": rng.choice([1, 1, 2])}
            learner.start(replace(order, every=rng.uniform(0.05, 0.1), **batches))  # which must not matter
            _first_progress(learner)
            if not learner.listen(rng.uniform(*LIFE)):
                break
            saved = learner.last.get("saved", 0)
            if not learner.kill():
                break
            kills += 1
            early += not saved
        else:
            learner.start(order)
        learner.wait(ALL)
        last = learner.last
        assert last.get("done"), f"it ended without being done: {last}"
        assert last["error"] is None, f"it ended without being saved: {last}"
        with Workspace(order.file) as workspace:
            found = problems(workspace.load(NAME), reference.project, reference.truth, order.topic)
            gone = workspace.checkpoints(NAME)["problem"].dropna().tolist()
    return Run(kills, early, found + gone)


def _first_progress(learner: Learner) -> None:
    for _ in range(int(FIRST / 0.01)):
        if not learner.listen(0.01) or learner.last.get("rows"):
            return
    raise AssertionError(f"nothing was learned in {FIRST:g} s: {learner.last}")
