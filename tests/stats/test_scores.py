from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

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
