from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.errors import MergeError, StateError, StatisticsError
from smlnb.stats.checks import LAWS, check_accumulator, close
from smlnb.stats.histogram import Histogram
from smlnb.stats.moments import Moments
from smlnb.stats.panes import PaneCounts, Panes
from smlnb.stats.quantiles import Quantiles
from tests.stats.laws import law_settings
from tests.strategies import numbers

SIZE, KEEP = 100, 5
MAKES: dict[str, Any] = {
    "Moments": lambda: Moments(1),
    "Histogram": lambda: Histogram(1, 128),
    "Quantiles": lambda: Quantiles(1),
}
RNG = np.random.default_rng(2026)


def timed_blocks() -> st.SearchStrategy[list[list[pa.Array]]]:
    """Lists of blocks of two columns: values, and times in any order."""
    rows = st.lists(st.tuples(numbers, st.integers(-300, 1500)), max_size=12)
    block = rows.map(lambda r: [pa.array([v for v, _ in r], pa.float64()), pa.array([t for _, t in r], pa.int64())])
    return st.lists(block, min_size=1, max_size=5)


def cells(histogram: Histogram) -> tuple[int, list[float], list[int]]:
    """What is exact in a histogram of one attribute; -0.0 and 0.0 are equal."""
    (found,) = histogram.result()
    return histogram.n, (found.low + 0.0).tolist(), found.counts.tolist()


def cells_of(values: np.ndarray) -> tuple[int, list[float], list[int]]:
    histogram = Histogram(1, 128)
    histogram.update(values[None, :])
    return cells(histogram)


class ByColumns(Panes[Any]):
    """Panes whose blocks are a column of values and one of times, for the laws."""

    making: Any = MAKES["Moments"]

    def update(self, block: Any, *_: Any, **__: Any) -> None:
        values, times = (column.to_numpy() for column in block)
        super().update(values[None, :], times)

    @classmethod
    def from_state(cls, state: Any, make: Any = None) -> Any:
        return super().from_state(state, make or cls.making)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("kind", ["Moments", "Histogram"])
@law_settings
@given(data=st.data())
def test_the_law_holds_for_panes_over(kind: str, law: Any, data: Any) -> None:
    over = type("ByColumns", (ByColumns,), {"making": staticmethod(MAKES[kind])})
    law(
        lambda: over(MAKES[kind], SIZE, KEEP, lateness=SIZE * (KEEP - 1)),
        data.draw(timed_blocks()),
        lambda a, b: close(a, b, rtol=1e-6, atol=1e-9),
    )


def test_every_law_holds_for_panes_over_sketches_but_for_their_bits() -> None:
    over = type("ByColumns", (ByColumns,), {"making": staticmethod(MAKES["Quantiles"]), "deterministic": False})
    blocks = [[pa.array(RNG.normal(size=50)), pa.array(RNG.integers(0, 2000, 50))] for _ in range(4)]
    check_accumulator(lambda: over(MAKES["Quantiles"], SIZE, KEEP, lateness=300), blocks)


@law_settings
@given(timed_blocks())
def test_the_window_is_one_pass_over_its_rows(blocks: list[list[pa.Array]]) -> None:
    panes = ByColumns(MAKES["Histogram"], SIZE, KEEP, lateness=SIZE * (KEEP - 1))
    for block in blocks:
        panes.update(block)
        panes.window()
    values, times = (np.concatenate([b[i].to_numpy() for b in blocks]) for i in (0, 1))
    if len(times) == 0:
        assert panes.span is None
        return
    start, stop = panes.span or (0, 0)
    inside = (times >= start) & (times < stop)
    assert cells(panes.window()) == cells(panes.last(KEEP)) == cells_of(values[inside])
    assert stop - start == SIZE * KEEP
    assert start <= times.max() < stop


def test_by_rows_the_window_holds_the_last_rows_however_blocks_are_cut() -> None:
    values = RNG.normal(size=10_000)
    panes = Panes(MAKES["Moments"], 100, 7, by="rows")
    at = 0
    while at < len(values):
        step = int(RNG.integers(1, 400))
        panes.update(values[None, at : at + step])
        at = min(at + step, len(values))
        start, stop = panes.span or (0, 0)
        inside = values[max(start, 0) : min(stop, at)]
        assert panes.window().n == len(inside)
        assert panes.window().result().mean[0] == pytest.approx(inside.mean(), rel=1e-12, abs=1e-15)
    assert panes.last(1).n == 100
    assert panes.counts == PaneCounts(placed=10_000)


def test_after_a_spike_has_left_the_window_its_digits_are_those_of_fresh_data() -> None:
    values = RNG.normal(size=(1, 30_000))
    spiked = values.copy()
    spiked[0, 12_345] = 1e9
    rings = [Panes(MAKES["Moments"], 100, 60, by="rows") for _ in range(2)]
    for ring, data in zip(rings, (values, spiked), strict=True):
        for part in np.array_split(data, 300, axis=1):
            ring.update(part)
            ring.window()
    fresh, after = (ring.window().state()["sha256"] for ring in rings)
    assert after == fresh
    last = np.longdouble(values[0, -6000:])
    exact = ((last - last.mean()) ** 2).sum()
    ours = rings[1].window().result().m2[0]
    error = abs(np.longdouble(ours) - exact) / exact
    assert error == 0 or -np.log10(error) >= 15


class _Counting(Moments):
    merges = 0

    def merge(self, other: Any) -> None:
        _Counting.merges += 1
        super().merge(other)


@pytest.mark.parametrize("keep", [10, 300])
def test_a_window_at_every_pane_costs_a_few_merges_however_long_it_is(keep: int) -> None:
    panes, block = Panes(lambda: _Counting(1), 10, keep, by="rows"), np.ones((1, 10))
    _Counting.merges = 0
    for _ in range(3000):
        panes.update(block)
        panes.window()
    assert _Counting.merges / 3000 <= 9


def test_late_early_untimed_and_backward_rows_are_counted_and_nothing_is_lost_uncounted() -> None:
    panes = Panes(MAKES["Moments"], 100, 5, lateness=150, tolerance=50)
    panes.update(np.ones((1, 4)), [1000, 1000, 990, 820], now=1000)  # the pane of 820 is open: 1000 - 150 lies in it
    assert panes.counts == PaneCounts(placed=4, backward=2)
    panes.update(np.ones((1, 3)), [799, 1051, 1050], now=1000)
    assert panes.counts == PaneCounts(placed=5, late=1, early=1, backward=3)
    panes.update(np.ones((1, 2)))
    assert panes.counts == PaneCounts(placed=5, late=1, early=1, untimed=2, backward=3)
    counts = panes.counts.as_dict()
    assert sum(counts.values()) - counts["backward"] == panes.n == 9
    assert panes.window().n == 5


def test_what_is_late_does_not_depend_on_how_blocks_are_cut() -> None:
    times = RNG.integers(0, 3000, 500) + np.arange(500) * 10
    whole = Panes(MAKES["Moments"], 100, 20, lateness=700)
    whole.update(np.ones((1, 500)), times)
    pieces = Panes(MAKES["Moments"], 100, 20, lateness=700)
    for part in np.array_split(times, 60):
        pieces.update(np.ones((1, len(part))), part)
    assert whole.counts == pieces.counts
    assert whole.counts.late > 0
    assert whole.window().n == pieces.window().n


@pytest.mark.parametrize("origin", [0, -(10**12), 9_214_646_400_000, 1_700_000_000_000])
def test_arrival_in_any_order_within_the_lateness_gives_the_same_window(origin: int) -> None:
    times = origin + np.sort(RNG.integers(0, 20_000, 3000))
    values = RNG.normal(size=3000)
    windows = set()
    for _ in range(5):
        jitter = np.argsort(times + RNG.integers(0, 900, 3000), kind="stable")
        panes = Panes(MAKES["Histogram"], 100, 50, lateness=1000)
        for part in np.array_split(jitter, 40):
            panes.update(values[None, part], times[part])
        assert panes.counts.late == 0
        windows.add(panes.window().state()["sha256"])
    assert len(windows) == 1


def test_a_jump_beyond_the_window_leaves_only_what_is_new() -> None:
    panes = Panes(MAKES["Moments"], 100, 5, lateness=200)
    panes.update(np.zeros((1, 300)), np.arange(300))
    panes.update(np.ones((1, 1)), [10**12])
    assert panes.window().n == 1
    assert len(panes._closed) + len(panes._open) == 1


def test_numpy_datetimes_are_times() -> None:
    panes = Panes(MAKES["Moments"], 1000, 5)
    panes.update(np.ones((1, 2)), np.array(["1970-01-01T00:00:01", "1970-01-01T00:00:02"], "datetime64[s]"))
    assert panes.span == (-2000, 3000)


def test_what_is_stored_goes_on_and_needs_what_it_was_made_of() -> None:
    panes = Panes(MAKES["Moments"], 100, 5, lateness=100)
    panes.update(RNG.normal(size=(1, 50)), np.arange(50) * 17)
    again = Panes.from_state(panes.state(), MAKES["Moments"])
    for ring in (panes, again):
        ring.update(np.ones((1, 2)), [800, 1300])
    assert again.window().n == panes.window().n
    np.testing.assert_allclose(again.window().result().m2, panes.window().result().m2, rtol=1e-14)
    assert again.counts == panes.counts
    with pytest.raises(StateError, match="needs make="):
        Panes.from_state(panes.state())
    with pytest.raises(StateError, match="another width"):
        Panes.from_state(panes.state(), lambda: Moments(2))


def test_attributes_added_later_are_missing_in_the_panes_before() -> None:
    panes = Panes(MAKES["Moments"], 10, 5, by="rows")
    panes.update(np.ones((1, 35)))
    panes.change(lambda: Moments(2), lambda moments: moments.widen(2))
    panes.update(np.ones((2, 10)))
    assert panes.window().result().missing.tolist() == [0, 35]


def test_what_makes_no_sense_is_refused() -> None:
    one, two = (Panes(MAKES["Moments"], 10, 5, by="rows") for _ in range(2))
    one.update(np.ones((1, 3)))
    two.update(np.ones((1, 3)))
    with pytest.raises(MergeError, match="no common order"):
        one.merge(two)
    with pytest.raises(MergeError, match="size"):
        one.merge(Panes(MAKES["Moments"], 11, 5, by="rows"))
    with pytest.raises(StatisticsError, match="keeps 5 panes"):
        one.last(6)
    with pytest.raises(StatisticsError, match="at most 400"):
        Panes(MAKES["Moments"], 100, 5, lateness=401)
    with pytest.raises(StatisticsError, match="above 0"):
        Panes(MAKES["Moments"], 0, 5)
    with pytest.raises(StatisticsError, match="3 rows need as many times"):
        Panes(MAKES["Moments"], 10, 5).update(np.ones((1, 3)), [1, 2])


@pytest.mark.parametrize("by", ["time", "rows"])
def test_a_block_far_longer_than_the_window_makes_no_panes_that_leave_it_at_once(by: Literal["time", "rows"]) -> None:
    made = []

    def make() -> Moments:
        made.append(1)
        return Moments(1)

    panes = Panes(make, 10, 20, by=by)
    values = np.arange(100_000.0)
    panes.update(values[None], times=np.arange(100_000))
    assert panes.window().result().mean.tolist() == [values[-200:].mean()]
    assert panes.n == panes.counts.placed == 100_000
    assert len(made) < 100
