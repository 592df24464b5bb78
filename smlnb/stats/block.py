"""From Arrow columns to the blocks that accumulators and models read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["float_block"]

Block = NDArray[np.float64]


def float_block(
    data: pa.RecordBatch, names: Sequence[str], binary: Sequence[str] = ()
) -> tuple[Block, dict[str, NDArray[np.intp]]]:
    """Return columns as one float64 block, and where they hold something that is no number.

    Parameters
    ----------
    data : pyarrow.RecordBatch
    names : sequence of str
        The columns wanted, in order; one that is not in ``data`` is all missing.
    binary : sequence of str
        Those of them in which only 0 and 1 are numbers.

    Returns
    -------
    block : array, shape (names, rows)
        Missing values are NaN.
    bad : dict of name to row indices
        Rows whose value is neither missing nor a number; it is NaN in the block.

    Examples
    --------
    >>> block, bad = float_block(pa.record_batch({"x": ["1.5", "up"], "y": [True, None]}), ["x", "y", "z"])
    >>> block.tolist()
    [[1.5, nan], [1.0, nan], [nan, nan]]
    >>> bad
    {'x': array([1])}
    """
    block = np.empty((len(names), data.num_rows))
    bad: dict[str, NDArray[np.intp]] = {}
    where = {name: i for i, name in enumerate(data.schema.names)}
    for row, name in enumerate(names):
        if name not in where:
            block[row] = np.nan
            continue
        column = data.column(where[name])
        try:
            block[row] = _floats(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            block[row], wrong = _floats_one_by_one(column)
            bad[name] = wrong
        if name in binary:
            values = block[row]
            other = np.flatnonzero((values != 0) & (values != 1) & ~np.isnan(values))
            if len(other):
                values[other] = np.nan
                bad[name] = np.union1d(bad[name], other) if name in bad else other
    return block, bad


def _floats(column: pa.Array) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    if pa.types.is_integer(kind) and not column.null_count:
        return np.asarray(column.to_numpy())  # to be converted where it goes, and no sooner: a third of the time
    if not pa.types.is_float64(column.type):
        # beyond 2**53 not every integer is a float64; the nearest one is what a statistic can use
        column = pc.cast(column, pa.float64(), safe=not pa.types.is_integer(column.type))
    if column.null_count:
        column = pc.fill_null(column, np.nan)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _floats_one_by_one(column: pa.Array) -> tuple[Block, NDArray[np.intp]]:
    values, wrong = np.full(len(column), np.nan), []
    for i, value in enumerate(column.to_pylist()):
        if value is None or value == "":
            continue
        try:
            values[i] = float(value)
        except (TypeError, ValueError):
            wrong.append(i)
    return values, np.array(wrong, dtype=np.intp)
