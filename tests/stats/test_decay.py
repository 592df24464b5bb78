from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given

from smlnb.errors import MergeError, StatisticsError
from smlnb.stats.checks import check_accumulator
from smlnb.stats.decay import Decayed
from tests.stats.laws import law_settings
from tests.stats.test_panes import timed_blocks

RNG = np.random.default_rng(7)


class ByColumns(Decayed):
    """Decay whose blocks are a column of values and one of times, for the laws."""

    def update(self, block: Any, *_: Any) -> None:
        values, stamps = (column.to_numpy() for column in block)
        super().update(values[None, :], stamps)

    def _comparable(self) -> Any:
        payload = super()._payload()
        # a weighted mean near zero, and a small spread beside a large mean, have the digits of the values
        scale = np.maximum(np.abs(payload["means"]).max(initial=0.0), 1e9)
        return {
            **payload,
            "m2": np.append(payload["m2"], scale**2),
            "comoment": np.append(payload["comoment"], scale**2),
            "means": np.append(payload["means"], scale),
        }


@law_settings
@given(timed_blocks())
def test_every_law_holds_for_any_values_and_times(blocks: list[list[pa.Array]]) -> None:
    check_accumulator(lambda: ByColumns(1, 300.0), blocks, rtol=1e-9)


def test_all_figures_agree_with_pandas_exponential_windows() -> None:
    values = RNG.normal(size=(3, 500)).cumsum(axis=1)
    decayed = Decayed(3, half_life=20, by="rows")
    for part in np.array_split(values, 7, axis=1):
        decayed.update(part)
    window = pd.DataFrame(values.T).ewm(halflife=20, adjust=True)
    summary = decayed.result()
    np.testing.assert_allclose(summary.mean, window.mean().iloc[-1], rtol=1e-12)
    np.testing.assert_allclose(summary.variance(), window.var().iloc[-1], rtol=1e-10)
    np.testing.assert_allclose(summary.variance(bias=True), window.var(bias=True).iloc[-1], rtol=1e-10)
    np.testing.assert_allclose(summary.covariance(), window.cov().loc[499], rtol=1e-10)
    np.testing.assert_allclose(summary.correlation(), window.corr().loc[499], rtol=1e-10)


def test_missing_values_are_left_out_pair_by_pair() -> None:
    values = RNG.normal(size=(2, 400))
    values[RNG.random(values.shape) < 0.2] = np.nan
    values[0, 7] = np.inf
    decayed = Decayed(2, half_life=50, by="rows")
    for part in np.array_split(values, 5, axis=1):
        decayed.update(part)
    weights = np.exp2((np.arange(400) - 399) / 50)
    both = np.isfinite(values).all(axis=0)
    expected = np.cov(values[:, both], aweights=weights[both], ddof=0)[0, 1]
    assert decayed.result().covariance(bias=True)[0, 1] == pytest.approx(expected, rel=1e-10)
    own = np.isfinite(values[0])
    assert decayed.result().mean[0] == pytest.approx(np.average(values[0, own], weights=weights[own]), rel=1e-12)


def test_by_time_the_order_of_arrival_does_not_matter() -> None:
    times, values = RNG.integers(0, 100_000, 1000), RNG.normal(size=(2, 1000)) + 1e6
    results = []
    for order in (np.argsort(times), np.argsort(-times), RNG.permutation(1000)):
        decayed = Decayed(2, half_life=5000.0)
        for part in np.array_split(order, 13):
            decayed.update(values[:, part], times[part])
        results.append(decayed.result())
    for other in results[1:]:
        np.testing.assert_allclose(other.covariance(), results[0].covariance(), rtol=1e-8, atol=1e-9)


def test_a_spike_is_forgotten_to_the_last_digit_when_its_weight_is_gone() -> None:
    values = RNG.normal(size=(1, 4000))
    spiked = values.copy()
    spiked[0, 10] = 1e9
    plain, after = (Decayed(1, half_life=10, by="rows") for _ in range(2))
    for part in range(0, 4000, 100):
        plain.update(values[:, part : part + 100])
        after.update(spiked[:, part : part + 100])
    np.testing.assert_allclose(after.result().variance(), plain.result().variance(), rtol=1e-14)


def test_effective_count_is_the_number_of_rows_while_none_is_forgotten() -> None:
    decayed = Decayed(1, half_life=1e12)
    decayed.update(np.ones((1, 50)), np.zeros(50, np.int64))
    assert decayed.result().effective_count[0] == pytest.approx(50)


def test_what_is_not_there_has_no_figures_and_no_warning() -> None:
    decayed = Decayed(2, half_life=5, by="rows")
    assert np.isnan(decayed.result().mean).all()
    decayed.update(np.array([[1.0], [np.nan]]))
    summary = decayed.result()
    assert summary.mean[0] == 1.0
    assert np.isnan([summary.mean[1], summary.variance()[0], summary.correlation()[0, 1]]).all()


def test_attributes_added_later_pair_only_with_what_came_with_them() -> None:
    decayed = Decayed(1, half_life=5, by="rows")
    decayed.update(np.array([[1.0, 2.0]]))
    decayed.widen(2)
    decayed.update(np.array([[3.0, 5.0], [1.0, 2.0]]))
    assert decayed.result().means[1].tolist() == pytest.approx([np.average([1, 2], weights=[2**-0.2, 1])] * 2)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(StatisticsError, match="half-life"):
        Decayed(1, 0)
    with pytest.raises(StatisticsError, match="needs the times"):
        Decayed(1, 10).update(np.ones((1, 1)))
    one, two = (Decayed(1, 10, by="rows") for _ in range(2))
    one.update(np.ones((1, 1)))
    two.update(np.ones((1, 1)))
    with pytest.raises(MergeError, match="no common order"):
        one.merge(two)


def test_a_time_beyond_the_clock_does_not_make_all_others_count_for_nothing() -> None:
    decayed = Decayed(1, half_life=1000)
    decayed.update(np.array([[1.0, 9.0, 3.0]]), times=[0, 10**9, 0], now=0)
    decayed.update(np.array([[9.0]]), times=[10**9], now=0)
    assert decayed.result().mean.tolist() == [2.0]
    assert decayed.n == 4
    merged = Decayed(1, half_life=1000)
    merged.merge(decayed)
    assert merged.n == 4
