from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError
from smlnb.exploration import hypothesis
from smlnb.exploration.hypothesis import TestResult, anova, benjamini_hochberg, chi2_test, t_test
from tests.exploration.making import random_frame, random_summary, summary_of


def test_p_values_are_corrected_as_in_scipy_and_statsmodels():
    from statsmodels.stats.multitest import multipletests

    _, summary = random_summary()
    tests = {"means": t_test(summary, "x", "y"), "groups": anova(summary, "x", by="kind"), "given": 0.04}
    table = benjamini_hochberg(tests)
    pvalues = table["pvalue"].to_numpy()
    assert list(table.index) == ["means", "groups", "given"]
    assert table["adjusted"].tolist() == pytest.approx(stats.false_discovery_control(pvalues).tolist())
    assert table["significant"].tolist() == multipletests(pvalues, method="fdr_bh")[0].tolist()
    assert benjamini_hochberg([tests["means"]]).index[0] == tests["means"].what


def test_what_can_not_be_corrected_is_refused_in_words():
    with pytest.raises(NotEnoughDataError, match="no tests"):
        benjamini_hochberg([])
    with pytest.raises(SchemaError, match="between 0 and 1"):
        benjamini_hochberg([0.5, float("nan")])


def test_results_show_as_a_sentence_a_frame_and_a_table():
    frame = random_frame().rename(columns={"x": "<i>x", "kind": "<i>k"})
    summary = summary_of(frame, "C,C,C,B,B,T,T")
    test = chi2_test(summary, "<i>k", "size")
    assert isinstance(test, TestResult)
    assert isinstance(test.frame, pd.DataFrame)
    assert str(test).startswith("chi-squared test of <i>k and size: statistic ")
    shown = test._repr_html_()
    assert "<i>" not in shown
    assert "observed" in shown
    assert "expected" in shown
    assert "&lt;i&gt;x" in t_test(summary, "<i>x", "y")._repr_html_()


def test_every_public_name_is_documented():
    assert [n for n in hypothesis.__all__ if not getattr(hypothesis, n).__doc__] == []
