from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.ranks import kolmogorov_smirnov, mann_whitney
from tests.exploration.making import RTOL, random_summary, summary_of

SHAPES = ["normal", "cauchy", "shifted", "integers", "lognormal", "mixed"]


def values(shape: str, rng: np.random.Generator, n: int) -> np.ndarray:
    return {
        "normal": lambda: rng.normal(0, 1, n),
        "cauchy": lambda: rng.standard_cauchy(n),
        "shifted": lambda: 1e9 + rng.normal(0, 1, n),
        "integers": lambda: rng.poisson(3, n).astype(float),
        "lognormal": lambda: rng.lognormal(0, 2, n),
        "mixed": lambda: np.where(rng.random(n) < 0.4, 0.0, rng.normal(1, 1, n)),
    }[shape]()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pair", [("x", "y"), ("x", "z"), ("flag", "sign")])
def test_while_all_values_are_known_both_are_those_of_scipy(seed, pair):
    frame, summary = random_summary(seed)
    a, b = (frame[n].dropna().astype(float) for n in pair)
    for test, expected in (
        (kolmogorov_smirnov(summary, *pair), stats.ks_2samp(a, b)),
        (mann_whitney(summary, *pair), stats.mannwhitneyu(a, b)),
    ):
        assert test.error == 0
        assert (test.statistic, test.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)


def test_few_values_many_times_are_those_of_scipy():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.poisson(3.0, 30_000), "b": rng.poisson(3.02, 30_000)}).astype(float)
    summary = summary_of(frame, "C,C")
    expected = stats.ks_2samp(frame["a"], frame["b"])
    test = kolmogorov_smirnov(summary, "a", "b")
    assert (test.statistic, test.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)
    expected = stats.mannwhitneyu(frame["a"], frame["b"])
    test = mann_whitney(summary, "a", "b")
    assert (test.statistic, test.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)


def test_samples_of_two_summaries_are_compared():
    first, before = random_summary(0)
    second, after = random_summary(1)
    a, b = first["x"].dropna(), second["x"].dropna()
    assert kolmogorov_smirnov(before, "x", other=after).pvalue == pytest.approx(stats.ks_2samp(a, b).pvalue, rel=RTOL)
    assert mann_whitney(before, "x", other=after).statistic == stats.mannwhitneyu(a, b).statistic


@pytest.mark.parametrize("sketch", [False, True], ids=["histogram", "sketch"])
@pytest.mark.parametrize("shift", [0.0, 0.1])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_stated_error_holds_for_many_values(shape, shift, sketch):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": values(shape, rng, 20_000), "b": values(shape, rng, 20_000) + shift})
    summary = summary_of(frame, "C,C", histogram=not sketch)
    test, expected = kolmogorov_smirnov(summary, "a", "b"), stats.ks_2samp(frame["a"], frame["b"], method="asymp")
    assert abs(test.statistic - expected.statistic) <= test.error + 1e-12
    if test.pvalue_range:
        assert test.pvalue_range[0] <= expected.pvalue * (1 + 1e-9)
        assert test.pvalue_range[1] >= expected.pvalue * (1 - 1e-9)
    test, expected = mann_whitney(summary, "a", "b"), stats.mannwhitneyu(frame["a"], frame["b"])
    assert abs(test.statistic - expected.statistic) <= test.error + 1e-3
    if test.pvalue_range and shape != "integers":
        assert test.pvalue_range[0] <= expected.pvalue * (1 + 1e-6)
        assert test.pvalue_range[1] >= expected.pvalue * (1 - 1e-6)
    if not sketch:
        assert test.error <= 0.003 * 20_000**2
        assert kolmogorov_smirnov(summary, "a", "b").error <= 0.006


def test_without_distributions_or_values_it_says_so():
    frame, summary = random_summary()
    bare = summary_of(frame, "C,C,C,B,B,T,T", histogram=False, quantiles=False)
    with pytest.raises(StatisticsError, match="histogram=True"):
        kolmogorov_smirnov(bare, "x", "y")
    with pytest.raises(NotEnoughDataError, match="'x' has no values"):
        kolmogorov_smirnov(summary_of(frame.assign(x=np.nan), "C,C,C,B,B,T,T"), "x", "y")
    with pytest.raises(NotEnoughDataError, match="all values are the same"):
        mann_whitney(summary_of(frame.assign(x=1.0, y=1.0), "C,C,C,B,B,T,T"), "x", "y")
    with pytest.raises(SchemaError, match="Say what 'x' is compared with"):
        mann_whitney(summary, "x")
    with pytest.raises(SchemaError, match="Compare proportions"):
        mann_whitney(summary, "kind$a", "x")
    with pytest.raises(SchemaError, match="is a category"):
        mann_whitney(summary, "kind", "x")
