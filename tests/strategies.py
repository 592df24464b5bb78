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
        lambda rows: st.lists(
            st.lists(texts, min_size=rows, max_size=rows).map(lambda v: pa.array(v, pa.string())),
            min_size=width,
            max_size=width,
        ),
    )
    return st.lists(block, min_size=1, max_size=5)
