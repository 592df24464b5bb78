from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from smlnb.errors import MergeError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.checks import (
    empty_is_neutral_on_both_sides,
    n_is_exact_in_every_order,
    other_configurations_are_refused,
    size_is_bounded,
    state_round_trip_is_bit_exact,
    tampered_state_is_refused,
)
from smlnb.stats.profile import Profile

SCHEMA = Schema.of(["x", "b", "c", "s", "l", "i"], "C,B,T,S,L,X")


def records(rows: int = 60, seed: int = 0) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    return pa.record_batch(
        {
            "x": rng.normal(size=rows),
            "b": pa.array(rng.integers(0, 2, rows) > 0),
            "c": pa.array([f"c{v}" for v in rng.integers(0, 5, rows)]).dictionary_encode(),
            "s": [f"text {v}" for v in range(rows)],
            "l": [[f"item {v}" for v in row] for row in rng.integers(0, 7, (rows, 2))],
            "i": ["ignored"] * rows,
        }
    )


def learned(*batches: pa.RecordBatch, continuous: bool = False) -> Profile:
    profile = Profile(SCHEMA, continuous=continuous)
    for batch in batches:
        profile.update(batch)
    return profile


@pytest.mark.parametrize(
    "law",
    [
        empty_is_neutral_on_both_sides,
        n_is_exact_in_every_order,
        state_round_trip_is_bit_exact,
        tampered_state_is_refused,
        other_configurations_are_refused,
        size_is_bounded,
    ],
    ids=lambda law: law.__name__,
)
def test_the_law_holds_for_record_batches(law: object) -> None:
    law(lambda: Profile(SCHEMA, continuous=True), [records(seed=i) for i in range(3)], lambda a, b: a == b)  # type: ignore[operator]


def test_every_kind_has_what_can_be_said_of_it() -> None:
    summary = learned(records()).result()
    assert list(summary.distinct) == list(summary.frequent) == ["b", "c", "s"]
    assert {name: str(count) for name, count in summary.distinct.items()} == {"b": "2", "c": "5", "s": "60"}
    assert sum(summary.frequent["c"].low) == 60
    assert (summary.text_names, summary.list_names) == (("s",), ("l",))
    assert summary.texts.maximum.tolist() == [7.0]
    assert summary.lists.lengths.mean.tolist() == [2.0]
    assert summary.lists.items[0].total == 120


def test_counts_are_exact_while_all_values_are_kept_and_bounded_beyond() -> None:
    profile = Profile(Schema.of(["s"], "S"))
    for start in range(0, 5000, 100):
        profile.update(pa.record_batch({"s": [f"v{v}" for v in range(start, start + 100)] * 2}))
        found = profile.result().distinct["s"]
        assert found.low <= start + 100 <= found.high
        assert (found.low == found.high) == (start + 100 <= 768)


def test_continuous_attributes_are_counted_where_asked_for() -> None:
    summary = learned(records(), continuous=True).result()
    assert round(summary.distinct["x"].estimate) == 60


def test_two_parts_merge_to_the_whole() -> None:
    whole, parts = learned(records(seed=1), records(seed=2)), [learned(records(seed=i)) for i in (1, 2)]
    parts[0].merge(parts[1])
    ours, theirs = parts[0].result(), whole.result()
    assert (ours.distinct, ours.frequent, ours.lists.items) == (theirs.distinct, theirs.frequent, theirs.lists.items)
    with pytest.raises(MergeError, match="continuous"):
        whole.merge(learned(continuous=True))


def test_attributes_added_later_and_columns_that_vanish_count_as_missing() -> None:
    profile = Profile(Schema.of(["c"], "T"))
    profile.update(pa.record_batch({"c": ["a", "b"]}))
    profile.grow([Attribute("s", Kind.TEXT), Attribute("l", Kind.LIST)])
    profile.update(pa.record_batch({"s": ["abc"], "l": [["x", "y"]]}))
    summary = profile.result()
    assert profile.n == 3
    assert (summary.distinct["c"].missing, summary.distinct["s"].missing) == (1, 2)
    assert (summary.texts.missing[0], summary.texts.count[0]) == (2, 1)
    assert (summary.lists.lengths.missing[0], summary.lists.items[0].above()) == (2, {"x": (1, 1), "y": (1, 1)})
    assert Profile.from_state(profile.state()).result().distinct == summary.distinct


def test_without_such_attributes_there_is_nothing_and_no_cost() -> None:
    profile = Profile(Schema.of(["x"], "C"))
    profile.update(pa.record_batch({"x": [1.0]}))
    assert profile.result().distinct == {}
    assert profile.n == 1
