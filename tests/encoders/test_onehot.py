from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.encoders.onehot import OneHotEncoder
from smlnb.errors import SchemaError
from smlnb.schema import Kind, Schema
from smlnb.stats.checks import check_accumulator
from tests.stats.laws import law_settings
from tests.strategies import record_blocks, texts


@law_settings
@given(record_blocks())
def test_every_law_holds_for_any_records(blocks: Any) -> None:
    check_accumulator(lambda: OneHotEncoder("kind", ["a", "b"]), blocks)


@law_settings
@given(st.lists(st.none() | st.lists(texts, max_size=4), max_size=8))
def test_a_list_has_those_values_that_are_in_it(lists: list[Any]) -> None:
    values = ["a", "", "Ä"]
    got = OneHotEncoder("tags", values).transform(pa.record_batch({"tags": pa.array(lists, pa.list_(pa.string()))}))
    expected = [[np.nan if tags is None else float(v in tags) for tags in lists] for v in values]
    np.testing.assert_array_equal(got, expected)


def test_unknown_values_are_zeros_and_missing_ones_missing() -> None:
    encoder = OneHotEncoder("city", ["rome", "oslo"])
    np.testing.assert_array_equal(encoder.transform({"city": ["oslo", "bonn", None]}), [[0, 0, np.nan], [1, 0, np.nan]])
    assert np.isnan(encoder.transform({"x": [1]})).all()
    assert [(a.name, a.kind) for a in encoder.attributes] == [("city=rome", Kind.BINARY), ("city=oslo", Kind.BINARY)]


def test_numbers_are_values_however_they_are_written() -> None:
    encoder = OneHotEncoder("code", [7, 2.5, True])
    assert encoder.values == ("7", "2.5", "1")
    assert encoder.transform({"code": [7.0, 2.5, 1.0, 0.0]}).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "1 to 4,096 values, not 0"),
        (range(5000), "not 5,000"),
        (["a", "b", "a"], "'a' of 'city' is given twice"),
        (["a", None], "missing values stay missing"),
        ("rome", "list of the values"),
        (7, "list of the values"),
    ],
)
def test_values_that_make_no_sense_are_refused(values: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        OneHotEncoder("city", values)


def test_names_never_clash_with_those_of_a_category() -> None:
    encoder = OneHotEncoder("city", ["a$b"])
    encoder.check(Schema.of(["city"], "S"))
    with pytest.raises(SchemaError, match=r"'city=a\$b', which are taken"):
        encoder.check(Schema.of(["city", "city=a"], "S,T"))


def test_the_table_tells_the_output_of_each_value_escaped_in_a_notebook() -> None:
    encoder = OneHotEncoder("city", ["<b>"])
    assert encoder.table().to_dict("records") == [{"output": "city=<b>", "value": "<b>"}]
    assert "<b>" not in encoder._repr_html_()
