from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smlnb.errors import MergeError
from smlnb.stats.moments import Moments
from tests.reference import exact_central_sums
from tests.stats.laws import law_settings
from tests.strategies import blocks


def learned(values: np.ndarray, parts: int = 5) -> Moments:
    moments = Moments(len(values))
    for part in np.array_split(values, parts, axis=1):
        moments.update(part)
    return moments


def test_all_figures_agree_with_pandas_on_data_with_missing_values() -> None:
    rng = np.random.default_rng(1)
    values = rng.gamma(2, size=(4, 3000)) * 10 ** np.arange(4)[:, None]
    values[rng.random(values.shape) < 0.1] = np.nan
    frame, summary = pd.DataFrame(values.T), learned(values).result()
    for ours, theirs in [
        (summary.count, frame.count()),
        (summary.mean, frame.mean()),
        (summary.variance(), frame.var()),
        (summary.skewness(), frame.skew()),
        (summary.kurtosis(), frame.kurt()),
        (summary.minimum, frame.min()),
        (summary.maximum, frame.max()),
    ]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_biased_skewness_and_kurtosis_agree_with_scipy() -> None:
    values = np.random.default_rng(2).exponential(size=(3, 500))
    summary = learned(values).result()
    np.testing.assert_allclose(summary.skewness(bias=True), stats.skew(values, axis=1), rtol=1e-12)
    np.testing.assert_allclose(summary.kurtosis(bias=True), stats.kurtosis(values, axis=1), rtol=1e-12)


@law_settings
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_central_sums_agree_with_exact_arithmetic(values: list[float]) -> None:
    summary = learned(np.array([values]), parts=3).result()
    mean, m2, m3, m4 = exact_central_sums(values)
    spread = max(abs(v) for v in values) + 1e-300
    np.testing.assert_allclose(summary.mean[0], mean, rtol=1e-13, atol=1e-15 * spread)
    for power, (ours, exact) in enumerate([(summary.m2, m2), (summary.m3, m3), (summary.m4, m4)], start=2):
        np.testing.assert_allclose(ours[0], exact, rtol=1e-10, atol=1e-300 + 1e-13 * len(values) * spread**power)


@pytest.mark.parametrize("k", range(16))
def test_digits_are_lost_only_with_the_offset_of_the_data(k: int) -> None:
    values = np.random.default_rng(k).normal(size=2000) + 10.0**k
    _, m2, _, _ = exact_central_sums(values.tolist())
    ours = learned(values[None, :], parts=8).result().m2[0]
    digits = 16 if ours == m2 else -np.log10(abs(ours - m2) / m2)
    assert digits >= 15 - 0.85 * k


@given(blocks(2))
@law_settings
def test_count_missing_and_infinite_add_up_to_the_rows(parts: list[np.ndarray]) -> None:
    moments = Moments(2)
    for part in parts:
        moments.update(part)
    summary, everything = moments.result(), np.concatenate(parts, axis=1)
    assert (summary.count + summary.missing + summary.infinite == moments.n).all()
    assert (summary.infinite == np.isinf(everything).sum(axis=1)).all()
    assert (summary.missing == np.isnan(everything).sum(axis=1)).all()


def test_variance_is_never_negative_after_many_equal_values() -> None:
    moments = Moments(1)
    part = np.full((1, 100_000), 1e8 + 0.1)
    for _ in range(100):
        moments.update(part)
    assert 0 <= moments.result().m2[0] / moments.n <= 1e-28 * (1e8 + 0.1) ** 2


def test_huge_and_tiny_values_have_a_mean_and_raise_no_warning() -> None:
    summary = learned(np.array([[1e308, 1e308, -1e308], [5e-324, 0.0, 5e-324]]), parts=1).result()
    assert summary.mean[0] == pytest.approx(1e308 / 3)
    assert summary.minimum.tolist() == [-1e308, 0.0]


def test_what_is_not_there_has_no_figures_and_no_warning() -> None:
    summary = learned(np.array([[np.nan, np.inf], [3.0, np.nan]]), parts=1).result()
    assert np.isnan([summary.mean[0], summary.variance()[0], summary.minimum[0], summary.skewness()[1]]).all()
    assert summary.mean[1] == 3.0
    assert np.isnan(summary.variance()[1])


def test_attributes_added_later_count_as_missing_before() -> None:
    moments = learned(np.array([[1.0, 2.0, 3.0]]), parts=1)
    moments.widen(2)
    moments.update(np.array([[4.0], [10.0]]))
    summary = moments.result()
    assert summary.missing.tolist() == [0, 3]
    assert summary.mean.tolist() == [2.5, 10.0]


def test_other_widths_are_refused_by_name() -> None:
    with pytest.raises(MergeError, match=r"different width.*: 1 here, 2 there"):
        Moments(1).merge(Moments(2))


@given(blocks(2))
@law_settings
def test_zeros_and_negatives_are_counted_exactly_among_the_finite_values(parts: list[np.ndarray]) -> None:
    moments = Moments(2)
    for part in parts:
        moments.update(part)
    everything = np.concatenate(parts, axis=1)
    finite = np.isfinite(everything)
    assert moments.result().zeros.tolist() == (finite & (everything == 0)).sum(axis=1).tolist()
    assert moments.result().negatives.tolist() == (finite & (everything < 0)).sum(axis=1).tolist()


def test_sum_and_coefficient_of_variation_follow_from_the_moments() -> None:
    summary = learned(np.array([[1.0, 2.0, np.nan, 6.0], [-1.0, 1.0, np.nan, np.nan], [np.nan] * 4])).result()
    np.testing.assert_allclose(summary.sum, [9.0, 0.0, 0.0], atol=1e-15)
    assert summary.variation()[0] == pytest.approx(np.std([1, 2, 6], ddof=1) / 3)
    assert np.isnan(summary.variation()[1:]).all()  # a mean of zero, no values
