"""Counting known keys of many attributes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smlnb import native
from smlnb.stats.centred import scratch
from smlnb.stats.grid import keys_of

if native.AVAILABLE:
    from smlnb.native.histogram import sift

__all__ = ["Lookup", "picked"]

Keys = NDArray[np.int64]
Mask = NDArray[np.bool_]

FIBONACCI = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: neighbouring keys land far apart
NO_KEY = np.iinfo(np.int64).min
OWNER, SEEN = 0, 1
SPARE = 4  # slots per key, so that few keys meet in one


class Lookup:
    """A hash table per attribute that counts the keys it knows; vectorised over attributes and rows.

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
        self._bits = max(8, (SPARE * most - 1).bit_length())
        # a key and its count stand side by side: with many tables in turn, it is cache misses that cost
        self._slots = np.zeros((width, 1 << self._bits, 2), np.int64)
        self._slots[..., OWNER] = NO_KEY
        self._shifts = np.full(width, 64 - 8)  # 64 less the bits of a hash

    def learn(self, i: int, keys: Keys, counts: Keys) -> None:
        """Know these keys of attribute ``i``, how often each has been seen so far, and no others; count from zero."""
        owners = self._slots[i, :, OWNER]
        self._slots[i, :, SEEN] = 0
        rising = keys[np.argsort(counts, kind="stable")]
        hashes = rising.view(np.uint64) * FIBONACCI
        # the smallest table in which all keys find a place, or the largest
        for bits in range(max(8, (SPARE * len(keys)).bit_length() - 1), self._bits + 1):
            owners[:] = NO_KEY
            self._shifts[i] = 64 - bits
            slots = (hashes >> np.uint64(64 - bits)).view(np.int64)
            owners[slots] = rising  # the last one written stays
            homeless = owners[slots] != rising
            late, beside = rising[homeless], slots[homeless] ^ 1
            free = owners[beside] == NO_KEY
            owners[beside[free]] = late[free]
            if (owners[beside] == late).all():
                break

    def sift(self, block: NDArray[np.float64], levels: Keys, first: int = 0) -> tuple[Keys, Keys]:
        """Count the finite values of a block whose keys are known; return the keys of the others.

        Parameters
        ----------
        block : array, shape (attributes, rows)
        levels : array of int64, shape (attributes,)
            Of the grid, see :func:`~smlnb.stats.grid.keys_of`.
        first : int
            The number of the first of these attributes.

        Returns
        -------
        keys, bounds : arrays of int64
            Those of the i-th attribute are ``keys[bounds[i]:bounds[i + 1]]``; the next call overwrites the keys.
        """
        if not native.AVAILABLE:
            keys = keys_of(block, levels[:, None])
            missed = self.count(keys, first)
            return picked(keys, missed & np.isfinite(block) if missed.any() else missed)
        keys, bounds = scratch("keys", (block.size,), np.int64), np.zeros(len(block) + 1, np.int64)
        own = slice(first, first + len(block))
        sift(np.asarray(block, np.float64).view(np.int64), levels, self._slots[own], self._shifts[own], keys, bounds)
        return keys[: bounds[-1]], bounds

    def count(self, keys: Keys, first: int = 0) -> Mask:
        """Count the known ones of ``keys``, shape (attributes, rows); return a mask of those that are not known.

        ``first`` is the number of the first of these attributes; the mask is overwritten by the next call.
        """
        own = slice(first, first + len(keys))
        hashes = np.multiply(keys.view(np.uint64), FIBONACCI, out=scratch("slots", keys.shape, np.uint64))
        hashes >>= self._shifts[own, None].view(np.uint64)
        places = hashes.view(np.int64)  # of the owners among all numbers of the tables
        places <<= 1
        places += (np.arange(len(keys)) * (2 << self._bits))[:, None]
        flat = self._slots[own].ravel()
        owners = flat.take(places, out=scratch("owners", keys.shape, np.int64), mode="clip")
        missed: Mask = np.not_equal(owners, keys, out=scratch("missed", keys.shape, np.bool_))
        np.add.at(flat[SEEN:], places.ravel(), 1)
        at = np.flatnonzero(missed)
        if len(at):
            mine = places.ravel()[at]
            np.subtract.at(flat[SEEN:], mine, 1)
            beside = mine ^ 2
            known = flat[beside] == keys.ravel()[at]
            np.add.at(flat[SEEN:], beside[known], 1)
            missed.ravel()[at[known]] = False
        return missed

    def seen(self, i: int) -> tuple[Keys, Keys]:
        """Return the keys of attribute ``i`` counted since they were learned, and their counts."""
        hit = np.flatnonzero(self._slots[i, :, SEEN])
        return self._slots[i, hit, OWNER], self._slots[i, hit, SEEN]


def picked(keys: Keys, wanted: Mask | None) -> tuple[Keys, Keys]:
    """Return the wanted ones of ``keys``, shape (attributes, rows), and where those of each attribute begin; or all."""
    bounds = np.arange(len(keys) + 1) * keys.shape[1]
    if wanted is None:
        return keys.ravel(), bounds
    at = np.flatnonzero(wanted)
    return keys.ravel().take(at), np.searchsorted(at, bounds)
