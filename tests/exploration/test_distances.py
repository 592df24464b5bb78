from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from smlnb.exploration.distances import decile_edges, jensen_shannon, shares_between, stability_index, wasserstein
from smlnb.exploration.steps import Steps
from tests.exploration.making import RTOL, summary_of


def steps(values: np.ndarray) -> Steps:
    return Steps.of(summary_of(pd.DataFrame({"x": values}), "C"), "x")


@pytest.mark.parametrize("seed", range(5))
def test_wasserstein_is_that_of_scipy_while_all_values_are_known(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1, 300), np.where(rng.random(400) < 0.3, 0.0, rng.normal(0.5, 2, 400))
    assert wasserstein(steps(a), steps(b)) == pytest.approx(stats.wasserstein_distance(a, b), rel=RTOL)


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
def test_wasserstein_of_many_values_is_close(draw):
    rng = np.random.default_rng(0)
    a, b = getattr(rng, draw)(size=50_000), getattr(rng, draw)(size=50_000) + 0.2
    assert wasserstein(steps(a), steps(b)) == pytest.approx(stats.wasserstein_distance(a, b), rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_jensen_shannon_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(8), 2)
    b[2] = 0
    b /= b.sum()
    assert jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2), rel=RTOL)


@pytest.mark.parametrize("seed", range(5))
def test_the_stability_index_over_deciles_is_the_formula_on_the_rows(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1, 500), rng.normal(0.3, 1, 800)
    edges = decile_edges(steps(a))
    assert len(edges) == 9
    bins = np.concatenate([[-np.inf], edges, [np.inf]])
    p, q = (np.histogram(v, bins)[0] / len(v) for v in (a, b))
    assert p == pytest.approx(np.full(10, 0.1))
    expected = ((np.maximum(q, 1e-4) - p) * np.log(np.maximum(q, 1e-4) / p)).sum()
    assert stability_index(shares_between(steps(a), edges), shares_between(steps(b), edges)) == pytest.approx(expected)


def test_a_value_that_fills_a_bin_alone_has_a_bin_of_its_own():
    before, after = np.repeat([0.0, 1.0], [95, 5]), np.repeat([0.0, 1.0], [5, 95])
    edges = decile_edges(steps(before))
    assert shares_between(steps(after), edges).max() == pytest.approx(0.95)
    same, other = np.full(50, 7.0), np.full(50, 8.0)
    edges = decile_edges(steps(same))
    assert stability_index(shares_between(steps(same), edges), shares_between(steps(other), edges)) > 1
    assert stability_index(shares_between(steps(same), edges), shares_between(steps(same), edges)) == 0
