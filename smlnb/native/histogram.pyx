# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Counts values in the cells of histograms: key, hash and count of each in one pass.

The same as smlnb/stats/grid.py (keys) and smlnb/stats/lookup.py (hash tables) do array by array. All is done on the
bits of the values, as unsigned integers.
"""

ctypedef unsigned long long Bits

cdef Bits SIGN = 0x8000000000000000
cdef Bits INFINITE = 0x7FF0000000000000  # infinity; beyond it are the NaN
cdef Bits FIBONACCI = 0x9E3779B97F4A7C15
cdef long long MANTISSA_LEVELS = 47
cdef Bits CORE = 32


cdef inline Bits flushed(Bits magnitude, long long flush) noexcept nogil:
    """Return the cell of a magnitude of level 47 where the smallest exponents are flushed: grid._flush."""
    cdef long long exponent = <long long> (magnitude >> 5)
    if exponent > flush:
        return magnitude
    if magnitude < CORE:
        return magnitude >> min(flush, 63)
    return (CORE | (magnitude & (CORE - 1))) >> min(flush - exponent + 1, 63)


def sift(
    const long long[:, :] values,
    const long long[::1] levels,
    long long[:, :, ::1] slots,
    const long long[::1] shifts,
    long long[::1] keys,
    long long[::1] bounds,
):
    """Count the finite values whose keys own a slot; write down the keys of the others, and where each row's begin.

    A table of 2^bits slots, each a key and its count, begins at ``slots[i]``; ``shifts[i]`` is 64 - bits.
    """
    cdef Py_ssize_t width = values.shape[0], rows = values.shape[1], size = slots.shape[1], i, j, unknown = 0
    cdef long long key, level
    cdef int shift, cut
    cdef Bits bits, magnitude, slot
    cdef long long* table
    if slots.shape[0] != width or slots.shape[2] != 2 or levels.shape[0] != width or shifts.shape[0] != width:
        raise ValueError("there is not one table for each attribute")
    if bounds.shape[0] != width + 1 or keys.shape[0] < width * rows:
        raise ValueError("there is no room for all keys")
    for i in range(width):
        if not 1 <= shifts[i] <= 63 or (<Bits> 1) << (64 - shifts[i]) > <Bits> size:
            raise ValueError("there is no such slot")
        if levels[i] < 0:
            raise ValueError("there is no such level")
    with nogil:
        bounds[0] = 0
        for i in range(width if rows else 0):
            table, level, shift = &slots[i, 0, 0], levels[i], <int> shifts[i]
            cut = <int> min(level, MANTISSA_LEVELS)
            for j in range(rows):
                bits = <Bits> values[i, j]
                magnitude = bits & ~SIGN
                if magnitude >= INFINITE:
                    continue
                if magnitude == 0:
                    bits = 0  # -0.0 is 0.0
                magnitude >>= cut
                if level > MANTISSA_LEVELS:
                    magnitude = flushed(magnitude, level - MANTISSA_LEVELS)
                key = <long long> (magnitude ^ (0 - (bits >> 63)))
                slot = 2 * ((<Bits> key * FIBONACCI) >> shift)
                if table[slot] != key:
                    slot ^= 2  # the one beside it
                    if table[slot] != key:
                        keys[unknown] = key
                        unknown += 1
                        continue
                table[slot + 1] += 1
            bounds[i + 1] = unknown
