"""Whether bytes are a record of an Avro schema, to the letter.

The libraries take some damaged bytes for records: a negative index of a symbol or of a branch counts from the end, a
number of more than 64 bits loses the upper ones. This walks over the bytes and looks at nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["walk"]

_FIXED: Mapping[str, int] = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def walk(kind: Any, named: Mapping[str, Any], body: bytes, at: int = 0) -> int:
    r"""Return where a value of the type ends that begins at ``at``.

    Parameters
    ----------
    kind
        As fastavro has parsed it.
    named : mapping
        The types that it names.

    Raises
    ------
    ValueError
        If it is none; the message says why.

    Examples
    --------
    >>> walk(["null", "long"], {}, b"\x02\x04")
    2
    >>> walk({"type": "enum", "name": "e", "symbols": ["a", "b"]}, {}, b"\x01")
    Traceback (most recent call last):
    ValueError: symbol -1 of 2
    """
    if isinstance(kind, list):
        index, at = _number(body, at, "branch", len(kind))
        kind = kind[index]
    if isinstance(kind, str):
        kind = named.get(kind, {"type": kind})
    base = kind["type"]
    if isinstance(base, dict | list):
        return walk(base, named, body, at)
    if base in _FIXED or base == "fixed":
        return _past(body, at, kind["size"] if base == "fixed" else _FIXED[base])
    match base:
        case "record" | "error":
            for one in kind["fields"]:
                at = walk(one["type"], named, body, at)
        case "int" | "long":
            _, at = _number(body, at)
        case "string" | "bytes":
            at = _text(body, at, decode=base == "string")
        case "enum":
            _, at = _number(body, at, "symbol", len(kind["symbols"]))
        case _:
            at = _blocks(kind, named, body, at)
    return at


def _past(body: bytes, at: int, size: int) -> int:
    if size < 0 or at + size > len(body):
        raise ValueError("the bytes end within the record" if size >= 0 else f"a length of {size}")
    return at + size


def _number(body: bytes, at: int, what: str = "", limit: int = 0) -> tuple[int, int]:
    value = shift = 0
    while True:
        end = _past(body, at, 1)
        value |= (body[at] & 0x7F) << shift
        at, shift = end, shift + 7
        if body[at - 1] < 0x80:
            break
        if shift >= 70:
            raise ValueError("a number of more than 64 bits")
    if value >= 2**64:
        raise ValueError("a number of more than 64 bits")
    number = (value >> 1) ^ -(value & 1)
    if what and not 0 <= number < limit:
        raise ValueError(f"{what} {number} of {limit}")
    return number, at


def _text(body: bytes, at: int, *, decode: bool) -> int:
    size, at = _number(body, at)
    end = _past(body, at, size)
    if decode:
        body[at:end].decode("utf-8")
    return end


def _blocks(kind: Any, named: Mapping[str, Any], body: bytes, at: int) -> int:
    while True:
        count, at = _number(body, at)
        if count == 0:
            return at
        if count < 0:
            _, at = _number(body, at)  # how many bytes the block has
        if abs(count) > len(body):
            raise ValueError(f"{abs(count):,} items in a record of {len(body):,} bytes")
        for _ in range(abs(count)):
            if "values" in kind:
                at = _text(body, at, decode=True)
            at = walk(kind["values" if "values" in kind else "items"], named, body, at)
