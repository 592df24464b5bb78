"""The rate is that of the last few seconds."""

from __future__ import annotations

import pytest

from smlnb.view.rate import Rate


def test_what_is_long_ago_does_not_count() -> None:
    times = iter([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    rate = Rate(seconds=2.0, clock=lambda: next(times))
    for count in (0, 1000, 2000, 3000, 3000, 3000):
        rate.of(count)
    assert rate.of(3000) == 0.0


def test_a_steady_growth_is_its_rate() -> None:
    times = iter([i * 0.25 for i in range(40)])
    rate = Rate(clock=lambda: next(times))
    found = [rate.of(100 * i) for i in range(40)]
    assert found[-1] == pytest.approx(400)
