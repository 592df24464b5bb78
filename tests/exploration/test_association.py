from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.association import correlation_ratio, information_gain, mutual_information
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of


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


def test_gain_takes_all_other_categories_and_binaries_the_most_telling_first():
    _, summary = random_summary()
    table = information_gain(summary, "flag")
    assert sorted(table.index) == ["kind", "sign", "size"]
    assert table["gain"].is_monotonic_decreasing
    assert "kind" not in information_gain(summary, "kind$a").index


def test_a_constant_target_has_nothing_to_tell():
    frame = random_frame().assign(flag=1.0, sign=np.nan)
    table = information_gain(summary_of(frame, TYPES), "flag")
    assert table.loc["kind", ["gain", "normalised", "entropy"]].tolist() == [0, 0, 0]
    assert np.isnan(table.loc["kind", "uncertainty"])
    assert table.loc["sign", "count"] == 0
    assert np.isnan(table.loc["sign", "gain"])


def test_continuous_attributes_are_refused_with_what_to_use_instead():
    _, summary = random_summary()
    with pytest.raises(SchemaError, match=r"'x' is continuous.*correlation_ratio"):
        mutual_information(summary, "x", "kind")
    with pytest.raises(SchemaError, match="'x' is continuous"):
        information_gain(summary, "x")
    with pytest.raises(NotEnoughDataError, match="no row"):
        mutual_information(summary_of(random_frame(rows=0), TYPES), "kind", "flag")


def test_the_correlation_ratio_is_the_share_between_the_groups():
    frame, summary = random_summary()
    both = frame[["x", "kind"]].dropna().astype({"x": float})
    means = both.groupby("kind")["x"].transform("mean")
    expected = ((means - both["x"].mean()) ** 2).sum() / ((both["x"] - both["x"].mean()) ** 2).sum()
    assert correlation_ratio(summary, "x", "kind") == pytest.approx(expected, rel=RTOL)
