from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smlnb.stats.checks import check_accumulator
from smlnb.stats.scores import ScoreQuantiles
from tests.stats.laws import law_settings
from tests.strategies import blocks

RANKS = (0.5, 0.9, 0.95, 0.98, 0.99, 0.999)


@law_settings
@given(blocks(1))
def test_every_law_holds_for_any_scores(given_blocks: Any) -> None:
    check_accumulator(ScoreQuantiles, given_blocks)


@pytest.mark.parametrize("order", ["random", "sorted", "merged"])
def test_true_quantiles_lie_between_the_bounds_which_narrow_towards_the_top(order: str) -> None:
    values = np.random.default_rng(5).gamma(2, size=100_000).astype(np.float32).astype(float)
    scores = ScoreQuantiles()
    if order == "merged":
        for part in np.array_split(values, 64):
            one = ScoreQuantiles()
            one.update(part[None, :])
            scores.merge(one)
    else:
        scores.update((np.sort(values) if order == "sorted" else values)[None, :])
    found = scores.result(RANKS)
    truth = np.quantile(values, RANKS, method="inverted_cdf")
    assert ((found.low <= truth) & (truth <= found.high)).all()
    ranks = [np.searchsorted(np.sort(values), bound) / len(values) for bound in (found.low, found.high)]
    widths = ranks[1] - ranks[0]
    assert widths[-1] < widths[0] / 100


def test_what_is_not_finite_is_counted_apart() -> None:
    scores = ScoreQuantiles()
    scores.update(np.array([[1.0, np.nan, np.inf, -np.inf, 1e300]]))
    assert (scores.n, scores.count) == (5, 2)
    assert scores.result([0.0]).values.tolist() == [1.0]


def test_before_the_first_score_there_are_no_quantiles_and_no_warning() -> None:
    found = ScoreQuantiles().result()
    assert np.isnan([found.values, found.low, found.high]).all()


@law_settings
@given(arrays(float, st.integers(1, 200), elements=st.floats(-1e300, 1e300)))
def test_few_scores_are_known_exactly_but_for_their_rounding_which_is_upwards(values: np.ndarray) -> None:
    scores = ScoreQuantiles()
    scores.update(values)
    largest = float(np.finfo(np.float32).max)
    held = np.sort(values.clip(-largest, largest))
    found = scores.result([0.0, 0.5, 1.0]).values
    truth = np.quantile(held, [0.0, 0.5, 1.0], method="inverted_cdf")
    if len(values) < 50:  # more than that, and the sketch begins to choose
        assert (found >= truth).all()
        np.testing.assert_allclose(found, truth, rtol=2e-7, atol=2e-45)
    assert found[0] >= held[0]
    assert found[2] >= held[-1]


def test_the_share_below_counts_no_equal_score() -> None:
    scores = ScoreQuantiles()
    scores.update(np.array([0.1, 0.1, 0.2, 0.3, np.nan]))
    assert scores.below(np.array([0.3, 0.1, 0.2, -1.0, 1.0, 0.1])).tolist() == [0.75, 0.0, 0.5, 0.0, 1.0, 0.0]
    assert scores.below(np.empty(0)).shape == (0,)
    assert np.isnan(ScoreQuantiles().below(np.ones(2))).all()


def test_questions_see_what_came_after_the_last_one() -> None:
    scores, other = ScoreQuantiles(), ScoreQuantiles()
    scores.update(np.array([1.0]))
    assert scores.result([1.0]).values.tolist() == [1.0]
    scores.update(np.array([2.0]))
    assert scores.result([1.0]).values.tolist() == [2.0]
    other.update(np.array([3.0]))
    scores.merge(other)
    assert scores.result([1.0]).values.tolist() == [3.0]
    assert ScoreQuantiles.from_state(scores.state()).result([1.0]).values.tolist() == [3.0]


def test_the_lowest_ranks_have_bounds_too_and_the_extremes_are_exact() -> None:
    values = np.random.default_rng(1).normal(size=50_000).astype(np.float32).astype(float)
    scores = ScoreQuantiles()
    scores.update(values)
    found = scores.result([0.0, 1e-6, 0.001, 1.0])
    assert found.values[[0, 3]].tolist() == [values.min(), values.max()]
    assert found.low[:3].tolist() == [values.min()] * 3
    assert (found.low <= found.values).all()
    assert (found.values <= found.high).all()


@pytest.mark.parametrize("rank", [-0.1, 1.1, np.nan])
def test_a_rank_that_is_no_share_is_refused(rank: float) -> None:
    scores = ScoreQuantiles()
    with pytest.raises(ValueError, match="between 0 and 1"):
        scores.result([rank])
