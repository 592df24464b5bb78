"""Hypothesis strategies shared by the tests."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# Within the range in which fourth powers and their sums are finite.
numbers = st.one_of(
    st.floats(-1e6, 1e6, allow_nan=False, width=64),
    st.integers(-50, 50).map(float),
    st.sampled_from([0.0, -0.0, 1e-9, -1e-9, 5e-324, 1e9, 1e9 + 1, -1e9]),
)
cells = st.one_of(numbers, st.sampled_from([np.nan, np.inf, -np.inf]))


def blocks(
    width: int, *, elements: st.SearchStrategy[float] = cells, max_rows: int = 12
) -> st.SearchStrategy[list[np.ndarray]]:
    """Lists of at least one float64 block of shape (width, rows)."""
    block = st.integers(0, max_rows).flatmap(lambda rows: hnp.arrays(np.float64, (width, rows), elements=elements))
    return st.lists(block, min_size=1, max_size=5)


texts = st.one_of(st.none(), st.sampled_from(["a", "b", "Ä", ""]), st.text(max_size=3))


def text_blocks(width: int) -> st.SearchStrategy[list[list[pa.Array]]]:
    """Lists of at least one block of text columns."""
    block = st.integers(0, 10).flatmap(
        lambda rows: st.lists(text_column(rows), min_size=width, max_size=width),
    )
    return st.lists(block, min_size=1, max_size=5)


def mixed_blocks(numeric: int, texts_: int) -> st.SearchStrategy[list[tuple[np.ndarray, list[pa.Array]]]]:
    """Lists of at least one block of numbers, shape (numeric, rows), and text columns."""
    block = st.integers(0, 8).flatmap(
        lambda rows: st.tuples(
            hnp.arrays(np.float64, (numeric, rows), elements=cells),
            st.lists(text_column(rows), min_size=texts_, max_size=texts_),
        )
    )
    return st.lists(block, min_size=1, max_size=4)


def text_column(rows: int) -> st.SearchStrategy[pa.Array]:
    """Text of some length."""
    return st.lists(texts, min_size=rows, max_size=rows).map(lambda v: pa.array(v, pa.string()))


def record_blocks(floats: st.SearchStrategy[float] = cells) -> st.SearchStrategy[list[pa.RecordBatch]]:
    """Lists of at least one record batch with the columns x (C), flag (B), kind (T), note (S), tags (L) and id (X)."""
    row = st.fixed_dictionaries(
        {
            "x": st.none() | floats,
            "flag": st.none() | st.booleans(),
            "kind": texts,
            "note": texts,
            "tags": st.none() | st.lists(texts, max_size=3),
            "id": st.integers(0, 3),
        }
    )
    types = pa.schema(
        {
            "x": pa.float64(),
            "flag": pa.bool_(),
            "kind": pa.string(),
            "note": pa.string(),
            "tags": pa.list_(pa.string()),
            "id": pa.int64(),
        }
    )
    rows = st.lists(row, max_size=8).map(lambda r: pa.RecordBatch.from_pylist(r, schema=types))
    return st.lists(rows, min_size=1, max_size=4)
