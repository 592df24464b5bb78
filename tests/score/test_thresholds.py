from __future__ import annotations

import numpy as np
import pytest
from datasketches import kll_doubles_sketch
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize("score", [1.0, 0.1, -0.1, 1 / 3, 1e-300, -1e-300, 1e30, 0.0])
def test_a_stream_of_equal_scores_has_no_flags(score):
    marks = Thresholds().mark(np.full(3000, score))
    assert not marks.flags.any()
    assert (marks.quantiles[500:] == 0).all()


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=200), st.lists(st.integers(-10, 10), max_size=20))
def test_few_scores_are_judged_as_by_sorting_them(before, after):
    thresholds = Thresholds(warm_up=len(before))
    thresholds.mark(np.array(before, float))
    marks = thresholds.mark(np.array(after, float))
    ordered = np.sort(before)
    np.testing.assert_allclose(marks.quantiles, np.searchsorted(ordered, after) / len(before), rtol=1e-12)
    for level, limits in zip(LEVELS, marks.thresholds.T, strict=True):
        assert (limits == ordered[int(level * len(before) + 1e-9)]).all()


def test_the_bounds_hold_the_true_thresholds_and_are_narrower_the_higher_the_level():
    scores = np.random.default_rng(11).lognormal(0, 2, 100_000)
    thresholds = Thresholds()
    thresholds.mark(scores)
    found = thresholds.bounds()
    assert found.ranks.tolist() == list(LEVELS)
    assert list(thresholds.quantiles(LEVELS).values()) == found.values.tolist()
    assert ((found.low <= found.values) & (found.values <= found.high)).all()
    ordered = np.sort(scores)
    below, upto = np.searchsorted(ordered, found.low) / len(scores), np.searchsorted(ordered, found.high) / len(scores)
    assert ((below <= LEVELS) & (np.array(LEVELS) <= upto)).all()
    assert ((upto - below) < 0.1 * (1 - np.array(LEVELS))).all()
    assert (np.diff(upto - below) < 0).all()


def test_before_the_first_score_the_bounds_are_unknown():
    found = Thresholds().bounds()
    assert np.isnan([found.values, found.low, found.high]).all()


def test_the_thresholds_are_nearer_to_the_truth_than_those_of_a_sketch_of_even_accuracy_three_times_as_large():
    levels, rows = np.array([*LEVELS, 0.999]), 20_000
    errors = {"ours": [], "even": []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = rng.standard_cauchy(rows) if seed % 2 else rng.lognormal(0, 2, rows)
        thresholds, even = Thresholds(), kll_doubles_sketch(2000)
        thresholds.mark(scores)
        even.update(scores)
        ordered = np.sort(scores)
        for name, found in (("ours", thresholds.bounds(levels).values), ("even", even.get_quantiles(levels))):
            errors[name].append(np.searchsorted(ordered, found) / rows - levels)
    ours, even = (np.sqrt(np.mean(np.square(e), axis=0)) for e in errors.values())
    assert (ours < even).all()


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
