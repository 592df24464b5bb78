from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError, UnknownAttributeError
from smlnb.exploration.multiple import adjusted_pvalues, correlation_tests, group_tests
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of

NUMBERS = ["x", "y", "z", "flag", "sign"]


@pytest.mark.parametrize(("method", "name"), [("bh", "fdr_bh"), ("by", "fdr_by")])
def test_p_values_are_corrected_as_in_statsmodels(method, name):
    pvalues = np.random.default_rng(0).uniform(size=50) ** 4
    assert adjusted_pvalues(pvalues, method) == pytest.approx(multipletests(pvalues, method=name)[1], rel=RTOL)
    gaps = np.insert(pvalues, 3, np.nan)
    assert np.delete(adjusted_pvalues(gaps, method), 3) == pytest.approx(adjusted_pvalues(pvalues, method), rel=RTOL)
    assert adjusted_pvalues([np.nan, np.nan]).tolist() == pytest.approx([np.nan] * 2, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_all_attributes_are_compared_between_two_groups_as_in_scipy(seed):
    frame, summary = random_summary(seed)
    found = group_tests(summary, "flag")
    assert sorted(found.index) == ["kind", "sign", "size", "x", "y", "z"]
    for name in "xyz":
        a, b = (frame[name][frame["flag"] == v].dropna().astype(float) for v in (1, 0))
        expected = stats.ttest_ind(a, b, equal_var=False)
        row = found.loc[name]
        assert row["test"] == "Welch's t"
        assert (row["statistic"], row["pvalue"]) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)
        together = frame[[name, "flag"]].dropna().astype(float).corr().iloc[0, 1]
        assert row["effect"] == pytest.approx(abs(together), rel=RTOL)
    for name in ("kind", "size", "sign"):
        expected = stats.chi2_contingency(pd.crosstab(frame[name], frame["flag"]), correction=False)
        row = found.loc[name]
        assert (row["statistic"], row["pvalue"]) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)
    adjusted = stats.false_discovery_control(found["pvalue"].to_numpy())
    assert found["adjusted"].to_numpy() == pytest.approx(adjusted, rel=RTOL)
    assert found["significant"].tolist() == (adjusted <= 0.05).tolist()
    assert found["pvalue"].is_monotonic_increasing


@pytest.mark.parametrize("by", ["kind", ["kind$a", "kind$b", "kind$c"]])
def test_more_groups_are_compared_by_analysis_of_variance(by):
    frame, summary = random_summary()
    found = group_tests(summary, by)
    assert sorted(found.index) == ["flag", "sign", "size", "x", "y", "z"]
    parts = [part.dropna().astype(float) for _, part in frame.dropna(subset="kind").groupby("kind")["z"]]
    expected = stats.f_oneway(*parts)
    assert found.loc["z", "test"] == "ANOVA"
    assert tuple(found.loc["z", ["statistic", "pvalue"]]) == pytest.approx(tuple(expected), rel=RTOL)


def test_a_category_of_two_values_and_a_value_against_the_others_are_two_groups():
    frame = random_frame()
    frame["half"] = frame["kind"].map({"a": "one", "b": "two", "c": "two"})
    summary = summary_of(frame, TYPES + ",T")
    found, other = group_tests(summary, "half", ["x"]), group_tests(summary, "kind$a", ["x"])
    assert found.loc["x", "test"] == other.loc["x", "test"] == "Welch's t"
    assert found.loc["x", "statistic"] == pytest.approx(other.loc["x", "statistic"], rel=RTOL)
    assert "kind" not in group_tests(summary, "kind$a").index


def test_what_can_not_be_tested_has_no_p_value_and_says_why():
    frame = random_frame().assign(x=1.0, y=np.nan, z=1e200 * np.random.default_rng(0).normal(size=300), size="big")
    found = group_tests(summary_of(frame, TYPES), "flag")
    assert found.loc[["x", "y", "z", "size"], "pvalue"].isna().all()
    assert not found.loc[["x", "y", "z", "size"], "significant"].any()
    assert "nothing varies" in found.loc["x", "note"]
    assert "fewer than two values" in found.loc["size", "note"]
    assert "so large" in found.loc["z", "note"]
    assert found["note"].iloc[:2].tolist() == ["", ""]
    assert group_tests(summary_of(frame.head(0), TYPES), "flag")["pvalue"].isna().all()


def test_groups_that_make_no_sense_are_refused_in_words():
    _, summary = random_summary()
    with pytest.raises(SchemaError, match="'x' is continuous"):
        group_tests(summary, "x")
    with pytest.raises(StatisticsError, match="hold together"):
        group_tests(summary, ["flag", "sign"])
    with pytest.raises(UnknownAttributeError, match="Did you mean 'kind'"):
        group_tests(summary, "kimd")
    with pytest.raises(UnknownAttributeError, match="Did you mean 'sign'"):
        group_tests(summary, "flag", ["sing"])
    with pytest.raises(SchemaError, match="list of attributes"):
        group_tests(summary, "flag", "x")
    with pytest.raises(SchemaError, match="'bh'"):
        group_tests(summary, "flag", method="bonferroni")
    with pytest.raises(SchemaError, match="between 0 and 1"):
        group_tests(summary, "flag", alpha=5)
    with pytest.raises(SchemaError, match="between 0 and 1"):
        adjusted_pvalues([0.5, 1.5])


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_are_tested_for_a_correlation_as_in_scipy(seed):
    frame, summary = random_summary(seed)
    found = correlation_tests(summary)
    assert len(found) == 10
    for _, row in found.iterrows():
        both = frame[[row["x"], row["y"]]].dropna().astype(float)
        expected = stats.pearsonr(both.iloc[:, 0], both.iloc[:, 1])
        assert row["n"] == len(both)
        assert row["correlation"] == pytest.approx(expected.statistic, rel=RTOL)
        assert row["pvalue"] == pytest.approx(expected.pvalue, rel=RTOL)
    assert found["adjusted"].to_numpy() == pytest.approx(multipletests(found["pvalue"], method="fdr_bh")[1], rel=RTOL)
    assert len(correlation_tests(summary, ["x", "kind$a", "z"])) == 3


def test_pairs_that_can_not_be_tested_have_no_p_value_and_perfect_ones_have_zero():
    frame = random_frame(missing=0.0).assign(y=1.0)
    frame["twice"] = frame["x"] * 2
    found = correlation_tests(summary_of(frame, TYPES + ",C")).set_index(["x", "y"])
    assert found.loc[("x", "twice"), "pvalue"] < 1e-100
    assert np.isnan(found.loc[("x", "y"), "pvalue"])
    assert not found.loc[("x", "y"), "significant"]
    two = correlation_tests(summary_of(frame.head(2), TYPES + ",C"))
    assert two["pvalue"].isna().all()
    with pytest.raises(NotEnoughDataError, match="Pairs"):
        correlation_tests(summary_of(frame, TYPES + ",C"), ["x"])
