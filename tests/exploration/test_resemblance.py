from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats.contingency import association

from smlnb.exploration.resemblance import resemblances
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of


def sizes(summary, **kwargs):
    return {(r.x, r.y, r.measure): r.size for r in resemblances(summary, 0.0, **kwargs)}


@pytest.mark.parametrize("seed", range(3))
def test_correlations_are_those_of_pandas(seed):
    frame, summary = random_summary(seed)
    expected = frame[["x", "y", "z", "flag", "sign"]].astype(float).corr()
    found = {k: v for k, v in sizes(summary).items() if k[2] == "correlation"}
    assert len(found) == 10
    for (x, y, _), size in found.items():
        assert size == pytest.approx(expected.loc[x, y], rel=RTOL)


@pytest.mark.parametrize("seed", range(3))
def test_the_squared_correlation_ratio_is_epsilon_squared_of_the_analysis_of_variance(seed):
    frame, summary = random_summary(seed)
    found = sizes(summary)
    for x in ("x", "y", "z", "flag"):
        both = frame[[x, "kind"]].dropna().astype({x: float})
        parts = [p[x] for _, p in both.groupby("kind")]
        f, n, k = stats.f_oneway(*parts).statistic, len(both), len(parts)
        expected = max(0.0, (k - 1) * (f - 1) / ((k - 1) * f + n - k))
        assert found[x, "kind", "correlation ratio"] ** 2 == pytest.approx(expected, rel=RTOL, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_cramers_v_is_that_of_scipy_less_what_chance_gives(seed):
    frame, summary = random_summary(seed)
    counts = pd.crosstab(frame["kind"], frame["size"]).to_numpy()
    n, (r, c) = counts.sum(), counts.shape
    phi2 = association(counts, method="cramer") ** 2 * (min(r, c) - 1)
    phi2 = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    expected = np.sqrt(phi2 / (min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1))
    assert sizes(summary)["kind", "size", "Cramer's V"] == pytest.approx(expected, rel=RTOL)


def test_independent_attributes_do_not_seem_alike_however_few_the_rows():
    rng = np.random.default_rng(1)
    for rows in (5, 20, 60):
        frame = pd.DataFrame(
            {"x": rng.normal(size=rows), "a": rng.choice(list("abcdefghij"), rows), "b": rng.choice(list("abcd"), rows)}
        )
        found = list(resemblances(summary_of(frame, "C,T,T"), 0.9))
        assert found == []


def test_identifiers_are_left_alone():
    frame = random_frame(missing=0.0).assign(id=[f"v{i}" for i in range(300)])
    summary = summary_of(frame, TYPES + ",T")
    assert not any("id" in key for key in sizes(summary))


@pytest.mark.parametrize(
    "change",
    [
        {"x": 1e200 * np.random.default_rng(0).normal(size=40), "kind": "a"},
        {"x": np.nan, "size": None},
        {"x": 5e-324},
    ],
)
def test_what_has_no_size_is_left_out_without_a_warning(change):
    frame = random_frame(rows=40).assign(**change).astype({"kind": "str", "size": "str"})
    assert all(np.isfinite(size) for size in sizes(summary_of(frame, TYPES)).values())
