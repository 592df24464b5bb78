"""One JSON record, parsed by the standard library, with a reason for all that can be wrong with it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec

from smlnb.formats.decoded import EMPTY, TOMBSTONE

__all__ = ["JsonObject", "Refused", "parse_exactly"]


class Refused(Exception):  # noqa: N818 - it is no error, but a verdict on one record
    """Why a record can't be used."""


class JsonObject(dict[str, Any]):
    """A JSON object that knows whether a key appears twice in it."""

    twice: str | None = None

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> JsonObject:
        """Make it of what the parser found."""
        found = cls(pairs)
        if len(found) != len(pairs):
            ((found.twice, _),) = Counter(k for k, _ in pairs).most_common(1)
        return found


def parse_exactly(value: bytes | None) -> JsonObject:
    """Parse one record.

    Raises
    ------
    Refused
        If it is no JSON object in valid UTF-8.

    Examples
    --------
    >>> parse_exactly(b'{"x": 1}')
    {'x': 1}
    """
    if value is None:
        raise Refused(TOMBSTONE)
    if not value.strip():
        raise Refused(EMPTY)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"invalid UTF-8 at byte {error.start}") from None
    try:
        msgspec.json.decode(value)  # stricter than the standard library, and as strict as the fast path
    except RecursionError:
        raise Refused("nested too deeply") from None
    except msgspec.DecodeError as error:
        raise Refused(_reason(value, text, str(error))) from None
    try:
        found = json.loads(text, object_pairs_hook=JsonObject.of)
    except RecursionError:
        raise Refused("nested too deeply") from None
    except ValueError as error:  # digits beyond the limit of Python
        raise Refused(f"malformed JSON: {str(error).partition(';')[0]}") from None
    if not isinstance(found, JsonObject):
        raise Refused(f"the value is JSON, but no object (it is a {type(found).__name__})")
    return found


def _reason(value: bytes, text: str, said: str) -> str:
    if text.startswith("\ufeff"):
        return "malformed JSON: it begins with a byte order mark"
    if value[:1] == b"\0":
        return "no JSON: it begins with a zero byte, like records of a schema registry"
    if said.startswith("JSON is malformed"):
        for word in ("NaN", "Infinity"):
            if word in text:
                return f"malformed JSON: {word} is no JSON value"
    return f"malformed JSON: {said.removeprefix('JSON is malformed: ')}"
