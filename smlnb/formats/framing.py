"""How a record names its schema: by a header, or by the first bytes of its value; both as Confluent's clients do.

========  ===============================================  ==========================================================
form      bytes                                            written by
========  ===============================================  ==========================================================
id        a zero, the id (4 bytes, big endian), the body   every client; the default
GUID      a one, the GUID (16 bytes), the body             few
header    the header ``__value_schema_id`` holds one of    newer clients, by ``header_schema_id_serializer``
          the two without a body; the value is the body
========  ===============================================  ==========================================================

For Protobuf the place of the message in its file follows the id or GUID, wherever that stands.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import repeat

from smlnb.cluster.registry import FRAME
from smlnb.formats.decoded import EMPTY, TOMBSTONE, Headers

__all__ = ["HEADER", "Groups", "by_schema", "named_by", "schema_header"]

HEADER = "__value_schema_id"
_GUID_FRAME = 17

Groups = dict[bytes, tuple[Sequence[int], list[bytes]]]


def named_by(key: bytes) -> int | str:
    """Return the id or the GUID in a frame.

    Examples
    --------
    >>> named_by(bytes([0, 0, 0, 1, 2])), named_by(bytes([1, *range(16)]))
    (258, '00010203-0405-0607-0809-0a0b0c0d0e0f')
    """
    return int.from_bytes(key[1:], "big") if len(key) == FRAME else str(uuid.UUID(bytes=key[1:]))


def schema_header(headers: Sequence[tuple[str, bytes | None]] | None) -> bytes | None:
    """Return the header that names the schema, if there is one."""
    return next((value for name, value in headers or () if name == HEADER), None)


def by_schema(values: Sequence[bytes | None], headers: Headers | None, refused: dict[int, str]) -> Groups:
    r"""Return indices and bodies of the values by the frame that names their schema; refuse what has none.

    Examples
    --------
    >>> refused = {}
    >>> by_schema([b"\x00\x00\x00\x00\x01a", b"x", b"\x00\x00\x00\x00\x01b"], None, refused)
    {b'\x00\x00\x00\x00\x01': ([0, 2], [b'a', b'b'])}
    >>> refused
    {1: "no record of a schema registry: it begins with byte 0x78, not with a schema's id"}
    """
    values = values if isinstance(values, list) else list(values)
    heads = None if headers is None or not any(headers) else headers
    if heads is None and values and (bodies := _without(values[0], values)) is not None:
        return {values[0][:FRAME]: (range(len(values)), bodies)}  # type: ignore[index] # it is no None
    groups: dict[bytes, tuple[list[int], list[bytes]]] = {}
    for i, value in enumerate(values):
        if value is None:
            refused[i] = TOMBSTONE
            continue
        named = schema_header(heads[i]) if heads is not None else None
        if named is None and not value:
            refused[i] = EMPTY
            continue
        text = value if named is None else named
        size = {0: FRAME, 1: _GUID_FRAME}.get(text[0] if text else -1, 0)
        if not 0 < size <= len(text):
            refused[i] = _why(text, in_header=named is not None, known=bool(size))
            continue
        indices, bodies = groups.setdefault(text[:size], ([], []))
        indices.append(i)
        bodies.append(text[size:] if named is None else text[size:] + value)
    return dict(groups)


def _without(first: bytes | None, values: Sequence[bytes | None]) -> list[bytes] | None:
    """Return the values without the frame of the first, if all have that one."""
    if first is None or len(first) < FRAME or first[0] != 0:
        return None
    try:
        bodies = list(map(bytes.removeprefix, values, repeat(first[:FRAME])))  # type: ignore[arg-type]
    except TypeError:  # None is among them
        return None
    whole = sum(map(len, values)) - FRAME * len(bodies)  # type: ignore[arg-type]
    return bodies if sum(map(len, bodies)) == whole else None


def _why(text: bytes, *, in_header: bool, known: bool) -> str:
    what = f"the header {HEADER!r}" if in_header else "it"
    if not text:
        return f"no record of a schema registry: {what} is empty"
    if known:
        return f"no record of a schema registry: {what} ends within the schema's id, after {len(text)} bytes"
    like = ", like JSON" if text.lstrip()[:1] == b"{" else ""
    return f"no record of a schema registry: {what} begins with byte {text[0]:#04x}{like}, not with a schema's id"
