from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.connector.backoff import Backoff


@given(st.floats(0, 1e3), st.floats(0, 1e3), st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_longer_than_the_longest_and_never_negative(base, longest, attempt, drawn):
    assert 0 <= Backoff(base, longest, draw=lambda: drawn).seconds(attempt) <= longest


def test_waits_double_up_to_the_longest():
    backoff = Backoff(0.5, 3.0, draw=lambda: 1.0)
    assert [backoff.seconds(i) for i in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_jitter_spreads_the_waits_evenly():
    random = np.random.default_rng(1)
    waits = [Backoff(1.0, 100.0, draw=random.random).seconds(3) for _ in range(4_000)]
    assert 0 <= min(waits) < 0.1
    assert 7.9 < max(waits) < 8.0
    assert np.mean(waits) == pytest.approx(4.0, abs=0.15)


def test_two_of_them_draw_differently():
    backoff = Backoff(1.0, 100.0)
    assert len({backoff.seconds(5) for _ in range(10)}) > 1
