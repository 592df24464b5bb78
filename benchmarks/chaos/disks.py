"""Disks that are full, read-only or slow, and a clock that jumps, under a process that learns and is killed."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.chaos.judge import problems
from benchmarks.chaos.kills import ALL, FIRST, Reference
from benchmarks.chaos.learner import NAME, Learner, Order, learning
from smlnb import Workspace

__all__ = ["FAULTS"]


@dataclass
class Scene:
    """A learner and the file that it learns into."""

    reference: Reference
    order: Order
    learner: Learner
    rng: random.Random

    def begin(self, fault: str = "") -> None:
        """Start a process with a fault."""
        self.learner.start(replace(self.order, fault=fault))

    def until(self, what: str, least: int = 1) -> None:
        """Wait for a number that the process tells."""
        for _ in range(int(FIRST / 0.02)):
            if not self.learner.listen(0.02) or self.learner.last.get(what, 0) >= least:
                break
        assert self.learner.last.get(what, 0) >= least, f"no {what}: {self.learner.last}"

    def end(self) -> list[str]:
        """Let it come to its end; return what is wrong then."""
        self.learner.wait(ALL)
        found = [] if self.learner.last.get("done") else [f"it ended without being done: {self.learner.last}"]
        return found + self.judged()

    def judged(self) -> list[str]:
        """Return what is wrong with what was saved."""
        reference = self.reference
        with Workspace(self.order.file) as workspace:
            return problems(workspace.load(NAME), reference.project, reference.truth, self.order.topic)


@contextmanager
def scene(reference: Reference, rng: random.Random) -> Iterator[Scene]:
    """Give a folder and a learner."""
    with tempfile.TemporaryDirectory() as folder, learning() as learner:
        yield Scene(reference, replace(reference.order, file=str(Path(folder) / "plant.db")), learner, rng)


def full(reference: Reference, rng: random.Random) -> list[str]:
    """Let the disk be full at some checkpoints."""
    with scene(reference, rng) as one:
        one.begin("full")
        one.until("errors", 2)
        seen, rows = str(one.learner.last["error"]), one.learner.last["rows"]
        one.until("rows", rows + 1)
        found = [] if "could not be written" in seen else [f"the user is told {seen!r}"]
        found += one.end()
        return found + ([] if one.learner.last["error"] is None else ["it was never saved again"])


def full_and_killed(reference: Reference, rng: random.Random) -> list[str]:
    """Kill a process while its disk is full."""
    with scene(reference, rng) as one:
        one.begin("full")
        one.until("errors", 2)
        found = [] if one.learner.kill() else ["it was not there to be killed"]
        one.begin()
        return found + one.end()


def read_only(reference: Reference, rng: random.Random) -> list[str]:
    """Go on in a folder that can't be written: refused at once; and then in one that can."""
    with scene(reference, rng) as one:
        folder = Path(one.order.file).parent
        one.begin()
        one.until("saved", 2)
        one.learner.kill()
        for file in folder.iterdir():
            file.chmod(0o644)
        folder.chmod(0o555)
        one.begin("read only")
        one.learner.wait(FIRST)
        said = str(one.learner.last.get("refused"))
        folder.chmod(0o755)
        found = [] if "read-only" in said else [f"the user is told {said!r}"]
        one.begin()
        return found + one.end()


def slow(reference: Reference, rng: random.Random) -> list[str]:
    """Let each checkpoint take a second, and kill the process in the middle of some."""
    with scene(reference, rng) as one:
        found = []
        for _ in range(2):
            one.begin("slow")
            one.until("saved")
            rows = one.learner.last["rows"]
            one.learner.listen(rng.uniform(0.2, 0.9))
            if one.learner.last["rows"] <= rows and not one.learner.last.get("done"):
                found.append("nothing is learned while a checkpoint is written")
            one.learner.kill()
        one.begin("slow")
        return found + one.end()


def clock(reference: Reference, rng: random.Random) -> list[str]:
    """Set the clock an hour on and back all the time, and kill the process meanwhile."""
    with scene(reference, rng) as one:
        for _ in range(3):
            one.begin("clock")
            one.until("rows")
            one.learner.listen(rng.uniform(0.2, 0.6))
            one.learner.kill()
        one.begin("clock")
        return one.end()


FAULTS: dict[str, Callable[[Reference, random.Random], list[str]]] = {
    "disk full": full,
    "disk full, and killed": full_and_killed,
    "read-only folder": read_only,
    "slow disk, and killed": slow,
    "clock set +-1 h, and killed": clock,
}
