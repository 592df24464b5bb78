from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration.proportions import proportion_test
from tests.exploration.making import RTOL, random_summary, summary_of

STATSMODELS = {"two-sided": "two-sided", "less": "smaller", "greater": "larger"}


@pytest.mark.parametrize("alternative", STATSMODELS)
def test_two_shares_are_compared_as_in_statsmodels(alternative):
    frame, summary = random_summary()
    a, b = frame["flag"].dropna(), frame["sign"].dropna()
    expected = proportions_ztest([a.sum(), b.sum()], [len(a), len(b)], alternative=STATSMODELS[alternative])
    test = proportion_test(summary, "flag", "sign", alternative=alternative)
    assert (test.statistic, test.pvalue) == pytest.approx(expected, rel=RTOL)
    if alternative == "two-sided":
        ci = confint_proportions_2indep(a.sum(), len(a), b.sum(), len(b), compare="diff", method="newcomb")
        assert test.ci == pytest.approx(ci, rel=RTOL)


@pytest.mark.parametrize("alternative", STATSMODELS)
def test_one_share_is_compared_with_a_known_one_as_in_statsmodels(alternative):
    frame, summary = random_summary()
    a = frame["flag"].dropna()
    expected = proportions_ztest(a.sum(), len(a), value=0.45, prop_var=0.45, alternative=STATSMODELS[alternative])
    test = proportion_test(summary, "flag", p=0.45, alternative=alternative)
    assert (test.statistic, test.pvalue) == pytest.approx(expected, rel=RTOL)
    if alternative == "two-sided":
        assert test.ci == pytest.approx(proportion_confint(a.sum(), len(a), method="wilson"), rel=RTOL)


def test_the_share_of_a_value_of_a_category_is_compared_in_two_groups():
    frame, summary = random_summary()
    both = frame.dropna(subset=["kind", "flag"])
    b = both["kind"] == "b"
    counts, sizes = [b[both["flag"] == v].sum() for v in (1, 0)], [(both["flag"] == v).sum() for v in (1, 0)]
    test = proportion_test(summary, "kind$b", by="flag")
    assert (test.statistic, test.pvalue) == pytest.approx(proportions_ztest(counts, sizes), rel=RTOL)


def test_the_square_of_z_is_the_chi_squared_of_the_table():
    from smlnb.exploration.tables import chi2_test

    _, summary = random_summary()
    z = proportion_test(summary, "flag", by="sign").statistic
    assert z**2 == pytest.approx(chi2_test(summary, "flag", "sign").statistic, rel=RTOL)


def test_what_has_no_share_is_refused_in_words():
    frame, summary = random_summary()
    with pytest.raises(SchemaError, match="'x' is continuous"):
        proportion_test(summary, "x", p=0.5)
    with pytest.raises(SchemaError, match="between 0 and 1"):
        proportion_test(summary, "flag", p=1.0)
    with pytest.raises(NotEnoughDataError, match="all values are 1"):
        proportion_test(summary_of(frame.assign(flag=1.0, sign=1.0), "C,C,C,B,B,T,T"), "flag", "sign")
    empty = summary_of(frame.assign(flag=np.nan), "C,C,C,B,B,T,T")
    with pytest.raises(NotEnoughDataError, match="at least 1"):
        proportion_test(empty, "flag", p=0.5)
