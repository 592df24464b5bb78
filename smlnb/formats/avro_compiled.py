"""Avro records read by the compiled code of this package (:mod:`smlnb.native.avro`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.formats.avro_plan import FlatField
from smlnb.formats.payloads import Payloads

__all__ = ["CompiledReader"]

_LETTERS: Mapping[str, str] = {
    "boolean": "b",
    "long": "l",
    "time": "l",
    "float": "f",
    "double": "d",
    "string": "s",
    "bytes": "s",
    "uuid": "u",
    "fixed": "x",
    "enum": "e",
    "record": "r",
}
_EXACT = 2**53  # up to here a float holds all whole numbers
_EXACT_SCALE = 22  # and all powers of ten up to this


class CompiledReader:
    """Reads records of any fields that there is a FlatField for; a :class:`~smlnb.formats.avro_flat.FlatReader`.

    Parameters
    ----------
    fields : sequence of FlatField

    Raises
    ------
    ImportError
        If smlnb was installed without a compiler.
    """

    def __init__(self, fields: Sequence[FlatField]) -> None:
        from smlnb.native.avro import decode

        self._decode = decode
        self._kinds = "".join(_LETTERS[f.kind] for f in fields).encode()
        self._nulls = bytes((3 if f.within else 2) if f.null is None else f.null for f in fields)
        self._sizes = np.array([f.size for f in fields], np.int64)
        self._made = [f for f in fields if f.kind != "record"]

    def packed(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return the values in one piece of memory."""
        return Payloads.of(values)  # type: ignore[return-value] # none of them is None

    def read(self, values: Sequence[bytes | None], frame: bytes = b"") -> list[pa.Array] | None:
        """Return the columns of records that follow a frame; see :class:`~smlnb.formats.avro_flat.FlatReader`."""
        packed = Payloads.of(values)
        if not packed.complete:
            return None
        found = self._decode(packed.data, packed.bounds, frame, self._kinds, self._nulls, self._sizes)
        if found is None:
            return None
        columns = [_array(field, *column) for field, column in zip(self._made, found, strict=True)]
        return None if any(column is None for column in columns) else columns


def _array(field: FlatField, values: Any, valid: NDArray[np.bool_] | None) -> pa.Array | None:
    """Return an array of Arrow that shares its memory with those of NumPy, but for bits; None if it can't be made."""
    bits = None if valid is None else _bits(valid)
    if isinstance(values, tuple):
        bounds, data = values
        return _array_of_bytes(field, bounds, data, bits)
    if field.kind == "boolean":
        return pa.Array.from_buffers(pa.bool_(), len(values), [bits, _bits(values)])
    if field.limits is not None and len(values):
        lowest, highest = field.limits
        if values.min() < lowest or values.max() > highest:
            return None
    numbers = _numbers(values, bits)
    return pa.array(field.symbols, pa.string()).take(numbers) if field.kind == "enum" else numbers


def _array_of_bytes(
    field: FlatField, bounds: NDArray[np.int32], data: NDArray[np.uint8], bits: pa.Buffer | None
) -> pa.Array | None:
    if field.decimal is not None:
        floats = _decimals(bounds, data, *field.decimal)
        return None if floats is None else _numbers(floats, bits)
    if field.convert is not None:
        text = data.tobytes()
        items = [field.convert(text[a:b]) if a < b else None for a, b in pairwise(bounds.tolist())]
        return pa.array(items, pa.string())
    kind = pa.binary() if field.kind in {"bytes", "fixed"} else pa.string()
    array = pa.Array.from_buffers(kind, len(bounds) - 1, [bits, pa.py_buffer(bounds), pa.py_buffer(data)])
    if field.kind == "string":
        array.validate(full=True)  # that it is UTF-8
    return pc.ascii_lower(array) if field.kind == "uuid" else array


def _numbers(values: NDArray[Any], bits: pa.Buffer | None) -> pa.Array:
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [bits, pa.py_buffer(values)])


def _decimals(
    bounds: NDArray[np.int32], data: NDArray[np.uint8], precision: int, scale: int
) -> NDArray[np.float64] | None:
    """Return the floats nearest to decimal numbers; None if any has more digits than there may be.

    Examples
    --------
    >>> _decimals(np.array([0, 1, 3], np.int32), np.array([200, 1, 0], np.uint8), precision=3, scale=1).tolist()
    [-5.6, 25.6]
    """
    from smlnb.native.avro import integers

    whole = integers(bounds, data)
    if whole is not None and scale <= _EXACT_SCALE:  # the quotient of two exact floats is the nearest
        most = max(-int(whole.min(initial=0)), int(whole.max(initial=0)))
        if most <= _EXACT and most < 10**precision:
            return whole / float(10**scale)
    text = data.tobytes()
    numbers = [int.from_bytes(text[a:b], signed=True) for a, b in pairwise(bounds.tolist())]
    if any(abs(n) >= 10**precision for n in numbers):
        return None
    return np.array([n / 10**scale for n in numbers], np.float64)  # the nearest, too


def _bits(flags: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))
