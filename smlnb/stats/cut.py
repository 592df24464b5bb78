"""Cutting a block of rows into the parts that belong to different panes, without a loop over rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["pieces", "row_count", "select"]

Indices = NDArray[np.int64]


def row_count(block: Any) -> int:
    """Return the rows of a block: an array of shape (..., rows), something of Arrow, or a sequence of these."""
    if isinstance(block, np.ndarray):
        return int(block.shape[-1])
    if isinstance(block, pa.RecordBatch | pa.Table):
        return int(block.num_rows)
    if isinstance(block, list | tuple):
        return row_count(block[0]) if block else 0
    return len(block)


def select(block: Any, rows: slice | NDArray[Any]) -> Any:
    """Return some rows of a block; a slice copies nothing.

    Parameters
    ----------
    block
        As in :func:`row_count`.
    rows : slice or array
        A slice of step 1, row numbers, or a mask.

    Examples
    --------
    >>> select((np.array([[1, 2, 3]]), pa.array(["a", "b", "c"])), slice(1, 3))[1].to_pylist()
    ['b', 'c']
    """
    if isinstance(block, np.ndarray):
        return block[..., rows]
    if isinstance(block, list | tuple):
        return type(block)(select(part, rows) for part in block)
    if isinstance(rows, slice):
        return block.slice(rows.start, rows.stop - rows.start)
    return block.filter(pa.array(rows)) if rows.dtype == np.bool_ else block.take(pa.array(rows))


def pieces(block: Any, keys: Indices) -> Iterator[tuple[int, Any]]:
    """Yield each different key, rising, with the rows of the block that have it, in their order.

    Examples
    --------
    >>> [(key, part.tolist()) for key, part in pieces(np.array([[1.0, 2.0, 3.0]]), np.array([7, 5, 7]))]
    [(5, [[2.0]]), (7, [[1.0, 3.0]])]
    """
    if len(keys) == 0:
        return
    if keys[0] == keys[-1] and (keys == keys[0]).all():
        yield int(keys[0]), block
        return
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        block, keys = select(block, order), keys[order]
    starts = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    for start, stop in pairwise(starts):
        yield int(keys[start]), select(block, slice(start, stop))
