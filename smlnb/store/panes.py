"""The panes of histories, apart from the rest of a project's state: most of them are as they were at the last save."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from smlnb.errors import StateError
from smlnb.stats.base import State

__all__ = ["put_together", "taken_apart"]


def taken_apart(state: State) -> tuple[State, dict[str, State | None]]:
    """Return a project's state with the names of its panes in their places, and the panes by name.

    A pane's name is the digest of its own state, so one that has not changed keeps its name. Those that were left out
    of the state are None.
    """
    panes: dict[str, State | None] = {}

    def without(timeline: State | None) -> State | None:
        if timeline is None or timeline["total"]["kind"] != "History":
            return timeline
        total = timeline["total"]
        names = {}
        for start, pane in total["payload"]["panes"].items():
            name = names[start] = pane["sha256"]
            panes[name] = pane if "payload" in pane else panes.get(name)
        return {**timeline, "total": {**total, "payload": {**total["payload"], "panes": names}}}

    def part(shard: State) -> State:
        tail = shard["tail"]
        return {
            **shard,
            "sealed": without(shard["sealed"]),
            "tail": {**tail, "statistics": without(tail["statistics"])},
        }

    shards = [[topic, partition, part(shard)] for topic, partition, shard in state["shards"]]
    return {**state, "direct": part(state["direct"]), "shards": shards}, panes


def put_together(state: State, panes: Mapping[str, State]) -> State:
    """Put panes into the places that have their names; the state is changed.

    Raises
    ------
    StateError
        If one is missing.
    """
    for total in _histories(state):
        named = total["payload"]["panes"]
        missing = [name for name in named.values() if name not in panes]
        if missing:
            raise StateError(f"{len(missing)} panes of its history are missing or damaged")
        total["payload"]["panes"] = {start: panes[name] for start, name in named.items()}
    return state


def _histories(state: State) -> Iterator[dict[str, Any]]:
    for shard in (state["direct"], *(shard for *_, shard in state["shards"])):
        for timeline in (shard["sealed"], shard["tail"]["statistics"]):
            if timeline is not None and timeline["total"]["kind"] == "History":
                yield timeline["total"]
