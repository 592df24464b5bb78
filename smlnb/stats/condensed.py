"""KLL sketches made of many values at once.

A sketch that takes values one by one sorts and halves them again and again. Of a block that is sorted already, the
sketch that remains can be told at once: every 2^h-th value, from a random one on, each of the weight 2^h. That is what
h halvings in a row would leave, with less error than these: one random choice is made instead of h. To make a sketch of
these, its stored form is written down, which Apache DataSketches keeps stable and readable from all its languages.
"""

from __future__ import annotations

import random
import struct

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

__all__ = ["absorb_values"]

Values = NDArray[np.float64]

MANY = 5  # times k: values from which on this is quicker
SMALLEST_LEVEL = 8  # values that every level of a sketch has room for


def absorb_values(sketch: kll_doubles_sketch, values: Values) -> None:
    """Let a sketch take in finite values.

    Examples
    --------
    >>> sketch = kll_doubles_sketch(200)
    >>> absorb_values(sketch, np.arange(5001.0))
    >>> sketch.n, sketch.get_min_value(), sketch.get_max_value()
    (5001, 0.0, 5000.0)
    >>> abs(sketch.get_quantile(0.5) - 2500) < 0.0133 * 5001
    True
    """
    if len(values) < MANY * sketch.k:
        sketch.update(np.sort(values))  # which it does itself otherwise, in twice the time
        return
    kept = sketch.k * 8 // 5  # two levels have room for k + 2/3 k
    height = ((len(values) - 1) // kept).bit_length()
    single = len(values) % (1 << height)  # which the weight does not divide: the first ones, whatever they are
    if single:
        sketch.update(values[:single])
    ordered = np.sort(values[single:])
    sketch.merge(kll_doubles_sketch.deserialize(_stored(ordered, sketch.k, height)))


def _stored(ordered: Values, k: int, height: int) -> bytes:
    """Return the stored form of a sketch of rising values, of which one in 2^height is kept, on the highest level."""
    first = random.getrandbits(height)
    kept = ordered[first :: 1 << height]
    room = sum(_room(k, depth) for depth in range(height + 1))
    head = struct.pack("<BBBBHBBQHBB", 5, 1, 15, 0, k, SMALLEST_LEVEL, 0, len(ordered), k, height + 1, 0)
    levels = struct.pack(f"<{height + 1}I", *[room - len(kept)] * (height + 1))  # where each begins: all but one empty
    return head + levels + struct.pack("<dd", ordered[0], ordered[-1]) + kept.tobytes()


def _room(k: int, depth: int) -> int:
    """Return the values that a level has room for, ``depth`` levels below the highest.

    Examples
    --------
    >>> [_room(200, depth) for depth in range(8)]
    [200, 133, 89, 59, 40, 26, 18, 12]
    """
    third: int = 3**depth
    return max(SMALLEST_LEVEL, (((2 * k) << depth) // third + 1) >> 1)
