"""What becomes of Protobuf's types: the columns of a message, and how their values are converted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from smlnb.errors import SchemaError
from smlnb.formats.optional import need

__all__ = ["MAX_DEPTH", "MAX_FIELDS", "Leaf", "leaves_of"]

MAX_DEPTH = 8  # levels of messages that become columns; what lies deeper is kept as JSON text
MAX_FIELDS = 4_096


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of a message.

    Attributes
    ----------
    name : str
        The path to the field, joined by dots.
    path : tuple of str
    kind : pyarrow.DataType
    presence : bool
        Whether the field knows if it was set; if not, it is null in the column.
    convert : callable, optional
        What values go through.
    """

    name: str
    path: tuple[str, ...]
    kind: pa.DataType
    presence: bool
    convert: Callable[[Any], Any] | None = None


def leaves_of(descriptor: Any) -> list[Leaf]:
    """Return the columns of a message: its fields, and those of messages within it by their path.

    Repeated numbers and texts are lists; maps, repeated messages and messages that hold themselves are kept as JSON
    text. A field of a message that is absent is null; one that has no presence, as numbers in proto3 without
    ``optional``, is what Protobuf says it is: zero or empty.

    Raises
    ------
    SchemaError
        If there would be more than 4,096 columns.

    Examples
    --------
    >>> from google.protobuf.type_pb2 import Option  # has the fields name and value, of which the latter is of type Any
    >>> [(leaf.name, str(leaf.kind)) for leaf in leaves_of(Option.DESCRIPTOR)]
    [('name', 'string'), ('value', 'string')]
    """
    found: list[Leaf] = []
    _collect(descriptor, (), (), found)
    return found


def _collect(message: Any, path: tuple[str, ...], above: tuple[str, ...], found: list[Leaf]) -> None:
    inside = (*above, message.full_name)
    for one in message.fields:
        here = (*path, one.name)
        inner = one.message_type
        flat = inner is not None and not _repeated(one) and inner.full_name not in _KNOWN
        if flat and inner.full_name not in inside and len(here) < MAX_DEPTH:
            _collect(inner, here, inside, found)
            continue
        kind, convert = _column(one)
        found.append(Leaf(".".join(here), here, kind, bool(one.has_presence), convert))
        if len(found) > MAX_FIELDS:
            raise SchemaError(f"the message {message.full_name} has more than {MAX_FIELDS:,} fields")


def _repeated(one: Any) -> bool:
    found = getattr(one, "is_repeated", None)  # protobuf 6 and later; before, the label says it
    return bool(one.label == one.LABEL_REPEATED if found is None else found)


def _column(one: Any) -> tuple[pa.DataType, Callable[[Any], Any] | None]:
    if one.message_type is not None:
        if one.message_type.GetOptions().map_entry:
            return pa.string(), _map_text
        if _repeated(one):
            return pa.string(), _list_text
        return _KNOWN.get(one.message_type.full_name, (pa.string(), _text))
    kind, convert = _SCALAR[one.cpp_type]
    if one.enum_type is not None:
        names = {v.number: v.name for v in one.enum_type.values}
        kind, convert = pa.string(), partial(_name, names)
    elif one.type == one.TYPE_BYTES:
        kind = pa.binary()
    if not _repeated(one):
        return kind, convert
    if pa.types.is_binary(kind):
        return pa.string(), lambda items: json.dumps([v.hex() for v in items])
    each = convert or (float if not pa.types.is_string(kind) else str)
    return pa.list_(pa.string() if pa.types.is_string(kind) else pa.float64()), lambda items: [each(v) for v in items]


_SCALAR: Mapping[int, tuple[pa.DataType, Callable[[Any], Any] | None]] = {  # by FieldDescriptor.CPPTYPE_...
    1: (pa.int64(), None),
    2: (pa.int64(), None),
    3: (pa.int64(), None),
    4: (pa.int64(), None),  # numbers above 2^63 - 1 do not fit, and their records are refused
    5: (pa.float64(), None),
    6: (pa.float64(), None),
    7: (pa.bool_(), None),
    8: (pa.string(), None),
    9: (pa.string(), None),
}


def _name(names: Mapping[int, str], number: int) -> str:
    return names.get(number) or str(number)


def _plain(message: Any) -> Any:
    return need("google.protobuf.json_format", "protobuf").MessageToDict(message, preserving_proto_field_name=True)


def _text(message: Any) -> str:
    return json.dumps(_plain(message), ensure_ascii=False)


def _list_text(messages: Any) -> str:
    return json.dumps([_plain(m) for m in messages], ensure_ascii=False)


def _map_text(items: Mapping[Any, Any]) -> str:
    plain = {str(k): _plain(v) if hasattr(v, "DESCRIPTOR") else v for k, v in items.items()}
    return json.dumps(plain, default=bytes.hex, ensure_ascii=False, sort_keys=True)


def _any_text(message: Any) -> str:
    return json.dumps({"type_url": message.type_url, "value": message.value.hex()}, ensure_ascii=False)


def _microseconds(message: Any) -> int:
    return int(message.seconds) * 1_000_000 + int(message.nanos) // 1_000


def _seconds(message: Any) -> float:
    return float(message.seconds + message.nanos / 1e9)


def _decimal(message: Any) -> float:
    unscaled = int.from_bytes(message.value, "big", signed=True)
    return float(unscaled / 10**message.scale if message.scale >= 0 else unscaled * 10**-message.scale)


def _wrapped(message: Any) -> Any:
    return message.value


_KNOWN: Mapping[str, tuple[pa.DataType, Callable[[Any], Any]]] = {
    "google.protobuf.Timestamp": (pa.timestamp("us", "UTC"), _microseconds),
    "google.protobuf.Duration": (pa.float64(), _seconds),
    "google.protobuf.Any": (pa.string(), _any_text),
    "google.protobuf.Struct": (pa.string(), _text),
    "google.protobuf.Value": (pa.string(), _text),
    "google.protobuf.ListValue": (pa.string(), _text),
    "google.protobuf.DoubleValue": (pa.float64(), _wrapped),
    "google.protobuf.FloatValue": (pa.float64(), _wrapped),
    "google.protobuf.Int64Value": (pa.int64(), _wrapped),
    "google.protobuf.UInt64Value": (pa.int64(), _wrapped),
    "google.protobuf.Int32Value": (pa.int64(), _wrapped),
    "google.protobuf.UInt32Value": (pa.int64(), _wrapped),
    "google.protobuf.BoolValue": (pa.bool_(), _wrapped),
    "google.protobuf.StringValue": (pa.string(), _wrapped),
    "google.protobuf.BytesValue": (pa.binary(), _wrapped),
    "confluent.type.Decimal": (pa.float64(), _decimal),
}
