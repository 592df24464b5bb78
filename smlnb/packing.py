"""States as bytes: MessagePack of plain values and arrays, never of objects."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np

from smlnb.errors import StateError
from smlnb.stats.base import State

__all__ = ["pack", "read_file", "sha256", "unpack", "write_file"]

ARRAY = 1  # the MessagePack extension that holds an array
MAGIC = b"smlnb-1\n"
DIGEST = 64  # characters of a SHA-256 in hex


def pack(state: State) -> bytes:
    """Return a state as MessagePack.

    Examples
    --------
    >>> unpack(pack({"n": 1, "x": np.arange(2)}))
    {'n': 1, 'x': array([0, 1])}
    """
    return msgspec.msgpack.encode(state, enc_hook=_to_extension)


def unpack(blob: bytes) -> State:
    """Return the state; call it only on bytes whose digest was verified.

    Raises
    ------
    StateError
        If the bytes are no state.
    """
    try:
        return msgspec.msgpack.Decoder(State, ext_hook=_from_extension).decode(blob)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise StateError(f"The bytes are no state: {error}") from error


def sha256(blob: bytes) -> str:
    """Return the digest in hex."""
    return hashlib.sha256(blob).hexdigest()


def write_file(state: State) -> bytes:
    """Return a state as the content of a file: a mark, the digest, the state."""
    blob = pack(state)
    return MAGIC + sha256(blob).encode() + blob


def read_file(content: bytes, name: str) -> State:
    """Return the state in the content of a file called ``name``.

    Raises
    ------
    StateError
        If it is no such file, or was damaged.
    """
    if not content.startswith(MAGIC):
        raise StateError(f"{name} is no file that smlnb has exported.")
    head = len(MAGIC) + DIGEST
    if sha256(content[head:]).encode() != content[len(MAGIC) : head]:
        raise StateError(f"{name} was damaged or cut off: its SHA-256 does not fit. Export it again, or use a copy.")
    return unpack(content[head:])


def _to_extension(value: object) -> msgspec.msgpack.Ext:
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        raise StateError(f"A state holds plain values, not a {type(value).__name__}.")
    body = [value.dtype.str, list(value.shape), np.ascontiguousarray(value).tobytes()]
    return msgspec.msgpack.Ext(ARRAY, msgspec.msgpack.encode(body))


def _from_extension(code: int, data: memoryview) -> Any:
    if code != ARRAY:
        raise StateError(f"The state holds an unknown kind of value ({code}).")
    dtype, shape, raw = msgspec.msgpack.decode(data, type=tuple[str, list[int], bytes])
    return np.frombuffer(raw, dtype=np.dtype(dtype)).reshape(shape).copy()
