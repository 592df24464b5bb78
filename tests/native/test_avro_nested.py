"""The compiled reader makes of enums, bytes and records within records what fastavro makes of them, bit by bit."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.avro_decode import AvroWriter
from smlnb.formats.payloads import Payloads
from smlnb.native import AVAILABLE
from tests.native.avro_schemas import Schemas
from tests.native.test_avro import FRAME, bits, encoded, mutated
from tests.stats.laws import law_settings

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="smlnb was installed without a compiler")
native = pytest.importorskip("smlnb.native.avro", reason="smlnb was installed without a compiler")

MUTATIONS = 10_000


def drawn(rng, size, *, wild=False):
    """Return what decodes a schema, what does so one by one, and some bodies."""
    while True:
        schema, plain, draw = Schemas(rng, wild=wild).record()
        fast, slow = AvroWriter(json.dumps(schema)), AvroWriter(json.dumps(schema))
        if wild or fast._flat is not None:  # by names used again, records may lie deeper than is read at once
            break
    slow._flat = None
    return fast, slow, encoded(plain, [draw() for _ in range(size)])


def same(found, expected):
    """Check that two batches have the same bits."""
    found.validate(full=True)
    assert found.schema == expected.schema
    assert bits(found) == bits(expected)


@law_settings
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_what_was_written_is_read_at_once_as_it_is_one_by_one(rng, size):
    fast, slow, bodies = drawn(rng, size)
    expected, refused = slow.decode(bodies)
    assert not refused
    same(fast._flat.decode(bodies), expected)
    same(fast.decode_framed(Payloads.of([FRAME + b for b in bodies]), FRAME), expected)


@law_settings
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_what_is_broken_or_of_no_such_type_is_refused_for_the_same_reasons(rng, size):
    fast, slow, bodies = drawn(rng, size, wild=True)
    bodies = [mutated(rng, b) if rng.random() < 0.05 else b for b in bodies]
    expected, reasons = slow.decode(bodies)
    found, refused = fast.decode(bodies)
    assert refused == reasons
    same(found, expected)


def test_no_change_of_bytes_is_read_that_is_not_read_one_by_one_or_makes_another_value():
    rng = random.Random(13)  # noqa: S311 - it only corrupts bytes
    taken = 0
    for _ in range(MUTATIONS // 50):
        fast, slow, bodies = drawn(rng, 10)
        for _ in range(50):
            value = [mutated(rng, rng.choice(bodies))]
            found = fast._flat.decode(value)
            if found is not None:
                expected, refused = slow.decode(value)
                assert not refused, value
                same(found, expected)
                taken += 1
    assert MUTATIONS / 20 < taken < MUTATIONS * 19 / 20


def read(record, kinds, nulls, sizes, after=b""):
    """Return the values of a record, and whether each is valid."""
    data = np.frombuffer(record + after, np.uint8)
    found = native.decode(data, np.array([0, len(record)]), b"", kinds, nulls, np.array(sizes, np.int64))
    return None if found is None else [(_text(v) if isinstance(v, tuple) else v[0], ok is None) for v, ok in found]


def _text(parts):
    bounds, data = parts
    assert bounds.tolist() == [0, len(data)]
    return data.tobytes()


UUID = b"\x48" + b"0123ABCD-0123-abcd-0123-0123456789ab"
REFUSED = {
    "a symbol that there is not": (b"e", b"\6", 3),
    "a symbol below 0": (b"e", b"\1", 3),
    "a symbol of 2 ** 62": (b"e", b"\x80" * 8 + b"\x80\1", 3),
    "a symbol written longer than it need be": (b"e", b"\x80\0", 3),
    "no symbol": (b"e", b"", 3),
    "a symbol of none": (b"e", b"\0", 0),
    "fixed bytes that end": (b"x", b"ab", 3),
    "fixed bytes of more than there can be": (b"x", b"ab", 2**31 - 1),
    "no bytes for a UUID": (b"u", b"", 0),
    "a UUID of 35 characters": (b"u", b"\x46" + UUID[1:-1], 0),
    "a UUID that ends": (b"u", UUID[:-1], 0),
    "a UUID without a hyphen": (b"u", UUID.replace(b"-", b"0", 1), 0),
    "a UUID with another letter": (b"u", UUID[:-1] + b"g", 0),
    "a UUID with what lies between digits and letters": (b"u", UUID[:-1] + b"@", 0),
    "a UUID with what a letter would be in another case": (b"u", UUID[:-1] + b"\x10", 0),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("after", [b"", b"0" * 50], ids=["at the end", "with bytes of others behind"])
def test_what_is_no_record_is_refused(name, after):
    kinds, record, size = REFUSED[name]
    assert read(record, kinds, b"\2", [size], after) is None
    assert read(b"\2" + record, b"r" + kinds, b"\0\3", [1, size], after) is None


def test_enums_fixed_bytes_and_uuids_are_read():
    assert read(b"\4", b"e", b"\2", [3]) == [(2, True)]
    assert read(b"ab", b"xx", b"\2\2", [2, 0]) == [(b"ab", True), (b"", True)]
    assert read(UUID, b"u", b"\2", [0]) == [(UUID[1:], True)]


def test_a_record_that_is_null_makes_all_within_null_and_nothing_else():
    kinds, nulls, sizes = b"rlrsxl", b"\0\3\1\3\3\2", [4, 0, 2, 0, 2, 0]
    assert read(b"\2\6\0\2zab\4", kinds, nulls, sizes) == [(3, True), (b"z", True), (b"ab", True), (2, True)]
    assert read(b"\2\6\2\4", kinds, nulls, sizes) == [(3, True), (b"", False), (b"", False), (2, True)]
    assert read(b"\0\4", kinds, nulls, sizes) == [(0, False), (b"", False), (b"", False), (2, True)]
    assert read(b"\4\6\2\4", kinds, nulls, sizes) is None
    assert read(b"\0", kinds, nulls, sizes) is None
    assert read(b"\0\4\4", kinds, nulls, sizes) is None


def test_a_record_that_would_hold_more_fields_than_follow_is_read_within_bounds():
    assert read(b"\0", b"rs", b"\0\3", [2**31 - 1, 0]) == [(b"", False)]


@pytest.mark.parametrize("sizes", [[], [0, 0], [-1], [2**31], [-(2**63)], [2**63 - 1]])
def test_sizes_that_are_none_are_an_error(sizes):
    with pytest.raises(ValueError, match="plan"):
        read(b"\0", b"x", b"\2", sizes)


@given(st.lists(st.binary(max_size=10) | st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_with_the_highest_byte_first_are_read_unless_any_has_more_than_64_bits(drawn):
    parts = [d if isinstance(d, bytes) else d.to_bytes(8 + d % 9, signed=True) for d in drawn]
    numbers = [int.from_bytes(part, signed=True) for part in parts]
    bounds = np.cumsum([0, *map(len, parts)], dtype=np.int32)
    found = native.integers(bounds, np.frombuffer(b"".join(parts), np.uint8))
    if all(-(2**63) <= n < 2**63 for n in numbers):
        assert found.tolist() == numbers
    else:
        assert found is None


@pytest.mark.parametrize("bounds", [[], [-1, 1], [0, 3], [1, 0]])
def test_bounds_of_whole_numbers_outside_the_data_are_an_error(bounds):
    with pytest.raises(ValueError, match="bounds"):
        native.integers(np.array(bounds, np.int32), np.zeros(2, np.uint8))
