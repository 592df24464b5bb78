"""JSON values to columns.

Each value is parsed by msgspec straight into a struct whose fields are the known columns: no dictionaries, and over
a million records of ten numbers a second on one core. A value that does not fit is looked at by itself: it either
teaches the decoder something new (a column, a first value, a decimal among whole numbers) or it is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from smlnb.ingest.decoded import EMPTY, NO_FIELDS, TOMBSTONE, Decoded

__all__ = ["JsonDecoder"]

MAX_COLUMNS = 4_096  # more would be a mistake of the producer (keys used as data), and memory without bound

_INT64 = range(-(2**63), 2**63)


class _Type(Enum):
    """What a column holds; the values are (msgspec type, Arrow type, name for people)."""

    NOTHING = (None, pa.null(), "nothing")
    WHOLE = (int | None, pa.int64(), "whole numbers")
    DECIMAL = (int | float | None, pa.float64(), "numbers")
    BOOLEAN = (bool | None, pa.bool_(), "booleans")
    TEXT = (str | None, pa.string(), "text")
    EMPTIES = (list[None] | None, pa.list_(pa.null()), "empty lists")  # of what, is not known yet
    NUMBERS = (list[int | float | None] | None, pa.list_(pa.float64()), "lists of numbers")
    TEXTS = (list[str | None] | None, pa.list_(pa.string()), "lists of texts")
    OTHER = (msgspec.Raw, pa.string(), "objects or mixed lists")  # kept as JSON text

    @classmethod
    def of(cls, value: Any) -> _Type:
        """Tell the type of a parsed value."""
        if isinstance(value, list):
            kinds = {type(v) for v in value if v is not None}
            if not kinds:
                return cls.EMPTIES
            if kinds <= {int, float}:
                return cls.NUMBERS
            return cls.TEXTS if kinds == {str} else cls.OTHER
        plain = {type(None): cls.NOTHING, bool: cls.BOOLEAN, int: cls.WHOLE, float: cls.DECIMAL, str: cls.TEXT}
        return plain.get(type(value), cls.OTHER)


class _Refused(Exception):  # noqa: N818 - it is no error, but a verdict on one record
    """Why a record can't be used."""


class _Doubtful(Exception):  # noqa: N818 - a reason to look closer
    """Some key may appear twice."""


class JsonDecoder:
    """Makes columns of JSON objects; see :class:`~smlnb.ingest.decode.Decoder`.

    Refused are: what is no JSON object in valid UTF-8, ``NaN`` and ``Infinity``, keys that appear twice, whole numbers
    beyond 64 bits, whole numbers that a column of decimal numbers can't hold exactly, changed types. Objects within
    objects, and lists of mixed things, are kept as their JSON text.
    """

    def __init__(self) -> None:
        self._types: dict[str, _Type] = {}
        self._usual: dict[str, _Type] = {}  # what most values of the first batch are
        self._complete = True  # whether every record of the last batch had every column
        self._widened = False
        self._compile()

    def _compile(self) -> None:
        names = [f"f{i}" for i in range(len(self._types))]
        self._fields = names
        columns = list(zip(names, self._types.items(), strict=True))

        def struct(default: bool) -> type[msgspec.Struct]:
            fields = []
            for field, (name, column) in columns:
                kind = column.value[0]
                if default:
                    spec = msgspec.field(name=name, default=msgspec.UNSET)
                    kind = (
                        kind if kind is msgspec.Raw else kind | msgspec.UnsetType if kind else None | msgspec.UnsetType
                    )
                else:
                    spec = msgspec.field(name=name)
                fields.append((field, kind, spec))
            return msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False)

        self._parse_complete = msgspec.json.Decoder(struct(default=False)).decode
        self._parse = msgspec.json.Decoder(struct(default=True)).decode

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Decode the values; see :meth:`smlnb.ingest.decode.Decoder.decode`."""
        if self._types and self._complete:
            try:
                parse = self._parse_complete
                records = [parse(v) for v in values]  # type: ignore[arg-type] # None raises TypeError
                data = self._columns(records, values, complete=True)
                return Decoded(data, np.arange(len(records)))
            except _UNFIT:
                pass
        return self._decode_carefully(values)

    def _columns(
        self,
        records: Sequence[Any],
        values: Iterable[bytes | None],
        *,
        complete: bool,
        trusted: bool = False,
    ) -> pa.RecordBatch:
        """Make columns of parsed records, and make sure that no key appears twice in one.

        A key that appears twice can't be seen in the parsed record, where the last one won. Its quotation marks can.

        Raises
        ------
        _Doubtful
            If there are more quotation marks than there should be.
        """
        text = b"".join(values)  # type: ignore[arg-type] # what was parsed is no None
        escapes = b"\\" in text
        quotes = 2 * len(records) * len(self._types)
        arrays = []
        for field, column in zip(self._fields, self._types.values(), strict=True):
            found: list[Any] = list(map(attrgetter(field), records))
            if not complete:
                absent = len(found) - len([v for v in found if v is not msgspec.UNSET])
                if absent:
                    quotes -= 2 * absent
                    found = [None if v is msgspec.UNSET else v for v in found]
            if column is _Type.OTHER:
                found = [None if v is None else bytes(v).decode() for v in found]
            quotes += _quotes_in(found, column, escapes=escapes)
            if column is _Type.OTHER:
                found = [None if v == "null" else v for v in found]
            arrays.append(pa.array(found, column.value[1]))
        if not trusted and quotes != text.count(b'"'):
            raise _Doubtful
        return pa.RecordBatch.from_arrays(arrays, names=list(self._types))

    # -- when something does not fit --------------------------------------------

    def _decode_carefully(self, values: Sequence[bytes | None]) -> Decoded:
        if not self._types:
            self._usual = _usual_types(values)
        refused: dict[int, str] = {}
        examined = False
        while True:
            records, rows = self._parse_each(values, refused)
            if not self._types:  # nothing but empty objects so far: there is no column to hold a row
                refused.update(dict.fromkeys(rows, NO_FIELDS))
                records, rows = [], []
            try:
                data = self._columns(records, [values[i] for i in rows], complete=False, trusted=examined)
                break
            except _UNFIT:  # a key that appears twice, or a number that its column can't hold
                if examined:
                    raise
                before = len(refused)
                self._examine(values, rows, refused)
                examined = len(refused) == before and not self._widened
        self._complete = not any(column.null_count for column in data.columns)
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
                    except _Refused as verdict:
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
            except _Refused as verdict:
                refused[i] = str(verdict)

    def _learn(self, value: bytes | None) -> None:
        """Widen the columns so that they hold the record.

        Raises
        ------
        _Refused
            If the record is malformed or a column would have to change its type. Then nothing has changed.
        """
        new: dict[str, _Type] = {}
        for name, item in _parse_exactly(value).items():
            was = self._types.get(name)
            becomes = _widened(name, was, item)
            if was in (None, _Type.NOTHING):
                _check_usual(name, becomes, self._usual.get(name))
            if becomes is not was:
                new[name] = becomes
        if not new:
            return
        if len(self._types.keys() | new.keys()) > MAX_COLUMNS:
            raise _Refused(f"the record would bring the number of columns above {MAX_COLUMNS:,}")
        self._types.update(new)
        self._widened = True
        self._compile()


_UNFIT = (
    _Doubtful,
    msgspec.DecodeError,  # with its subclass ValidationError
    pa.ArrowInvalid,
    TypeError,
    OverflowError,
    UnicodeError,
    RecursionError,
)


def _quotes_in(found: Iterable[Any], column: _Type, *, escapes: bool) -> int:
    r"""Return how many quotation marks the values of a column have in JSON, unless they are written as ``\u0022``."""
    if column is _Type.TEXT:
        present = [v for v in found if v is not None]
        return 2 * len(present) + (sum(v.count('"') for v in present) if escapes else 0)
    if column is _Type.TEXTS:
        return sum(2 + t.count('"') for v in found if v is not None for t in v if t is not None)
    if column is _Type.OTHER:
        return sum(v.count('"') for v in found if v is not None)
    return 0


def _usual_types(values: Iterable[bytes | None]) -> dict[str, _Type]:
    """Return what most of the values of each column are; numbers are of one type here."""
    votes: dict[str, Counter[_Type]] = {}
    for value in values:
        try:
            found = [(name, _widened(name, None, item)) for name, item in _parse_exactly(value).items()]
        except _Refused:
            continue
        for name, kind in found:
            if kind not in (_Type.NOTHING, _Type.EMPTIES):
                votes.setdefault(name, Counter())[_Type.WHOLE if kind is _Type.DECIMAL else kind] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in votes.items()}


def _check_usual(name: str, kind: _Type, usual: _Type | None) -> None:
    """Refuse a first value that is unlike most others.

    Raises
    ------
    _Refused
        If it is.
    """
    if usual in (None, kind) or kind in (_Type.NOTHING, _Type.EMPTIES):
        return
    if (kind, usual) != (_Type.DECIMAL, _Type.WHOLE):
        raise _Refused(f"{name!r} holds {kind.value[2]}, but {usual.value[2]} in most records")


def _widened(name: str, was: _Type | None, item: Any) -> _Type:
    """Return what a column becomes with a further value.

    Raises
    ------
    _Refused
        If it can't hold the value.
    """
    _check_fits(name, was, item)
    now = _Type.of(item)
    if was is None or was is _Type.NOTHING:
        return now
    if now is _Type.NOTHING or now is was or was is _Type.OTHER:
        return was
    if was is _Type.WHOLE and now is _Type.DECIMAL:
        return _Type.DECIMAL
    if was is _Type.DECIMAL and now is _Type.WHOLE:
        return was
    if now is _Type.EMPTIES and was in (_Type.NUMBERS, _Type.TEXTS):
        return was
    if was is _Type.EMPTIES and isinstance(item, list):
        return now
    raise _Refused(f"{name!r} holds {now.value[2]}, but held {was.value[2]} before")


def _check_fits(name: str, was: _Type | None, item: Any) -> None:
    if any(c in '"\\' or c < " " for c in name):
        raise _Refused(f"the name {name!r} holds a quotation mark, a backslash or a control character")
    if isinstance(item, int) and not isinstance(item, bool):
        if item not in _INT64:
            raise _Refused(f"{name!r} is a whole number beyond 64 bits")
        if was is _Type.DECIMAL and int(float(item)) != item:
            raise _Refused(f"{name!r} is {item}, which a column of decimal numbers can't hold exactly")
    if isinstance(item, list):
        for v in item:
            if type(v) is int and (v not in _INT64 or int(float(v)) != v):
                raise _Refused(f"{name!r} holds {v}, which a list of decimal numbers can't hold exactly")
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Refused(f"{name!r} holds half of a surrogate pair, which is no text") from None


def _parse_exactly(value: bytes | None) -> dict[str, Any]:
    """Parse one record by the standard library, with a reason for all that is wrong with it."""
    if value is None:
        raise _Refused(TOMBSTONE)
    if not value.strip():
        raise _Refused(EMPTY)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Refused(f"invalid UTF-8 at byte {error.start}") from None
    try:
        msgspec.json.decode(value)  # stricter than the standard library, and as strict as the fast path
    except RecursionError:
        raise _Refused("nested too deeply") from None
    except msgspec.DecodeError as error:
        raise _Refused(_reason(value, text, str(error))) from None
    try:
        found = json.loads(text, object_pairs_hook=_Object.of)
    except RecursionError:
        raise _Refused("nested too deeply") from None
    except ValueError as error:  # digits beyond the limit of Python
        raise _Refused(f"malformed JSON: {str(error).partition(';')[0]}") from None
    if not isinstance(found, _Object):
        raise _Refused(f"the value is JSON, but no object (it is a {type(found).__name__})")
    if found.twice is not None:
        raise _Refused(f"the key {found.twice!r} appears twice")
    return found


def _reason(value: bytes, text: str, said: str) -> str:
    if text.startswith("\ufeff"):
        return "malformed JSON: it begins with a byte order mark"
    if value[:1] == b"\0":
        return "no JSON: it begins with a zero byte, like Avro from a schema registry"
    if said.startswith("JSON is malformed"):
        for word in ("NaN", "Infinity"):
            if word in text:
                return f"malformed JSON: {word} is no JSON value"
    return f"malformed JSON: {said.removeprefix('JSON is malformed: ')}"


class _Object(dict[str, Any]):
    """A JSON object that knows whether a key appears twice in it."""

    twice: str | None = None

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Object:
        found = cls(pairs)
        if len(found) != len(pairs):
            ((found.twice, _),) = Counter(k for k, _ in pairs).most_common(1)
        return found
