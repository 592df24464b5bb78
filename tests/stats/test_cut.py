from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from smlnb.stats.cut import pieces, row_count, select

BLOCKS = {
    "array": np.arange(6.0).reshape(2, 3),
    "batch": pa.record_batch({"x": [1, 2, 3], "c": ["a", "b", "c"]}),
    "table": pa.table({"x": pa.chunked_array([[1], [2, 3]])}),
    "columns": [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])],
    "pair": (np.arange(3.0)[None, :], pa.record_batch({"c": ["a", "b", "c"]})),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_rows_are_selected_by_slice_mask_and_number_alike(block: object) -> None:
    assert row_count(block) == 3
    for rows in (slice(1, 3), np.array([False, True, True]), np.array([1, 2])):
        part = select(block, rows)
        assert type(part) is type(block)
        assert row_count(part) == 2


def test_pieces_are_all_rows_by_rising_key_in_their_order() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(-3, 4, 100)
    numbers = np.arange(100.0)[None, :]
    found = list(pieces((numbers, pa.array(np.arange(100))), keys))
    assert [key for key, _ in found] == sorted(set(keys.tolist()))
    for key, (floats, column) in found:
        expected = np.flatnonzero(keys == key)
        assert floats[0].tolist() == expected.tolist()
        assert column.to_pylist() == expected.tolist()


def test_a_block_of_one_key_is_not_copied() -> None:
    block = np.zeros((2, 3))
    ((key, part),) = pieces(block, np.array([4, 4, 4]))
    assert (key, part is block) == (4, True)


def test_no_rows_are_no_pieces() -> None:
    assert list(pieces(np.zeros((2, 0)), np.array([], np.int64))) == []
    assert row_count([]) == 0
