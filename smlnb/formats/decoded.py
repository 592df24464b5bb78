"""What every decoder is, and what it gives: columns, and the reasons why some values made none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["EMPTY", "NO_FIELDS", "TOMBSTONE", "Decoded", "Decoder", "Headers", "Writer"]

TOMBSTONE = "tombstone: the record has no value"
EMPTY = "the value is empty"
NO_FIELDS = "the record has no fields"

Headers = Sequence[Sequence[tuple[str, bytes | None]] | None]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Values as columns.

    Attributes
    ----------
    data : pyarrow.RecordBatch
    rows : array of int64, shape (data.num_rows,)
        Which of the values made each row, ascending.
    refused : tuple of (index, reason)
        The other values, and what was wrong with each.
    """

    data: pa.RecordBatch
    rows: NDArray[np.int64]
    refused: tuple[tuple[int, str], ...] = ()


class Decoder(Protocol):
    """Something that makes columns of values, and remembers the columns it has seen.

    The type of a column is that of its first value; in the first batch of JSON or CSV, that of most values, so that one
    strange record at the beginning does not make strangers of all others. Later records may bring new columns, leave
    columns out (they are null) and turn whole numbers into decimal ones; a record in which a column changes its type
    otherwise is refused.

    Attributes
    ----------
    uses_headers : bool
        Whether the headers of the records can matter; where they can't, nobody needs to read them.
    """

    uses_headers: bool

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:
        """Decode the values; what can't be decoded is refused by itself, with a reason; nothing is raised for it.

        Parameters
        ----------
        values : sequence of bytes or None
        headers : sequence, optional
            For each value the headers of its record, as (name, value), or None.
        """
        ...


class Writer(Protocol):
    """Decodes bodies that were written with one schema."""

    def decode(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the columns of the good bodies, and the reasons of the bad ones by index."""
        ...
