# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Avro records to columns: all of them, or none if there is anything unusual about one.

A record has no marks: each field follows the last, and how long it is, only its bytes say (Avro specification, "Binary
Encoding"). So every field is read in turn, from where the one before has ended, and none is read beyond the record.
Records within are no more than their fields; only whether there is one has to be read, if it may be null.
"""

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

import numpy as np

__all__ = ["decode", "integers"]

cdef enum:
    _UUID = 36  # characters


def decode(
    const uint8_t[::1] data not None,
    const int64_t[::1] bounds not None,
    bytes frame not None,
    bytes kinds not None,
    bytes nulls not None,
    const int64_t[::1] sizes not None,
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
        written alike, ``f`` for float, ``d`` for double, ``s`` for string, and for bytes, ``u`` for a UUID as a string
        of 36 characters, ``x`` for fixed, ``e`` for enum, ``r`` for a record that may be null. What is within a record
        follows it; a record that can't be null is not mentioned.
    nulls : bytes
        For each field the index of null in its union, 0 or 1; if it is no union, 3 within a record that may be null,
        2 elsewhere.
    sizes : array of int64
        For each field of fixed how many bytes it has, of enum how many symbols, of a record how many of the fields
        that follow are within it.

    Returns
    -------
    list of tuples of values and validity
        Values are an array of bool, int64 (of enum, the place of the symbol) or float64, shape (n,), 0 where there is
        null; of bytes, int32, shape (n + 1,), where each begins and the last ends, and uint8, all bytes; a string is
        not looked at, whether it is UTF-8. Records that may be null have none.

        None, if not every value is the frame and exactly one record, each number of it written in as few bytes as it
        needs, each boolean as 0 or 1.

    Raises
    ------
    ValueError
        If the bounds are not within the data, or the plan of fields is none.

    Examples
    --------
    >>> record = np.frombuffer(b"\2\124", np.uint8)
    >>> decode(record, np.array([0, 2]), b"", b"l", b"\0", np.array([0]))
    [(array([42]), None)]
    """
    cdef Py_ssize_t records = bounds.shape[0] - 1, fields = len(kinds)
    cdef int64_t size
    if records < 0 or not 0 <= bounds[0] <= bounds[records] <= data.shape[0]:
        raise ValueError("bounds that are not those of the data")
    if len(nulls) != fields or kinds.strip(b"blfdsuxer") or nulls.strip(b"\0\1\2\3"):
        raise ValueError(f"no plan of fields: {kinds!r} and {nulls!r}")
    if sizes.shape[0] != fields:
        raise ValueError(f"no plan of fields: {kinds!r} and {sizes.shape[0]} sizes")
    for size in sizes:
        if not 0 <= size <= INT32_MAX:
            raise ValueError(f"no plan of fields: a size of {size}")
    if bounds[records] - bounds[0] > INT32_MAX:  # the bounds of texts could not say where they are
        return None
    numbers = np.empty((fields, records), np.int64)
    valid = np.empty((fields - nulls.count(2), records), np.bool_)
    ends = np.zeros((kinds.count(b"s") + kinds.count(b"u") + kinds.count(b"x"), records + 1), np.int32)
    if not _read(data, bounds, frame, kinds, nulls, sizes, numbers, valid, ends):
        return None
    columns, rows, texts = [], iter(valid), iter(ends)
    for kind, null, values in zip(kinds, nulls, numbers):
        row = None if null == 2 else next(rows)
        if kind == c"r":
            continue
        if kind == c"b":
            values = values.astype(np.bool_)
        elif kind == c"f" or kind == c"d":
            values = values.view(np.float64)
        elif kind in b"sux":
            values = _text(data, values, next(texts))
        columns.append((values, None if row is None or row.all() else row))
    return columns


cdef bint _read(
    const uint8_t[::1] data, const int64_t[::1] bounds, bytes frame, bytes kinds, bytes nulls,
    const int64_t[::1] sizes, int64_t[:, ::1] numbers, uint8_t[:, ::1] valid, int32_t[:, ::1] ends,
):
    """Fill the arrays, and say whether every value is one record; the place and length of bytes stand in for them."""
    cdef Py_ssize_t length = data.shape[0], records = bounds.shape[0] - 1, fields = len(kinds), width = len(frame)
    cdef Py_ssize_t i, field, row, text, absent
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
    cdef bint there
    with nogil:
        for i in range(records):
            start, stop = stop, bounds[i + 1]
            if stop < start or stop > length or stop - start < width:
                return False
            at, end = first + start, first + stop
            if width and memcmp(at, head, width):
                return False
            at += width
            row = text = absent = 0  # the last: up to which field all are within a record that is null
            for field in range(fields):
                slot = &numbers[field, i]
                if null[field] != 2:
                    there = field >= absent
                    if there and null[field] != 3:  # the branch of the union goes before: 0 or 1, written as 0 or 2
                        if at == end or at[0] & ~2:
                            return False
                        there = at[0] >> 1 != null[field]
                        at += 1
                    valid[row, i] = there
                    row += 1
                    if not there:
                        slot[0] = 0
                        if kind[field] == c"s" or kind[field] == c"u" or kind[field] == c"x":
                            text += 1
                        elif kind[field] == c"r" and field >= absent:
                            absent = field + 1 + sizes[field]
                        continue
                if kind[field] == c"l" or kind[field] == c"e":
                    at = _number(at, end, last, slot)
                    if at == NULL or (kind[field] == c"e" and not 0 <= slot[0] < sizes[field]):
                        return False
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
                elif kind[field] == c"s" or kind[field] == c"x" or kind[field] == c"u":
                    if kind[field] == c"s":
                        at = _number(at, end, last, &size)
                        if at == NULL or size < 0:
                            return False
                    elif kind[field] == c"x":
                        size = sizes[field]
                    else:
                        size = _UUID
                        if at == end or at[0] != 2 * _UUID:
                            return False
                        at += 1
                    if size > end - at or (kind[field] == c"u" and not _is_uuid(at)):
                        return False
                    slot[0] = at - first
                    ends[text, i + 1] = <int32_t>size
                    text += 1
                    at += size
                elif kind[field] == c"f":
                    if end - at < 4:
                        return False
                    decimal = _float(at)
                    memcpy(slot, &decimal, 8)
                    at += 4
            if at != end:
                return False
    return True


def integers(const int32_t[::1] bounds not None, const uint8_t[::1] data not None):
    r"""Return whole numbers that are written with the highest byte first, as decimals are.

    Parameters
    ----------
    bounds : array of int32, shape (n + 1,)
        Where each begins, and the last ends.
    data : array of uint8

    Returns
    -------
    array of int64, shape (n,), or None
        0 of no bytes; None if any number has more than 64 bits.

    Raises
    ------
    ValueError
        If the bounds are not within the data.

    Examples
    --------
    >>> integers(np.array([0, 1, 1, 3], np.int32), np.frombuffer(b"\xff\1\0", np.uint8)).tolist()
    [-1, 0, 256]
    """
    cdef Py_ssize_t i, records = bounds.shape[0] - 1
    cdef int32_t at, start, stop
    cdef uint64_t bits
    cdef bint below  # 0
    if records < 0 or bounds[0] < 0:
        raise ValueError("bounds that are not those of the data")
    found = np.empty(records, np.int64)
    cdef int64_t[::1] numbers = found
    for i in range(records):
        start, stop = bounds[i], bounds[i + 1]
        if stop < start or stop > data.shape[0]:
            raise ValueError("bounds that are not those of the data")
        below = start < stop and data[start] >= 0x80
        bits = 0 - <uint64_t>below
        for at in range(start, stop):
            if stop - at >= 8 and <int64_t>bits != -<int64_t>below:  # a bit that counts would be pushed out
                return None
            bits = bits << 8 | data[at]
        if (<int64_t>bits < 0) != below:
            return None
        numbers[i] = <int64_t>bits
    return found


cdef _text(const uint8_t[::1] data, const int64_t[::1] starts, bounds):
    """Return the bounds and the bytes of a column; its lengths stand where its bounds shall."""
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


cdef inline bint _is_uuid(const uint8_t* text) noexcept nogil:
    """Say whether 36 bytes are a UUID with its hyphens, in letters of either case."""
    cdef int i
    cdef uint8_t byte
    for i in range(_UUID):
        byte = text[i]
        if i == 8 or i == 13 or i == 18 or i == 23:
            if byte != c"-":
                return False
        elif not (c"0" <= byte <= c"9" or c"a" <= byte | 0x20 <= c"f"):
            return False
    return True


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
