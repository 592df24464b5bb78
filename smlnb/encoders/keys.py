"""The values of a column of texts or lists, each different one once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.errors import SchemaError
from smlnb.stats.values import as_text_column, bounded_text, plain_column

__all__ = ["Keys", "as_key", "is_list", "texts_of"]

Positions = NDArray[np.intp]


def is_list(kind: pa.DataType) -> bool:
    """Say whether a cell of an Arrow type holds items."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def texts_of(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as text, null where it is null or NaN; equal numbers of any type give equal texts."""
    column = plain_column(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return as_text_column(column)


def as_key(value: Any) -> str:
    """Return a value, as a person gives it, as the text that it is in a column.

    Raises
    ------
    SchemaError
        If it is missing or no value that a column can hold.

    Examples
    --------
    >>> as_key("rome"), as_key(7.0), as_key("")
    ('rome', '7', '')
    """
    try:
        text = texts_of(pa.array([value]))[0].as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError) as error:
        raise SchemaError(f"{value!r} can't be the value of an attribute: {error}") from error
    if text is None:
        raise SchemaError(f"A value was wanted, not {value!r}: missing values stay missing.")
    return bounded_text(text)


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Where each different value of a column occurs; a list has as many occurrences as it has items, a text has one.

    Attributes
    ----------
    present : array of bool, shape (rows,)
        Where the cell is not missing; a list without items is not missing.
    rows : array of intp, shape (occurrences,)
    codes : array of intp, shape (occurrences,)
        Places in ``values``.
    values : list of str
        Different values, in the order of their first occurrence; some may occur under two codes, where they are too
        long to be kept whole.
    """

    present: NDArray[np.bool_]
    rows: Positions
    codes: Positions
    values: list[str]

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> Self:
        """Read a column; missing items of a list are left out.

        Examples
        --------
        >>> keys = Keys.of(pa.array([["a", "b"], None, [], ["b", None]]))
        >>> keys.values, keys.rows.tolist(), keys.codes.tolist(), keys.present.tolist()
        (['a', 'b'], [0, 0, 3], [0, 1, 1], [True, False, True, True])
        """
        plain = plain_column(column)
        if is_list(plain.type):
            present = _valid(plain)
            lists = plain.drop_null()
            rows = np.flatnonzero(present)[_array(pc.list_parent_indices(lists))]
            texts = texts_of(pc.list_flatten(lists))
        else:
            texts = texts_of(plain)
            present = _valid(texts)
            rows = np.arange(len(texts))
        encoded = texts.dictionary_encode()
        codes = _array(encoded.indices.fill_null(-1))
        known = codes >= 0
        return cls(present, rows[known], codes[known], [bounded_text(v) for v in encoded.dictionary.to_pylist()])


def _valid(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))


def _array(numbers: pa.Array) -> Positions:
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.intp)
