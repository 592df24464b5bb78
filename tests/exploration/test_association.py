from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import homogeneity_score, mutual_info_score, normalized_mutual_info_score

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.association import correlation_ratio, information_gain, mutual_information
from tests.exploration.making import IRIS_TYPES, RTOL, TYPES, iris, random_frame, random_summary, summary_of


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("x", "y"), [("kind", "size"), ("flag", "kind"), ("flag", "sign")])
def test_bits_are_those_of_scikit_learn(seed, x, y):
    frame, summary = random_summary(seed)
    both = frame[[x, y]].dropna()
    told = mutual_information(summary, x, y)
    assert told.n == len(both)
    a, b = (both[n].astype(str) for n in (x, y))
    assert told.bits == pytest.approx(mutual_info_score(a, b) / np.log(2), rel=RTOL)
    assert told.normalised == pytest.approx(normalized_mutual_info_score(a, b), rel=RTOL)
    assert told.uncertainty == pytest.approx(homogeneity_score(b, a), rel=RTOL)
    assert told.gain_ratio == pytest.approx(homogeneity_score(a, b), rel=RTOL)
    gain = information_gain(summary, y, [x]).loc[x]
    assert (gain["gain"], gain["uncertainty"]) == (told.bits, told.uncertainty)
    assert told.entropy_x == pytest.approx(mutual_info_score(a, a) / np.log(2), rel=RTOL)
    assert mutual_information(summary, y, x).bits == pytest.approx(told.bits, rel=RTOL)


def test_a_value_of_a_category_is_a_binary_attribute():
    frame, summary = random_summary()
    both = frame[["kind", "flag"]].dropna()
    expected = mutual_info_score(both["kind"] == "b", both["flag"].astype(str)) / np.log(2)
    assert mutual_information(summary, "kind$b", "flag").bits == pytest.approx(expected, rel=RTOL)


def test_an_attribute_tells_all_of_itself():
    _, summary = random_summary()
    told = mutual_information(summary, "kind", "kind")
    assert told.bits == pytest.approx(told.entropy_y, rel=RTOL)
    assert (told.normalised, told.uncertainty, told.gain_ratio) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["x", "z", "steps", "mostly"])
@pytest.mark.parametrize("given", ["flag", "kind", "kind$b"])
@pytest.mark.parametrize("bins", [2, 10, 40])
def test_bits_of_a_continuous_attribute_are_those_of_scikit_learn_on_the_same_bins(seed, name, given, bins):
    frame = random_frame(seed, rows=1500)
    frame["steps"] = frame["x"].astype(float).round()
    frame["mostly"] = np.where(frame["flag"] == 1, frame["z"].astype(float).clip(lower=0), 0.0)
    frame = frame[["x", "z", "steps", "mostly", "flag", "kind"]]
    summary = summary_of(frame, "C,C,C,C,B,T")
    told = mutual_information(summary, name, given, bins)
    both = frame[[name, given.split("$")[0]]].dropna()
    of = (both["kind"] == "b") if "$" in given else both[given].astype(str)
    cut = np.digitize(both[name].astype(float), told.edges)
    assert told.n == len(both)
    assert len(told.edges) < 2 * bins
    assert told.bits == pytest.approx(mutual_info_score(cut, of) / np.log(2), rel=RTOL, abs=1e-12)
    assert told.entropy_x == pytest.approx(mutual_info_score(cut, cut) / np.log(2), rel=RTOL)
    assert mutual_information(summary, given, name, bins).bits == pytest.approx(told.bits, rel=RTOL)
    assert told.corrected == max(0.0, told.bits - told.bias)


def test_bins_have_about_equal_shares_and_are_the_same_whatever_is_given():
    frame, summary = random_summary(rows=2000)
    told = mutual_information(summary, "x", "flag")
    shares = np.bincount(np.digitize(frame["x"].dropna().astype(float), told.edges)) / frame["x"].count()
    assert len(shares) == 10
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.02)
    assert mutual_information(summary, "x", "kind").edges == told.edges


def test_the_bias_is_what_independent_attributes_show():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        frame = pd.DataFrame({"x": rng.normal(size=400), "c": rng.choice(list("abc"), 400)}).astype({"c": object})
        found.append(mutual_information(summary_of(frame, "C,T", parts=1), "x", "c"))
    assert np.mean([told.bits for told in found]) == pytest.approx(found[0].bias, rel=0.2)


def test_a_continuous_target_is_told_by_the_categories_and_binaries():
    _, summary = random_summary()
    table = information_gain(summary, "x")
    assert sorted(table.index) == ["flag", "kind", "sign", "size"]
    assert table["entropy"].between(3.2, np.log2(10) + 1e-9).all()
    assert table.loc["sign", "gain"] == pytest.approx(mutual_information(summary, "x", "sign").bits, rel=RTOL)


def test_petals_tell_more_of_the_species_than_sepals():
    frame = iris()
    names = list(frame.columns[:4])
    table = information_gain(summary_of(frame, IRIS_TYPES), "species", names)
    assert set(table.index[:2]) == {"petal_length", "petal_width"}
    assert table.loc["petal_width", "gain"] > 1.3


def test_gain_takes_all_others_the_most_telling_first():
    _, summary = random_summary()
    table = information_gain(summary, "flag")
    assert sorted(table.index) == ["kind", "sign", "size", "x", "y", "z"]
    assert table["gain"].is_monotonic_decreasing
    assert "kind" not in information_gain(summary, "kind$a").index


def test_a_constant_target_has_nothing_to_tell():
    frame = random_frame().assign(flag=1.0, sign=np.nan)
    table = information_gain(summary_of(frame, TYPES), "flag")
    assert table.loc["kind", ["gain", "normalised", "entropy"]].tolist() == [0, 0, 0]
    assert np.isnan(table.loc["kind", "uncertainty"])
    assert table.loc["sign", "count"] == 0
    assert np.isnan(table.loc["sign", "gain"])


def test_two_continuous_attributes_are_refused_with_what_to_use_instead():
    _, summary = random_summary()
    with pytest.raises(SchemaError, match=r"'x' is continuous, and so is 'y'.*correlation"):
        mutual_information(summary, "x", "y")
    with pytest.raises(SchemaError, match="at least two bins, not 1"):
        mutual_information(summary, "x", "kind", bins=1)
    with pytest.raises(NotEnoughDataError, match="no row"):
        mutual_information(summary_of(random_frame(rows=0), TYPES), "kind", "flag")
    with pytest.raises(NotEnoughDataError, match="no row"):
        mutual_information(summary_of(random_frame(rows=0), TYPES), "x", "flag")


def test_without_histograms_the_continuous_ones_are_left_out_or_refused():
    summary = summary_of(random_frame(), TYPES, histogram=False)
    assert sorted(information_gain(summary, "flag").index) == ["kind", "sign", "size"]
    with pytest.raises(StatisticsError, match=r"'x' given 'flag'.*histogram=True"):
        mutual_information(summary, "x", "flag")
    with pytest.raises(StatisticsError, match="histogram=True"):
        information_gain(summary, "x")


def test_the_correlation_ratio_is_the_share_between_the_groups():
    frame, summary = random_summary()
    both = frame[["x", "kind"]].dropna().astype({"x": float})
    means = both.groupby("kind")["x"].transform("mean")
    expected = ((means - both["x"].mean()) ** 2).sum() / ((both["x"] - both["x"].mean()) ** 2).sum()
    assert correlation_ratio(summary, "x", "kind") == pytest.approx(expected, rel=RTOL)
