from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.errors import ForgetError, SchemaError, UnknownAttributeError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.categories import smallest_by_hash
from smlnb.stats.checks import check_accumulator
from smlnb.stats.conditional import ConditionalHistograms
from smlnb.stats.table import Table
from tests.stats.laws import law_settings
from tests.strategies import cells, text_column

SCHEMA = Schema.of(["x", "flag", "y", "kind"], "C,B,C,T")
BINARY = st.sampled_from([0.0, 1.0, np.nan])


class ByColumns(ConditionalHistograms):
    """The same, of blocks that are lists of columns: x, flag, y and kind."""

    def update(self, block: list[pa.Array]) -> None:
        floats = np.array([np.asarray(column.to_numpy(zero_copy_only=False), float) for column in block[:3]])
        super().update((floats.reshape(3, -1), [block[3]]))

    def empty(self) -> Self:
        return type(self)(self.schema, cells=self.cells, limit=self.limit, conditions=self.conditions)


@st.composite
def column_blocks(draw: Any) -> list[list[pa.Array]]:
    blocks = []
    for rows in draw(st.lists(st.integers(0, 10), min_size=1, max_size=5)):
        x, y = (draw(st.lists(cells, min_size=rows, max_size=rows)) for _ in range(2))
        flag = draw(st.lists(BINARY, min_size=rows, max_size=rows))
        blocks.append([*(pa.array(v, pa.float64()) for v in (x, flag, y)), draw(text_column(rows))])
    return blocks


@law_settings
@given(column_blocks())
def test_every_law_holds(blocks: list[list[pa.Array]]) -> None:
    check_accumulator(lambda: ByColumns(SCHEMA, cells=4, limit=2), blocks)


def rows(n: int, seed: int = 0, letters: str = "abc") -> tuple[np.ndarray, list[pa.Array]]:
    rng = np.random.default_rng(seed)
    flag = (rng.random(n) < 0.4).astype(float)
    floats = np.array([rng.normal(3, 2, n) + flag, flag, rng.integers(0, 30, n)])
    floats[rng.random(floats.shape) < 0.1] = np.nan
    kind = [None if rng.random() < 0.1 else str(v) for v in rng.choice(list(letters), n)]
    return floats, [pa.array(kind, pa.string())]


def learned(*blocks: Any, **options: Any) -> ConditionalHistograms:
    histograms = ConditionalHistograms(SCHEMA, **options)
    for block in blocks:
        histograms.update(block)
    return histograms


def frame_of(*blocks: Any) -> pd.DataFrame:
    floats = np.concatenate([b[0] for b in blocks], axis=1)
    kind = [v for b in blocks for v in b[1][0].to_pylist()]
    return pd.DataFrame({"x": floats[0], "flag": floats[1], "y": floats[2], "kind": kind})


@pytest.mark.parametrize("attribute", ["x", "y"])
@pytest.mark.parametrize(("given_", "value"), [("flag", "0"), ("flag", "1"), ("kind", "b"), ("kind", None)])
def test_counts_are_those_of_the_rows_that_fulfil_the_condition(attribute: str, given_: str, value: str | None) -> None:
    blocks = [rows(400, seed) for seed in range(5)]
    frame, result = frame_of(*blocks), learned(*blocks).result()
    where = frame[given_].isna() if value is None else frame[given_].map(lambda v: f"{v}"[:1]) == value
    values = frame.loc[where, attribute].dropna().to_numpy()
    found = result.cells(attribute, given_, value)
    low, high, counts = result.joint(attribute, given_)
    assert found.total == len(values)
    for a, b, count in zip(found.low, found.high, found.counts, strict=True):
        assert count == ((values >= a) & (values < b)).sum()
    assert counts.sum() == frame[attribute].notna().sum()
    assert (low < high).all()
    assert (low[1:] >= high[:-1]).all()


def test_few_different_values_are_each_in_a_cell_of_their_own() -> None:
    block = rows(3000)
    found = learned(block).result().cells("y", "flag", "1")
    frame = frame_of(block)
    expected = frame.loc[frame["flag"] == 1, "y"].dropna().value_counts().sort_index()
    assert dict(zip(found.low.tolist(), found.counts.tolist(), strict=True)) == expected.to_dict()


def test_the_values_kept_depend_on_no_order_and_the_others_share() -> None:
    blocks = [rows(300, i, letters) for i, letters in enumerate(["ab", "cdef", "ghij", "bdxyz"])]
    whole = learned(*blocks, limit=4)
    kept = tuple(sorted(smallest_by_hash(set("abcdefghijxyz"), 4)))
    assert whole.result().values["kind"] == (*kept, "(other)")
    for order in (blocks, blocks[::-1], [blocks[i] for i in (2, 0, 3, 1)]):
        total = whole.empty()
        for block in order:
            total.merge(learned(block, limit=4))
        assert total.state()["sha256"] == whole.state()["sha256"]
    frame = frame_of(*blocks).dropna(subset=["kind", "x"])
    assert whole.result().cells("x", "kind", "(other)").total == (~frame["kind"].isin(kept)).sum()


@pytest.mark.parametrize("shape", ["normal", "cauchy", "far"])
def test_merging_many_parts_in_any_order_gives_the_cells_of_one_pass(shape: str) -> None:
    rng = np.random.default_rng(5)
    x = {
        "normal": rng.normal,
        "cauchy": rng.standard_cauchy,
        "far": lambda size: 1e9 + rng.normal(size=size),
    }
    block = rows(20_000)
    block[0][0] = x[shape](size=20_000)
    parts = [
        (part, [column])
        for part, column in zip(
            np.array_split(block[0], 40, axis=1), (block[1][0][k * 500 : k * 500 + 500] for k in range(40)), strict=True
        )
    ]
    whole, total = learned(block, cells=64), ConditionalHistograms(SCHEMA, cells=64)
    for i in rng.permutation(40):
        total.merge(learned(parts[i], cells=64))
    assert total.state()["sha256"] == whole.state()["sha256"]
    assert max(len(keys) for keys in whole._grid.keys) <= 64


def test_what_is_forgotten_leaves_the_counts_of_what_stays() -> None:
    stays, goes = rows(2000, 1), rows(500, 2, "abq")
    histograms = learned(stays, goes)
    histograms.forget(goes)
    expected, result = learned(stays).result(), histograms.result()
    assert histograms.n == 2000
    for value in ("a", "b", "c"):
        assert result.cells("y", "kind", value).counts.tolist() == expected.cells("y", "kind", value).counts.tolist()
        assert result.cells("x", "kind", value).total == expected.cells("x", "kind", value).total
    assert result.cells("x", "kind", "q").total == 0
    # what is left goes on as before
    histograms.update(goes)
    assert (
        histograms.result().cells("x", "kind", "q").counts.sum() == learned(goes).result().cells("x", "kind", "q").total
    )


@pytest.mark.parametrize(
    "stranger",
    [
        (np.array([[1e6], [1.0], [3.0]]), [pa.array(["a"])]),
        (np.array([[np.nan], [1.0], [3.0]]), [pa.array(["new"])]),
        (np.tile([[np.nan], [1.0], [3.0]], 5000), [pa.array(["a"] * 5000)]),
    ],
    ids=["cell", "value", "too often"],
)
def test_rows_that_were_not_learned_are_refused_and_nothing_is_forgotten(stranger: Any) -> None:
    histograms = learned(rows(1000))
    before = histograms.state()["sha256"]
    with pytest.raises(ForgetError):
        histograms.forget(stranger)
    assert histograms.state()["sha256"] == before


@law_settings
@given(column_blocks())
def test_forgetting_all_leaves_nothing(blocks: list[list[pa.Array]]) -> None:
    histograms = ByColumns(SCHEMA, cells=4, limit=2)
    for block in blocks:
        histograms.update(block)
    for block in blocks:
        histograms.forget(block)
    assert histograms.n == 0
    assert sum(int(counts.sum()) for counts in histograms._counts.values()) == 0
    assert all(len(keys) == 0 for keys in histograms._grid.keys)


def test_attributes_added_later_are_missing_before() -> None:
    schema = Schema.of(["x", "flag"], "C,B")
    histograms = ConditionalHistograms(schema)
    histograms.update((np.array([[1.0, 2.0], [0.0, 1.0]]), []))
    histograms.grow([Attribute("kind", Kind.CATEGORY), Attribute("y", Kind.CONTINUOUS)])
    histograms.update((np.array([[3.0], [1.0], [7.0]]), [pa.array(["a"])]))
    result = histograms.result()
    assert (histograms.n, result.attributes, result.values["kind"]) == (3, ("x", "y"), ("a", "(other)"))
    assert result.cells("x", "flag", "1").low.tolist() == [2.0, 3.0]
    assert result.cells("x", "kind", None).low.tolist() == [1.0, 2.0]
    assert result.cells("y", "flag", "1").low.tolist() == [7.0]
    again = ConditionalHistograms.from_state(histograms.state())
    assert again.state()["sha256"] == histograms.state()["sha256"]


def test_conditions_beyond_the_most_are_named() -> None:
    schema = Schema.of(["x", "a", "b", "c"], "C,B,T,B")
    histograms = ConditionalHistograms(schema, conditions=2)
    histograms.update((np.array([[1.0], [1.0], [0.0]]), [pa.array(["v"])]))
    assert (list(histograms.result().values), histograms.result().more) == (["a", "b"], ("c",))


@pytest.mark.parametrize("types", ["C,C", "B,T", "T,S"])
def test_without_pairs_of_attributes_and_conditions_nothing_is_kept(types: str) -> None:
    schema = Schema.of(["p", "q"], types)
    histograms = ConditionalHistograms(schema)
    columns = [pa.array(["a", "b"])] * len(schema.categories)
    histograms.update((np.ones((len(schema.numeric), 2)), columns))
    assert (histograms.n, histograms.result().values, histograms._payload()["counts"]) == (2, {}, [])


def test_memory_is_that_of_the_formula() -> None:
    histograms = learned(*(rows(3000, i, "abcdefghijklmnopqrstuvwxyz") for i in range(3)), cells=128, limit=5)
    size = sum(counts.nbytes for counts in histograms._counts.values())
    assert size == 8 * 2 * 128 * (3 + 5 + 2)


def test_errors_name_what_there_is() -> None:
    result = learned(rows(100)).result()
    with pytest.raises(UnknownAttributeError, match="Did you mean 'flag'"):
        result.cells("x", "flags", "1")
    with pytest.raises(UnknownAttributeError, match="The attributes are: x, y"):
        result.cells("kind", "flag", "1")
    with pytest.raises(SchemaError, match=r"no value 'z'.*'a', 'b', 'c', '\(other\)'"):
        result.cells("x", "kind", "z")


def test_a_table_keeps_them_with_its_histograms_unless_told_not_to() -> None:
    records = pa.record_batch({"x": [1.0, 2.0, 4.0], "flag": [0, 1, 1], "kind": ["a", None, "b"]})
    schema = Schema.of(["x", "flag", "kind"], "C,B,T")
    table = Table(schema)
    table.update(records)
    twin = Table.from_state(table.state())
    twin.merge(table)
    twin.forget(records)
    twin.grow([Attribute("late", Kind.CONTINUOUS)])
    conditional = twin.result().conditional
    assert conditional is not None
    assert conditional.cells("x", "flag", "1").low.tolist() == [2.0, 4.0]
    assert conditional.cells("late", "flag", "1").total == 0
    for options in ({"histogram": False}, {"conditional": False}):
        without = Table(schema, **options)
        without.update(records)
        without.forget(records)
        assert without.result().conditional is None
        assert Table.from_state(without.state()).conditional is None
