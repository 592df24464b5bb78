"""The fields of a record in the order in which they are written, for those who read batches of records by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from smlnb.formats.avro_types import LOGICAL, MAX_DEPTH, PRIMITIVES, Named, is_record, record_in, resolved

__all__ = ["FlatField", "flat_fields", "nested_fields"]


@dataclass(frozen=True, slots=True)
class FlatField:
    """A field of a record that holds no more than one plain value, or a record that may be null.

    Attributes
    ----------
    kind : str
        How it is written: "boolean", "long", which an int is written as, too, "float", "double", "string", "uuid",
        "time", "bytes", "fixed", "enum"; or "record", which makes no column.
    null : int, optional
        The index of null in its union of two; None if it can't be null.
    through : tuple of pyarrow.DataType
        What its values are cast through in Arrow, before the type of the column.
    limits : tuple of int, optional
        The lowest and the highest value that it may have as a number.
    size : int
        Of fixed, how many bytes it has; of a record, how many of the fields that follow are within it.
    within : bool
        Whether it is within a record that may be null.
    symbols : tuple of str
        Of an enum.
    decimal : tuple of int, optional
        The precision and the scale of a decimal number in bytes.
    convert : callable, optional
        What its bytes go through, one by one.
    """

    kind: str
    null: int | None = None
    through: tuple[pa.DataType, ...] = ()
    limits: tuple[int, int] | None = None
    size: int = 0
    within: bool = False
    symbols: tuple[str, ...] = ()
    decimal: tuple[int, int] | None = None
    convert: Callable[[Any], Any] | None = None


_PLAIN: Mapping[str, FlatField] = {
    "boolean": FlatField("boolean"),
    "int": FlatField("long"),
    "long": FlatField("long"),
    "float": FlatField("float"),
    "double": FlatField("double"),
    "string": FlatField("string"),
}
_FLAT = frozenset({"boolean", "long", "float", "double", "string", "uuid"})  # kinds that all libraries read
_MILLIS = (-62_135_596_800_000, 253_402_300_799_999)  # the years 1 to 9999, which Python has
_MICROS = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_LOGICAL: Mapping[tuple[str, str | None], FlatField] = {  # by the type that carries it: elsewhere it means nothing
    ("string", "uuid"): FlatField("uuid"),
    ("int", "date"): FlatField("long", None, (pa.int32(), pa.date32()), (-719_162, 2_932_896)),
    ("int", "time-millis"): FlatField("time", None, (pa.int32(), pa.time32("ms")), (0, 86_399_999)),
    ("long", "time-micros"): FlatField("time", None, (), (0, 86_399_999_999)),
    ("long", "timestamp-millis"): FlatField("long", None, (pa.timestamp("ms", "UTC"),), _MILLIS),
    ("long", "timestamp-micros"): FlatField("long", None, (), _MICROS),
    ("long", "timestamp-nanos"): FlatField("long"),
    ("long", "local-timestamp-millis"): FlatField("long", None, (pa.timestamp("ms"),), _MILLIS),
    ("long", "local-timestamp-micros"): FlatField("long", None, (), _MICROS),
    ("long", "local-timestamp-nanos"): FlatField("long"),
}
_MAX_PRECISION = 300  # digits of a decimal number; a float can hold 308
_SIZES: Mapping[str | None, int] = {"uuid": 16, "duration": 12}  # of fixed, in bytes
_MAX_SIZE = 2**31 - 1


def flat_fields(schema: Mapping[str, Any]) -> list[FlatField] | None:
    """Return the fields of a flat schema; None if it is not flat.

    A schema is flat if every field is a plain number, boolean or string, or a date or timestamp, or may be null, too.
    Of those, dates beyond the year 9999 are taken, and any string as UUID.

    Examples
    --------
    >>> fields = flat_fields({"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "int"]}]})
    >>> [(field.kind, field.null) for field in fields]
    [('long', 0)]
    >>> flat_fields({"type": "record", "name": "r", "fields": [{"name": "x", "type": "bytes"}]})
    """
    if schema.get("type") != "record":
        return None
    found = []
    for one in schema["fields"]:
        field = _field(one["type"], {})
        if field is None or field.kind not in _FLAT:
            return None
        found.append(replace(field, kind="string" if field.kind == "uuid" else field.kind, limits=None))
    return found


def nested_fields(schema: Any, named: Named) -> list[FlatField] | None:
    """Return the fields of a record, and of the records within it; None if any can't be a FlatField.

    They make the columns of :func:`~smlnb.formats.avro_types.leaves_of`, in its order, and take no values but those
    that fastavro takes.

    Examples
    --------
    >>> inner = {"type": "record", "name": "q", "fields": [{"name": "z", "type": "int"}]}
    >>> fields = [{"name": "x", "type": "string"}, {"name": "y", "type": ["null", inner]}]
    >>> found = nested_fields({"type": "record", "name": "r", "fields": fields}, {})
    >>> [(field.kind, field.null, field.size, field.within) for field in found]
    [('string', None, 0, False), ('record', 0, 1, False), ('long', None, 0, True)]
    """
    found: list[FlatField] = []
    if not is_record(schema) or named.keys() & PRIMITIVES:
        return None
    return found if _collect(schema, named, (), found, within=False) else None


def _collect(record: Any, named: Named, above: tuple[str, ...], found: list[FlatField], *, within: bool) -> bool:
    inside = (*above, record["name"])
    if len({one["name"] for one in record["fields"]}) < len(record["fields"]):
        return False
    for one in record["fields"]:
        kind, null, place = *_nullable(one["type"]), len(found)
        inner = record_in(kind, named)
        if inner is None:
            field = _field(one["type"], named)
            if field is None:
                return False
            found.append(replace(field, within=within))
            continue
        if isinstance(kind, list) or inner["name"] in inside or len(inside) >= MAX_DEPTH:
            return False
        if null is not None:
            found.append(FlatField("record", null, within=within))
        if not _collect(inner, named, inside, found, within=within or null is not None):
            return False
        if null is not None:
            found[place] = replace(found[place], size=len(found) - place - 1)
    return True


def _nullable(kind: Any) -> tuple[Any, int | None]:
    """Return what a union is besides null, and the index of null in it; anything else as it is."""
    if isinstance(kind, list) and len(kind) == 2 and kind.count("null") == 1:
        null = kind.index("null")
        return kind[1 - null], null
    return kind, None


def _field(kind: Any, named: Named) -> FlatField | None:
    kind, null = _nullable(kind)
    kind = resolved(kind, named)
    if isinstance(kind, str):
        kind = {"type": kind}
    if not isinstance(kind, dict) or not isinstance(kind["type"], str):
        return None
    base, logical = kind["type"], kind.get("logicalType")
    if base == "enum":
        found = _enum(kind["symbols"])
    elif base in {"bytes", "fixed"}:
        found = _bytes(kind, base, logical)
    else:
        found = _LOGICAL.get((base, logical), _PLAIN.get(base))
    return None if found is None else replace(found, null=null)


def _enum(symbols: Sequence[str]) -> FlatField | None:
    return FlatField("enum", size=len(symbols), symbols=tuple(symbols)) if "".join(symbols).isascii() else None


def _bytes(kind: Mapping[str, Any], base: str, logical: str | None) -> FlatField | None:
    size = kind["size"] if base == "fixed" else 0
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        return None
    if logical == "decimal":
        return _decimal(FlatField(base, size=size), kind.get("precision"), kind.get("scale", 0))
    if base == "fixed" and logical in _SIZES:
        return FlatField(base, size=size, convert=LOGICAL[base, logical][1]) if size == _SIZES[logical] else None
    return FlatField(base, size=size)


def _decimal(field: FlatField, precision: Any, scale: Any) -> FlatField | None:
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision <= _MAX_PRECISION:
        return None
    return replace(field, decimal=(precision, scale))
