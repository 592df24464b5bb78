from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.encoders.means import TargetMeans
from smlnb.errors import SchemaError
from smlnb.packing import pack, unpack
from smlnb.stats.checks import check_accumulator
from tests.stats.laws import law_settings
from tests.strategies import texts

keys = st.sampled_from(["a", "b", "c", "d", "e", "", "Ä", None]) | texts
targets = st.none() | st.sampled_from([0.0, 1.0, np.inf, np.nan]) | st.floats(-1e6, 1e6)
rows = st.lists(st.tuples(keys, targets), max_size=10)
list_rows = st.lists(st.tuples(st.none() | st.lists(keys, max_size=3), targets), max_size=8)


def block(pairs: list[tuple[Any, Any]], kind: pa.DataType | None = None) -> list[pa.Array]:
    return [pa.array([k for k, _ in pairs], kind or pa.string()), pa.array([t for _, t in pairs], pa.float64())]


def absorbed(pairs: list[tuple[Any, Any]], limit: int) -> TargetMeans:
    means = TargetMeans(limit)
    means.update(block(pairs))
    return means


def flood(n: int = 3000, seed: int = 0) -> list[tuple[str, float]]:
    rng = np.random.default_rng(seed)
    return [(f"v{v}", float(t)) for v, t in zip(rng.integers(0, 500, n), rng.normal(size=n), strict=True)]


@law_settings
@given(st.lists(rows.map(block), min_size=1, max_size=5), st.sampled_from([1, 3, 100]))
def test_every_law_holds_for_any_texts(blocks: Any, limit: int) -> None:
    check_accumulator(lambda: TargetMeans(limit), blocks)


@law_settings
@given(st.lists(list_rows.map(lambda r: block(r, pa.list_(pa.string()))), min_size=1, max_size=5))
def test_every_law_holds_for_any_lists(blocks: Any) -> None:
    check_accumulator(lambda: TargetMeans(3), blocks)


@pytest.mark.parametrize("parts", [1, 7, 60])
def test_what_is_kept_is_exact_and_the_same_in_any_order_of_any_parts(parts: int) -> None:
    pairs, limit = flood(), 40
    truth = defaultdict(list)
    for value, target in pairs:
        truth[value].append(target)
    whole = set(absorbed(pairs, limit).result().values)
    shuffled = [pairs[i] for i in np.random.default_rng(parts).permutation(len(pairs))]
    pieces = [absorbed(shuffled[i::parts], limit) for i in range(parts)]
    while len(pieces) > 1:
        right = pieces.pop()
        pieces[len(pieces) // 2].merge(right)
    result = pieces[0].result()
    assert len(result.values) == limit
    assert set(result.values) == whole
    for value, count, mean, std in zip(
        result.values, result.groups.count, result.groups.mean, result.groups.std(), strict=True
    ):
        assert count == len(truth[value])
        expected = pd.Series(truth[value])
        np.testing.assert_allclose([mean, std], [expected.mean(), expected.std()], rtol=1e-9)
    assert result.other.count[0] == len(pairs) - result.groups.count.sum()
    np.testing.assert_allclose(result.prior, np.mean([t for _, t in pairs]), rtol=1e-9)


def test_rows_without_value_or_target_are_counted_and_teach_nothing() -> None:
    means = absorbed([("a", None), (None, 1.0), ("b", np.nan), ("c", np.inf), ("d", 1.0)], 10)
    result = means.result()
    assert (means.n, result.missing, result.values) == (5, 4, ("d",))


def test_a_copy_and_a_stored_one_are_equal_to_the_bit() -> None:
    means = absorbed(flood(), 40)
    again = TargetMeans.from_state(unpack(pack(means.state())))
    for other in (means.copy(), again):
        assert other.state()["sha256"] == means.state()["sha256"]
        assert other.prior == means.prior


def test_a_value_that_was_dropped_starts_anew_and_one_that_was_cut_off_does_not() -> None:
    means = absorbed(flood(), 40)
    values = means.result().values
    means.discard(values[3])
    assert values[3] not in means
    means.update(block([pair for pair in flood() if pair[0] != values[3]]))
    assert set(means.result().values) == set(values) - {values[3]}  # or the counts of new ones would not be exact
    means.update(block([(values[3], 5.0)]))
    assert values[3] in means


def test_figures_put_in_by_hand_are_gone_on_from() -> None:
    means = absorbed([("a", 100.0)], 2)
    means.replace("a", 4, 2.0, 1.0)
    means.update(block([("a", 7.0)]))
    group = means.result().groups
    assert (group.count[0], group.mean[0]) == (5, 3.0)
    np.testing.assert_allclose(group.m2[0], 3.0 + 25 * 4 / 5)


def test_a_full_table_has_no_room_for_figures_of_another_value() -> None:
    means = absorbed([("a", 1.0), ("b", 2.0)], 2)
    with pytest.raises(SchemaError, match="not among the 2 values"):
        means.replace("c", 4, 2.0, 1.0)
    assert means.result().values == ("a", "b")
