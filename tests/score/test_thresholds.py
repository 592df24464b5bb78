from __future__ import annotations

import numpy as np
import pytest

from smlnb.score.thresholds import LEVELS, Thresholds


def test_the_first_five_hundred_scores_carry_no_flags_even_in_one_block():
    marks = Thresholds().mark(np.linspace(0, 1, 1200))
    assert not marks.known[:500].any()
    assert marks.known[500:].all()
    assert np.isnan(marks.thresholds[:500]).all()
    assert np.isnan(marks.quantiles[:500]).all()
    assert not marks.flags[:500].any()


@pytest.mark.parametrize("cuts", [[1], [499, 500, 501], [100, 200, 700], list(range(10, 1000, 10))])
def test_however_the_scores_arrive_the_warm_up_ends_after_five_hundred(cuts):
    thresholds = Thresholds()
    known = np.concatenate([thresholds.mark(part).known for part in np.split(np.arange(1000.0), cuts)])
    assert known.tolist() == [False] * 500 + [True] * 500


def test_flags_are_exactly_the_scores_above_the_thresholds_in_the_same_row():
    scores = np.random.default_rng(5).gamma(2, 2, 20_000)
    marks = Thresholds().mark(scores)
    known = marks.known
    np.testing.assert_array_equal(marks.flags[known], scores[known, None] > marks.thresholds[known])


def test_thresholds_rise_with_the_level():
    marks = Thresholds(warm_up=3).mark(np.random.default_rng(6).normal(size=5000))
    limits = marks.thresholds[marks.known]
    assert (np.diff(limits, axis=1) >= 0).all()


def test_a_score_does_not_judge_itself():
    thresholds = Thresholds(warm_up=10)
    thresholds.mark(np.zeros(10))
    marks = thresholds.mark(np.array([1.0]))
    assert marks.quantiles.tolist() == [1.0]
    assert marks.thresholds.tolist() == [[0.0, 0.0, 0.0]]
    assert marks.flags.all()


def test_a_stream_of_equal_scores_has_no_flags():
    assert not Thresholds().mark(np.ones(3000)).flags.any()


@pytest.mark.parametrize("order", ["as drawn", "ascending", "descending"])
def test_the_quantiles_are_right_to_half_a_percent_of_rank(order):
    scores = np.random.default_rng(7).lognormal(size=100_000)
    scores = {"as drawn": scores, "ascending": np.sort(scores), "descending": np.sort(scores)[::-1]}[order]
    thresholds = Thresholds()
    thresholds.mark(np.ascontiguousarray(scores))
    found = thresholds.quantiles()
    assert list(found) == ["q50", "q95", "q98", "q99"]
    for level, value in zip((0.5, *LEVELS), found.values(), strict=True):
        assert abs((scores < value).mean() - level) < 0.005


def test_scores_that_are_no_numbers_are_neither_judged_nor_remembered():
    thresholds = Thresholds(warm_up=2)
    thresholds.mark(np.array([1.0, 2.0, np.nan, np.inf]))
    assert thresholds.n == 2
    marks = thresholds.mark(np.array([np.nan, 3.0, -np.inf, np.inf]))
    assert marks.known.tolist() == [False, True, False, False]
    assert np.isnan(marks.quantiles[[0, 2, 3]]).all()
    assert thresholds.quantiles([1.0]) == {"q100": 3.0}


def test_before_the_first_score_there_are_no_quantiles():
    assert Thresholds().quantiles() == {}


def test_a_block_of_nothing_changes_nothing():
    thresholds = Thresholds()
    assert len(thresholds.mark(np.empty(0)).flags) == 0
    assert thresholds.n == 0


def test_a_warm_up_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Thresholds(warm_up=0)
