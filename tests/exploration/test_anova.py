from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.formula.api import ols

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.anova import anova
from tests.exploration.making import RTOL, random_summary, summary_of


@pytest.mark.parametrize("seed", range(3))
def test_attributes_are_compared_as_in_scipy(seed):
    frame, summary = random_summary(seed)
    expected = stats.f_oneway(*(frame[n].dropna() for n in "xyz"))
    test = anova(summary, ["x", "y", "z"])
    assert (test.statistic, test.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)


@pytest.mark.parametrize("by", ["kind", "flag", ["kind$a", "kind$b", "kind$c"]])
def test_groups_are_compared_as_in_statsmodels(by):
    frame, summary = random_summary()
    name = by if isinstance(by, str) else "kind"
    both = frame[["x", name]].dropna()
    expected = sm.stats.anova_lm(ols(f"x ~ C({name})", both.astype({"x": float})).fit())
    table = anova(summary, "x", by=by).tables["variance"]
    assert table["sum_sq"].iloc[:2].to_numpy() == pytest.approx(expected["sum_sq"].to_numpy(), rel=RTOL)
    assert table["df"].iloc[:2].tolist() == expected["df"].tolist()
    assert table["F"].iloc[0] == pytest.approx(expected["F"].iloc[0], rel=RTOL)
    assert table["pvalue"].iloc[0] == pytest.approx(expected["PR(>F)"].iloc[0], rel=RTOL)
    assert table["sum_sq"].iloc[2] == pytest.approx(((both["x"] - both["x"].mean()) ** 2).sum(), rel=RTOL)


def test_of_two_groups_f_is_the_square_of_the_pooled_t():
    from smlnb.exploration.means import t_test

    _, summary = random_summary()
    t = t_test(summary, "x", by="flag").variants["pooled"].statistic
    assert anova(summary, "x", by="flag").statistic == pytest.approx(t**2, rel=RTOL)


def test_groups_without_values_are_left_out():
    frame, _ = random_summary()
    frame.loc[frame["kind"] == "c", "x"] = np.nan
    assert anova(summary_of(frame, "C,C,C,B,B,T,T"), "x", by="kind").df[0] == 1


def test_what_can_not_be_compared_is_refused_in_words():
    frame, summary = random_summary()
    with pytest.raises(SchemaError, match="at least two different"):
        anova(summary, "x")
    with pytest.raises(SchemaError, match="at least two different"):
        anova(summary, ["x", "x"])
    with pytest.raises(SchemaError, match="one attribute"):
        anova(summary, ["x", "y"], by="kind")
    with pytest.raises(StatisticsError, match="hold together"):
        anova(summary, "x", by=["flag", "sign"])
    with pytest.raises(NotEnoughDataError, match="nothing varies"):
        anova(summary_of(frame.assign(x=1.0), "C,C,C,B,B,T,T"), "x", by="kind")
    one = frame.dropna().head(1)
    with pytest.raises(NotEnoughDataError, match="Two groups"):
        anova(summary_of(one, "C,C,C,B,B,T,T"), "x", by="kind")
    with pytest.raises(NotEnoughDataError, match="Two groups"):
        anova(summary_of(frame.assign(kind=None).astype({"kind": "str"}), "C,C,C,B,B,T,T"), "x", by="kind")
