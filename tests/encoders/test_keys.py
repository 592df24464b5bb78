from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.encoders.keys import Keys, as_key
from smlnb.errors import SchemaError
from tests.stats.laws import law_settings
from tests.strategies import texts

cells = st.none() | st.lists(texts, max_size=4)
LIST = pa.list_(pa.string())


def occurrences(keys: Keys) -> list[tuple[int, str]]:
    return [(int(r), keys.values[c]) for r, c in zip(keys.rows, keys.codes, strict=True)]


@law_settings
@given(st.lists(cells, max_size=10), st.integers(0, 3), st.booleans())
def test_lists_are_read_item_by_item_however_they_are_cut(values: list[Any], start: int, large: bool) -> None:
    kind = pa.large_list(pa.string()) if large else LIST
    keys = Keys.of(pa.array(values, kind)[start:])
    kept = values[start:]
    assert keys.present.tolist() == [v is not None for v in kept]
    assert occurrences(keys) == [(i, t) for i, v in enumerate(kept) for t in v or [] if t is not None]


@law_settings
@given(st.lists(texts, max_size=10), st.integers(0, 3), st.booleans())
def test_texts_are_read_as_one_occurrence_each(values: list[Any], start: int, encoded: bool) -> None:
    column = pa.array(values, pa.string())
    keys = Keys.of((column.dictionary_encode() if encoded else column)[start:])
    assert occurrences(keys) == [(i, v) for i, v in enumerate(values[start:]) if v is not None]
    assert keys.present.tolist() == [v is not None for v in values[start:]]


def test_missing_lists_of_a_fixed_size_have_no_items() -> None:
    column = pa.array([["x", "y"], None, ["a", None], ["b", "a"]], pa.list_(pa.string(), 2))[1:]
    keys = Keys.of(column)
    assert occurrences(keys) == [(1, "a"), (2, "b"), (2, "a")]
    assert keys.present.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.0, np.nan, None, 2.5]), [(0, "1"), (3, "2.5")]),
        (pa.array([1, 2**63 - 1]), [(0, "1"), (1, "9223372036854775807")]),
        (pa.array([True, False, None]), [(0, "1"), (1, "0")]),
        (pa.array([[1.0, np.nan, 2.0]]), [(0, "1"), (0, "2")]),
        (pa.chunked_array([["a"], [None, "b"]]), [(0, "a"), (2, "b")]),
        (pa.nulls(2), []),
        (pa.array([], LIST), []),
    ],
)
def test_numbers_are_the_texts_that_they_are_written_as(column: pa.Array, expected: list[tuple[int, str]]) -> None:
    assert occurrences(Keys.of(column)) == expected


def test_long_values_are_told_apart_without_being_kept_whole() -> None:
    keys = Keys.of(pa.array(["x" * 100_000 + "a", "x" * 100_000 + "b"]))
    assert len(set(keys.values)) == 2
    assert max(map(len, keys.values)) <= 257
    assert as_key("x" * 100_000 + "a") == keys.values[0]


@pytest.mark.parametrize("value", [None, float("nan"), "\ud800", object(), 2**70])
def test_what_no_column_can_hold_is_no_value(value: object) -> None:
    with pytest.raises(SchemaError, match="value"):
        as_key(value)
