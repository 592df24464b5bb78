"""Values without a frame, all written with one schema that is known from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smlnb.formats.columns import Columns, Piece
from smlnb.formats.decoded import EMPTY, TOMBSTONE, Decoded, Headers, Writer
from smlnb.formats.payloads import Payloads

__all__ = ["PlainDecoder"]


class PlainDecoder:
    """Makes columns of values that are bodies as they are; see :class:`~smlnb.formats.decoded.Decoder`.

    Parameters
    ----------
    writer : Writer
        Decodes them.
    empty : bool
        Whether a value without bytes is a record, as in Protobuf.
    """

    uses_headers = False

    def __init__(self, writer: Writer, *, empty: bool = False) -> None:
        self._writer = writer
        self._empty = empty
        self._columns = Columns()

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:  # noqa: ARG002
        """Decode the values; see :meth:`smlnb.formats.decoded.Decoder.decode`."""
        refused: dict[int, str] = {}
        rows, bodies = self._bodies(values, refused)
        data, bad = self._writer.decode(bodies)
        refused.update({int(rows[i]): reason for i, reason in bad.items()})
        joined, kept, unfit = self._columns.join([Piece(data, np.delete(rows, list(bad)))])
        return Decoded(joined, kept, tuple(sorted((refused | unfit).items())))

    def _bodies(
        self, values: Sequence[bytes | None], refused: dict[int, str]
    ) -> tuple[NDArray[np.int64], Sequence[bytes]]:
        """Return the values that hold records, and which they are; say of the others why not."""
        if isinstance(values, Payloads) and values.complete:
            sizes = np.diff(values.bounds)
            if self._empty or sizes.all():
                return np.arange(len(sizes)), values  # type: ignore[return-value] # none of them is None
        rows, bodies = [], []
        for i, value in enumerate(values):
            if value is None or not (value or self._empty):
                refused[i] = TOMBSTONE if value is None else EMPTY
            else:
                rows.append(i)
                bodies.append(value)
        return np.array(rows, np.int64), bodies
