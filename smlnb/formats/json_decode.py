"""JSON values to columns.

A whole batch is tried first, by the compiled parser, which takes nulls, missing keys and escapes with the rest. Where
it is not there or gives up, msgspec parses into structs whose fields are the known columns: no dictionaries, and
millions of records of ten numbers a second on one core. Of a batch that has something else in it, each value that does
not fit is looked at by itself: it either teaches the decoder something new (a column, a first value, a decimal among
whole numbers) or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from smlnb.formats.decoded import NO_FIELDS, Decoded, Headers
from smlnb.formats.json_compiled import CompiledRecords
from smlnb.formats.json_packed import PackedRecords
from smlnb.formats.json_parse import Refused, parse_exactly
from smlnb.formats.json_types import Shape, Type, leaves, usual_types, widened
from smlnb.formats.payloads import Payloads

__all__ = ["MAX_COLUMNS", "JsonDecoder"]

MAX_COLUMNS = 4_096  # more would be a mistake of the producer (keys used as data), and memory without bound


class _Doubtful(Exception):  # noqa: N818 - a reason to look closer
    """Some key may appear twice."""


_UNFIT = (
    _Doubtful,
    msgspec.DecodeError,  # with its subclass ValidationError
    pa.ArrowInvalid,
    TypeError,
    OverflowError,
    UnicodeError,
    RecursionError,
)


class JsonDecoder:
    """Makes columns of JSON objects; see :class:`~smlnb.formats.decoded.Decoder`.

    An object within an object makes a column of each of its fields, whose name is the path: ``{"a": {"b": 1}}`` makes
    ``a.b``, up to eight levels. A key that holds dots itself keeps them; a record whose fields would make two columns
    of one name, as ``{"a.b": 1, "a": {"b": 2}}`` would, is refused. Lists of numbers or of texts stay lists. Lists
    of objects or of mixed things, and objects nested deeper, are kept as their JSON text.

    Refused are: what is no JSON object in valid UTF-8, ``NaN`` and ``Infinity``, keys that appear twice, whole numbers
    beyond 64 bits, whole numbers that a column of decimal numbers can't hold exactly, changed types.

    Examples
    --------
    >>> JsonDecoder().decode([b'{"id": 7, "at": {"x": 0.5, "y": null}}']).data.to_pylist()
    [{'id': 7, 'at.x': 0.5, 'at.y': None}]
    """

    uses_headers = False

    def __init__(self) -> None:
        self._shape: Shape = {}
        self._types: dict[str, Type] = {}  # by the name of the column, in the order in which they came
        self._usual: dict[str, Type] = {}  # what most values of the first batch are
        self._complete = True  # whether every record of the last batch that msgspec parsed had every column
        self._dense = True  # and no null in it
        self._widened = False
        self._compile()

    def _compile(self) -> None:
        self._getters = dict(_getters(self._shape))
        self._keys = _keys(self._shape)
        self._compiled = CompiledRecords.of(self._shape, self._types)
        self._packed = PackedRecords.of(self._shape, self._types)
        self._parse_complete = msgspec.json.Decoder(_struct(self._shape, complete=True)).decode
        self._parse = msgspec.json.Decoder(_struct(self._shape, complete=False)).decode

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:  # noqa: ARG002
        """Decode the values; see :meth:`smlnb.formats.decoded.Decoder.decode`."""
        data = self._compiled.decode(values) if self._compiled is not None else None
        if data is not None:
            return Decoded(data, np.arange(len(values)))
        if isinstance(values, Payloads):
            values = list(values)
        data = self._packed.decode(values) if self._dense and self._packed is not None else None
        if data is not None:
            return Decoded(data, np.arange(len(values)))
        if self._types and self._complete:
            try:
                parse = self._parse_complete
                records = [parse(v) for v in values]  # type: ignore[arg-type] # None raises TypeError
                found = {name: list(map(get, records)) for name, get in self._getters.items()}
                data = self._columns(found, len(records) * self._keys, values)
                self._dense = not _nulls(data)
                return Decoded(data, np.arange(len(records)))
            except _UNFIT:
                pass
        return self._decode_carefully(values)

    def _columns(
        self,
        found: dict[str, list[Any]],
        keys: int,
        values: Iterable[bytes | None],
        *,
        trusted: bool = False,
    ) -> pa.RecordBatch:
        """Make columns of what was found in records, and make sure that no key appears twice in one.

        A key that appears twice can't be seen in the parsed record, where the last one won. Its quotation marks can.

        Raises
        ------
        _Doubtful
            If there are more quotation marks than there should be.
        """
        text = b"".join(values)  # type: ignore[arg-type] # what was parsed is no None
        escapes = b"\\" in text
        quotes = 2 * keys
        arrays = []
        for name, column in self._types.items():
            items = found[name]
            if column is Type.OTHER:
                items = [None if v is None else bytes(v).decode() for v in items]
            quotes += _quotes_in(items, column, escapes=escapes)
            if column is Type.OTHER:
                items = [None if v == "null" else v for v in items]
            if trusted and column is Type.DECIMAL:  # Arrow takes no whole numbers beyond 2**53, however exact
                items = [None if v is None else float(v) for v in items]
            if trusted and column is Type.NUMBERS:
                items = [v and [None if x is None else float(x) for x in v] for v in items]
            arrays.append(pa.array(items, column.value[1]))
        if not trusted and quotes != text.count(b'"'):
            raise _Doubtful
        return pa.RecordBatch.from_arrays(arrays, names=list(self._types))

    # -- when something does not fit --------------------------------------------

    def _decode_carefully(self, values: Sequence[bytes | None]) -> Decoded:
        if not self._types:
            self._usual = usual_types(values)
        refused: dict[int, str] = {}
        examined = False
        while True:
            records, rows = self._parse_each(values, refused)
            if not self._types:  # nothing but empty objects so far: there is no column to hold a row
                refused.update(dict.fromkeys(rows, NO_FIELDS))
                records, rows = [], []
            found: dict[str, list[Any]] = {}
            keys = _spread(records, self._shape, "", found)
            try:
                data = self._columns(found, keys, [values[i] for i in rows], trusted=examined)
                break
            except _UNFIT:  # a key that appears twice, or a number that its column can't hold
                if examined:
                    raise
                before = len(refused)
                self._examine(values, rows, refused)
                examined = len(refused) == before and not self._widened
        self._complete = self._dense = not _nulls(data)
        return Decoded(data, np.array(rows, dtype=np.int64), tuple(sorted(refused.items())))

    def _parse_each(self, values: Sequence[bytes | None], refused: dict[int, str]) -> tuple[list[Any], list[int]]:
        """Parse what is not refused, widening the columns and refusing as needed."""
        while True:
            self._widened = False
            records: list[Any] = []
            rows: list[int] = []
            for i, value in enumerate(values):
                try:
                    record = self._parse(value)  # type: ignore[arg-type] # None raises TypeError
                except _UNFIT:
                    if i in refused:
                        continue
                    try:
                        self._learn(value)
                        record = self._parse(value)  # type: ignore[arg-type]
                    except Refused as verdict:
                        refused[i] = str(verdict)
                        continue
                if i not in refused:
                    records.append(record)
                    rows.append(i)
            if not self._widened:
                return records, rows

    def _examine(self, values: Sequence[bytes | None], rows: Iterable[int], refused: dict[int, str]) -> None:
        self._widened = False
        for i in rows:
            try:
                self._learn(values[i])
            except Refused as verdict:
                refused[i] = str(verdict)

    def _learn(self, value: bytes | None) -> None:
        """Widen the columns so that they hold the record.

        Raises
        ------
        Refused
            If the record is malformed or a column would have to change its type. Then nothing has changed.
        """
        shape = widened(self._shape, parse_exactly(value), self._usual)
        if shape is self._shape:
            return
        names = list(leaves(shape))
        types = dict(names)
        if len(types) != len(names):
            first = next(name for i, (name, _) in enumerate(names) if name in dict(names[:i]))
            raise Refused(f"two fields of the record would make one column {first!r}: one by its name, one by its path")
        if len(types) > MAX_COLUMNS:
            raise Refused(f"the record would bring the number of columns above {MAX_COLUMNS:,}")
        self._shape = shape
        self._types = {name: types[name] for name in [*(n for n in self._types if n in types), *types]}
        self._widened = True
        self._compile()


def _nulls(data: pa.RecordBatch) -> int:
    return sum(column.null_count for column in data.columns)


def _struct(shape: Shape, *, complete: bool) -> type[msgspec.Struct]:
    """Return a struct for objects of a shape; its fields are named by their places."""
    fields: list[tuple[str, Any, Any]] = []
    for i, (name, kind) in enumerate(shape.items()):
        plain: Any = _struct(kind, complete=complete) if isinstance(kind, dict) else kind.value[0]
        if complete:
            fields.append((f"f{i}", plain, msgspec.field(name=name)))
            continue
        if plain is not msgspec.Raw:
            plain = plain | None | msgspec.UnsetType if plain else None | msgspec.UnsetType
        fields.append((f"f{i}", plain, msgspec.field(name=name, default=msgspec.UNSET)))
    return msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False)


def _getters(shape: Shape, path: str = "", place: str = "") -> Iterable[tuple[str, Any]]:
    """Give for each column its name, and the function that finds it in a complete record."""
    for i, (key, kind) in enumerate(shape.items()):
        if isinstance(kind, dict):
            yield from _getters(kind, f"{path}{key}.", f"{place}f{i}.")
        else:
            yield path + key, attrgetter(f"{place}f{i}")


def _keys(shape: Shape) -> int:
    return sum(1 + (_keys(kind) if isinstance(kind, dict) else 0) for kind in shape.values())


def _spread(records: Sequence[Any], shape: Shape, path: str, found: dict[str, list[Any]]) -> int:
    """Put the values of each column into ``found``, None where there is none; return how many keys there were."""
    keys = 0
    for i, (key, kind) in enumerate(shape.items()):
        get = attrgetter(f"f{i}")
        items: list[Any] = [None if r is None else get(r) for r in records] if path else list(map(get, records))
        present = [r for r in records if r is not None] if path else records
        absent = len(items) - len([v for v in items if v is not msgspec.UNSET])
        keys += len(present) - absent
        if absent:
            items = [None if v is msgspec.UNSET else v for v in items]
        if isinstance(kind, dict):
            keys += _spread(items, kind, f"{path}{key}.", found)
        else:
            found[path + key] = items
    return keys


def _quotes_in(found: Iterable[Any], column: Type, *, escapes: bool) -> int:
    r"""Return how many quotation marks the values of a column have in JSON, unless they are written as ``\u0022``."""
    if column is Type.TEXT:
        present = [v for v in found if v is not None]
        return 2 * len(present) + (sum(v.count('"') for v in present) if escapes else 0)
    if column is Type.TEXTS:
        return sum(2 + t.count('"') for v in found if v is not None for t in v if t is not None)
    if column is Type.OTHER:
        return sum(v.count('"') for v in found if v is not None)
    return 0
