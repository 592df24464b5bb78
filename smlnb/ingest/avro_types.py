"""What becomes of Avro's types: the Arrow type of a field, and how its values are converted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

__all__ = ["FLAT", "Column", "column_of", "is_flat"]

FLAT = frozenset({"boolean", "int", "long", "float", "double", "string"})

Column = tuple[pa.DataType, Callable[[Any], Any] | None]

_PRIMITIVE: Mapping[str, Column] = {
    "null": (pa.null(), None),
    "boolean": (pa.bool_(), None),
    "int": (pa.int64(), None),
    "long": (pa.int64(), None),
    "float": (pa.float64(), None),
    "double": (pa.float64(), None),
    "string": (pa.string(), None),
    "enum": (pa.string(), None),
    "bytes": (pa.binary(), None),
    "fixed": (pa.binary(), None),
}
_LOGICAL: Mapping[str, Column] = {
    "decimal": (pa.float64(), float),
    "uuid": (pa.string(), str),
    "date": (pa.date32(), None),
    "time-millis": (pa.time64("us"), None),
    "time-micros": (pa.time64("us"), None),
    "timestamp-millis": (pa.timestamp("us", "UTC"), None),
    "timestamp-micros": (pa.timestamp("us", "UTC"), None),
    "local-timestamp-millis": (pa.timestamp("us"), None),
    "local-timestamp-micros": (pa.timestamp("us"), None),
}


def _as_text(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


_TEXT: Column = (pa.string(), _as_text)


def is_flat(schema: Mapping[str, Any]) -> bool:
    """Tell whether every field is a plain number, boolean or string, or such a one that may be null.

    Examples
    --------
    >>> is_flat({"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "double"]}]})
    True
    >>> is_flat({"type": "record", "name": "r", "fields": [{"name": "x", "type": {"type": "array", "items": "int"}}]})
    False
    """
    return schema.get("type") == "record" and all(_is_flat_type(f["type"]) for f in schema["fields"])


def _is_flat_type(kind: Any) -> bool:
    if isinstance(kind, list):
        return len(kind) == 2 and "null" in kind and all(k == "null" or _is_flat_type(k) for k in kind)
    if isinstance(kind, dict):
        return "logicalType" not in kind and isinstance(kind["type"], str) and kind["type"] in FLAT
    return kind in FLAT


def column_of(kind: Any) -> Column:
    """Return the Arrow type of an Avro type, and the function (or None) that its values go through.

    Records, maps and whatever else has no column of its own become JSON text.

    Examples
    --------
    >>> column_of(["null", "int", "double"])[0], column_of({"type": "array", "items": "long"})[0]
    (DataType(double), ListType(list<item: double>))
    """
    if isinstance(kind, list):
        return _union([column_of(k) for k in kind if k != "null"])
    if isinstance(kind, dict):
        if kind.get("logicalType") in _LOGICAL:
            return _LOGICAL[kind["logicalType"]]
        if kind["type"] == "array":
            return _array(*column_of(kind["items"]))
        return column_of(kind["type"])
    return _PRIMITIVE.get(kind, _TEXT)


def _array(item: pa.DataType, convert: Callable[[Any], Any] | None) -> Column:
    if convert is not None:
        return _TEXT
    if pa.types.is_integer(item) or pa.types.is_floating(item):
        return pa.list_(pa.float64()), None
    return (pa.list_(pa.string()), None) if pa.types.is_string(item) else _TEXT


def _union(columns: list[Column]) -> Column:
    if not columns:
        return _PRIMITIVE["null"]
    types = {c[0] for c in columns}
    if len(columns) == 1 or (len(types) == 1 and all(c[1] is None for c in columns)):
        return columns[0]
    if types <= {pa.int64(), pa.float64()} and all(c[1] is None for c in columns):
        return pa.float64(), None
    return _TEXT
