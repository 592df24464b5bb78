# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Avro records of plain fields to columns: all of them, or none if there is anything unusual about one.

A record has no marks: each field follows the last, and how long it is, only its bytes say (Avro specification, "Binary
Encoding"). So every field is read in turn, from where the one before has ended, and none is read beyond the record.
"""

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

import numpy as np

__all__ = ["decode"]


def decode(
    const uint8_t[::1] data not None,
    const int64_t[::1] bounds not None,
    bytes frame not None,
    bytes kinds not None,
    bytes nulls not None,
):
    r"""Return the values of each field and which of them are valid (None: all are), or None if anything is unusual.

    Parameters
    ----------
    data : array of uint8
        All records.
    bounds : array of int64, shape (n + 1,)
        Where each begins, and the last ends.
    frame : bytes
        What each begins with; it may be empty.
    kinds : bytes
        The types of the fields, by their first letters: ``b`` for boolean, ``l`` for long, and for int, which is
        written alike, ``f`` for float, ``d`` for double, ``s`` for string.
    nulls : bytes
        For each field the index of null in its union, 0 or 1; 2 if it is no union.

    Returns
    -------
    list of tuples of values and validity
        Values are an array of bool, int64 or float64, shape (n,), 0 where there is null; of a string, two arrays:
        int32, shape (n + 1,), where each begins and the last ends, and uint8, their bytes, which need not be UTF-8.

        None, if not every value is the frame and exactly one record, each number of it written in as few bytes as it
        needs, each boolean as 0 or 1.

    Raises
    ------
    ValueError
        If the bounds are not within the data, or the plan of fields is none.

    Examples
    --------
    >>> record = np.frombuffer(b"\2\124", np.uint8)
    >>> decode(record, np.array([0, 2]), b"", b"l", b"\0")
    [(array([42]), None)]
    """
    cdef Py_ssize_t records = bounds.shape[0] - 1, fields = len(kinds)
    if records < 0 or not 0 <= bounds[0] <= bounds[records] <= data.shape[0]:
        raise ValueError("bounds that are not those of the data")
    if len(nulls) != fields or kinds.strip(b"blfds") or nulls.strip(b"\0\1\2"):
        raise ValueError(f"no plan of fields: {kinds!r} and {nulls!r}")
    if bounds[records] - bounds[0] > INT32_MAX:  # the bounds of texts could not say where they are
        return None
    numbers = np.empty((fields, records), np.int64)
    valid = np.empty((fields - nulls.count(2), records), np.bool_)
    ends = np.zeros((kinds.count(b"s"), records + 1), np.int32)
    if not _read(data, bounds, frame, kinds, nulls, numbers, valid, ends):
        return None
    columns, rows, texts = [], iter(valid), iter(ends)
    for kind, null, values in zip(kinds, nulls, numbers):
        row = None if null == 2 else next(rows)
        if kind == c"b":
            values = values.astype(np.bool_)
        elif kind == c"f" or kind == c"d":
            values = values.view(np.float64)
        elif kind == c"s":
            values = _text(data, values, next(texts))
        columns.append((values, None if row is None or row.all() else row))
    return columns


cdef bint _read(
    const uint8_t[::1] data, const int64_t[::1] bounds, bytes frame, bytes kinds, bytes nulls,
    int64_t[:, ::1] numbers, uint8_t[:, ::1] valid, int32_t[:, ::1] ends,
):
    """Fill the arrays, and say whether every value is one record; a text's place and length stand in for it."""
    cdef Py_ssize_t length = data.shape[0], records = bounds.shape[0] - 1, fields = len(kinds), width = len(frame)
    cdef Py_ssize_t i, field, row, text
    cdef int64_t start, stop = bounds[0], size
    cdef const uint8_t* first = &data[0] if length else NULL
    cdef const uint8_t* last = first + length
    cdef const uint8_t* head = frame
    cdef const uint8_t* kind = kinds
    cdef const uint8_t* null = nulls
    cdef const uint8_t* at  # never behind `end`
    cdef const uint8_t* end
    cdef int64_t* slot
    cdef double decimal
    with nogil:
        for i in range(records):
            start, stop = stop, bounds[i + 1]
            if stop < start or stop > length or stop - start < width:
                return False
            at, end = first + start, first + stop
            if width and memcmp(at, head, width):
                return False
            at += width
            row = text = 0
            for field in range(fields):
                slot = &numbers[field, i]
                if null[field] != 2:  # the branch of the union goes before: 0 or 1, which is written as 0 or 2
                    if at == end or at[0] & ~2:
                        return False
                    valid[row, i] = at[0] >> 1 != null[field]
                    row += 1
                    at += 1
                    if not valid[row - 1, i]:
                        slot[0] = 0
                        text += kind[field] == c"s"
                        continue
                if kind[field] == c"l":
                    at = _number(at, end, last, slot)
                    if at == NULL:
                        return False
                elif kind[field] == c"s":
                    at = _number(at, end, last, &size)
                    if at == NULL or size < 0 or size > end - at:
                        return False
                    slot[0] = at - first
                    ends[text, i + 1] = <int32_t>size
                    text += 1
                    at += size
                elif kind[field] == c"b":
                    if at == end or at[0] > 1:
                        return False
                    slot[0] = at[0]
                    at += 1
                elif kind[field] == c"d":
                    if end - at < 8:
                        return False
                    slot[0] = <int64_t>_word(at)
                    at += 8
                else:
                    if end - at < 4:
                        return False
                    decimal = _float(at)
                    memcpy(slot, &decimal, 8)
                    at += 4
            if at != end:
                return False
    return True


cdef _text(const uint8_t[::1] data, const int64_t[::1] starts, bounds):
    """Return the bounds and the bytes of a text; its lengths stand where its bounds shall."""
    cdef int32_t[::1] ends = bounds
    cdef Py_ssize_t i, size, records = starts.shape[0]
    for i in range(records):
        ends[i + 1] += ends[i]
    found = np.empty(ends[records], np.uint8)
    cdef uint8_t[::1] target = found
    with nogil:
        for i in range(records):
            size = ends[i + 1] - ends[i]
            if size:
                memcpy(&target[ends[i]], &data[starts[i]], size)
    return bounds, found


cdef inline const uint8_t* _number(
    const uint8_t* at, const uint8_t* end, const uint8_t* last, int64_t* number
) noexcept nogil:
    """Read a whole number; return where it ends, or NULL if it is none, or written in more bytes than it needs.

    Each byte has 7 bits of it, the lowest first, and one that says whether another byte follows. The numbers are
    counted 0, -1, 1, -2 and so on. Bytes up to ``last`` may be looked at, even if the record ends before.
    """
    cdef uint64_t bits, mask
    cdef uint8_t byte
    cdef int size
    if at == end:
        return NULL
    if at[0] < 0x80:
        number[0] = _signed(at[0])
        return at + 1
    if last - at >= 8:  # 2 to 8 bytes: where they end is too irregular for a processor to foresee, so nothing branches
        bits = _word(at)
        mask = ~bits & 0x8080808080808080ULL
        if mask:
            mask ^= mask - 1  # all bits of the number's bytes
            bits &= mask & 0x7F7F7F7F7F7F7F7FULL
            size = <int>(((mask & 0x0101010101010101ULL) * 0x0101010101010101ULL) >> 56)  # adds the bytes of the mask
            if size > end - at or bits <= mask >> 8:  # the highest of its bytes is 0
                return NULL
            bits = (bits & 0x7F007F007F007F00ULL) >> 1 | bits & 0x007F007F007F007FULL
            bits = (bits & 0x3FFF00003FFF0000ULL) >> 2 | bits & 0x00003FFF00003FFFULL
            bits = (bits & 0x0FFFFFFF00000000ULL) >> 4 | bits & 0x000000000FFFFFFFULL
            number[0] = _signed(bits)
            return at + size
    bits = 0
    for size in range(10):
        if at == end:
            return NULL
        byte = at[0]
        at += 1
        bits |= <uint64_t>(byte & 0x7F) << 7 * size
        if byte < 0x80:
            if byte == 0 or (size == 9 and byte > 1):  # it needs no such byte, or more than 64 bits
                return NULL
            number[0] = _signed(bits)
            return at
    return NULL


cdef inline int64_t _signed(uint64_t bits) noexcept nogil:
    return <int64_t>(bits >> 1 ^ (0 - (bits & 1)))


cdef inline uint64_t _word(const uint8_t* at) noexcept nogil:
    """Read 8 bytes, the lowest first; compilers make one instruction of this where they can."""
    return <uint64_t>_half(at) | <uint64_t>_half(at + 4) << 32


cdef inline uint32_t _half(const uint8_t* at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24


cdef inline float _float(const uint8_t* at) noexcept nogil:
    cdef uint32_t bits = _half(at)
    cdef float number
    memcpy(&number, &bits, 4)
    return number
