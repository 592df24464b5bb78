from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from smlnb.errors import StateError
from smlnb.schema import Schema
from smlnb.stats.history import History
from smlnb.stats.table import Table


def states_within(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the ways to all states of accumulators in a state, itself not included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict) and "payload" in inner:
                yield (*way, key)
            yield from states_within(inner, (*way, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from states_within(inner, (*way, at))


def test_a_change_in_a_state_within_a_state_is_refused_whether_or_not_its_own_digest_was_made_anew() -> None:
    schema = Schema.of(["x", "c"], "C,T")
    history = History(lambda: Table(schema), [(60_000, 3)])
    for minute in range(3):
        rows = pa.record_batch({"x": np.arange(5.0), "c": ["a"] * 5})
        history.update(rows, np.full(5, minute * 60_000))
    state = history.state()
    ways = list(states_within(state))
    assert len(ways) > 20
    for way in ways:
        for anew in (False, True):
            changed = copy.deepcopy(state)
            inner = changed
            for key in way:
                inner = inner[key]
            if anew:
                inner["sha256"] = "0" * 64
            else:
                inner["payload"] = {**inner["payload"], "n": -1}
            with pytest.raises(StateError, match="SHA-256"):
                History.from_state(changed, lambda: Table(schema))
