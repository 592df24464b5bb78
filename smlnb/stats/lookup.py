"""Counting known keys of many attributes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.centred import scratch

__all__ = ["Lookup"]

Keys = NDArray[np.int64]

FIBONACCI = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: neighbouring keys land far apart
NO_KEY = np.iinfo(np.int64).min
SPARE = 4  # slots per key, so that few keys meet in one


class Lookup:
    """A hash table per attribute, all of one size, that counts the keys it knows; vectorised over attributes and rows.

    Two slots are there for a key: that of its hash, and the one beside it. Where more keys meet, those with the larger
    counts own the slots, and the others are not known: a caller counts the values that :meth:`count` reports as missed.

    Parameters
    ----------
    width : int
        The number of attributes.
    most : int
        Keys per attribute; memory is some 64 bytes for each.
    """

    def __init__(self, width: int, most: int) -> None:
        bits = max(8, (SPARE * most - 1).bit_length())
        self._size = 1 << bits
        self._shift = np.uint64(64 - bits)
        self._offsets = (np.arange(width) * self._size)[:, None]
        self._owners = np.full(width * self._size, NO_KEY)
        self._seen = np.zeros(width * self._size, np.int64)

    def _part(self, i: int) -> slice:
        return slice(i * self._size, (i + 1) * self._size)

    def learn(self, i: int, keys: Keys, counts: Keys) -> None:
        """Know these keys of attribute ``i``, how often each has been seen so far, and no others; count from zero."""
        owners = self._owners[self._part(i)]
        owners[:] = NO_KEY
        self._seen[self._part(i)] = 0
        rising = keys[np.argsort(counts, kind="stable")]
        slots = ((rising.view(np.uint64) * FIBONACCI) >> self._shift).view(np.int64)
        owners[slots] = rising  # the last one written stays
        homeless = owners[slots] != rising
        rising, slots = rising[homeless], slots[homeless] ^ 1
        free = owners[slots] == NO_KEY
        owners[slots[free]] = rising[free]

    def count(self, keys: Keys, first: int = 0) -> NDArray[np.bool_]:
        """Count the known ones of ``keys``, shape (attributes, rows); return a mask of those that are not known.

        ``first`` is the number of the first of these attributes; the mask is overwritten by the next call.
        """
        hashes = np.multiply(keys.view(np.uint64), FIBONACCI, out=scratch("slots", keys.shape, np.uint64))
        hashes >>= self._shift
        slots = hashes.view(np.int64)
        slots += self._offsets[first : first + len(keys)]
        owners = self._owners.take(slots, out=scratch("owners", keys.shape, np.int64), mode="clip")
        missed: NDArray[np.bool_] = np.not_equal(owners, keys, out=scratch("missed", keys.shape, np.bool_))
        np.add.at(self._seen, slots.ravel(), 1)
        at = np.flatnonzero(missed)
        if len(at):
            own = slots.ravel()[at]
            np.subtract.at(self._seen, own, 1)
            second = own ^ 1
            known = self._owners[second] == keys.ravel()[at]
            np.add.at(self._seen, second[known], 1)
            missed.ravel()[at[known]] = False
        return missed

    def seen(self, i: int) -> tuple[Keys, Keys]:
        """Return the keys of attribute ``i`` counted since they were learned, and their counts."""
        hit = np.flatnonzero(self._seen[self._part(i)])
        return self._owners[self._part(i)][hit], self._seen[self._part(i)][hit]
