# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""JSON objects of one shape to columns: all of them, or nothing.

Accepted is only what is usual: objects by the grammar of RFC 8259 that have each key of the shape once and no others,
no null, no escape in keys or texts, numbers of at most 19 digits. Everything else is somebody else's to look at.

The keys of a record are expected in the order in which the record before had them: then finding a column is one
comparison of a few bytes.
"""

from libc.stdint cimport INT32_MAX, INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

import numpy as np

from smlnb.native.numbers cimport Powers, nearest, prepare

__all__ = ["BOOLEAN", "DECIMAL", "TEXT", "WHOLE", "Records"]

cdef enum:
    _WHOLE
    _DECIMAL
    _BOOLEAN
    _TEXT
    _OBJECT

WHOLE, DECIMAL, BOOLEAN, TEXT = _WHOLE, _DECIMAL, _BOOLEAN, _TEXT

ctypedef const uint8_t *Place  # where the next byte is; NULL: what was there is unusual

cdef struct Field:
    Place key  # with its quotation marks
    Py_ssize_t size
    int kind
    Py_ssize_t index  # of the column among those of its kind, or of the object among all

cdef struct Object:
    Py_ssize_t first  # of its fields
    Py_ssize_t count

cdef struct Level:  # an object that has begun and not ended
    Field *fields  # the expected order of the keys
    Py_ssize_t count
    Py_ssize_t found  # so many of them

cdef struct Plan:
    Field *fields
    Object *objects
    Level *levels

cdef struct Columns:  # of each kind one array: a row for a column
    Py_ssize_t records
    int64_t *whole
    double *decimal
    uint8_t *boolean
    int64_t *begins  # of the texts, in the data
    int32_t *bounds  # of the texts, in their column; one more in each row

cdef Powers powers
prepare(&powers)


cdef class Records:
    """Parses objects of one shape.

    Parameters
    ----------
    shape : mapping
        For each key WHOLE, DECIMAL, BOOLEAN, TEXT, or the shape of the object that it holds. No key has quotation
        marks, backslashes or control characters.
    """

    cdef list keys, names
    cdef bytearray fields, objects
    cdef Py_ssize_t smallest

    def __init__(self, shape):
        self.keys, self.names = [], [[], [], [], []]
        self.fields, self.objects = bytearray(), bytearray()
        self.smallest = 0
        waiting = [(shape, "")]
        for shape, path in waiting:  # which grows
            self.objects += _bytes_of_object(len(self.keys), len(shape))
            for key, kind in shape.items():
                if isinstance(kind, int):
                    index = len(self.names[kind])
                    self.names[kind].append(path + key)
                else:
                    index = len(waiting)
                    waiting.append((kind, f"{path}{key}."))
                    kind = _OBJECT
                if any(c in '"\\' or c < " " for c in key):
                    raise ValueError(f"the key {key!r} would be written with an escape")
                written = b'"%b"' % key.encode()
                self.keys.append(written)
                self.fields += _bytes_of_field(written, kind, index)
                self.smallest += len(written) + 2  # a colon and a value

    def decode(self, const uint8_t[::1] data, const int64_t[::1] bounds):
        """Parse all records.

        Parameters
        ----------
        data : array of uint8
        bounds : array of int64, shape (n + 1,)
            Where in it each record begins, and the last ends.

        Returns
        -------
        numbers, texts : dict, or None
            By the path of each column, which is its keys joined by dots: an array of int64, float64 or bool, of shape
            (n,); for texts the bounds, int32 of shape (n + 1,), and the UTF-8, uint8. None if any value is unusual.
        """
        cdef Py_ssize_t n = bounds.shape[0] - 1, i
        cdef bint usual
        if n < 1 or not 0 <= bounds[0] <= bounds[n] <= data.shape[0]:
            return None
        if (bounds[n] - bounds[0]) // n < self.smallest:  # the columns take no more memory than data of that size need
            return None
        counts = [len(names) for names in self.names]
        cdef int64_t[:, ::1] whole = np.empty((counts[_WHOLE], n), np.int64)
        cdef double[:, ::1] decimal = np.empty((counts[_DECIMAL], n), np.float64)
        cdef uint8_t[:, ::1] boolean = np.empty((counts[_BOOLEAN], n), np.uint8)
        cdef int64_t[:, ::1] begins = np.empty((counts[_TEXT], n), np.int64)
        cdef int32_t[:, ::1] ends = np.zeros((counts[_TEXT], n + 1), np.int32)
        cdef bytearray fields = bytearray(self.fields)  # its order changes, and another thread may be here
        cdef bytearray levels = bytearray(sizeof(Level) * len(self.keys) + sizeof(Level))
        cdef Plan plan = Plan(<Field *><char *>fields, <Object *><char *>self.objects, <Level *><char *>levels)
        cdef Columns columns = Columns(n, &whole[0, 0], &decimal[0, 0], &boolean[0, 0], &begins[0, 0], &ends[0, 0])
        with nogil:
            usual = _records(&plan, &data[0], data.shape[0], &bounds[0], &columns)
        if not usual:
            return None
        self.fields = fields
        numbers = dict(zip(self.names[_WHOLE], np.asarray(whole)))
        numbers.update(zip(self.names[_DECIMAL], np.asarray(decimal)))
        numbers.update(zip(self.names[_BOOLEAN], np.asarray(boolean).view(bool)))
        texts = {
            name: (np.asarray(ends[i]), _gathered(data, begins[i], ends[i])) for i, name in enumerate(self.names[_TEXT])
        }
        return numbers, texts


def _bytes_of_object(Py_ssize_t first, Py_ssize_t count):
    cdef Object found = Object(first, count)
    return (<char *>&found)[:sizeof(Object)]


def _bytes_of_field(bytes key, int kind, Py_ssize_t index):
    cdef Field found = Field(<Place><const char *>key, len(key), kind, index)
    return (<char *>&found)[:sizeof(Field)]


cdef _gathered(const uint8_t[::1] data, int64_t[::1] begins, int32_t[::1] bounds):
    """Copy the texts of a column out of the data."""
    cdef Py_ssize_t i, n = begins.shape[0]
    cdef uint8_t[::1] texts = np.empty(bounds[n], np.uint8)
    with nogil:
        for i in range(n):
            memcpy(&texts[bounds[i]], &data[begins[i]], bounds[i + 1] - bounds[i])
    return np.asarray(texts)


cdef bint _records(
    Plan *plan, Place data, Py_ssize_t size, const int64_t *bounds, Columns *columns
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(columns.records):
        if not 0 <= bounds[i] <= bounds[i + 1] <= size:
            return False
        if not _record(plan, data, data + bounds[i], data + bounds[i + 1], columns, i):
            return False
    return True


cdef bint _record(Plan *plan, Place data, Place p, Place end, Columns *columns, Py_ssize_t i) noexcept nogil:
    """Parse one record; False if it is unusual."""
    cdef Level *level = plan.levels  # the innermost; there are no more of them than there are objects in the shape
    cdef Field *field
    p = _past(c"{", _blank(p, end), end)
    _begin(level, plan, 0)
    while p != NULL:
        if level.found == level.count:  # there may be no other key
            p = _past(c"}", _blank(p, end), end)
            if level == plan.levels:
                return p != NULL and _blank(p, end) == end
            level -= 1
            continue
        if level.found > 0:
            p = _past(c",", _blank(p, end), end)
            if p == NULL:
                return False
        p = _blank(p, end)
        field = _field(level, p, end)
        if field == NULL:
            return False
        level.found += 1
        p = _past(c":", _blank(p + field.size, end), end)
        if p == NULL:
            return False
        p = _blank(p, end)
        if field.kind == _WHOLE:
            p = _whole(p, end, &columns.whole[field.index * columns.records + i])
        elif field.kind == _DECIMAL:
            p = _decimal(p, end, &columns.decimal[field.index * columns.records + i])
        elif field.kind == _BOOLEAN:
            p = _boolean(p, end, &columns.boolean[field.index * columns.records + i])
        elif field.kind == _TEXT:
            p = _text(data, p, end, &columns.begins[field.index * columns.records + i],
                      &columns.bounds[field.index * (columns.records + 1) + i])
        else:
            p = _past(c"{", p, end)
            level += 1
            _begin(level, plan, field.index)
    return False


cdef inline void _begin(Level *level, Plan *plan, Py_ssize_t index) noexcept nogil:
    level.fields = plan.fields + plan.objects[index].first
    level.count = plan.objects[index].count
    level.found = 0


cdef inline Place _blank(Place p, Place end) noexcept nogil:
    """Pass over white space, of which there are four kinds."""
    while p < end and p[0] <= c" " and (p[0] == c" " or p[0] == c"\n" or p[0] == c"\r" or p[0] == c"\t"):
        p += 1
    return p


cdef inline Place _past(uint8_t wanted, Place p, Place end) noexcept nogil:
    """Pass over one character, which has to be there."""
    return p + 1 if p < end and p[0] == wanted else NULL


cdef inline Field *_field(Level *level, Place p, Place end) noexcept nogil:
    """Find the field that the next key names, among those not found yet; it takes the next place in their order."""
    cdef Py_ssize_t k
    cdef Field *fields = level.fields
    cdef Field found
    for k in range(level.found, level.count):
        if end - p >= fields[k].size and memcmp(p, fields[k].key, fields[k].size) == 0:
            if k > level.found:
                found = fields[k]
                fields[k] = fields[level.found]
                fields[level.found] = found
            return &fields[level.found]
    return NULL


cdef inline Place _whole(Place p, Place end, int64_t *out) noexcept nogil:
    """Parse a number without fraction and exponent, within 64 bits: RFC 8259, section 6."""
    cdef bint negative = p < end and p[0] == c"-"
    cdef Place first = p + negative
    cdef uint64_t w = 0
    p = _digits(first, end, &w)
    if not _is_integer(first, p) or p - first > 19 or w > <uint64_t>INT64_MAX + negative:
        return NULL
    out[0] = <int64_t>(0 - w if negative else w)
    return p


cdef inline Place _decimal(Place p, Place end, double *out) noexcept nogil:
    """Parse any number: RFC 8259, section 6."""
    cdef bint negative = p < end and p[0] == c"-"
    cdef Place first = p + negative, q
    cdef uint64_t w = 0, e = 0
    cdef Py_ssize_t digits, exponent = 0
    p = _digits(first, end, &w)
    if not _is_integer(first, p):
        return NULL
    digits = p - first
    if p == end or not (p[0] == c"." or p[0] == c"e" or p[0] == c"E"):  # from 2**53 on, it may be none of float64
        out[0] = <double>(-<int64_t>w if negative else <int64_t>w)  # so -0 is 0, as a whole number is
        return p if digits <= 16 and w < 1ULL << 53 else NULL
    if p[0] == c".":
        q = p + 1
        p = _digits(q, end, &w)
        if p == q:
            return NULL
        exponent = q - p
        digits -= exponent
    if digits > 19:
        digits -= _zeros(first, p)
        if digits > 19:
            return NULL
    if p < end and (p[0] == c"e" or p[0] == c"E"):
        p += 1
        q = p + (p < end and (p[0] == c"-" or p[0] == c"+"))
        first = q
        q = _digits(first, end, &e)
        if q == first or q - first > 4:
            return NULL
        exponent += -<Py_ssize_t>e if p[0] == c"-" else <Py_ssize_t>e
        p = q
    return p if nearest(w, exponent, negative, &powers, out) else NULL


cdef inline Place _digits(Place p, Place end, uint64_t *w) noexcept nogil:
    """Append digits to a number; of more than 19 the number is of no use."""
    cdef uint8_t digit
    while p < end:
        digit = <uint8_t>(p[0] - c"0")
        if digit > 9:
            break
        w[0] = 10 * w[0] + digit
        p += 1
    return p


cdef inline bint _is_integer(Place first, Place end) noexcept nogil:
    """Tell whether there are digits, and no zero before others."""
    return end > first and (first[0] != c"0" or end - first == 1)


cdef Py_ssize_t _zeros(Place p, Place end) noexcept nogil:
    """Count the zeros at the begin of a number."""
    cdef Py_ssize_t found = 0
    while p < end and (p[0] == c"0" or p[0] == c"."):
        found += p[0] == c"0"
        p += 1
    return found


cdef inline Place _boolean(Place p, Place end, uint8_t *out) noexcept nogil:
    if end - p >= 4 and memcmp(p, b"true", 4) == 0:
        out[0] = 1
        return p + 4
    if end - p >= 5 and memcmp(p, b"false", 5) == 0:
        out[0] = 0
        return p + 5
    return NULL


cdef inline Place _text(Place data, Place p, Place end, int64_t *begin, int32_t *bounds) noexcept nogil:
    """Parse a text without escapes: RFC 8259, section 7."""
    cdef Place first
    p = _past(c'"', p, end)
    first = p
    while p != NULL and p < end and p[0] != c'"':
        if p[0] >= 0x80:
            p = _character(p, end)
        elif p[0] >= c" " and p[0] != c"\\":
            p += 1
        else:
            return NULL
    if p == NULL or p == end or p - first > INT32_MAX - bounds[0]:
        return NULL
    begin[0] = first - data
    bounds[1] = bounds[0] + <int32_t>(p - first)
    return p + 1


cdef inline Place _character(Place p, Place end) noexcept nogil:
    """Pass over a character of two to four bytes: the table of RFC 3629, section 4."""
    cdef uint8_t lead = p[0], low = 0x80, high = 0xBF
    cdef int more = 1 + (lead >= 0xE0) + (lead >= 0xF0)
    if lead < 0xC2 or lead > 0xF4 or end - p <= more:
        return NULL
    if lead == 0xE0:
        low = 0xA0
    elif lead == 0xED:
        high = 0x9F
    elif lead == 0xF0:
        low = 0x90
    elif lead == 0xF4:
        high = 0x8F
    if p[1] < low or p[1] > high:
        return NULL
    p += 2
    while more > 1:
        if p[0] & 0xC0 != 0x80:
            return NULL
        p += 1
        more -= 1
    return p
