"""The cells of the histogram: the numbers of a smaller floating-point format.

A float64 has 52 bits of mantissa and 11 of exponent. Cutting the last bits off sorts values into cells; cutting one
more merges cells in pairs. The grid of level k, for k up to 47, keeps 52 - k bits of mantissa: the cells are as wide
as the value's magnitude divided by 2**(52 - k), so the tails get coarser cells than the body and no range has to be
known. Beyond level
47, where 5 bits are left (cells of 2 to 3 % of the value), level 47 + f flushes the f smallest exponents: all values
below 2**(f - 1022) fall into 32 equal cells. Every level is a coarsening of the one before. That alone makes counts in
cells exact, and the same in whatever order and grouping they were merged.

A *key* numbers the cells of one level in the order of the values: the magnitude's number m for values from zero up,
and -m - 1 for negative ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smlnb.stats.centred import scratch

__all__ = ["LAST_LEVEL", "MANTISSA_LEVELS", "coarsen", "edges", "fitting_level", "keys_of"]

MANTISSA_LEVELS = 47  # 52 - 5: below that, 5 bits of mantissa stay
MAGNITUDE = np.int64(2**63 - 1)  # all bits but the sign
CORE = 32  # cells of a flushed exponent range, 2**5
SMALLEST = -1027  # at level 47 the cells next to zero are 2**-1027 wide
LAST_LEVEL = MANTISSA_LEVELS + 2046

Keys = NDArray[np.int64]


def keys_of(values: NDArray[np.float64], levels: Any) -> Keys:
    """Return the keys of values.

    Parameters
    ----------
    values : array
        NaN and infinities get keys beyond those of all numbers.
    levels : int or array of int64
        Broadcast against ``values``.

    Examples
    --------
    >>> keys_of(np.array([0.0, 1.0, 1.01, -1.0]), 47).tolist()
    [0, 32736, 32736, -32737]
    """
    positive_zeros = np.add(values, 0.0, out=scratch("keys", values.shape))  # adding zero makes -0.0 positive
    bits = positive_zeros.view(np.int64)
    negative = np.right_shift(bits, 63, out=scratch("signs", values.shape, np.int64))
    magnitude = np.bitwise_and(bits, MAGNITUDE, out=bits)
    magnitude >>= np.minimum(levels, MANTISSA_LEVELS)
    flush = np.asarray(levels) - MANTISSA_LEVELS
    if (flush > 0).any():
        magnitude = _flush(magnitude, np.maximum(flush, 0))
    keys: Keys = np.bitwise_xor(magnitude, negative)
    return keys


def coarsen(keys: Keys, level: int, to: int) -> Keys:
    """Return the keys at level ``to`` of cells that have ``keys`` at a finer ``level``.

    Examples
    --------
    >>> x = np.array([3.7, -0.2, 1e9])
    >>> bool((coarsen(keys_of(x, 10), 10, 60) == keys_of(x, 60)).all())
    True
    """
    negative = keys >> 63
    magnitude = keys ^ negative
    first = min(to, MANTISSA_LEVELS)
    if level < first:
        magnitude = magnitude >> (first - level)
    if to > MANTISSA_LEVELS:
        magnitude = _flush(magnitude, to - MANTISSA_LEVELS, max(level - MANTISSA_LEVELS, 0))
    return np.asarray(magnitude ^ negative)


def _flush(magnitude: Keys, flush: Any, done: int = 0) -> Keys:
    exponent = magnitude >> 5
    drop = np.clip(np.where(magnitude < CORE, flush - done, flush - exponent + 1), 0, 63)
    core = np.where(magnitude < CORE, magnitude, CORE | (magnitude & (CORE - 1))) >> drop
    return np.where(exponent > flush, magnitude, core)


def fitting_level(keys: Keys, level: int, most: int) -> int:
    """Return the finest level, from ``level`` on, at which rising keys are of at most ``most`` cells.

    Examples
    --------
    >>> fitting_level(np.array([0, 1, 2, 2, 7]), 0, 4), fitting_level(np.array([0, 1, 2, 2, 7]), 0, 3)
    (0, 1)
    """
    if len(keys) <= most or np.count_nonzero(keys[1:] != keys[:-1]) < most:
        return level
    if level < MANTISSA_LEVELS:
        # neighbours fall into one cell once the bits in which they differ are cut off
        differing = (keys[1:] ^ keys[:-1]).view(np.uint64)
        fitting = level + int(np.partition(differing, len(differing) - most)[len(differing) - most]).bit_length()
        if fitting <= MANTISSA_LEVELS:
            return fitting
    low, high = max(level, MANTISSA_LEVELS), LAST_LEVEL  # too many cells at low, few enough at high
    keys = coarsen(keys, level, low)
    base = low
    while high - low > 1:
        middle = (low + high) // 2
        coarse = coarsen(keys, base, middle)
        low, high = (middle, high) if np.count_nonzero(coarse[1:] != coarse[:-1]) >= most else (low, middle)
    return high


def edges(keys: Keys, level: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the edges of each cell, which holds its lower but not its upper one.

    Examples
    --------
    >>> low, high = edges(keys_of(np.array([1.0, -1.5]), 47), 47)
    >>> low.tolist(), high.tolist()
    ([1.0, -1.5312499999999998], [1.03125, -1.4999999999999998])
    """
    negative = keys < 0
    magnitude = np.where(negative, ~keys, keys)
    inner, outer = _lower_edge(magnitude, level), _lower_edge(magnitude + 1, level)
    # a magnitude from inner to below outer is a negative number above -outer, up to -inner
    low = np.where(negative, np.nextafter(-outer, 0.0), inner)
    high = np.where(negative, np.where(inner > 0, np.nextafter(-inner, 0.0), 0.0), outer)
    return low, high


def _lower_edge(magnitude: Keys, level: int) -> NDArray[np.float64]:
    flush = level - MANTISSA_LEVELS
    if flush <= 0:
        return (magnitude << level).view(np.float64)
    # cell 32 of the core is where the kept exponents begin
    kept = np.maximum(magnitude, (flush + 1) << 5) << MANTISSA_LEVELS
    with np.errstate(over="ignore"):  # beyond the last cell of all there is only infinity
        core = np.ldexp(np.minimum(magnitude, CORE).astype(float), flush + SMALLEST)
    return np.where(magnitude <= CORE, core, kept.view(np.float64))
