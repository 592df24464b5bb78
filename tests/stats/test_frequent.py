from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given

from smlnb.stats.checks import check_accumulator
from smlnb.stats.frequent import FrequentItems
from tests.stats.laws import law_settings
from tests.strategies import text_blocks


def counted(values: list[str | None], parts: int = 5, lg_size: int = 6) -> FrequentItems:
    frequent = FrequentItems(1, lg_size)
    size = max(1, len(values) // parts)
    for start in range(0, len(values), size):
        frequent.update([pa.array(values[start : start + size], pa.string())])
    return frequent


def zipf(n: int, seed: int = 0) -> list[str]:
    return [f"w{v}" for v in np.random.default_rng(seed).zipf(1.3, n)]


@law_settings
@given(text_blocks(2))
def test_every_law_holds_for_any_texts(given_blocks: Any) -> None:
    check_accumulator(lambda: FrequentItems(2, 3), given_blocks)


def test_counts_are_exact_while_the_values_fit() -> None:
    values = [f"v{i % 40}" for i in range(1000)] + [""] * 7
    result = counted(values).result()[0]
    assert result.error == 0
    assert dict(zip(result.values, result.low, strict=True)) == Counter(values)
    assert result.low == result.high


def test_bounds_hold_for_every_value_and_the_error_for_what_is_not_listed() -> None:
    values = zipf(50_000)
    truth = Counter(values)
    for frequent in (counted(values), counted(values[::-1], parts=50), counted(sorted(values))):
        result = frequent.result()[0]
        assert 0 < result.error <= 3.5 / 64 * len(values)
        for value, low, high in zip(result.values, result.low, result.high, strict=True):
            assert low <= truth[value] <= high
        assert max(n for value, n in truth.items() if value not in result.values) <= result.error


def test_bounds_hold_after_merging_and_after_being_stored_and_going_on() -> None:
    values = zipf(40_000, seed=1)
    truth = Counter(values)
    total = FrequentItems(1, 6)
    for start in range(0, len(values), 5000):
        total.merge(counted(values[start : start + 5000]))
        total = FrequentItems.from_state(total.state())
    result = total.result()[0]
    assert result.total == len(values)
    assert result.error <= 3.5 / 64 * len(values)
    for value, low, high in zip(result.values, result.low, result.high, strict=True):
        assert low <= truth[value] <= high


def test_values_above_a_threshold_are_certain_or_complete() -> None:
    values = zipf(50_000, seed=2)
    truth, result = Counter(values), counted(values).result()[0]
    wanted = {v for v, n in truth.items() if n > 2000}
    assert set(result.above(2000)) <= wanted <= set(result.above(2000, certain=False))
    assert wanted


def test_missing_values_are_counted_apart() -> None:
    frequent = FrequentItems(1)
    frequent.update([pa.array([1.0, None, np.nan, 1.0])])
    frequent.update([pa.array(["1", None, "nan"])])
    result = frequent.result()[0]
    assert (result.missing, result.total) == (3, 4)
    assert result.above() == {"1": (3, 3), "nan": (1, 1)}


def test_long_values_do_not_fill_the_memory_and_are_told_apart() -> None:
    result = counted(["x" * 1_000_000 + "a", "x" * 1_000_000 + "b", "short"], parts=1).result()[0]
    assert len(result.values) == 3
    assert max(map(len, result.values)) <= 257


def test_attributes_added_later_were_missing_before() -> None:
    frequent = counted(["a", "b"])
    frequent.widen(2)
    assert [r.missing for r in frequent.result()] == [0, 2]


def test_at_most_the_top_values_are_listed_most_frequent_first() -> None:
    assert counted(["b"] * 3 + ["a"] * 3 + ["c"]).result(2)[0].values == ("a", "b")
