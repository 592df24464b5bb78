"""What the columns of JSON records hold, and how a further record widens them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import msgspec
import pyarrow as pa

from smlnb.formats.json_parse import JsonObject, Refused, parse_exactly

__all__ = ["MAX_DEPTH", "Shape", "Type", "leaves", "usual_types", "widened"]

MAX_DEPTH = 8  # levels of objects that become columns; what lies deeper is kept as JSON text

_INT64 = range(-(2**63), 2**63)


class Type(Enum):
    """What a column holds; the values are (msgspec type, Arrow type, name for people)."""

    NOTHING = (None, pa.null(), "nothing")
    WHOLE = (int | None, pa.int64(), "whole numbers")
    DECIMAL = (int | float | None, pa.float64(), "numbers")
    BOOLEAN = (bool | None, pa.bool_(), "booleans")
    TEXT = (str | None, pa.string(), "text")
    EMPTIES = (list[None] | None, pa.list_(pa.null()), "empty lists")  # of what, is not known yet
    NUMBERS = (list[int | float | None] | None, pa.list_(pa.float64()), "lists of numbers")
    TEXTS = (list[str | None] | None, pa.list_(pa.string()), "lists of texts")
    OBJECT = (None, None, "objects")  # has columns of its own; a name for people only
    OTHER = (msgspec.Raw, pa.string(), "mixed lists")  # kept as JSON text, and so are objects that are nested too deep

    @classmethod
    def of(cls, value: Any) -> Type:
        """Tell the type of a parsed value."""
        if isinstance(value, list):
            kinds = {type(v) for v in value if v is not None}
            if not kinds:
                return cls.EMPTIES
            if kinds <= {int, float}:
                return cls.NUMBERS
            return cls.TEXTS if kinds == {str} else cls.OTHER
        return _PLAIN.get(type(value), cls.OTHER)


_PLAIN: Mapping[type, Type] = {
    type(None): Type.NOTHING,
    bool: Type.BOOLEAN,
    int: Type.WHOLE,
    float: Type.DECIMAL,
    str: Type.TEXT,
    JsonObject: Type.OBJECT,
}

Shape = dict[str, "Type | Shape"]  # of an object: its keys in the order in which they came


def leaves(shape: Shape, path: str = "") -> Iterator[tuple[str, Type]]:
    """Give the name and the type of each column: keys joined by dots.

    Examples
    --------
    >>> [name for name, _ in leaves({"a": Type.WHOLE, "b": {"c": Type.TEXT, "d": {"e": Type.WHOLE}}})]
    ['a', 'b.c', 'b.d.e']
    """
    for key, kind in shape.items():
        if isinstance(kind, dict):
            yield from leaves(kind, f"{path}{key}.")
        else:
            yield path + key, kind


def widened(shape: Shape, found: JsonObject, usual: Mapping[str, Type], path: str = "", depth: int = 1) -> Shape:
    """Return the shape that holds a further object; the same one if it does already.

    Raises
    ------
    Refused
        If a column would have to change its type, or a key appears twice.
    """
    if found.twice is not None:
        raise Refused(f"the key {path + found.twice!r} appears twice")
    new: Shape = {}
    for key, item in found.items():
        was = shape.get(key)
        becomes = _widened(path + key, was, item, usual, depth)
        if becomes is not was:
            new[key] = becomes
    return {**shape, **new} if new else shape


def _widened(name: str, was: Type | Shape | None, item: Any, usual: Mapping[str, Type], depth: int) -> Type | Shape:
    _check_fits(name, was, item)
    now = Type.of(item)
    if now is Type.OBJECT and (depth == MAX_DEPTH or was is Type.OTHER):
        now = Type.OTHER
    if was is None or was is Type.NOTHING:
        _check_usual(name, now, usual.get(name))
        return widened({}, item, usual, f"{name}.", depth + 1) if now is Type.OBJECT else now
    if isinstance(was, dict):
        if now is Type.OBJECT:
            return widened(was, item, usual, f"{name}.", depth + 1)
        if now is Type.NOTHING:
            return was
        raise Refused(f"{name!r} holds {now.value[2]}, but held objects before")
    return _widened_plainly(name, was, now)


def _widened_plainly(name: str, was: Type, now: Type) -> Type:
    if now in (Type.NOTHING, was) or was is Type.OTHER:
        return was
    if {was, now} == {Type.WHOLE, Type.DECIMAL}:
        return Type.DECIMAL
    if now is Type.EMPTIES and was in (Type.NUMBERS, Type.TEXTS):
        return was
    if was is Type.EMPTIES and now in (Type.NUMBERS, Type.TEXTS, Type.OTHER):
        return now
    raise Refused(f"{name!r} holds {now.value[2]}, but held {was.value[2]} before")


def usual_types(values: Iterable[bytes | None]) -> dict[str, Type]:
    """Return what most of the values of each column are; numbers are of one type here."""
    votes: dict[str, Counter[Type]] = {}
    for value in values:
        try:
            found = parse_exactly(value)
            widened({}, found, {})
        except Refused:
            continue
        _vote(found, votes, "", 1)
    return {name: counts.most_common(1)[0][0] for name, counts in votes.items()}


def _vote(found: JsonObject, votes: dict[str, Counter[Type]], path: str, depth: int) -> None:
    for key, item in found.items():
        kind = Type.of(item)
        if kind is Type.OBJECT and depth == MAX_DEPTH:
            kind = Type.OTHER
        if kind not in (Type.NOTHING, Type.EMPTIES):
            votes.setdefault(path + key, Counter())[Type.WHOLE if kind is Type.DECIMAL else kind] += 1
        if kind is Type.OBJECT:
            _vote(item, votes, f"{path}{key}.", depth + 1)


def _check_usual(name: str, kind: Type, usual: Type | None) -> None:
    """Refuse a first value that is unlike most others.

    Raises
    ------
    Refused
        If it is.
    """
    if usual in (None, kind) or kind in (Type.NOTHING, Type.EMPTIES):
        return
    if (kind, usual) != (Type.DECIMAL, Type.WHOLE):
        raise Refused(f"{name!r} holds {kind.value[2]}, but {usual.value[2]} in most records")


def _check_fits(name: str, was: Type | Shape | None, item: Any) -> None:
    if any(c in '"\\' or c < " " for c in name):
        raise Refused(f"the name {name!r} holds a quotation mark, a backslash or a control character")
    if isinstance(item, int) and not isinstance(item, bool):
        if item not in _INT64:
            raise Refused(f"{name!r} is a whole number beyond 64 bits")
        if was is Type.DECIMAL and int(float(item)) != item:
            raise Refused(f"{name!r} is {item}, which a column of decimal numbers can't hold exactly")
    if isinstance(item, list):
        for v in item:
            if type(v) is int and (v not in _INT64 or int(float(v)) != v):
                raise Refused(f"{name!r} holds {v}, which a list of decimal numbers can't hold exactly")
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refused(f"{name!r} holds half of a surrogate pair, which is no text") from None
    except RecursionError:
        raise Refused("nested too deeply") from None
