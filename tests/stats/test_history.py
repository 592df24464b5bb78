from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.errors import MergeError, NotEnoughDataError, StateError, StatisticsError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.checks import LAWS, close
from smlnb.stats.history import MINUTE, TIERS, History
from smlnb.stats.moments import Moments
from smlnb.stats.table import Table, read_block
from tests.stats.laws import law_settings
from tests.stats.test_panes import MAKES, cells, cells_of, timed_blocks

HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
SMALL = ((100, 2), (300, 2), (900, 1))
RNG = np.random.default_rng(2026)


class ByColumns(History[Any]):
    """A history whose blocks are a column of values and one of times, for the laws."""

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
def test_the_law_holds_for_a_history_of(kind: str, law: Any, data: Any) -> None:
    over = type("ByColumns", (ByColumns,), {"making": staticmethod(MAKES[kind])})
    law(
        lambda: over(MAKES[kind], SMALL),
        data.draw(timed_blocks()),
        lambda a, b: close(a, b, rtol=1e-6, atol=1e-9),
    )


@law_settings
@given(timed_blocks(), st.integers(-400, 1600), st.integers(1, 1500))
def test_any_interval_is_one_pass_over_the_rows_it_says_it_covers(blocks: Any, start: int, length: int) -> None:
    history = ByColumns(MAKES["Histogram"], SMALL)
    for block in blocks:
        history.update(block)
    values, times = (np.concatenate([b[i].to_numpy() for b in blocks]) for i in (0, 1))
    assert cells(history.total()) == cells_of(values)
    assert sum(rows for _, _, rows in history.panes) == history.counts.placed
    try:
        past = history.between(start, start + length)
    except NotEnoughDataError:
        newest = times.max(initial=0)
        assert not ((times >= start) & (times < start + length) & (times >= newest - 900)).any()
        return
    assert cells(past.statistics) == cells_of(values[(times >= past.start) & (times < past.stop)])
    first, last = history.span or (0, 0)
    assert past.start <= max(start, first)
    assert past.stop >= min(start + length, last)


def test_the_panes_are_the_same_in_whatever_order_rows_come() -> None:
    times, values = RNG.integers(0, 40 * DAY, 5000), RNG.normal(size=5000)
    states = set()
    for order in (np.argsort(times), np.argsort(-times), RNG.permutation(5000), RNG.permutation(5000)):
        history = History(MAKES["Histogram"])
        for part in np.array_split(order, 30):
            history.update(values[None, part], times[part])
        parts = [history.between(a, b).statistics.state()["sha256"] for a, b, rows in history.panes if rows]
        states.add((tuple(history.panes), *parts))
    assert len(states) == 1


def test_panes_stay_bounded_fine_when_recent_and_coarse_when_old() -> None:
    history = History(lambda: Moments(1))
    most = sum(keep for _, keep in TIERS) + 30 + 48
    times = np.cumsum(RNG.integers(0, 2 * MINUTE, 250_000))
    for part in np.array_split(times, 500):
        history.update(np.ones((1, len(part))), part)
        assert len(history.panes) <= most
    sizes = [stop - start for start, stop, _ in history.panes]
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) == {size for size, _ in TIERS}
    reach, newest = 0, history.panes[-1][1]
    for size, keep in TIERS:
        reach += size * keep
        assert all(stop - start <= size for start, stop, _ in history.panes if start >= newest - reach)
    assert history.n == history.total().n == 250_000
    counts = history.counts
    assert counts.placed + counts.late == 250_000


def test_a_minute_an_hour_ago_is_known_to_the_minute_and_later_to_the_half_hour() -> None:
    history = History(lambda: Moments(1))
    minutes = np.arange(3 * DAY // MINUTE) * MINUTE
    history.update(minutes[None, :] / MINUTE, minutes)
    end = 3 * DAY
    recent = history.between(end - 45 * MINUTE, end - 44 * MINUTE)
    assert (recent.stop - recent.start, recent.statistics.n, recent.panes) == (MINUTE, 1, 1)
    older = history.between(end - 5 * HOUR + MINUTE, end - 5 * HOUR + 2 * MINUTE)
    assert (older.stop - older.start, older.statistics.n) == (30 * MINUTE, 30)
    oldest = history.between(MINUTE, 2 * MINUTE)
    assert (oldest.start, oldest.stop) == (0, DAY)
    assert history.between().statistics.n == len(minutes)


def test_two_intervals_are_compared_without_the_rows() -> None:
    history = History(lambda: Moments(1))
    times = np.arange(0, 40 * MINUTE, 100)
    history.update(np.where(times < 20 * MINUTE, 1.0, 5.0)[None, :], times)
    before, after = history.between(0, 20 * MINUTE), history.between(20 * MINUTE, 40 * MINUTE)
    assert (before.statistics.result().mean[0], after.statistics.result().mean[0]) == (1.0, 5.0)
    assert str(before) == "1970-01-01T00:00:00+00:00 to 1970-01-01T00:20:00+00:00: 12,000 rows"


def test_a_wrong_time_in_the_future_does_not_age_the_past_where_the_clock_is_known() -> None:
    history = History(lambda: Moments(1))
    history.update(np.ones((1, 100)), np.arange(100) * MINUTE, now=100 * MINUTE)
    before = history.panes
    history.update(np.ones((1, 2)), [99 * MINUTE, 9_214_646_400_000], now=100 * MINUTE)  # the year 2262
    assert [pane[:2] for pane in history.panes] == [pane[:2] for pane in before]
    assert (history.counts.early, history.total().n, history.n) == (1, 102, 102)


def test_without_a_time_or_too_old_a_row_is_in_the_total_and_counted() -> None:
    history = History(lambda: Moments(1))
    history.update(np.ones((1, 1)), [400 * DAY])
    history.update(np.ones((1, 3)), [0, 400 * DAY - 5, 400 * DAY])
    history.update(np.ones((1, 7)))
    counts = history.counts
    assert (counts.placed, counts.late, counts.untimed, counts.backward) == (3, 1, 7, 2)
    assert history.total().n == history.n == 11
    assert history.between().statistics.n == 3


def test_a_table_learns_through_a_history_with_its_numbers_read_once() -> None:
    schema = Schema.of(["x", "c"], "C,T")
    records = pa.record_batch({"x": RNG.normal(size=600), "c": ["a", "b", "c"] * 200})
    history, plain = History(lambda: Table(schema)), Table(schema)
    times = RNG.integers(0, 10 * MINUTE, 600)
    floats, records, _ = read_block(records, schema)
    history.update((floats, records), times, absorb=lambda table, part: table.update_floats(*part))
    plain.update(records)
    ours, theirs = history.total().result(), plain.result()
    np.testing.assert_allclose(ours.moments.m4, theirs.moments.m4, rtol=1e-12)
    assert ours.categories == theirs.categories
    assert ours.cells is not None
    assert ours.cells[0].total == 600
    part = history.between(2 * MINUTE, 5 * MINUTE).statistics
    assert part.n == ((times >= 2 * MINUTE) & (times < 5 * MINUTE)).sum()


def test_attributes_added_later_are_missing_in_every_pane_before() -> None:
    schema = Schema.of(["x"], "C")
    new = Attribute("y", Kind.CONTINUOUS)
    history = History(lambda: Table(schema))
    history.update(pa.record_batch({"x": np.ones(10)}), np.arange(10) * MINUTE)
    history.change(lambda: Table(schema.with_attributes([new])), lambda table: table.grow([new]))
    history.update(pa.record_batch({"x": np.ones(10), "y": np.ones(10)}), np.arange(5, 15) * MINUTE)
    assert history.total().result().moments.missing.tolist() == [0, 10]
    assert history.between(0, 7 * MINUTE).statistics.result().moments.count.tolist() == [9, 2]


def test_a_block_over_many_panes_is_cut_without_a_step_per_row() -> None:
    updates = []
    history = History(lambda: Moments(1))
    history.update(
        np.ones((1, 100_000)),
        RNG.integers(0, 60 * MINUTE, 100_000),
        absorb=lambda moments, part: (updates.append(part.shape), moments.update(part))[1],
    )
    assert len(updates) <= 1 + 60


def test_what_is_stored_goes_on_to_the_last_bit_and_needs_what_it_was_made_of() -> None:
    history = History(lambda: Moments(1))
    history.update(RNG.normal(size=(1, 500)), RNG.integers(0, 3 * DAY, 500))
    again = History.from_state(history.state(), lambda: Moments(1))
    for each in (history, again):
        each.update(np.ones((1, 3)), [3 * DAY, 3 * DAY + 5 * HOUR, 0])
    assert again.state()["sha256"] == history.state()["sha256"]
    with pytest.raises(StateError, match="needs make="):
        History.from_state(history.state())
    with pytest.raises(StateError, match="another cells, kind"):
        History.from_state(history.state(), MAKES["Histogram"])


def test_histories_of_partitions_merge_to_that_of_all_rows() -> None:
    times, values = np.sort(RNG.integers(0, 30 * DAY, 3000)), RNG.normal(size=3000)
    whole = History(MAKES["Histogram"])
    whole.update(values[None, :], times)
    parts = [History(MAKES["Histogram"]) for _ in range(4)]
    for i, part in enumerate(parts):
        part.update(values[None, i::4], times[i::4])
    merged = History(MAKES["Histogram"])
    for part in parts:
        merged.merge(part)
    assert merged.panes == whole.panes
    assert merged.counts.placed == whole.counts.placed


def test_what_makes_no_sense_is_refused_with_what_there_is() -> None:
    history = History(lambda: Moments(1))
    with pytest.raises(NotEnoughDataError, match="no record with a time"):
        history.between()
    history.update(np.ones((1, 2)), [0, 5 * MINUTE])
    with pytest.raises(NotEnoughDataError, match="knows 1970-01-01T00:00:00"):
        history.between(HOUR, 2 * HOUR)
    with pytest.raises(StatisticsError, match="holds no time"):
        history.between(5, 5)
    with pytest.raises(StatisticsError, match="multiple"):
        History(lambda: Moments(1), ((100, 2), (150, 2)))
    with pytest.raises(StatisticsError, match="above 0"):
        History(lambda: Moments(1), ())
    with pytest.raises(MergeError, match="tiers"):
        history.merge(History(lambda: Moments(1), SMALL))
