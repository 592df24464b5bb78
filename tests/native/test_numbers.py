"""Decimal numbers in compiled code: the bits of Python's float, or nothing."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.payloads import Payloads
from tests.stats.laws import law_settings

json = pytest.importorskip("smlnb.native.json", reason="smlnb was installed without a compiler")


def bits(number):
    return struct.pack("<d", number)


def parsed(*texts):
    payloads = Payloads.of([f'{{"x":{text}}}'.encode() for text in texts])
    found = json.Records({"x": json.DECIMAL}).decode(payloads.data, payloads.bounds)
    return None if found is None else found[0]["x"]


def is_float_of_python(text):
    """Tell whether a number is parsed at all; then its bits must be those of Python's float."""
    found = parsed(text)
    if found is not None:
        assert found.tobytes() == bits(float(text)), text
    return found is not None


NORMAL = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
PLAIN = st.integers(0, 10**19 - 1) | st.integers(0, 64).flatmap(lambda n: st.integers(0, 2**n)).map(
    lambda n: min(n, 10**19 - 1)
)


@law_settings
@given(NORMAL)
def test_the_shortest_digits_of_every_normal_number_give_it_back(number):
    assert is_float_of_python(repr(number))


@law_settings
@given(PLAIN, st.integers(-345, 310), st.booleans())
def test_any_digits_with_any_exponent_are_rounded_as_python_does(digits, exponent, negative):
    text = f"{'-' * negative}{digits}e{exponent}"
    number = abs(float(text))
    usual = number == 0 == digits or 2.3e-308 < number < math.inf
    assert is_float_of_python(text) == usual


@law_settings
@given(PLAIN, st.integers(1, 18))
def test_any_place_of_the_point_is_right(digits, places):
    text = f"{digits:0{places + 1}d}"
    assert is_float_of_python(f"{text[:-places]}.{text[-places:]}")


@law_settings
@given(st.integers(2**53, 2**54 - 1), st.integers(-11, 10), st.sampled_from([-1, 0, 1]), st.booleans())
def test_numbers_half_way_between_two_others_and_beside_it_are_rounded_to_even(odd, scale, beside, negative):
    """The middle of two neighbours has 54 bits; its digits are few enough if it is a multiple of a power of five."""
    if scale > 0:
        odd = odd // 5**scale * 5**scale  # odd * 2**scale = (odd / 5**scale) * 10**scale
        odd += 5**scale * (odd % 2 == 0)
        digits, exponent = odd // 5**scale, scale
    else:
        odd |= 1
        digits, exponent = odd * 5**-scale, scale  # odd * 2**scale, where that has at most 19 digits
    digits += beside
    if digits < 10**19:
        assert is_float_of_python(f"{'-' * negative}{digits}e{exponent}")


def test_a_hundred_thousand_numbers_of_random_bits_are_read_as_they_were_written():
    drawn = np.random.default_rng(7).integers(0, 2**64, 100_000, np.uint64).view(np.float64)
    numbers = drawn[np.isfinite(drawn) & (abs(drawn) >= 2.3e-308)]
    assert len(numbers) > 99_000
    assert parsed(*map(repr, numbers.tolist())).tobytes() == numbers.tobytes()


def test_a_hundred_thousand_numbers_of_19_digits_are_rounded_as_python_does():
    draw = random.Random(7)  # noqa: S311 - no secret
    texts = [f"{draw.randrange(10**18, 10**19)}e{draw.randint(-325, 289)}" for _ in range(100_000)]
    texts = [t for t in texts if 2.3e-308 < float(t) < math.inf]
    assert parsed(*texts).tobytes() == np.array([float(t) for t in texts]).tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "0.0",
        "-0.0",
        "-0e5",
        "0e9999",
        "1E5",
        "1e+05",
        "1e05",
        "5e-1",
        "0.5",
        "-12.25",
        "6.5",
        "1e300",
        "9007199254740991",
        "-9007199254740991",
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "9007199254740993.0",
        "4503599627370497.5",
        "9999999999999999999e0",
        "0.00000000000000000000000000000000000001",
    ],
)
def test_a_decimal_column_takes_numbers_of_all_spellings(text):
    assert is_float_of_python(text)


def test_minus_zero_is_zero_as_a_whole_number_and_keeps_its_sign_as_a_decimal_one():
    assert parsed("-0").tobytes() == bits(0.0)
    assert parsed("-0.0").tobytes() == bits(-0.0)


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740992",
        "-9007199254740993",
        "99999999999999999999",
        "10000000000000000000.0",
        "0.12345678901234567890",
        "1e309",
        "1e-308",
        "5e-324",
        "1e10000",
        "NaN",
        "Infinity",
        "nul",
        "true",
        "-",
        "1.",
        ".5",
        "-.5",
        "01",
        "-01",
        "00.5",
        "+1",
        "1e",
        "1e+",
        "1.e5",
        "1e5.0",
        "0x1",
        "1_0",
        "1.5.5",
        "--1",
        "",
        "1 0",
        '"1"',
    ],
)
def test_other_numbers_are_given_up(text):
    assert parsed(text) is None
