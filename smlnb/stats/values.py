"""The values of an Arrow column as what sketches take: each different one once, as a number or as text."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["MAX_TEXT", "as_numbers_or_texts", "as_text_column", "bounded_text", "is_number", "plain_column"]

MAX_TEXT = 256  # characters of a value that a sketch keeps; longer ones are told apart by a hash
LARGEST_EXACT = 2**53


def plain_column(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return one array, without chunks, dictionary or run-length encoding."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # what combine_chunks gives for no chunks, and for too large ones
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column


def is_number(kind: pa.DataType) -> bool:
    """Say whether values of an Arrow type are compared as numbers."""
    return bool(
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    )


def as_text_column(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as text, null where it is null; whole numbers without a fraction, whatever their type.

    Examples
    --------
    >>> as_text_column(pa.array([1.0, 2.5, None])).to_pylist(), as_text_column(pa.array([[1], None])).to_pylist()
    (['1', '2.5', None], ['[1]', None])
    """
    plain = plain_column(column)
    if pa.types.is_string(plain.type):
        return plain
    if pa.types.is_boolean(plain.type):
        return plain.cast(pa.uint8()).cast(pa.string())
    if pa.types.is_floating(plain.type):
        wide = plain.cast(pa.float32()) if pa.types.is_float16(plain.type) else plain
        return pc.add(wide, pa.scalar(0.0, wide.type)).cast(pa.string())  # adding zero makes -0.0 positive
    try:
        return plain.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if v is None else _written(v) for v in plain.to_pylist()], pa.string())


def as_numbers_or_texts(column: pa.Array | pa.ChunkedArray) -> tuple[list[float | int] | list[str], int]:
    """Return the different values of a column, and how many of its cells are missing (null or NaN).

    Numbers of any type that are equal give equal floats; integers that no float64 equals stay integers.

    Examples
    --------
    >>> as_numbers_or_texts(pa.array([2, 1, 2, None]))
    ([2.0, 1.0], 1)
    >>> as_numbers_or_texts(pa.array(["b", "a", "b"]))
    (['b', 'a'], 0)
    """
    plain = plain_column(column)
    missing = plain.null_count
    if not is_number(plain.type):
        texts = as_text_column(plain) if not _hashable(plain.type) else as_text_column(pc.unique(plain))
        return pc.unique(texts.drop_null()).to_pylist(), missing
    if pa.types.is_floating(plain.type):
        wide = plain if pa.types.is_float64(plain.type) else plain.cast(pa.float64())
        values = np.asarray(wide.drop_null().to_numpy(zero_copy_only=False))
        with np.errstate(over="ignore", invalid="ignore"):
            clean = np.isfinite(values.sum())  # much faster than to look for NaN
        if not clean:
            present = values[~np.isnan(values)]
            missing += len(values) - len(present)
            wide = pa.array(present)
        return pc.unique(wide.drop_null()).to_pylist(), missing
    different = pc.unique(plain.drop_null())
    if pa.types.is_boolean(different.type):
        different = different.cast(pa.uint8())
    if pa.types.is_decimal(different.type):
        return pc.unique(different.cast(pa.float64())).to_pylist(), missing
    numbers: list[float | int] = [
        float(v) if -LARGEST_EXACT <= v <= LARGEST_EXACT or int(float(v)) == v else v for v in different.to_pylist()
    ]
    return numbers, missing


def bounded_text(text: str) -> str:
    """Return ``text``, or for a long one its beginning and a hash, so that a flood of long values can't fill memory.

    Examples
    --------
    >>> bounded_text("short"), len(bounded_text("long" * 100))
    ('short', 257)
    """
    if len(text) <= MAX_TEXT:
        return text
    tail = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: MAX_TEXT - len(tail)]}…{tail}"


def _hashable(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind)


def _written(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=str)
