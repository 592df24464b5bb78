"""Texts of JSON: where they end, and what their escapes stand for: RFC 8259, section 7."""

from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy

ctypedef const uint8_t *Place  # where the next byte is; NULL: what was there is unusual


cdef inline Place character(Place p, Place end) noexcept nogil:
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


cdef inline Place plain(Place p, Place end) noexcept nogil:
    """Pass over the characters before a quotation mark or a backslash, which has to be there."""
    while p < end:
        if p[0] >= 0x80:
            p = character(p, end)
            if p == NULL:
                return NULL
        elif p[0] == c'"' or p[0] == c"\\":
            return p
        elif p[0] < c" ":
            return NULL
        else:
            p += 1
    return NULL


cdef inline int32_t code_unit(Place p, Place end) noexcept nogil:
    """Parse a backslash, u, and four hexadecimal digits; -1 if there are none."""
    cdef int32_t code = 0
    cdef int k
    cdef uint8_t digit
    if end - p < 6 or p[0] != c"\\" or p[1] != c"u":
        return -1
    for k in range(2, 6):
        digit = <uint8_t>(p[k] - c"0")
        if digit > 9:
            digit = <uint8_t>((p[k] | 0x20) - c"a" + 10)  # of either case
            if digit < 10 or digit > 15:
                return -1
        code = code << 4 | digit
    return code


cdef inline Place code_point(Place p, Place end, uint8_t **out) noexcept nogil:
    """Parse a code point, which may be a pair of surrogates; append it as UTF-8: RFC 3629, section 3."""
    cdef int32_t code = code_unit(p, end), low
    cdef int more, k
    if code < 0 or 0xDC00 <= code <= 0xDFFF:
        return NULL
    p += 6
    if 0xD800 <= code <= 0xDBFF:
        low = code_unit(p, end)
        if not 0xDC00 <= low <= 0xDFFF:
            return NULL
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        p += 6
    if code < 0x80:
        out[0][0] = <uint8_t>code
        out[0] += 1
        return p
    more = 1 + (code >= 0x800) + (code >= 0x10000)
    out[0][0] = <uint8_t>(0xFF << (7 - more) | code >> 6 * more)
    for k in range(1, more + 1):
        out[0][k] = <uint8_t>(0x80 | code >> 6 * (more - k) & 0x3F)
    out[0] += more + 1
    return p


cdef inline Place escape(Place p, Place end, uint8_t **out) noexcept nogil:
    """Parse one escape; append what it stands for."""
    cdef uint8_t letter
    if end - p < 2:
        return NULL
    letter = p[1]
    if letter == c"u":
        return code_point(p, end, out)
    if letter == c"n":
        letter = c"\n"
    elif letter == c"t":
        letter = c"\t"
    elif letter == c"r":
        letter = c"\r"
    elif letter == c"b":
        letter = c"\b"
    elif letter == c"f":
        letter = c"\f"
    elif letter != c'"' and letter != c"\\" and letter != c"/":
        return NULL
    out[0][0] = letter
    out[0] += 1
    return p + 2


cdef inline Place unescape(Place p, Place end, uint8_t *out, Py_ssize_t *size) noexcept nogil:
    """Copy a text with what its escapes stand for, which is never longer; return where its quotation mark is."""
    cdef uint8_t *begin = out
    cdef Place first
    size[0] = 0
    while p != NULL:
        first = p
        p = plain(first, end)
        if p == NULL:
            return NULL
        memcpy(out, first, p - first)
        out += p - first
        if p[0] == c'"':
            size[0] = out - begin
            return p
        p = escape(p, end, &out)
    return NULL
