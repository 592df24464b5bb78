"""The accumulator protocol: a few verbs that every statistic has, and what makes its stored state trustworthy."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from smlnb.errors import ForgetError, MergeError, StateError

__all__ = ["Accumulator", "Plain", "State", "digest_of"]

Plain = Any
"""What a state may hold: numbers, strings, bytes, arrays, and lists and dicts of them."""

State = dict[str, Plain]

_SEALED = {"kind", "version", "configuration", "payload", "sha256"}
"""What the state of an accumulator has."""

_DIGEST = {"sha256"}
"""What stands for a state that is kept elsewhere."""


class Accumulator(ABC):
    """A statistic that absorbs blocks of rows and merges with its like.

    A *block* is a float64 array of shape (attributes, rows), unless a class says otherwise; NaN means missing. The
    laws that every accumulator keeps are in :mod:`smlnb.stats.checks`, for yours as well as for ours.

    Attributes
    ----------
    deterministic : bool
        Whether the same rows always give the same bits. Randomised sketches say no, and state their error bound.
    version : int
        Of the stored state.
    """

    deterministic: ClassVar[bool] = True
    version: ClassVar[int] = 1

    n: int
    """Rows absorbed, exact."""

    @abstractmethod
    def update(self, block: Any) -> None:
        """Absorb a block; the block is never changed."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Absorb another accumulator of the same configuration; the other is never changed.

        Raises
        ------
        MergeError
            If the configurations differ; the message names the difference.
        """

    def forget(self, block: Any) -> None:
        """Take out a block that was absorbed before, exactly for counts; all of it or, with an error, nothing.

        Raises
        ------
        ForgetError
            If the block was never absorbed, what would be left has fewer than six good digits, or this kind of
            accumulator can't forget at all.
        """
        _ = block
        raise ForgetError(f"{type(self).__name__} can't forget: what it keeps does not tell which rows it came from.")

    @abstractmethod
    def result(self) -> Any:
        """Return the value, computed from the sufficient statistics; no side effect."""

    @abstractmethod
    def empty(self) -> Self:
        """Return a new accumulator of the same configuration that has absorbed nothing."""

    @abstractmethod
    def configuration(self) -> dict[str, Plain]:
        """Return what must be equal for two accumulators to merge."""

    @abstractmethod
    def _payload(self) -> State:
        """Return the sufficient statistics as plain values."""

    @classmethod
    @abstractmethod
    def _from_payload(cls, configuration: Mapping[str, Plain], payload: Mapping[str, Plain]) -> Self:
        """Rebuild from configuration and payload, both already verified."""

    def _comparable(self) -> State:
        """Return what the laws compare: the payload, where needed on the scale of what its sums are differences of."""
        return self._payload()

    def copy(self) -> Self:
        """Return an independent copy."""
        copy = self.empty()
        copy.merge(self)
        return copy

    def state(self) -> State:
        """Return everything needed to rebuild this accumulator bit for bit, with a digest over it."""
        body: State = {
            "kind": type(self).__name__,
            "version": self.version,
            "configuration": self.configuration(),
            "payload": self._payload(),
        }
        return {**body, "sha256": digest_of(body)}

    @classmethod
    def from_state(cls, state: Mapping[str, Plain]) -> Self:
        """Rebuild what :meth:`state` returned.

        Raises
        ------
        StateError
            If the state is of another kind or a future version, incomplete, or was changed since it was made.
        """
        missing = {"kind", "version", "configuration", "payload", "sha256"} - set(state)
        if missing:
            raise StateError(f"The state of {cls.__name__} lacks {', '.join(sorted(missing))}.")
        if state["kind"] != cls.__name__:
            raise StateError(f"A state of {cls.__name__} was wanted; this is one of {state['kind']!r}.")
        if state["version"] != cls.version:
            raise StateError(
                f"The state of {cls.__name__} has version {state['version']!r}; this smlnb reads {cls.version}. "
                "Use the smlnb that wrote it, or a newer one.",
            )
        body = {key: state[key] for key in ("kind", "version", "configuration", "payload")}
        if digest_of(body) != state["sha256"]:
            raise StateError(
                f"The state of {cls.__name__} was damaged or changed: its SHA-256 does not fit. Use an earlier one."
            )
        return cls._from_payload(state["configuration"], state["payload"])

    def _check_mergeable(self, other: Accumulator) -> None:
        if type(other) is not type(self):
            raise MergeError(f"A {type(self).__name__} can't absorb a {type(other).__name__}.")
        mine, theirs = self.configuration(), other.configuration()
        for key, value in mine.items():
            if theirs[key] != value:
                raise MergeError(
                    f"Two {type(self).__name__} of different {key} can't be merged: "
                    f"{value!r} here, {theirs[key]!r} there."
                )

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.configuration().items())
        return f"{type(self).__name__}({settings}): n={self.n:_}"


def digest_of(value: Plain) -> str:
    """Return the SHA-256, in hex, over a nest of plain values; types, dtypes and shapes count.

    Raises
    ------
    StateError
        If there is something else than plain values in it.
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, value: Plain) -> None:  # noqa: C901 - one case per plain type
    match value:
        case np.ndarray():
            if value.dtype.hasobject:
                raise StateError("A state holds numbers and strings, never Python objects.")
            digest.update(f"a{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        case dict() if value.keys() in (_SEALED, _DIGEST):  # the digest is verified when the inner one is rebuilt
            digest.update(f"t{value['sha256']}".encode())
        case dict():
            digest.update(f"d{len(value)}".encode())
            for key in sorted(value):
                _feed(digest, key)
                _feed(digest, value[key])
        case list() | tuple():
            digest.update(f"l{len(value)}".encode())
            for item in value:
                _feed(digest, item)
        case bytes():
            digest.update(f"b{len(value)}:".encode() + value)
        case str():
            encoded = value.encode("utf-8", "surrogatepass")
            digest.update(f"s{len(encoded)}:".encode() + encoded)
        case None | bool() | int():
            digest.update(f"{type(value).__name__}{value};".encode())
        case float():
            digest.update(f"f{value.hex()};".encode())
        case _:
            raise StateError(f"A state holds plain values; this is a {type(value).__name__}.")
