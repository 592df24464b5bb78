from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.batch import Batch, Refusal
from smlnb.project import Project
from smlnb.shards.shard import BLOCK, Shard
from smlnb.stats.base import digest_of

ROWS = 2 * BLOCK + 1_234
RNG = np.random.default_rng(11)
HOLES = RNG.random(ROWS) < 0.03  # offsets without a record, as compaction leaves
DATA = {
    "x": RNG.normal(1e6, 1, ROWS),
    "y": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.gamma(2, size=ROWS)),
    "b": (RNG.random(ROWS) < 0.3).astype(float),
    "kind": RNG.choice(["a", "b", "c"], ROWS),
    "tags": [[str(i % 3)] * (i % 4) for i in range(ROWS)],
}
TIMES = 1_700_000_000_000 + np.cumsum(RNG.integers(0, 40, ROWS))
OPTIONS: dict[str, Any] = {"types": "C,C,B,T,L", "quantiles": False, "history": True, "decay": "1min", "window": "1min"}


def project(**options: Any) -> Project:
    return Project("p", **{**OPTIONS, **options})


def batch(start: int, stop: int, refused: tuple[int, ...] = ()) -> Batch:
    left = np.isin(np.arange(start, stop), refused)
    rows = np.arange(start, stop)[~HOLES[start:stop] & ~left]
    data = {name: (v[rows] if isinstance(v, np.ndarray) else [v[i] for i in rows]) for name, v in DATA.items()}
    poison = tuple(Refusal("t", 0, o, "decode", "broken") for o in refused if start <= o < stop)
    return Batch(pa.RecordBatch.from_pydict(data), "t", 0, start, stop, rows, poison, times=TIMES[rows])


def learn(p: Project, cuts: list[int], refused: tuple[int, ...] = ()) -> None:
    for start, stop in pairwise(cuts):
        p.learn(batch(start, stop, refused))


def bits(p: Project) -> str:
    """Return the digest over everything that is the same for the same records, whenever and however they came."""
    shards = [[topic, partition, s] for topic, partition, s in p.state()["shards"]]
    for _, _, shard in shards:
        shard.pop("tail")
    return digest_of(shards)


WHOLE = project()
learn(WHOLE, [0, ROWS])


@given(st.lists(st.integers(1, ROWS - 1), max_size=12, unique=True))
@settings(deadline=None, max_examples=8)
def test_cutting_a_partition_into_batches_anywhere_changes_no_bit(cuts: list[int]) -> None:
    cut = project()
    learn(cut, [0, *sorted(cuts), ROWS])
    assert bits(cut) == bits(WHOLE)
    assert cut.n == WHOLE.n == int((~HOLES).sum())
    pd.testing.assert_frame_equal(cut.univariate(), WHOLE.univariate(), check_exact=False, rtol=1e-12)


@given(st.lists(st.integers(1, ROWS - 1), min_size=1, max_size=4, unique=True))
@settings(deadline=None, max_examples=8)
def test_what_is_rebuilt_after_any_crash_is_the_same_to_the_bit(crashes: list[int]) -> None:
    running = project()
    for crash in sorted(crashes):
        running.learn(batch(running.positions.get(("t", 0), 0), crash))
        running = Project.from_state(running.state())
        assert running.positions == {("t", 0): crash}
        running.rewind({("t", 0): 0})
        assert running.positions["t", 0] == crash // BLOCK * BLOCK
        assert running.n == int((~HOLES[: running.positions["t", 0]]).sum())
        running.learn(batch(running.positions["t", 0], crash))
    running.learn(batch(crash, ROWS))
    assert bits(running) == bits(WHOLE)
    assert running.counts == WHOLE.counts


def test_what_the_topic_no_longer_has_is_kept_and_nothing_is_lost() -> None:
    running = project()
    learn(running, [0, BLOCK + 700])
    running = Project.from_state(running.state())
    running.rewind({("t", 0): BLOCK + 1})
    assert running.positions == {("t", 0): BLOCK + 700}
    learn(running, [BLOCK + 700, ROWS])
    assert running.n == WHOLE.n
    pd.testing.assert_frame_equal(
        running.univariate()[["count", "missing", "min", "max"]],
        WHOLE.univariate()[["count", "missing", "min", "max"]],
    )
    np.testing.assert_allclose(running.univariate()["variance"], WHOLE.univariate()["variance"], rtol=1e-9)


def test_a_tail_in_memory_is_never_given_up() -> None:
    running = project()
    learn(running, [0, 700])
    running.rewind({("t", 0): 0})
    assert running.positions == {("t", 0): 700}


def test_refused_and_filtered_records_of_a_block_are_counted_once_whatever_happens() -> None:
    poison = (3, BLOCK - 1, BLOCK + 5, BLOCK + 900)
    left, right = project(row_filter="y < 3"), project(row_filter="y < 3")
    learn(left, [0, 2 * BLOCK], poison)
    learn(right, [0, BLOCK + 800], poison)
    right = Project.from_state(right.state())
    assert right.counts.refused == 3
    right.rewind({("t", 0): 0})
    assert right.counts.refused == 2
    learn(right, [BLOCK, 2 * BLOCK], poison)
    assert left.counts == right.counts
    assert left.counts.refused == 4
    assert left.counts.filtered > 1_000


def test_the_unfinished_block_is_read_with_all_others() -> None:
    running = project()
    learn(running, [0, BLOCK, BLOCK + 10])
    table = running.univariate()
    rows = np.flatnonzero(~HOLES[: BLOCK + 10])
    assert table.loc["x", "count"] == len(rows)
    assert table.loc["x", "max"] == DATA["x"][rows].max()
    assert table.loc["x", "last"] == DATA["x"][rows[-1]]
    assert running.between().n == len(rows)
    learn(running, [BLOCK + 10, BLOCK + 20])
    assert running.univariate().loc["x", "count"] == int((~HOLES[: BLOCK + 20]).sum())


def test_attributes_that_appear_within_a_block_are_missing_in_its_first_rows() -> None:
    running = Project("p")
    running.learn(Batch(pa.record_batch({"x": [1.0, 2.0]}), "t", 0, 0, 2, np.arange(2)))
    late = pa.record_batch({"x": [3.0], "z": [9.0], "kind": ["q"]})
    running.learn(Batch(late, "t", 0, 2, 3, np.array([2])))
    fill = pa.record_batch({"x": np.ones(BLOCK - 3)})
    running.learn(Batch(fill, "t", 0, 3, BLOCK, np.arange(3, BLOCK)))
    table = running.univariate()
    assert table["missing"].to_dict() == {"x": 0, "z": BLOCK - 1}
    assert running.state()["shards"][0][2]["sealed_at"] == BLOCK


def test_columns_of_another_type_in_one_block_are_one_column() -> None:
    running = Project("p", types={"b": "B", "c": "T", "l": "L", "s": "S"})
    parts = [
        {"b": [True, False], "c": ["1", "2"], "l": [["1"], None], "s": ["x", None]},
        {"b": [1, 0], "c": [1, 2], "l": [[1, 2], []], "s": [7, 8]},
        {"b": [1.0, None], "c": [None, None], "l": [None, None], "s": [None, None]},
    ]
    for i, part in enumerate(parts):
        running.learn(Batch(pa.RecordBatch.from_pydict(part), "t", 0, 2 * i, 2 * i + 2, np.arange(2 * i, 2 * i + 2)))
    running.learn(Batch(pa.record_batch({"b": [1]}), "t", 0, 6, BLOCK, np.array([6])))
    assert running.categories("c").set_index("value")["count"].to_dict() == {"1": 2, "2": 2}
    assert running.univariate().loc["b", "count"] == 6
    assert running.summary().profile.lists.items[0].above() == {"1": (2, 2), "2": (1, 1)}  # type: ignore[union-attr]


@pytest.mark.parametrize(("width", "block"), [(10, BLOCK), (1_000, 500), (10_000, 100)])
def test_the_block_is_smaller_where_rows_are_wide(width: int, block: int) -> None:
    wide = Project("w", types=["C"] * width, columns=[f"x{i}" for i in range(width)])
    assert Shard(wide.schema, wide.options).block == block


def test_what_retention_deleted_is_counted_as_lost_over_crashes_and_is_no_gap() -> None:
    running = project()
    running.learn(batch(0, 100))
    first, after = 100, BLOCK + 50
    rest = batch(after, after + 100)
    running.learn(
        Batch(rest.data, "t", 0, first, rest.stop, rest.offsets, times=rest.times, lost=((first, after),)),
    )
    assert running.counts.lost == after - first
    assert running.positions == {("t", 0): rest.stop}
    lines = running.log().set_index("action")["rows"]
    assert lines["lost"] == after - first
    again = Project.from_state(running.state())
    again.rewind({("t", 0): after})  # the block's beginning is gone: what is known of it is kept
    assert again.counts == running.counts
    assert again.positions == running.positions
    other = project()
    other.learn(Batch(rest.data, "t", 1, after, rest.stop, rest.offsets, times=rest.times))
    assert (again + other).counts.lost == after - first
