"""Decimal numbers that are read by the column are the floats that Python makes of each."""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.avro_compiled import _decimals
from smlnb.native import AVAILABLE
from tests.stats.laws import law_settings

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="smlnb was installed without a compiler")


@st.composite
def decimals(draw):
    """Draw whole numbers of no more than a precision, and a scale."""
    precision = draw(st.sampled_from([1, 15, 16, 17, 18, 19, 38, 300]))
    bound = st.sampled_from([10**precision - 1, min(2**53, 10**precision - 1), min(2**63, 10**precision - 1), 9])
    numbers = st.lists(bound.flatmap(lambda most: st.integers(-most, most)), max_size=9)
    return draw(numbers), precision, draw(st.integers(0, precision))


def read(numbers, precision, scale):
    parts = [n.to_bytes(n.bit_length() // 8 + 1, signed=True) for n in numbers]
    bounds = np.cumsum([0, *map(len, parts)], dtype=np.int32)
    return _decimals(bounds, np.frombuffer(b"".join(parts), np.uint8), precision, scale)


@law_settings
@given(decimals())
def test_decimal_numbers_become_the_nearest_floats(drawn):
    numbers, precision, scale = drawn
    exact = Context(prec=precision)
    expected = [float(Decimal(n).scaleb(-scale, exact)) for n in numbers]
    assert read(numbers, precision, scale).view(np.int64).tolist() == np.array(expected).view(np.int64).tolist()


@pytest.mark.parametrize("precision", [2, 15, 18, 19, 38])
def test_more_digits_than_the_precision_are_left_to_others(precision):
    for number in (10**precision, -(10**precision)):
        assert read([1, number], precision, 1) is None
        assert read([1, number - (number > 0) + (number < 0)], precision, 1) is not None
