"""The encoders, by the names under which they are stored."""

from __future__ import annotations

from collections.abc import Mapping

from smlnb.encoders.base import Encoder
from smlnb.encoders.hashed import HashEncoder
from smlnb.encoders.onehot import OneHotEncoder
from smlnb.encoders.target import TargetEncoder
from smlnb.errors import StateError
from smlnb.stats.base import Plain

__all__ = ["ENCODERS", "encoder_from_state"]

ENCODERS: dict[str, type[Encoder]] = {cls.__name__: cls for cls in (HashEncoder, OneHotEncoder, TargetEncoder)}


def encoder_from_state(state: Mapping[str, Plain]) -> Encoder:
    """Rebuild an encoder of any kind from what its ``state()`` returned.

    Raises
    ------
    StateError
        If there is no such kind, or the state was damaged.

    Examples
    --------
    >>> encoder_from_state(HashEncoder("city", columns=8).state())
    HashEncoder('city', columns=8)
    """
    kind = state.get("kind")
    if kind not in ENCODERS:
        raise StateError(f"There is no encoder {kind!r}. There are: {', '.join(ENCODERS)}.")
    return ENCODERS[kind].from_state(state)
