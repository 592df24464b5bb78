"""Labels of an axis differ, and there is room for them."""

from __future__ import annotations

from types import SimpleNamespace

from bokeh.models import BasicTicker, BasicTickFormatter, NumeralTickFormatter
from hypothesis import given
from hypothesis import strategies as st

from smlnb.view.ticks import Ticks, name_ticks
from tests.stats.laws import law_settings

ENDS = st.floats(-1e18, 1e18) | st.floats(-1, 1) | st.integers(-(10**7), 10**7).map(float)


def labels(ticks: Ticks, values: list[float]) -> list[str]:
    """Write numbers as the page does."""
    if not ticks.form:
        return [f"{v:.{ticks.digits}e}" for v in values]
    places = ticks.form.count("0") - 2
    size = max(map(abs, values))
    unit = next((u for u in (1e12, 1e9, 1e6, 1e3) if size >= u), 1.0) if ticks.form.endswith("a") else 1.0
    return [f"{v / unit:,.{places}f}" for v in values]


@law_settings
@given(ENDS, ENDS)
def test_labels_that_are_as_far_apart_as_ticks_differ(a: float, b: float) -> None:
    low, high = sorted((a, b))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return
    ticks = Ticks.between(low, high)
    step = (high - low) / 5
    assert len(set(labels(ticks, [low + i * step for i in range(6)]))) == 6


@law_settings
@given(ENDS, ENDS)
def test_there_are_fewer_of_long_labels(a: float, b: float) -> None:
    low, high = sorted((a, b))
    ticks = Ticks.between(low, high)
    assert ticks.count in (3, 5)
    if not ticks.form:
        assert ticks.count == 3


def test_an_axis_without_any_width_or_end_has_plain_ticks() -> None:
    assert Ticks.between(0.0, 0.0) == Ticks.between(3.0, 3.0) == Ticks.between(0.0, float("inf")) == Ticks()


def test_a_snapshot_names_what_was_prepared() -> None:
    for ends, powers, formatter in (((0, 5), False, NumeralTickFormatter), ((0, 5e-9), True, BasicTickFormatter)):
        axis = SimpleNamespace(ticker=BasicTicker(), formatter=None)
        name_ticks(axis, "h0", powers=powers)
        assert isinstance(axis.formatter, formatter)
        state = Ticks.between(*ends).state("h0")
        assert set(state) == {axis.formatter.name, axis.ticker.name}
        for model in (axis.formatter, axis.ticker):
            model.update(**state[model.name])  # Bokeh refuses what it does not have
