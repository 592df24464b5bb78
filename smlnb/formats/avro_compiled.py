"""Plain fields of Avro records read by the compiled code of this package (:mod:`smlnb.native.avro`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.formats.avro_types import FlatField
from smlnb.formats.payloads import Payloads

__all__ = ["CompiledReader"]

_ARROW: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "long": pa.int64(),
    "float": pa.float64(),
    "double": pa.float64(),
    "string": pa.string(),
}


class CompiledReader:
    """Reads records of plain fields; a :class:`~smlnb.formats.avro_flat.FlatReader`.

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
        self._kinds = "".join(f.kind[0] for f in fields).encode()
        self._nulls = bytes(2 if f.null is None else f.null for f in fields)
        self._fields = fields

    def packed(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return the values in one piece of memory."""
        return _payloads(values)  # type: ignore[return-value] # none of them is None

    def read(self, values: Sequence[bytes | None], frame: bytes = b"") -> list[pa.Array] | None:
        """Return the columns of records that follow a frame; see :class:`~smlnb.formats.avro_flat.FlatReader`."""
        packed = _payloads(values)
        if packed.missing is not None and packed.missing.any():
            return None
        found = self._decode(packed.data, packed.bounds, frame, self._kinds, self._nulls)
        if found is None:
            return None
        return [_array(field.kind, len(packed), *column) for field, column in zip(self._fields, found, strict=True)]


def _payloads(values: Sequence[bytes | None]) -> Payloads:
    return values if isinstance(values, Payloads) else Payloads.of(values)


def _array(kind: str, size: int, values: Any, valid: NDArray[np.bool_] | None) -> pa.Array:
    """Return an array of Arrow that shares its memory with those of NumPy; bits are copied."""
    buffers = [None if valid is None else _bits(valid)]
    if kind == "string":
        text = pa.Array.from_buffers(_ARROW[kind], size, [*buffers, *map(pa.py_buffer, values)])
        text.validate(full=True)  # that it is UTF-8
        return text
    buffers.append(_bits(values) if kind == "boolean" else pa.py_buffer(values))
    return pa.Array.from_buffers(_ARROW[kind], size, buffers)


def _bits(flags: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))
