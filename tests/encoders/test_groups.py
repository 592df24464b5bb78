from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from smlnb.encoders.groups import Groups
from tests.stats.laws import law_settings

values = st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6)), max_size=30)


def groups_of(pairs: list[tuple[int, float]]) -> Groups:
    codes = np.array([c for c, _ in pairs], np.intp)
    return Groups.of(np.array([v for _, v in pairs], float)).pooled(codes, 4)


def bits(groups: Groups) -> list[bytes]:
    return [groups.count.tobytes(), groups.mean.tobytes(), groups.m2.tobytes()]


@law_settings
@given(values, values)
def test_pooled_and_merged_groups_are_those_of_pandas(
    first: list[tuple[int, float]], second: list[tuple[int, float]]
) -> None:
    groups = groups_of(first) + groups_of(second)
    expected = pd.DataFrame([*first, *second], columns=["g", "v"]).groupby("g")["v"].agg(["count", "mean", "var"])
    expected = expected.reindex(range(4))
    np.testing.assert_array_equal(groups.count, expected["count"].fillna(0))
    some = groups.count > 0
    reach = np.array([max([abs(v) for g, v in [*first, *second] if g == i], default=0.0) for i in range(4)])
    np.testing.assert_array_less(np.abs(groups.mean - expected["mean"])[some], (1e-14 * reach + 1e-300)[some])
    several = groups.count > 1
    error = np.abs(groups.std() ** 2 - expected["var"])[several]
    np.testing.assert_array_less(error, (1e-12 * reach**2 + 1e-300)[several])
    assert np.isnan(groups.std()[~several]).all()


@law_settings
@given(values)
def test_a_group_that_stays_alone_keeps_its_bits(pairs: list[tuple[int, float]]) -> None:
    groups = groups_of(pairs)
    assert bits(groups.pooled(np.arange(4), 4)) == bits(groups)


@law_settings
@given(st.floats(-1e100, 1e100), st.integers(2, 50), st.integers(1, 50))
def test_a_constant_has_exactly_that_mean_and_no_spread(value: float, rows: int, more: int) -> None:
    total = groups_of([(1, value)] * rows) + groups_of([(1, value)] * more)
    assert (total.mean[1], total.std()[1]) == (value, 0.0)


def test_huge_values_have_a_mean_and_an_infinite_spread() -> None:
    groups = groups_of([(0, 1.7e308), (0, 1.5e308), (0, 1.6e308)])
    np.testing.assert_allclose(groups.mean[0], 1.6e308)
    assert groups.std()[0] == np.inf
