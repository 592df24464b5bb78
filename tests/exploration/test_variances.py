from __future__ import annotations

import pytest
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.variances import f_test
from tests.exploration.making import RTOL, random_summary, summary_of


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_f_of_two_attributes_is_the_ratio_of_variances(alternative):
    frame, summary = random_summary()
    x, y = frame["x"].dropna(), frame["y"].dropna()
    ratio, law = x.var() / y.var(), stats.f(len(x) - 1, len(y) - 1)
    pvalue = {
        "less": law.cdf(ratio),
        "greater": law.sf(ratio),
        "two-sided": 2 * min(law.cdf(ratio), law.sf(ratio)),
    }[alternative]
    test = f_test(summary, "x", "y", alternative=alternative)
    assert (test.statistic, test.pvalue) == pytest.approx((ratio, pvalue), rel=RTOL)
    assert test.df == (len(x) - 1, len(y) - 1)
    low, high = {
        "two-sided": (ratio / law.ppf(0.975), ratio / law.ppf(0.025)),
        "less": (0.0, ratio / law.ppf(0.05)),
        "greater": (ratio / law.ppf(0.95), float("inf")),
    }[alternative]
    assert test.ci == pytest.approx((low, high), rel=RTOL)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_f_against_a_known_standard_deviation_is_chi_squared(alternative):
    frame, summary = random_summary()
    x = frame["x"].dropna()
    law, value = stats.chi2(len(x) - 1), (len(x) - 1) * x.var() / 2.3**2
    pvalue = {"less": law.cdf(value), "greater": law.sf(value), "two-sided": 2 * min(law.cdf(value), law.sf(value))}
    test = f_test(summary, "x", sigma=2.3, alternative=alternative)
    assert test.statistic == pytest.approx(x.var() / 2.3**2, rel=RTOL)
    assert test.pvalue == pytest.approx(pvalue[alternative], rel=RTOL)
    assert test.ci[0] <= test.statistic <= test.ci[1]


def test_an_interval_holds_one_just_when_the_test_does_not_reject():
    for seed in range(20):
        _, summary = random_summary(seed, rows=30)
        test = f_test(summary, "x", "z")
        assert (test.ci[0] <= 1 <= test.ci[1]) == (test.pvalue >= 0.05)


def test_f_in_two_groups_is_that_of_the_groups():
    frame, summary = random_summary()
    ratio = frame["x"][frame["flag"] == 1].var() / frame["x"][frame["flag"] == 0].var()
    assert f_test(summary, "x", by="flag").statistic == pytest.approx(ratio, rel=RTOL)


def test_what_does_not_vary_or_is_no_deviation_is_refused_in_words():
    frame, summary = random_summary(rows=30)
    with pytest.raises(SchemaError, match="positive"):
        f_test(summary, "x", sigma=0.0)
    with pytest.raises(SchemaError, match="not both"):
        f_test(summary, "x", "y", sigma=1.0)
    with pytest.raises(NotEnoughDataError, match="are the same"):
        f_test(summary_of(frame.assign(y=3.0), "C,C,C,B,B,T,T"), "x", "y")
