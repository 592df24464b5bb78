from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.errors import ConfigError
from smlnb.formats.decode import decoder
from smlnb.formats.decoded import EMPTY, TOMBSTONE
from smlnb.formats.number_decode import BinaryNumberDecoder


def test_numbers_as_text_are_one_column():
    values = [b"3.14", b" -2e3\n", b"+5", b"5.", b".5", b"007", b"1e-400"]
    decoded = decoder("number").decode(values)
    assert decoded.data.to_pydict() == {"value": [3.14, -2000.0, 5.0, 5.0, 0.5, 7.0, 0.0]}
    assert decoded.rows.tolist() == list(range(7))


def test_what_is_not_finite_is_kept_as_java_writes_it():
    found = decoder("number").decode([b"NaN", b"Infinity", b"-Infinity", b"-0.0"]).data["value"].to_pylist()
    assert math.isnan(found[0])
    assert found[1:3] == [math.inf, -math.inf]
    assert math.copysign(1, found[3]) == -1


BAD = {
    "tombstone": (None, TOMBSTONE),
    "empty": (b"", EMPTY),
    "blank": (b"  ", EMPTY),
    "text": (b"three", "'three' is no number"),
    "two": (b"1 2", "is no number"),
    "comma": (b"1,5", "is no number"),
    "hexadecimal": (b"0x10", "is no number"),
    "underscore": (b"1_000", "is no number"),
    "other digits": ("\u0661".encode(), "is no number"),
    "inf": (b"inf", "is no number"),
    "utf8": (b"\xff", "is no number"),
    "nul": (b"1\0", "is no number"),
    "bom": (b"\xef\xbb\xbf1", "is no number"),
    "1e400": (b"1e400", "beyond the numbers of 64 bits"),
    "2^53 + 1": (b"9007199254740993", "no decimal number of 64 bits equals"),
    "many digits": (b"9" * 6_000, "(6,000 long) is beyond"),
    "long": (b"x" * 10_000_000, "(10,000,000 long) is no number"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_record_among_a_thousand_is_refused_by_itself_with_a_reason(name):
    value, reason = BAD[name]
    good = [str(i).encode() for i in range(999)]
    decoded = decoder("number").decode([*good[:500], value, *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert len(said) < 200
    assert decoded.data["value"].to_pylist() == list(range(999))


FORMS = {"double": ">d", "float": ">f", "long": ">q", "integer": ">i", "short": ">h"}


@pytest.mark.parametrize("kind", FORMS)
def test_numbers_of_kafkas_serialisers_are_read(kind):
    values = [struct.pack(FORMS[kind], n) for n in (0, 1, -2, 77)]
    decoded = decoder(kind).decode(values)
    assert decoded.data.to_pydict() == {"value": [0, 1, -2, 77]}
    assert decoded.data["value"].type in ("double", "int64")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, TOMBSTONE), (b"", EMPTY), (b"1234567", "7 bytes instead of the 8 that DoubleSerializer"), (b"x" * 9, "9 ")],
)
def test_values_of_another_length_are_refused(value, reason):
    good = [struct.pack(">d", n) for n in range(999)]
    decoded = decoder("double").decode([*good[:500], value, *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert decoded.data["value"].to_pylist() == list(range(999))


def test_no_values_are_no_rows_of_the_same_type():
    for kind in ("number", *FORMS):
        nothing = decoder(kind).decode([])
        assert (nothing.data.num_rows, nothing.data.schema.names) == (0, ["value"])
        assert decoder(kind).decode([None]).data.schema == nothing.data.schema


def test_there_is_no_other_kind():
    with pytest.raises(ConfigError, match="'half'"):
        BinaryNumberDecoder("half")


@settings(deadline=None)
@given(st.lists(st.floats() | st.integers(-(2**53), 2**53), max_size=20))
def test_text_gives_back_what_was_written(numbers):
    texts = [str(n).replace("inf", "Infinity").replace("nan", "NaN").encode() for n in numbers]
    decoded = decoder("number").decode(texts)
    assert decoded.refused == ()
    assert np.array_equal(decoded.data["value"].to_numpy(), np.array(numbers, float), equal_nan=True)


@settings(deadline=None)
@given(st.lists(st.none() | st.binary(max_size=12) | st.text("0123456789.eE+- NaInfty", max_size=8).map(str.encode)))
def test_no_bytes_raise_and_each_value_is_a_row_or_refused(values):
    for kind in ("number", "double", "short"):
        decoded = decoder(kind).decode(values)
        assert sorted([*decoded.rows.tolist(), *(i for i, _ in decoded.refused)]) == list(range(len(values)))
        assert decoded.data.num_rows == len(decoded.rows)
