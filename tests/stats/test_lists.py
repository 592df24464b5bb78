from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from smlnb.stats.checks import check_accumulator
from smlnb.stats.lists import ListItems
from tests.stats.laws import law_settings

columns = st.lists(st.none() | st.lists(st.sampled_from(["a", "b", "", None]), max_size=4), max_size=8)
list_blocks = st.lists(columns.map(lambda v: [pa.array(v, pa.list_(pa.string()))]), min_size=1, max_size=4)


@law_settings
@given(list_blocks)
def test_every_law_holds_for_any_lists(given_blocks: Any) -> None:
    check_accumulator(lambda: ListItems(1), given_blocks)


def test_lengths_and_items_are_counted_over_all_lists() -> None:
    lists = ListItems(1)
    lists.update([pa.array([["a", "b"], [], ["a", "a", "c"]])])
    lists.update([pa.array([None, ["b"]], pa.large_list(pa.string()))])
    lists.update([pa.array([["a"]], pa.list_(pa.string(), 1))])
    summary = lists.result()
    assert lists.n == 6
    assert summary.lengths.mean.tolist() == [1.4]
    assert (summary.lengths.zeros[0], summary.lengths.missing[0], summary.lengths.maximum[0]) == (1, 1, 3)
    assert summary.items[0].above() == {"a": (4, 4), "b": (2, 2), "c": (1, 1)}
    assert round(summary.distinct[0].estimate) == 3


def test_what_is_no_list_is_a_list_of_one() -> None:
    lists = ListItems(1)
    lists.update([pa.array(["a", None, "b"])])
    assert lists.result().lengths.count.tolist() == [2]
    assert lists.result().lengths.mean.tolist() == [1.0]


def test_attributes_added_later_were_missing_before_without_items() -> None:
    lists = ListItems(1)
    lists.update([pa.array([["a"], ["b"]])])
    lists.widen(2)
    lists.update([pa.array([["a"]]), pa.array([[1, 2]])])
    summary = lists.result()
    assert summary.lengths.missing.tolist() == [0, 2]
    assert [r.missing for r in summary.items] == [0, 0]
    assert summary.items[1].above() == {"1": (1, 1), "2": (1, 1)}
