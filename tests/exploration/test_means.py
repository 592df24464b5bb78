from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ztest

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.means import t_test, z_test
from tests.exploration.making import RTOL, random_summary, summary_of

ALTERNATIVES = ["two-sided", "less", "greater"]
STATSMODELS = {"two-sided": "two-sided", "less": "smaller", "greater": "larger"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_t_of_two_attributes_is_that_of_scipy_pooled_and_welch(seed, alternative):
    frame, summary = random_summary(seed)
    x, y = frame["x"].dropna(), frame["y"].dropna()
    test = t_test(summary, "x", "y", alternative=alternative)
    for name, equal in (("welch", False), ("pooled", True)):
        expected = stats.ttest_ind(x, y, equal_var=equal, alternative=alternative)
        found = test.variants[name]
        assert found.statistic == pytest.approx(expected.statistic, rel=RTOL)
        assert found.pvalue == pytest.approx(expected.pvalue, rel=RTOL)
        assert found.df[0] == pytest.approx(expected.df, rel=RTOL)
        assert found.ci == pytest.approx(tuple(expected.confidence_interval()), rel=RTOL)
    assert test.pvalue == test.variants["welch"].pvalue
    assert list(test.frame.index) == ["welch", "pooled"]


@pytest.mark.parametrize("by", ["flag", "kind$b", ("kind$a", "kind$c")])
def test_t_of_conditions_is_that_of_scipy(by):
    frame, summary = random_summary(1)
    if by == "flag":
        first, second = frame["flag"] == 1, frame["flag"] == 0
    elif by == "kind$b":
        first, second = frame["kind"] == "b", frame["kind"].isin(["a", "c"])
    else:
        first, second = frame["kind"] == "a", frame["kind"] == "c"
    expected = stats.ttest_ind(frame["x"][first].dropna(), frame["x"][second].dropna(), equal_var=False)
    test = t_test(summary, "x", by=by)
    assert test.statistic == pytest.approx(expected.statistic, rel=RTOL)
    assert test.pvalue == pytest.approx(expected.pvalue, rel=RTOL)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_t_against_a_known_mean_is_that_of_scipy(alternative):
    frame, summary = random_summary()
    expected = stats.ttest_1samp(frame["x"].dropna(), 10.5, alternative=alternative)
    test = t_test(summary, "x", mu=10.5, alternative=alternative)
    assert (test.statistic, test.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)
    assert test.ci == pytest.approx(tuple(expected.confidence_interval()), rel=RTOL)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_z_of_two_attributes_is_that_of_statsmodels(alternative):
    frame, summary = random_summary()
    means = CompareMeans(DescrStatsW(frame["x"].dropna()), DescrStatsW(frame["z"].dropna()))
    expected = means.ztest_ind(alternative=STATSMODELS[alternative], usevar="unequal", value=6)
    test = z_test(summary, "x", "z", mu=6, alternative=alternative)
    assert (test.statistic, test.pvalue) == pytest.approx(expected, rel=RTOL)
    low, high = means.zconfint_diff(alternative=STATSMODELS[alternative], usevar="unequal")
    assert test.ci == pytest.approx((low, high), rel=RTOL)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_z_against_a_known_mean_is_that_of_statsmodels(alternative):
    frame, summary = random_summary()
    expected = ztest(frame["x"].dropna(), value=10.5, alternative=STATSMODELS[alternative])
    test = z_test(summary, "x", mu=10.5, alternative=alternative)
    assert (test.statistic, test.pvalue) == pytest.approx(expected, rel=RTOL)


def test_z_with_known_standard_deviations_is_the_formula():
    frame, summary = random_summary()
    x, y = frame["x"].dropna(), frame["y"].dropna()
    z = (x.mean() - y.mean()) / np.sqrt(4.0 / len(x) + 2.25 / len(y))
    assert z_test(summary, "x", "y", sigma=(2.0, 1.5)).statistic == pytest.approx(z, rel=RTOL)
    z = (x.mean() - 10) / (2.0 / np.sqrt(len(x)))
    assert z_test(summary, "x", mu=10, sigma=2.0).statistic == pytest.approx(z, rel=RTOL)


def test_digits_hold_far_from_zero():
    frame, _ = random_summary(rows=200)
    frame = frame[["x", "y"]] + 1e7
    test = t_test(summary_of(frame, "C,C"), "x", "y")
    expected = stats.ttest_ind(frame["x"].dropna(), frame["y"].dropna(), equal_var=False)
    assert test.statistic == pytest.approx(expected.statistic, rel=1e-8)


@pytest.mark.parametrize("test", [t_test, z_test])
def test_what_does_not_vary_is_refused_in_words(test):
    frame, _ = random_summary(rows=50)
    summary = summary_of(frame.assign(x=1.0, y=1.0), "C,C,C,B,B,T,T")
    with pytest.raises(NotEnoughDataError, match="all values are the same"):
        test(summary, "x", "y")
    with pytest.raises(NotEnoughDataError, match="all values are the same"):
        test(summary, "x", mu=0.0)


@pytest.mark.parametrize("test", [t_test, z_test])
@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_values_are_refused_in_words(test, rows):
    _, summary = random_summary(rows=rows, missing=0.0)
    with pytest.raises(NotEnoughDataError, match="at least 2 are needed"):
        test(summary, "x", "y")
    with pytest.raises(NotEnoughDataError, match="at least 2 are needed"):
        test(summary, "x", by="flag")


def test_calls_that_make_no_sense_say_what_to_do():
    _, summary = random_summary()
    for call, words in (
        (lambda: t_test(summary, "x"), "Say what 'x' is compared with"),
        (lambda: t_test(summary, "x", "y", by="flag"), "not both"),
        (lambda: t_test(summary, "x", by="kind"), "There are 3 groups"),
        (lambda: t_test(summary, "x", by=[]), "No condition"),
        (lambda: t_test(summary, "x", by="y"), "'y' is continuous"),
        (lambda: t_test(summary, "x", "kind"), "'kind' is a category"),
        (lambda: t_test(summary, "x", mu=float("nan")), "finite"),
        (lambda: t_test(summary, "x", "y", alternative="larger"), "'two-sided', 'less' or 'greater'"),
        (lambda: t_test(summary, "x", "y", level=95), "between 0 and 1"),
        (lambda: z_test(summary, "x", "y", sigma=-1.0), "positive"),
        (lambda: t_test(summary, "x", by=("flag", "flag")), "twice"),
    ):
        with pytest.raises(SchemaError, match=words):
            call()


def test_conditions_that_hold_together_are_refused_with_their_rows():
    frame, summary = random_summary()
    both = int(((frame["flag"] == 1) & (frame["sign"] == 1)).sum())
    with pytest.raises(StatisticsError, match=f"hold together in {both} row"):
        t_test(summary, "x", by=("flag", "sign"))


def test_values_whose_squares_overflow_are_refused_in_words():
    frame, _ = random_summary(rows=20, missing=0.0)
    summary = summary_of(frame.assign(x=np.where(np.arange(20) % 2, 1e200, -1e200)), "C,C,C,B,B,T,T")
    with pytest.raises(StatisticsError, match="so large"):
        t_test(summary, "x", "y")
