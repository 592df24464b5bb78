"""Rows of data in the columns that the co-moments have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.batch import as_record_batch
from smlnb.errors import SchemaError, UnknownAttributeError
from smlnb.exploration.names import OTHER
from smlnb.schema import Schema
from smlnb.stats.block import float_block
from smlnb.stats.categories import as_text

__all__ = ["rows_of"]


def rows_of(data: Any, names: Sequence[str], schema: Schema) -> NDArray[np.float64]:
    """Return numeric attributes, and values of categories as 0 and 1, as a block of shape (names, rows).

    Raises
    ------
    UnknownAttributeError
        If ``data`` lacks a column.
    SchemaError
        If a column holds something else than numbers.
    """
    records = as_record_batch(data, list(names))
    block = np.empty((len(names), records.num_rows))
    for i, name in enumerate(names):
        source, value = (name, None) if name in schema.numeric else _category(name, schema)
        if source not in records.schema.names:
            raise UnknownAttributeError.of(source, records.schema.names)
        if value is None:
            values, bad = float_block(records, [source])
            if bad:
                raise SchemaError(f"Row {bad[source][0]} of {source!r} is no number.")
            block[i] = np.where(np.isfinite(values[0]), values[0], np.nan)
        else:
            text = as_text(records.column(source))
            block[i] = pc.equal(text, value).cast("double").to_numpy(zero_copy_only=False)
    return block


def _category(name: str, schema: Schema) -> tuple[str, str]:
    owners = [c for c in schema.categories if name.startswith(f"{c}$")]
    if not owners:
        raise UnknownAttributeError.of(name, schema.names)
    owner = max(owners, key=len)
    value = name[len(owner) + 1 :]
    if value == OTHER:
        raise SchemaError(f"{name!r} stands for all values without a column of their own: rows can't be read in it.")
    return owner, value
