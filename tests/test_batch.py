from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from smlnb.batch import Batch, as_record_batch
from smlnb.errors import SchemaError

COLUMNS = {"x": [1.0, 2.5], "y": ["a", None]}


@pytest.mark.parametrize(
    "data",
    [
        pa.record_batch(COLUMNS),
        pa.table(COLUMNS),
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS, index=[7, 9]),
        pl.DataFrame(COLUMNS),
        COLUMNS,
        [{"x": 1.0, "y": "a"}, {"x": 2.5}],
    ],
    ids=["batch", "table", "pandas", "pandas with index", "polars", "dict", "dicts"],
)
def test_anything_tabular_becomes_the_same_batch(data: Any) -> None:
    batch = as_record_batch(data)
    assert batch.schema.names == ["x", "y"]
    assert batch.column("x").to_pylist() == [1.0, 2.5]
    assert batch.column("y").to_pylist() == ["a", None]


@pytest.mark.parametrize("frame", [pd.DataFrame({"x": []}), pa.table({"x": pa.array([], pa.float64())}), []])
def test_nothing_is_tabular_too(frame: Any) -> None:
    assert as_record_batch(frame).num_rows == 0


@pytest.mark.parametrize(
    ("data", "names", "message"),
    [
        (np.eye(2), None, "needs their names"),
        (np.eye(2), ["a"], "1 names were given for 2 columns"),
        (np.arange(3), ["a"], r"shape \(3,\)"),
        ({"a": [1, 2], "b": [1]}, None, "equal length"),
        ([{"a": 1}, {"a": "x"}], None, "one type"),
        ("text", None, "str is not tabular"),
        (7, None, "int is not tabular"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), None, "twice|equal length|Duplicate"),
    ],
)
def test_what_makes_no_table_is_refused_in_words(data: Any, names: list[str] | None, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        as_record_batch(data, names)


def test_a_batch_checks_what_it_carries() -> None:
    with pytest.raises(ValueError, match="2 rows but 1 offsets"):
        Batch(pa.record_batch(COLUMNS), "t", 0, 0, 2, np.array([0]))
    with pytest.raises(ValueError, match="no interval"):
        Batch(pa.record_batch(COLUMNS), "t", 0, 5, 2, np.array([3, 4]))
    with pytest.raises(ValueError, match="what is lost"):
        Batch(pa.record_batch(COLUMNS), "t", 0, 5, 9, np.array([7, 8]), lost=((4, 6),))
