from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlnb.stats.comoments import CoMoments


def learned(values: np.ndarray, parts: int = 7) -> CoMoments:
    pairs = CoMoments(len(values))
    for part in np.array_split(values, parts, axis=1):
        pairs.update(part)
    return pairs


@pytest.mark.parametrize("share_missing", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_covariance_and_correlation_agree_with_pandas_pair_by_pair(share_missing: float, offset: float) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(5, 5)) @ rng.normal(size=(5, 2000)) + offset
    values[rng.random(values.shape) < share_missing] = np.nan
    frame, summary = pd.DataFrame(values.T), learned(values).result()
    np.testing.assert_allclose(summary.covariance(), frame.cov(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(summary.correlation(), frame.corr(), rtol=1e-9, atol=1e-9)


def test_infinities_count_as_missing_in_their_pairs_only() -> None:
    values = np.array([[1.0, 2.0, np.inf, 4.0], [2.0, 4.0, 5.0, 8.0], [0.0, np.nan, 1.0, 0.0]])
    summary = learned(values, parts=1).result()
    assert summary.count.tolist() == [[3, 3, 2], [3, 4, 3], [2, 3, 3]]
    assert summary.correlation()[0, 1] == pytest.approx(1.0)


def test_an_attribute_without_spread_has_no_correlation() -> None:
    summary = learned(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]]), parts=1).result()
    assert np.isnan(summary.correlation()[0]).all()
    assert summary.correlation()[1, 1] == 1.0


def test_means_over_pairs_are_conditional_means_for_a_binary_attribute_with_gaps() -> None:
    values = np.array([[1.0, 2.0, 3.0, 9.0], [0.0, 1.0, np.nan, 1.0]])
    summary = learned(values, parts=2).result()
    assert summary.mean[0, 1] == pytest.approx(4.0)  # over the three rows where both are there
    assert summary.mean[0, 0] == pytest.approx(3.75)


def test_attributes_added_later_pair_only_with_what_came_with_them() -> None:
    pairs = learned(np.array([[1.0, 2.0, 3.0]]), parts=1)
    pairs.widen(2)
    pairs.update(np.array([[4.0, 6.0], [1.0, 2.0]]))
    summary = pairs.result()
    assert summary.count.tolist() == [[5, 2], [2, 2]]
    assert summary.covariance()[0, 1] == pytest.approx(1.0)
