"""A process that learns a topic into a workspace: ``python -m tests.ingest.learner BROKER TOPIC FILE SECONDS [end]``.

It goes on where it was killed; with ``end`` it ends by itself when all is learned, without stopping anything.
"""

from __future__ import annotations

import sys
import threading

import smlnb


def main(broker: str, topic: str, file: str, seconds: str, *end: str) -> None:
    workspace = smlnb.Workspace(file)
    known = topic in set(workspace.projects()["name"])
    project = workspace.resume(topic) if known else smlnb.Project(topic, types="C", quantiles=False, window=1_000)
    feed = smlnb.connect(
        project, topic, bootstrap_servers=broker, workspace=workspace, checkpoint_every=float(seconds), batch_rows=700
    )
    if end:
        feed.wait(timeout=60)
        return
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
