"""How long texts are, and how many are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.stats.base import Accumulator, State
from smlnb.stats.moments import Moments, MomentSummary
from smlnb.stats.values import as_text_column

__all__ = ["TextLengths", "lengths_block"]


def lengths_block(lengths: Sequence[pa.Array]) -> NDArray[np.float64]:
    """Return columns of lengths as one float64 block of shape (columns, rows); NaN where a length is null."""
    columns = [pc.fill_null(c.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False) for c in lengths]
    return np.array(columns, float) if columns else np.empty((0, 0))


class TextLengths(Accumulator):
    """Moments of the lengths of ``width`` text attributes; a block is a sequence of Arrow arrays, one per attribute.

    A length is a number of Unicode code points. The ``zeros`` of the result are the empty texts.

    Parameters
    ----------
    width : int
        The number of attributes.

    Examples
    --------
    >>> texts = TextLengths(1)
    >>> texts.update([pa.array(["on", "", "über", None])])
    >>> lengths = texts.result()
    >>> lengths.mean.tolist(), lengths.maximum.tolist(), lengths.zeros.tolist(), lengths.missing.tolist()
    ([2.0], [4.0], [1], [1])
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.moments = Moments(width)

    @property
    def n(self) -> int:  # type: ignore[override]
        """Rows absorbed, exact."""
        return self.moments.n

    def update(self, block: Sequence[pa.Array]) -> None:
        """Absorb one Arrow array per attribute, all of one length."""
        self.moments.update(lengths_block([pc.utf8_length(as_text_column(column)) for column in block]))

    def merge(self, other: Self) -> None:
        """Absorb another."""
        self._check_mergeable(other)
        self.moments.merge(other.moments)

    def widen(self, width: int) -> None:
        """Add attributes up to ``width``; in everything absorbed so far they count as missing."""
        self.moments.widen(width)
        self.width = width

    def result(self) -> MomentSummary:
        """Return the moments of the lengths."""
        return self.moments.result()

    def empty(self) -> Self:
        """Return an empty one of the same width."""
        return type(self)(self.width)

    def configuration(self) -> dict[str, Any]:
        """Return the width."""
        return {"width": self.width}

    def _payload(self) -> State:
        return self.moments._payload()

    def _comparable(self) -> State:
        return self.moments._comparable()

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        texts = cls(configuration["width"])
        texts.moments = Moments._from_payload(configuration, payload)
        return texts
