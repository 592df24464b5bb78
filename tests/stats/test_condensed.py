"""Sketches made of many values at once: every promise of a sketch that took them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from datasketches import kll_doubles_sketch
from hypothesis import given
from hypothesis import strategies as st

from smlnb.stats.condensed import absorb_values
from tests.stats.laws import law_settings


@law_settings
@given(
    st.lists(st.integers(0, 12_000), min_size=1, max_size=6), st.sampled_from([16, 200, 800]), st.integers(0, 2**32 - 1)
)
def test_counts_and_extremes_are_exact_and_ranks_within_the_bound(sizes, k, seed):
    rng = np.random.default_rng(seed)
    sketch, blocks = kll_doubles_sketch(k), [rng.normal(size=size) for size in sizes]
    for block in blocks:
        absorb_values(sketch, block)
    values = np.sort(np.concatenate(blocks))
    assert sketch.n == len(values)
    if not len(values):
        return
    assert (sketch.get_min_value(), sketch.get_max_value()) == (values[0], values[-1])
    ranks = np.array([sketch.get_rank(float(v), True) for v in values[:: max(1, len(values) // 50)]])
    truth = np.arange(1, len(values) + 1)[:: max(1, len(values) // 50)] / len(values)
    assert np.abs(ranks - truth).max() < 2 * sketch.normalized_rank_error(False)
    again = kll_doubles_sketch.deserialize(sketch.serialize())
    assert again.serialize() == sketch.serialize()


@pytest.mark.parametrize("size", [1_000, 5_000, 100_000])
def test_errors_are_no_larger_than_those_of_single_values_and_have_no_direction(size):
    rng, errors = np.random.default_rng(0), {"at once": [], "one by one": []}
    truth = np.array([0.01, 0.25, 0.5, 0.75, 0.99])
    for _ in range(60):
        values = rng.permutation(size).astype(float)
        for how, absorb in (("at once", absorb_values), ("one by one", lambda s, v: s.update(v))):
            sketch = kll_doubles_sketch(200)
            for _ in range(3):
                absorb(sketch, values)
            errors[how].append([sketch.get_rank(q * size) - q for q in truth])
    here, there = (np.array(errors[how]) for how in ("at once", "one by one"))
    spread = np.sqrt((here**2).mean())
    assert spread <= 1.2 * np.sqrt((there**2).mean())
    assert np.abs(here.mean(axis=0)).max() < 5 * spread / np.sqrt(len(here))


def test_few_values_are_kept_as_they_are():
    sketch = kll_doubles_sketch(200)
    absorb_values(sketch, np.array([3.0, 1.0, 2.0]))
    assert not sketch.is_estimation_mode()
    assert sketch.get_quantiles([0.0, 0.5, 1.0]) == [1.0, 2.0, 3.0]


def test_equal_values_leave_a_sketch_of_one_value():
    sketch = kll_doubles_sketch(200)
    for _ in range(5):
        absorb_values(sketch, np.full(5_003, 7.0))
    assert (sketch.n, sketch.get_min_value(), sketch.get_max_value()) == (25_015, 7.0, 7.0)
    assert sketch.get_rank(6.9) == 0.0
    assert sketch.get_rank(7.0, True) == 1.0
