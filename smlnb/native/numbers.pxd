"""Decimal numbers to the nearest float64: the same bits as Python's ``float`` gives.

After D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51 (2021): a product with
128 bits of a power of ten. The error is bounded here for each number by itself, instead of once for all by a proof:
where the bound does not suffice there is no result.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    SMALLEST = -326  # any number of 19 digits times 10**-327 lies below the normal numbers
    LARGEST = 308
    EXACT = 55  # 5**55 < 2**128: the powers from 0 to here have no error

cdef struct Power:  # 10**q = (2**64 * high + low - less than 1) * 2**(exponent - 127), with high >= 2**63
    uint64_t high
    uint64_t low
    int64_t exponent

cdef struct Powers:
    Power of[LARGEST - SMALLEST + 1]

cdef struct Wide:  # 2**64 * high + low
    uint64_t high
    uint64_t low


cdef inline int prepare(Powers *powers) except -1:
    """Compute the powers of ten, by whole numbers of any length."""
    for q in range(SMALLEST, LARGEST + 1):
        over, under = 10 ** max(q, 0), 10 ** max(-q, 0)
        exponent = over.bit_length() - under.bit_length()
        exponent -= over << max(-exponent, 0) < under << max(exponent, 0)
        power = -(-(over << 127 + max(-exponent, 0)) // (under << max(exponent, 0)))  # rounded up
        powers.of[q - SMALLEST] = Power(power >> 64, power & (2**64 - 1), exponent)
    return 0


cdef inline Wide product(uint64_t a, uint64_t b) noexcept nogil:
    """Multiply two numbers of 64 bits in full, by halves."""
    cdef uint64_t a1 = a >> 32, a0 = a & 0xFFFFFFFFULL, b1 = b >> 32, b0 = b & 0xFFFFFFFFULL
    cdef uint64_t low = a0 * b0, cross = a1 * b0, middle = (low >> 32) + (cross & 0xFFFFFFFFULL) + a0 * b1
    cdef Wide found
    found.high = a1 * b1 + (cross >> 32) + (middle >> 32)
    found.low = (middle << 32) | (low & 0xFFFFFFFFULL)
    return found


cdef inline bint divides(int64_t power, uint64_t w) noexcept nogil:
    """Tell whether w is a multiple of 5**power."""
    while power > 0 and w % 5 == 0:
        w //= 5
        power -= 1
    return power == 0


cdef inline bint nearest(uint64_t w, int64_t q, bint negative, const Powers *powers, double *out) noexcept nogil:
    """Find the float64 nearest to w * 10**q, ties to even; False if it is undecided, subnormal or infinite.

    w has at most 19 digits.
    """
    cdef const Power *power
    cdef Wide found, rest
    cdef uint64_t bits, mask, mantissa, above = 1  # whether the number is more than the 54 bits of it that are kept
    cdef int64_t exponent, shift
    cdef double about
    if w == 0:
        out[0] = -0.0 if negative else 0.0
        return True
    if q < SMALLEST or q > LARGEST:
        return False
    about = <double>w
    memcpy(&bits, &about, sizeof(bits))
    exponent = <int64_t>(bits >> 52) - 1023  # of the first bit of w; one more, if `about` was rounded up
    exponent -= w >> exponent == 0
    w <<= 63 - exponent  # from here on 2**63 <= w < 2**64
    # The product has 192 bits. It is exact, or too large by less than w: the power was rounded up by less than 1.
    power = &powers.of[q - SMALLEST]
    found = product(w, power.high)
    shift = 9 + (found.high >> 63)
    mask = (1ULL << shift) - 1
    if (found.high + 1) & mask < 2:  # a carry might change what is kept, or nothing be left beside it
        rest = product(w, power.low)
        found.low += rest.high
        found.high += found.low < rest.high
        shift = 9 + (found.high >> 63)
        mask = (1ULL << shift) - 1
        if found.high & mask == 0 and found.low == 0:  # what is left is no more than the error
            if 0 <= q <= EXACT:
                above = rest.low != 0
            elif -27 <= q < 0 and divides(-q, w >> (63 - exponent)):  # 5**27 < 2**64: the number fits into the bits
                above = 0
            else:
                return False
    exponent += power.exponent + (found.high >> 63)
    mantissa = found.high >> shift  # of 54 bits
    mantissa = (mantissa + (mantissa & (above | mantissa >> 1) & 1)) >> 1  # a branch would be guessed wrong too often
    if exponent < -1022:
        return False
    exponent += mantissa >> 53  # rounded up to the next power of two, whose other bits are zeros
    if exponent > 1023:
        return False
    bits = <uint64_t>negative << 63 | <uint64_t>(exponent + 1023) << 52 | (mantissa & ((1ULL << 52) - 1))
    memcpy(out, &bits, sizeof(bits))
    return True
