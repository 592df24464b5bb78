"""Records of one partition as they came from the client: column by column, not yet decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smlnb.formats.payloads import Payloads

__all__ = ["NO_RECORDS", "Records"]

Values = Sequence[bytes | None]


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Records of one partition.

    Attributes
    ----------
    offsets : array of int64, shape (records,)
        Rising.
    times : array of int64, shape (records,)
        In milliseconds since 1970.
    values, keys : sequence of bytes or None
        :class:`~smlnb.formats.payloads.Payloads`, or lists.
    headers : sequence, optional
        Those of each record, where they are wanted and some record has any.

    Examples
    --------
    >>> a, b = (Records(np.array([i]), np.array([0]), [b"x"], [None]) for i in (1, 2))
    >>> both = Records.joined([a, b])
    >>> len(both), both.offsets.tolist(), both.part(slice(1, 2)).values
    (2, [1, 2], [b'x'])
    """

    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    values: Values
    keys: Values
    headers: Sequence[Any] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def part(self, which: slice) -> Records:
        """Return some of them; of step 1."""
        headers = None if self.headers is None else self.headers[which]
        return Records(self.offsets[which], self.times[which], self.values[which], self.keys[which], headers)

    @staticmethod
    def joined(parts: Sequence[Records]) -> Records:
        """Return the records of all parts as one."""
        parts = [part for part in parts if len(part)]
        if len(parts) <= 1:
            return parts[0] if parts else NO_RECORDS
        headers = None
        if any(part.headers is not None for part in parts):
            headers = list(chain.from_iterable(part.headers or [None] * len(part) for part in parts))
        return Records(
            np.concatenate([part.offsets for part in parts]),
            np.concatenate([part.times for part in parts]),
            _joined([part.values for part in parts]),
            _joined([part.keys for part in parts]),
            headers,
        )


def _joined(parts: Sequence[Values]) -> Values:
    packed = [part for part in parts if isinstance(part, Payloads)]
    return Payloads.joined(packed) if len(packed) == len(parts) else list(chain.from_iterable(parts))


NO_RECORDS = Records(np.empty(0, np.int64), np.empty(0, np.int64), [], [])
