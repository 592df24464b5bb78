"""What becomes of Avro's types: the columns of a record, and how their values are converted."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from smlnb.errors import SchemaError

__all__ = [
    "LOGICAL",
    "MAX_DEPTH",
    "MAX_FIELDS",
    "PRIMITIVES",
    "Leaf",
    "Named",
    "is_record",
    "leaves_of",
    "record_in",
    "resolved",
]

MAX_DEPTH = 8  # levels of records that become columns; what lies deeper is kept as JSON text
MAX_FIELDS = 4_096

Named = Mapping[str, Any]
Path = tuple[str, ...]
Column = tuple[pa.DataType, Callable[[Any], Any] | None]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of a record.

    Attributes
    ----------
    name : str
        The path to the field, joined by dots.
    path : tuple of str
        Empty for a value that is no record.
    kind : pyarrow.DataType
    convert : callable, optional
        What values go through that are not null.
    aliases : tuple of str
        Other names of the column.
    """

    name: str
    path: tuple[str, ...]
    kind: pa.DataType
    convert: Callable[[Any], Any] | None = None
    aliases: tuple[str, ...] = ()


def _duration(value: bytes) -> str:
    """Write months, days and milliseconds as in ISO 8601; how long a month is, is not known.

    Examples
    --------
    >>> _duration(struct.pack("<III", 1, 2, 3_004))
    'P1M2DT3.004S'
    """
    months, days, milliseconds = struct.unpack("<III", value)
    return f"P{months}M{days}DT{milliseconds // 1000}.{milliseconds % 1000:03}S"


PRIMITIVES: Mapping[str, Column] = {
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
LOGICAL: Mapping[tuple[str, str | None], Column] = {  # by the type that carries it: elsewhere it means nothing
    ("bytes", "decimal"): (pa.float64(), float),
    ("fixed", "decimal"): (pa.float64(), float),
    ("string", "uuid"): (pa.string(), str),
    ("fixed", "uuid"): (pa.string(), lambda v: str(uuid.UUID(bytes=v)) if isinstance(v, bytes) else str(v)),
    ("fixed", "duration"): (pa.string(), _duration),
    ("int", "date"): (pa.date32(), None),
    ("int", "time-millis"): (pa.time64("us"), None),
    ("long", "time-micros"): (pa.time64("us"), None),
    ("long", "timestamp-millis"): (pa.timestamp("us", "UTC"), None),
    ("long", "timestamp-micros"): (pa.timestamp("us", "UTC"), None),
    ("long", "timestamp-nanos"): (pa.timestamp("ns", "UTC"), None),
    ("long", "local-timestamp-millis"): (pa.timestamp("us"), None),
    ("long", "local-timestamp-micros"): (pa.timestamp("us"), None),
    ("long", "local-timestamp-nanos"): (pa.timestamp("ns"), None),
}


def _as_text(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


_TEXT: Column = (pa.string(), _as_text)


def leaves_of(schema: Any, named: Named) -> list[Leaf]:
    """Return the columns of a parsed schema: the fields, and those of records within it by their path.

    What is no record makes one column ``value``. Records in arrays, maps and unions of several records are kept as
    JSON text, and so are records that hold themselves.

    Parameters
    ----------
    schema
        As fastavro has parsed it.
    named : mapping
        The types that it names, by their full names.

    Raises
    ------
    SchemaError
        If there would be more than 4,096 columns.

    Examples
    --------
    >>> inner = {"type": "record", "name": "q", "fields": [{"name": "z", "type": "int"}]}
    >>> outer = {"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}, {"name": "y", "type": inner}]}
    >>> [(leaf.name, str(leaf.kind)) for leaf in leaves_of(outer, {})]
    [('x', 'int64'), ('y.z', 'int64')]
    >>> [(leaf.name, str(leaf.kind)) for leaf in leaves_of("double", {})]
    [('value', 'double')]
    """
    kind = resolved(schema, named)
    if not is_record(kind):
        return [Leaf("value", (), *_column(kind, named))]
    found: list[Leaf] = []
    _collect(kind, named, (), (), found, visited=[])
    return found


def _collect(
    record: Any, named: Named, path: Path, above: tuple[str, ...], found: list[Leaf], *, visited: list[Path]
) -> None:
    inside = (*above, record["name"])
    visited.append(path)  # records without fields make no column, and may stand in each other by the million
    if len(visited) > MAX_FIELDS:
        raise SchemaError(f"the schema has more than {MAX_FIELDS:,} records within records")
    for one in record["fields"]:
        here = (*path, one["name"])
        inner = record_in(one["type"], named)
        if inner is not None and inner["name"] not in inside and len(here) < MAX_DEPTH:
            _collect(inner, named, here, inside, found, visited=visited)
            continue
        aliases = tuple(".".join((*path, a)) for a in one.get("aliases") or ())
        found.append(Leaf(".".join(here), here, *_column(one["type"], named), aliases))
        if len(found) > MAX_FIELDS:
            raise SchemaError(f"the schema {record['name']!r} has more than {MAX_FIELDS:,} fields")


def resolved(kind: Any, named: Named) -> Any:
    """Return the type that a name stands for; any other type as it is."""
    return named.get(kind, kind) if isinstance(kind, str) else kind


def is_record(kind: Any) -> bool:
    """Say whether a type that has been resolved is a record."""
    return isinstance(kind, dict) and kind["type"] in {"record", "error"}


def record_in(kind: Any, named: Named) -> Any:
    """Return the record that a field is, or may be besides null; None for anything else."""
    if isinstance(kind, list):
        others = [k for k in kind if k != "null"]
        kind = others[0] if len(others) == 1 else None
    found = resolved(kind, named)
    return found if is_record(found) else None


def _column(kind: Any, named: Named) -> Column:
    """Return the Arrow type of an Avro type, and the function (or None) that its values go through."""
    kind = resolved(kind, named)
    if isinstance(kind, list):
        return _union([_column(k, named) for k in kind if k != "null"])
    if isinstance(kind, dict):
        base, logical = kind["type"], kind.get("logicalType")
        if isinstance(base, dict | list):
            return _column(base, named)
        if (base, logical) in LOGICAL:
            return LOGICAL[base, logical]
        if base == "array":
            return _array(*_column(kind["items"], named))
        return PRIMITIVES.get(base, _TEXT)
    return PRIMITIVES.get(kind, _TEXT)


def _array(item: pa.DataType, convert: Callable[[Any], Any] | None) -> Column:
    if convert is _as_text:
        return _TEXT
    through = None if convert is None else partial(_each, convert)
    if pa.types.is_integer(item) or pa.types.is_floating(item):
        return pa.list_(pa.float64()), through
    return (pa.list_(pa.string()), through) if pa.types.is_string(item) else _TEXT


def _each(convert: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [None if v is None else convert(v) for v in items]


def _union(columns: list[Column]) -> Column:
    if not columns:
        return PRIMITIVES["null"]
    types = {c[0] for c in columns}
    if len(columns) == 1 or (len(types) == 1 and len({c[1] for c in columns}) == 1):
        return columns[0]
    if types <= {pa.int64(), pa.float64()}:  # decimals among them become floats, and floats stay what they are
        return pa.float64(), float
    return _TEXT
