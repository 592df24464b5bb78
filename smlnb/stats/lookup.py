"""Counting known keys of many attributes at once."""

from __future__ import annotations

from collections.abc import Sequence

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

    Where two keys meet in one slot, the one with the larger count owns it, and the other is not known: a caller
    counts the values that :meth:`count` reports as missed.

    Parameters
    ----------
    keys, counts : sequences of arrays, one per attribute
        The keys to know, and how often each has been seen.
    """

    def __init__(self, keys: Sequence[Keys], counts: Sequence[Keys]) -> None:
        self._width = len(keys)
        most = max((len(k) for k in keys), default=0)
        bits = max(8, (SPARE * most - 1).bit_length())
        self._size = 1 << bits
        self._shift = np.uint64(64 - bits)
        self._offsets = (np.arange(self._width) * self._size)[:, None]
        self._owners = np.full(self._width * self._size, NO_KEY)
        self._seen = np.zeros(self._width * self._size, np.int64)
        for i, (known, times) in enumerate(zip(keys, counts, strict=True)):
            rising = known[np.argsort(times, kind="stable")]
            self._owners[i * self._size + self._slots(rising)] = rising  # the last one written stays

    def _slots(self, keys: Keys) -> Keys:
        return ((keys.view(np.uint64) * FIBONACCI) >> self._shift).view(np.int64)

    def count(self, keys: Keys) -> NDArray[np.bool_]:
        """Count the known ones of ``keys``, shape (attributes, rows); return a mask of those that are not known."""
        hashes = np.multiply(keys.view(np.uint64), FIBONACCI, out=scratch("slots", keys.shape, np.uint64))
        hashes >>= self._shift
        slots = hashes.view(np.int64)
        slots += self._offsets
        owners = self._owners.take(slots, out=scratch("owners", keys.shape, np.int64), mode="clip")
        missed = np.asarray(owners != keys)
        some_missed = missed.any()
        if slots.size * SPARE < self._seen.size:  # few values for a large table
            np.add.at(self._seen, slots[~missed], 1)
        else:
            self._seen += np.bincount(slots.ravel(), minlength=self._seen.size)
            if some_missed:
                self._seen -= np.bincount(slots[missed], minlength=self._seen.size)
        return missed

    def peek(self, i: int) -> tuple[Keys, Keys]:
        """Return the keys of attribute ``i`` counted since the last :meth:`drain`, and their counts."""
        part = slice(i * self._size, (i + 1) * self._size)
        hit = np.flatnonzero(self._seen[part])
        return self._owners[part][hit], self._seen[part][hit]

    def drain(self, i: int) -> tuple[Keys, Keys]:
        """Return what :meth:`peek` does, and start counting attribute ``i`` from zero."""
        counted = self.peek(i)
        self._seen[i * self._size : (i + 1) * self._size] = 0
        return counted
