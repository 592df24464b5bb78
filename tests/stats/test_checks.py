"""Every accumulator keeps every law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.stats.categories import Categories
from smlnb.stats.checks import LAWS, check_accumulator, close
from smlnb.stats.comoments import CoMoments
from smlnb.stats.histogram import Histogram
from smlnb.stats.moments import Moments
from smlnb.stats.quantiles import Quantiles
from tests.strategies import blocks, text_blocks

# Offsets of 1e9 with spreads of 1 leave about 7 of 16 digits to a second moment, and fewer to higher ones.
RTOL = 1e-6


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "make",
    [lambda: Moments(2), lambda: CoMoments(2), lambda: Histogram(2, 128), lambda: Quantiles(2)],
    ids=["Moments", "CoMoments", "Histogram", "Quantiles"],
)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_law_holds_for_any_blocks(make: Any, law: Any, data: Any) -> None:
    given_blocks = data.draw(blocks(2))
    law(make, given_blocks, lambda a, b: close(a, b, rtol=RTOL, atol=1e-9))


@settings(deadline=None, max_examples=60)
@given(text_blocks(2))
def test_every_law_holds_for_categories_with_a_small_limit(given_blocks: Any) -> None:
    check_accumulator(lambda: Categories(2, limit=3), given_blocks)


class _Forgetful(Moments):
    def merge(self, other: Moments) -> None:
        mean = self._mean
        super().merge(other)
        if self.n != other.n:
            self._mean = mean


def test_an_accumulator_that_breaks_a_law_is_found_out() -> None:
    with pytest.raises(AssertionError, match=r"sum of its parts|depends on"):
        check_accumulator(lambda: _Forgetful(1), [np.array([[1.0, 2.0]]), np.array([[5.0]]), np.array([[7.0]])])
