# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""JSON objects of one shape to columns: all of them, or nothing.

Accepted is only what is usual: objects by the grammar of RFC 8259 that have no keys but those of the shape and none of
them twice, no escapes in keys, numbers of at most 19 digits. What is missing is null, and so is all of an object that
is null. Everything else is somebody else's to look at.

After each key that one is expected which came after it in the record before: then finding a column is one comparison
of a few bytes.
"""

from libc.stdint cimport INT32_MAX, INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

import numpy as np

from smlnb.native.numbers cimport Powers, nearest, prepare
from smlnb.native.texts cimport Place, plain, unescape

__all__ = ["BOOLEAN", "DECIMAL", "TEXT", "WHOLE", "Records"]

cdef enum:
    MOST_CELLS = 8  # for each byte of the records: columns that are nearly empty would take much memory

    _WHOLE
    _DECIMAL
    _BOOLEAN
    _TEXT
    _OBJECT

WHOLE, DECIMAL, BOOLEAN, TEXT = _WHOLE, _DECIMAL, _BOOLEAN, _TEXT

cdef struct Field:
    Place key  # with its quotation marks
    Py_ssize_t size
    uint64_t head  # its first 8 bytes; zeros beyond its end
    uint64_t mask  # ones where there are bytes of the key
    int kind
    Py_ssize_t index  # of the column, or of the object
    Py_ssize_t text  # of the column among those of texts
    Py_ssize_t after  # which field of the object came after this one
    Py_ssize_t seen  # in which record last

cdef struct Object:
    Py_ssize_t first  # of its fields
    Py_ssize_t count

cdef struct Level:  # an object that has begun and not ended
    Field *fields
    Py_ssize_t count
    Py_ssize_t found  # so many of them
    Py_ssize_t last  # which was found last; -1: none yet
    Py_ssize_t expected  # which is next, most likely

cdef struct Plan:
    Field *fields
    Object *objects
    Level *levels  # as many as there are objects suffice

cdef struct Columns:  # a row for each
    Py_ssize_t records
    int64_t *cells  # whole numbers, float64, booleans; of texts where they begin: in the data, or beyond in `unescaped`
    uint8_t *nulls  # 1 where there is none
    int32_t *bounds  # of the texts, in their column; one more in each row
    bint complete  # no nulls
    Place data
    Py_ssize_t size
    uint8_t *unescaped  # texts that had escapes, and are shorter without: it has as many bytes as all records
    Py_ssize_t used

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

    cdef list keys, columns
    cdef bytearray fields, objects
    cdef Py_ssize_t texts

    def __init__(self, shape):
        self.keys, self.columns = [], []
        self.fields, self.objects = bytearray(), bytearray()
        self.texts = 0
        waiting = [(shape, "")]
        for shape, path in waiting:  # which grows
            self.objects += _bytes_of_object(len(self.keys), len(shape))
            for place, (key, kind) in enumerate(shape.items()):
                if any(c in '"\\' or c < " " for c in key):
                    raise ValueError(f"the key {key!r} would be written with an escape")
                if isinstance(kind, int):
                    index = len(self.columns)
                    self.columns.append((path + key, kind))
                else:
                    index = len(waiting)
                    waiting.append((kind, f"{path}{key}."))
                    kind = _OBJECT
                written = b'"%b"' % key.encode()
                self.keys.append(written)
                self.fields += _bytes_of_field(written, kind, index, self.texts, (place + 1) % len(shape))
                self.texts += kind == _TEXT

    def decode(self, const uint8_t[::1] data, const int64_t[::1] bounds):
        """Parse all records.

        Parameters
        ----------
        data : array of uint8
        bounds : array of int64, shape (n + 1,)
            Where in it each record begins, and the last ends.

        Returns
        -------
        numbers, texts, nulls : dict, or None
            By the path of each column, which is its keys joined by dots: an array of int64, float64 or bool, of shape
            (n,); for texts the bounds, int32 of shape (n + 1,), and the UTF-8, uint8; for columns that have nulls,
            where, as bool of shape (n,). None if any record is unusual.
        """
        cdef Py_ssize_t n = bounds.shape[0] - 1, i
        cdef bint usual
        if n < 1 or not 0 <= bounds[0] <= bounds[n] <= data.shape[0]:
            return None
        if len(self.columns) * n > MOST_CELLS * (bounds[n] - bounds[0]):
            return None
        cdef int64_t[:, ::1] cells = np.empty((len(self.columns), n), np.int64)
        cdef uint8_t[:, ::1] nulls = np.zeros((len(self.columns), n), np.uint8)
        cdef int32_t[:, ::1] ends = np.zeros((self.texts, n + 1), np.int32)
        cdef uint8_t[::1] unescaped = np.empty(bounds[n] - bounds[0] if self.texts else 0, np.uint8)
        cdef bytearray fields = bytearray(self.fields)  # it changes, and another thread may be here
        cdef bytearray levels = bytearray(sizeof(Level) * (len(self.objects) // sizeof(Object)))
        cdef Plan plan = Plan(<Field *><char *>fields, <Object *><char *>self.objects, <Level *><char *>levels)
        cdef Columns columns = Columns(
            n, &cells[0, 0], &nulls[0, 0], &ends[0, 0], True, &data[0], data.shape[0], &unescaped[0], 0
        )
        for i in range(len(self.keys)):
            plan.fields[i].seen = -1
        with nogil:
            usual = _records(&plan, &bounds[0], &columns)
        if not usual:
            return None
        self.fields = fields
        numbers, texts = {}, {}
        for (name, kind), column in zip(self.columns, np.asarray(cells)):
            if kind == _TEXT:
                i = len(texts)
                texts[name] = np.asarray(ends[i]), _gathered(data, unescaped, column, ends[i])
            else:
                numbers[name] = column if kind == _WHOLE else column.view(float) if kind == _DECIMAL else column != 0
        if columns.complete:
            return numbers, texts, {}
        return numbers, texts, {
            name: column for (name, _), column in zip(self.columns, np.asarray(nulls).view(bool)) if column.any()
        }


def _bytes_of_object(Py_ssize_t first, Py_ssize_t count):
    cdef Object found = Object(first, count)
    return (<char *>&found)[:sizeof(Object)]


def _bytes_of_field(bytes key, int kind, Py_ssize_t index, Py_ssize_t text, Py_ssize_t after):
    cdef Field found = Field(<Place><const char *>key, len(key), 0, 0, kind, index, text, after, -1)
    memcpy(&found.head, found.key, min(found.size, 8))
    memset(&found.mask, 0xFF, min(found.size, 8))
    return (<char *>&found)[:sizeof(Field)]


cdef _gathered(const uint8_t[::1] data, const uint8_t[::1] unescaped, int64_t[::1] begins, int32_t[::1] bounds):
    """Copy the texts of a column to one place."""
    cdef Py_ssize_t i, n = begins.shape[0], size = data.shape[0]
    cdef uint8_t[::1] texts = np.empty(bounds[n], np.uint8)
    cdef Place begin
    with nogil:
        for i in range(n):
            begin = &data[begins[i]] if begins[i] < size else &unescaped[begins[i] - size]
            memcpy(&texts[bounds[i]], begin, bounds[i + 1] - bounds[i])
    return np.asarray(texts)


cdef bint _records(Plan *plan, const int64_t *bounds, Columns *columns) noexcept nogil:
    cdef Py_ssize_t i, end = bounds[columns.records]
    for i in range(columns.records):
        if not bounds[i] <= bounds[i + 1] <= end:
            return False
        if not _record(plan, columns.data + bounds[i], columns.data + bounds[i + 1], columns, i):
            return False
    return True


cdef bint _record(Plan *plan, Place p, Place end, Columns *columns, Py_ssize_t i) noexcept nogil:
    """Parse one record; False if it is unusual."""
    cdef Level *level = plan.levels  # the innermost
    cdef Field *field
    p = _past(c"{", _blank(p, end), end)
    _begin(level, plan, 0)
    while p != NULL:
        p = _blank(p, end)
        if p < end and p[0] == c"}":
            p += 1
            if level.found < level.count:
                _leave_null(level, plan, columns, i)
            if level == plan.levels:
                return _blank(p, end) == end
            level -= 1
            continue
        if level.found > 0:
            p = _past(c",", p, end)
            if p == NULL:
                return False
            p = _blank(p, end)
        field = _field(level, p, end, i)
        if field == NULL:
            return False
        p = _past(c":", _blank(p + field.size, end), end)
        if p == NULL:
            return False
        p = _blank(p, end)
        if field.kind != _OBJECT:
            p = _value(field, p, end, columns, i)
        elif p < end and p[0] == c"n":
            p = _word(b"null", 4, p, end)
            _begin(level + 1, plan, field.index)
            _leave_null(level + 1, plan, columns, i)
        else:
            p = _past(c"{", p, end)
            level += 1
            _begin(level, plan, field.index)
    return False


cdef inline void _begin(Level *level, Plan *plan, Py_ssize_t index) noexcept nogil:
    level.fields = plan.fields + plan.objects[index].first
    level.count = plan.objects[index].count
    level.found = level.expected = 0
    level.last = -1


cdef void _leave_null(Level *level, Plan *plan, Columns *columns, Py_ssize_t i) noexcept nogil:
    """Set to null what was not found in an object, with all that is in objects not found."""
    cdef Level *lowest = level
    cdef Field *field
    level.expected = 0
    while level >= lowest:
        if level.expected == level.count:
            level -= 1
            continue
        field = &level.fields[level.expected]
        level.expected += 1
        if field.seen == i:
            continue
        if field.kind == _OBJECT:
            level += 1
            _begin(level, plan, field.index)
        else:
            _set_null(field, columns, i)


cdef inline void _set_null(Field *field, Columns *columns, Py_ssize_t i) noexcept nogil:
    cdef int32_t *bounds
    columns.cells[field.index * columns.records + i] = 0
    columns.nulls[field.index * columns.records + i] = 1
    columns.complete = False
    if field.kind == _TEXT:
        bounds = &columns.bounds[field.text * (columns.records + 1) + i]
        bounds[1] = bounds[0]


cdef inline Place _blank(Place p, Place end) noexcept nogil:
    """Pass over white space, of which there are four kinds."""
    while p < end and p[0] <= c" " and (p[0] == c" " or p[0] == c"\n" or p[0] == c"\r" or p[0] == c"\t"):
        p += 1
    return p


cdef inline Place _past(uint8_t wanted, Place p, Place end) noexcept nogil:
    """Pass over one character, which has to be there."""
    return p + 1 if p < end and p[0] == wanted else NULL


cdef inline Place _word(const char *wanted, Py_ssize_t size, Place p, Place end) noexcept nogil:
    """Pass over a word, which has to be there."""
    return p + size if end - p >= size and memcmp(p, wanted, size) == 0 else NULL


cdef inline Field *_field(Level *level, Place p, Place end, Py_ssize_t i) noexcept nogil:
    """Find the field that the next key names; NULL if there is none, or it was found in this record before."""
    cdef Py_ssize_t k = level.expected
    cdef Field *field
    if level.found == level.count:
        return NULL
    if not _has_key(&level.fields[k], p, end):
        k = _searched(level, p, end)
        if k < 0:
            return NULL
    field = &level.fields[k]
    if field.seen == i:
        return NULL
    field.seen = i
    level.found += 1
    level.last = k
    level.expected = field.after
    return field


cdef Py_ssize_t _searched(Level *level, Place p, Place end) noexcept nogil:
    """Find a key that was not expected, and expect it here the next time; -1 if there is none."""
    cdef Py_ssize_t k = level.last, _
    for _ in range(level.count):  # first the ones after the last: those between may be missing
        k += 1
        if k == level.count:
            k = 0
        if _has_key(&level.fields[k], p, end):
            if level.last >= 0:
                level.fields[level.last].after = k
            return k
    return -1


cdef inline bint _has_key(Field *field, Place p, Place end) noexcept nogil:
    cdef uint64_t head
    if end - p >= 8:  # which spares a call for short keys, and for most that are others
        memcpy(&head, p, 8)
        if (head ^ field.head) & field.mask:
            return False
        if field.size <= 8:
            return True
    return end - p >= field.size and memcmp(p, field.key, field.size) == 0


cdef inline Place _value(Field *field, Place p, Place end, Columns *columns, Py_ssize_t i) noexcept nogil:
    """Parse a value into the cell of its column."""
    cdef int64_t *cell = &columns.cells[field.index * columns.records + i]
    if p < end and p[0] == c"n":
        _set_null(field, columns, i)
        return _word(b"null", 4, p, end)
    if field.kind == _WHOLE:
        return _whole(p, end, cell)
    if field.kind == _DECIMAL:
        return _decimal(p, end, <double *>cell)
    if field.kind == _BOOLEAN:
        cell[0] = p < end and p[0] == c"t"
        return _word(b"true", 4, p, end) if cell[0] else _word(b"false", 5, p, end)
    return _text(p, end, columns, cell, &columns.bounds[field.text * (columns.records + 1) + i])


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


cdef inline Place _text(Place p, Place end, Columns *columns, int64_t *begin, int32_t *bounds) noexcept nogil:
    """Parse a text: RFC 8259, section 7."""
    cdef Place first
    cdef Py_ssize_t size
    p = first = _past(c'"', p, end)
    if p != NULL:
        p = plain(p, end)
    if p == NULL:
        return NULL
    if p[0] == c'"':
        begin[0] = first - columns.data
        size = p - first
    else:
        begin[0] = columns.size + columns.used
        p = unescape(first, end, columns.unescaped + columns.used, &size)
        columns.used += size
    if p == NULL or size > INT32_MAX - bounds[0]:
        return NULL
    bounds[1] = bounds[0] + <int32_t>size
    return p + 1
