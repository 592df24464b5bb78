"""Plain fields of Avro records read by pyruhvro, where there is no compiled code of this package.

pyruhvro decodes several million a second, but does not look at what follows a record. So the lengths that the columns
would have in Avro are added up, and compared with what there was: a record that is longer than it need be, or followed
by anything, is found so. A number of more than 64 bits loses the upper ones; one that can have is looked at again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro
from numpy.typing import NDArray

from smlnb.formats.avro_plan import FlatField

__all__ = ["PyruhvroReader"]

_TOO_LONG = re.compile(rb"[\x80-\xff]{9}[\x02-\x7f]")  # a number of more than 64 bits, or a text, or a float
_FIXED: Mapping[str, int] = {"boolean": 1, "float": 4, "double": 8}


class PyruhvroReader:
    r"""Reads records of plain fields; a :class:`~smlnb.formats.avro_flat.FlatReader`.

    Parameters
    ----------
    fields : sequence of FlatField

    Examples
    --------
    >>> reader = PyruhvroReader([FlatField("long", null=0)])
    >>> reader.read([b"\x02\x54", b"\x00"])[0].to_pylist()
    [42, None]
    >>> reader.read([b"\0\0\0\0\7\x02\x54"], b"\0\0\0\0\7")[0].to_pylist()
    [42]
    """

    def __init__(self, fields: Sequence[FlatField]) -> None:
        self._fields = fields
        self._text = _schema(fields)
        self._framed = _schema([FlatField("boolean"), FlatField("float"), *fields])

    def packed(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return a list."""
        return list(values)

    def read(self, values: Sequence[bytes | None], frame: bytes = b"") -> list[pa.Array] | None:
        """Return the columns of records that follow a frame; see :class:`~smlnb.formats.avro_flat.FlatReader`.

        The frame is decoded along, as a boolean and four bytes more: taking it off each value would cost as much as
        everything else here together.
        """
        values = values if isinstance(values, list) else list(values)
        try:
            columns = pyruhvro.deserialize_array(values, self._framed if frame else self._text).columns
            text = b"".join(values)  # type: ignore[arg-type]
        except (ValueError, TypeError):  # or there is a tombstone
            return None
        if frame:
            first, second, *columns = columns
            name = int.from_bytes(frame[1:], "little")
            if first.true_count or (second.to_numpy().view("<u4") != name).any():
                return None
        length = len(text) - len(frame) * len(values)
        for column, field in zip(columns, self._fields, strict=True):
            length -= (field.null is not None) * len(column) + _length(column, field.kind)
        if length or (any(map(_large, columns)) and _TOO_LONG.search(text)):
            return None
        return list(columns)


def _schema(fields: Sequence[FlatField]) -> str:
    kinds = [f.kind if f.null is None else [f.kind, "null"][:: 2 * f.null - 1] for f in fields]
    named = [{"name": f"f{i}", "type": kind} for i, kind in enumerate(kinds)]
    return json.dumps({"type": "record", "name": "r", "fields": named})


def _large(column: pa.Array) -> bool:
    """Say whether a number takes as many bytes as there can be: then some of its bits may be lost."""
    if column.type != pa.int64():
        return False
    ends = pc.min_max(column).as_py()
    return (ends["min"] or 0) < -(2**62) or (ends["max"] or 0) >= 2**62


def _length(column: pa.Array, kind: str) -> int:
    """Return how many bytes the values of a column take in Avro."""
    if column.null_count:
        column = column.drop_null()
    if kind in _FIXED:
        return _FIXED[kind] * len(column)
    if kind == "string":
        column.validate(full=True)  # that it is UTF-8
        lengths = pc.binary_length(column).to_numpy()
        return int(lengths.sum()) + _length_of_numbers(lengths)
    return _length_of_numbers(column.to_numpy())


def _length_of_numbers(numbers: NDArray[Any]) -> int:
    """Return how many bytes whole numbers take: 7 bits each, of which one is the sign.

    Examples
    --------
    >>> _length_of_numbers(np.array([0, 63, 64, -64, -65, 2**63 - 1]))
    17
    """
    length = len(numbers)
    lowest, highest = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    bound = 64
    while lowest < -bound or highest >= bound:
        length += int(np.count_nonzero(numbers < -bound)) if lowest < -bound else 0
        length += int(np.count_nonzero(numbers >= bound)) if highest >= bound else 0
        bound <<= 7
    return length
