from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.errors import ForgetError, StatisticsError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.base import digest_of
from smlnb.stats.checks import LAWS
from smlnb.stats.ends import Ends, EndsSummary
from smlnb.stats.table import Table
from tests.stats.laws import law_settings
from tests.strategies import cells

NAT = np.iinfo(np.int64).min
RNG = np.random.default_rng(2026)


class ByColumns(Ends):
    """Ends whose blocks are a list of columns, for the laws: two of values, the times, and the order."""

    def update(self, block: Any, *_: Any) -> None:
        x, y, times, order = (column.to_numpy(zero_copy_only=False) for column in block)
        super().update(np.array([x, y]), times, order)


class WithoutOrder(ByColumns):
    """The same, where rows of one time have no order."""

    def update(self, block: Any, *_: Any) -> None:
        x, y, times, _order = (column.to_numpy(zero_copy_only=False) for column in block)
        Ends.update(self, np.array([x, y]), times)


def timed_blocks() -> st.SearchStrategy[list[list[pa.Array]]]:
    """Blocks of rows of which many share their time, and some their place in the order; one time in a few is NaT; NaN is null."""
    values = cells | st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf])
    row = st.tuples(values, values, st.sampled_from([NAT, -5, 0, 1, 2]), st.integers(0, 2))
    types = (pa.float64(), pa.float64(), pa.int64(), pa.int64())
    block = st.lists(row, max_size=10).map(
        lambda rows: [pa.array([r[i] for r in rows], kind, from_pandas=True) for i, kind in enumerate(types)]
    )
    return st.lists(block, min_size=1, max_size=5)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("kind", [ByColumns, WithoutOrder])
@law_settings
@given(blocks=timed_blocks())
def test_the_law_holds_to_the_last_bit(kind: type[ByColumns], law: Any, blocks: Any) -> None:
    law(lambda: kind(2), blocks, lambda a, b: digest_of(a) == digest_of(b))


def by_sorting(values: list[float], times: list[int], order: list[int]) -> list[tuple[float, int]]:
    """Slow and obvious: (value, time) of the first and the last row, or NaN and NaT."""
    rows = [
        (time, place, value + 0.0)  # -0 is 0
        for value, time, place in zip(values, times, order, strict=True)
        if np.isfinite(value) and time != NAT
    ]
    return [(row[2], row[0]) for row in (min(rows), max(rows))] if rows else [(np.nan, NAT)] * 2


def ends_of(summary: EndsSummary, i: int) -> list[tuple[float, int]]:
    first = summary.first[i].item(), summary.first_time[i].astype(np.int64).item()
    return [first, (summary.last[i].item(), summary.last_time[i].astype(np.int64).item())]


@law_settings
@given(blocks=timed_blocks(), kind=st.sampled_from([ByColumns, WithoutOrder]))
def test_ends_are_those_of_the_rows_in_order(blocks: Any, kind: type[ByColumns]) -> None:
    ends = kind(2)
    for block in blocks:
        ends.update(block)
    summary = ends.result()
    x, y, times, order = (
        np.concatenate([b[i].to_numpy(zero_copy_only=False) for b in blocks]).tolist() for i in range(4)
    )
    places = order if kind is ByColumns else [0] * len(order)
    np.testing.assert_equal(ends_of(summary, 0), by_sorting(x, times, places))
    np.testing.assert_equal(ends_of(summary, 1), by_sorting(y, times, places))
    assert summary.untimed == times.count(NAT)
    assert ends.n == len(times)


def test_blocks_in_any_order_of_time_and_of_arrival_give_the_same_ends() -> None:
    values, times = RNG.normal(size=(3, 4000)), RNG.permutation(4000)
    values[1, times > 3000] = np.nan
    for parts in (np.array_split(np.argsort(times), 7), np.array_split(RNG.permutation(4000), 7)):
        ends = Ends(3)
        for part in parts:
            ends.update(values[:, part], times[part])
        assert [ends_of(ends.result(), i) for i in range(3)] == [
            by_sorting(row.tolist(), times.tolist(), [0] * 4000) for row in values
        ]


def test_among_rows_of_one_time_the_order_decides_and_without_one_the_value() -> None:
    values, times = np.array([[5.0, 9.0, 1.0, 4.0]]), np.zeros(4, np.int64)
    with_order, without = Ends(1), Ends(1)
    with_order.update(values, times, order=[10, 11, 12, 13])
    without.update(values, times)
    assert [v for v, _ in ends_of(with_order.result(), 0)] == [5.0, 4.0]
    assert [v for v, _ in ends_of(without.result(), 0)] == [1.0, 9.0]


def test_rows_without_a_time_are_counted_and_are_no_ends() -> None:
    ends = Ends(1)
    ends.update(np.array([[7.0, 8.0]]))
    ends.update(np.array([[1.0, 2.0, 3.0]]), np.array(["2026-01-01", "NaT", "2026-01-02"], "datetime64[s]"))
    ends.update(np.empty((1, 0)), [])
    summary = ends.result()
    assert (ends.n, summary.untimed) == (5, 3)
    assert (summary.first.tolist(), summary.last.tolist()) == ([1.0], [3.0])
    assert summary.last_time[0] == np.datetime64("2026-01-02")


def test_attributes_added_later_have_ends_of_their_own() -> None:
    ends = Ends(1)
    ends.update(np.ones((1, 2)), [10, 20])
    ends.widen(2)
    ends.update(np.array([[2.0, 3.0], [5.0, 6.0]]), [30, 40])
    assert ends_of(ends.result(), 0) == [(1.0, 10), (3.0, 40)]
    assert ends_of(ends.result(), 1) == [(5.0, 30), (6.0, 40)]


def test_what_does_not_fit_is_refused_and_nothing_absorbed() -> None:
    ends = Ends(1)
    with pytest.raises(StatisticsError, match="2 rows need as many times"):
        ends.update(np.ones((1, 2)), [1])
    with pytest.raises(StatisticsError, match="2 rows need as many numbers of their order"):
        ends.update(np.ones((1, 2)), [1, 2], [1])
    with pytest.raises(ForgetError, match="can't forget"):
        ends.forget(np.ones((1, 2)))
    assert ends.n == 0


SCHEMA = Schema.of(["x", "c"], "C,T")


def records(*values: float) -> pa.RecordBatch:
    return pa.record_batch({"x": list(values), "c": ["a"] * len(values)})


def test_a_table_keeps_the_ends_of_its_rows_with_a_time() -> None:
    left, right = Table(SCHEMA), Table(SCHEMA)
    left.update(records(1.0, 2.0), [10, 20])
    left.update(records(100.0))
    right.update(records(4.0, 3.0), [30, 30], [1, 2])
    left.grow([Attribute("y", Kind.CONTINUOUS)])
    right.grow([Attribute("y", Kind.CONTINUOUS)])
    left.merge(right)
    again = Table.from_state(left.state())
    assert again.state()["sha256"] == left.state()["sha256"]
    summary = again.result().ends
    assert summary is not None
    assert ends_of(summary, 0) == [(1.0, 10), (3.0, 30)]
    assert summary.untimed == 1
    assert np.isnan(summary.last[1])


def test_a_table_that_is_given_wrong_times_absorbs_nothing_at_all() -> None:
    table = Table(SCHEMA)
    before = table.state()["sha256"]
    with pytest.raises(StatisticsError, match="as many times"):
        table.update(records(1.0, 2.0), [10])
    assert table.state()["sha256"] == before


def test_ends_are_unknown_once_something_was_forgotten() -> None:
    table = Table(SCHEMA)
    table.update(records(1.0, 2.0, 4.0), [10, 20, 30])
    table.forget(records(4.0))
    assert table.result().ends is None


def test_a_table_counts_distinct_numbers_where_asked_and_keeps_the_choice() -> None:
    table = Table(SCHEMA, distinct=True)
    table.update(records(1.0, 2.0, 2.0))
    for each in (table, table.copy(), Table.from_state(table.state())):
        profile = each.result().profile
        assert profile is not None
        assert round(profile.distinct["x"].estimate) == 2
    plain = Table(SCHEMA).result().profile
    assert plain is not None
    assert list(plain.distinct) == ["c"]
