"""A process of its own for what can't be done to the one that runs the tests: ``python -m tests.store.faults NAME``.

What it does is done in children that it forks, so that each begins at once, and may be killed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from smlnb.batch import Batch
from smlnb.errors import WorkspaceError
from smlnb.ingest.checkpoint import Checkpoints
from smlnb.project import Project
from smlnb.stats.base import digest_of
from smlnb.store import Workspace
from tests.waiting import eventually

STEPS = ("before begin", "after the blob", "before commit", "after commit", "during the WAL checkpoint")
ROWS = 5_000  # a whole block: nothing of it is to be read again
NOBODY = 65_534


def learn(project: Project, rows: int = ROWS) -> None:
    """Learn the next records of a topic, which depend on their offsets alone."""
    start = project.positions.get(("t", 0), 0)
    columns = np.random.default_rng(start).normal(size=(6, rows))
    records = pa.record_batch({f"x{i}": column for i, column in enumerate(columns)})
    offsets = np.arange(start, start + rows)
    project.learn(Batch(records, "t", 0, start, start + rows, offsets, times=offsets * 40))


def say(text: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def digest(project: Project) -> str:
    """Return a digest over all that does not depend on the clock."""
    state = project.state()
    return digest_of([state["id"], state["schema"], state["shards"]])


def in_child(body: Callable[[], object]) -> int:
    """Run something in a child; return how it ended: 0, or the negative number of the signal."""
    pid = os.fork()
    if pid == 0:
        body()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(path: Path, step: str) -> Callable[[], None]:
    """Return what goes on with a project, saves it, and dies at a step of that."""

    def watch(name: str) -> None:
        if not saving:
            return
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "after commit" and step == STEPS[-1]:
            # the next to be written is the file itself: it may not grow by more than four pages
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            limit = path.stat().st_size + 4 * 4096
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    saving: list[bool] = []

    def body() -> None:
        workspace = Workspace(path, watch=watch, keep=1_000)
        project = workspace.resume("p")
        learn(project)
        saving.append(True)
        workspace.save(project)

    return body


def kills(times: int) -> None:
    """Kill a process at each step of a save, many times, and print what was found in the file then."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.db"
        undisturbed = Project("p", types="C,C,C,C,C,C", quantiles=False, history=[("1min", 5)])
        learn(undisturbed)
        with Workspace(path) as workspace:
            workspace.save(undisturbed)
        for i in range(times * len(STEPS)):
            step = STEPS[i % len(STEPS)]
            with Workspace(path) as workspace:
                old = workspace.load("p")
                before = digest(old)
                learn(old)
                after = digest(old)
            ended = in_child(killed_at(path, step))
            with Workspace(path) as workspace:
                verified = workspace.checkpoints("p")["problem"].isna().all()
                now = digest(workspace.resume("p"))
            files = sorted(p.name for p in Path(folder).iterdir())
            state = {before: "old", after: "new"}.get(now, "third")
            found[f"{step}: {signal.Signals(-ended).name}, {state}, verified {verified}, {files}"] += 1
    say(json.dumps(found))


def full(_: int) -> None:
    """Let the disk be full while a project learns, and print what was seen of it."""
    seen: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.db"
        project = Project("p", types="C,C,C,C,C,C", quantiles=False)
        learn(project)
        with Checkpoints(project, path, every=0.05) as checkpoints:
            checkpoints.start()
            eventually(lambda: checkpoints.metrics.written, what="a checkpoint")
            good = checkpoints.metrics.records
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size // 2, resource.RLIM_INFINITY))
            for _ in range(3):
                learn(project)
                errors = checkpoints.metrics.errors
                eventually(lambda: checkpoints.metrics.errors > errors, what="an error")  # noqa: B023 - asked at once
            seen["error"] = str(checkpoints.metrics)
            seen["files"] = sorted(p.name for p in Path(folder).iterdir())
            with Workspace(path) as other:
                seen["loaded meanwhile"] = other.load("p").n == good
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            eventually(lambda: checkpoints.metrics.error is None, what="a checkpoint again")
        with Workspace(path) as workspace:
            seen["loaded at the end"] = digest(workspace.load("p")) == digest(project)
    say(json.dumps(seen))


def read_only(_: int) -> None:
    """Open a workspace in a folder that can't be written, and print what was seen of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.db"
        project = Project("p", types="C,C,C,C,C,C", quantiles=False)
        learn(project)
        with Workspace(path) as workspace:
            workspace.save(project)
        path.chmod(0o644)
        Path(folder).chmod(0o555)
        in_child(lambda: look(path, project))
        Path(folder).chmod(0o755)


def look(path: Path, project: Project) -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    seen: dict[str, object] = {}
    with Workspace(path) as workspace:
        seen["loaded"] = digest(workspace.load("p")) == digest(project)
        for name, what in (("saved", lambda: workspace.save(project)), ("owned", lambda: workspace.own(project))):
            try:
                what()
            except WorkspaceError as error:
                seen[name] = str(error)
    try:
        Workspace(path.with_name("other.db"))
    except WorkspaceError as error:
        seen["made"] = str(error)
    seen["files"] = sorted(p.name for p in path.parent.iterdir())
    say(json.dumps(seen))


def own(_: int) -> None:
    """Own a project in a file until killed."""
    workspace = Workspace(sys.argv[3])
    workspace.resume("p")
    say("owned")
    threading.Event().wait()


if __name__ == "__main__":
    {"kills": kills, "full": full, "read_only": read_only, "own": own}[sys.argv[1]](int(sys.argv[2]))
