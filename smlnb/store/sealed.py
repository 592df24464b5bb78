"""States as sealed rows: compressed, with a SHA-256 over them and all that is known of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
import pyarrow as pa

from smlnb.errors import StateError
from smlnb.packing import pack, unpack
from smlnb.stats.base import State

__all__ = ["Packed", "Sealed"]

_CODEC: Final = ("zstd", 1)


@dataclass(frozen=True, slots=True)
class Packed:
    """A compressed state, and its size before."""

    size: int
    blob: bytes

    @classmethod
    def of(cls, state: State) -> Self:
        """Pack and compress a state."""
        packed = pack(state)
        return cls(len(packed), pa.Codec(*_CODEC).compress(packed, asbytes=True))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A state as it is stored.

    Attributes
    ----------
    size : int
        Bytes of the packed state.
    sha256 : str
        In hex, over the label and all bytes here.
    blob : bytes
        The packed state, compressed.

    Examples
    --------
    >>> sealed = Sealed.of({"n": 1}, ["project", 7])
    >>> sealed.opened(["project", 7])
    {'n': 1}
    """

    size: int
    sha256: str
    blob: bytes

    @classmethod
    def of(cls, state: State | Packed, label: list[Any]) -> Self:
        """Seal a state; ``label`` is what else is stored of it, such as its name and its number."""
        packed = state if isinstance(state, Packed) else Packed.of(state)
        return cls(packed.size, _digest(packed.size, packed.blob, label), packed.blob)

    def opened(self, label: list[Any]) -> State:
        """Return the state; nothing in it is read before the digest was verified.

        Raises
        ------
        StateError
            If it was damaged, or is not what the label says.
        """
        if not isinstance(self.blob, bytes) or _digest(self.size, self.blob, label) != self.sha256:
            raise StateError("it was damaged: its SHA-256 does not fit")
        return unpack(pa.Codec(*_CODEC).decompress(self.blob, self.size, asbytes=True))


def _digest(size: int, blob: bytes, label: list[Any]) -> str:
    digest = hashlib.sha256(msgspec.json.encode([*label, size]))
    digest.update(b"\n")
    digest.update(blob)
    return digest.hexdigest()
