from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.tools import add_constant

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.collinearity import partial_correlation, partial_correlations, vif
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of
from tests.exploration.test_reduction import torn

NUMBERS = ["x", "y", "z"]


def residuals(data: pd.DataFrame, name: str, given: list[str]) -> np.ndarray:
    design = np.column_stack([np.ones(len(data)), data[given]])
    return data[name] - design @ np.linalg.lstsq(design, data[name], rcond=None)[0]


@pytest.mark.parametrize("seed", range(3))
def test_inflation_is_that_of_statsmodels(seed):
    frame, summary = random_summary(seed, missing=0.0)
    data = add_constant(frame[["x", "y", "z", "flag", "sign"]].astype(float))
    expected = [variance_inflation_factor(data.to_numpy(), i) for i in range(1, data.shape[1])]
    found = vif(summary)
    assert found.table["vif"].to_numpy() == pytest.approx(expected, rel=RTOL)
    assert found.condition_number == pytest.approx(np.linalg.cond(frame.iloc[:, :5].astype(float).corr()), rel=RTOL)
    assert (found.table["collinear_with"] == "").all()


def test_with_missing_values_it_is_that_of_the_pairwise_correlations():
    frame, summary = random_summary()
    expected = np.diag(np.linalg.inv(frame[NUMBERS].astype(float).corr()))
    assert vif(summary, NUMBERS).table["vif"].to_numpy() == pytest.approx(expected, rel=RTOL)


def test_collinear_attributes_are_infinite_and_named_and_the_others_finite():
    frame = random_frame(missing=0.0).astype(dict.fromkeys(NUMBERS, float))
    frame["sum"] = frame["x"] + frame["y"]
    frame["not_flag"] = 1 - frame["flag"]
    found = vif(summary_of(frame, TYPES + ",C,B"), ["x", "y", "sum", "z", "flag", "not_flag"])
    table = found.table
    assert np.isinf(table.loc[["x", "y", "sum", "flag", "not_flag"], "vif"]).all()
    assert table.loc["sum", "collinear_with"] == "x, y"
    assert table.loc["flag", "collinear_with"] == "not_flag"
    assert np.isinf(found.condition_number)
    design = np.column_stack([np.ones(len(frame)), frame[["x", "y", "flag"]]])
    rest = frame["z"] - design @ np.linalg.lstsq(design, frame["z"], rcond=None)[0]
    assert table.loc["z", "vif"] == pytest.approx(frame["z"].var() / rest.var(), rel=1e-8)


def test_a_matrix_with_negative_eigenvalues_gives_no_factors_unless_repaired():
    summary = summary_of(torn(), "C,C,C")
    for call in (vif, partial_correlations, lambda s: partial_correlation(s, "a", "b", "c")):
        with pytest.raises(StatisticsError, match="negative eigenvalues"):
            call(summary)
    found = vif(summary, repair=True)
    assert not found.psd
    assert "nearest" in found.notes[-1]


@pytest.mark.parametrize("given", [["z"], ["z", "flag"], ["z", "flag", "kind$a"]])
def test_partial_correlation_is_that_of_the_residuals(given):
    frame, summary = random_summary(missing=0.0)
    data = frame.assign(**{"kind$a": frame["kind"] == "a"})[["x", "y", *given]].astype(float)
    r, _ = stats.pearsonr(residuals(data, "x", given), residuals(data, "y", given))
    df = len(data) - 2 - len(given)
    test = partial_correlation(summary, "x", "y", given)
    assert test.estimate["partial_correlation"] == pytest.approx(r, rel=RTOL)
    assert test.df == (df,)
    t = r * np.sqrt(df / (1 - r * r))
    assert (test.statistic, test.pvalue) == pytest.approx((t, 2 * stats.t.sf(abs(t), df)), rel=RTOL)
    margin = stats.norm.ppf(0.975) / np.sqrt(df - 1)
    assert test.ci == pytest.approx((np.tanh(np.arctanh(r) - margin), np.tanh(np.arctanh(r) + margin)), rel=RTOL)


def test_with_missing_values_it_is_that_of_the_pairwise_matrix():
    frame, summary = random_summary()
    precision = np.linalg.inv(frame[NUMBERS].astype(float).corr())
    scale = np.sqrt(np.diag(precision))
    expected = -precision / np.outer(scale, scale)
    table = partial_correlations(summary, NUMBERS)
    assert table.loc["x", "y"] == pytest.approx(expected[0, 1], rel=RTOL)
    found = partial_correlation(summary, "x", "y", "z").estimate["partial_correlation"]
    assert found == pytest.approx(expected[0, 1], rel=RTOL)
    assert np.diag(table).tolist() == [1, 1, 1]


def test_given_attributes_that_repeat_each_other_or_are_constant_change_nothing():
    frame = random_frame(missing=0.0).astype(dict.fromkeys(NUMBERS, float))
    frame["twice"], frame["same"] = 2 * frame["z"] + 1, 7.0
    summary = summary_of(frame, TYPES + ",C,C")
    once, again = (partial_correlation(summary, "x", "y", g) for g in (["z"], ["z", "twice", "same"]))
    assert again.statistic == pytest.approx(once.statistic, rel=1e-8)
    assert again.df == once.df


def test_what_leaves_nothing_is_refused_in_words():
    frame = random_frame(missing=0.0).astype(dict.fromkeys(NUMBERS, float))
    frame["twice"] = 2 * frame["x"] + 1
    summary = summary_of(frame, TYPES + ",C")
    with pytest.raises(StatisticsError, match="'x' follows from 'twice'"):
        partial_correlation(summary, "x", "y", "twice")
    with pytest.raises(StatisticsError, match="'x' and 'twice' depend"):
        partial_correlations(summary, ["x", "y", "twice"])
    with pytest.raises(SchemaError, match="must be different"):
        partial_correlation(summary, "x", "y", ["x"])
    with pytest.raises(NotEnoughDataError, match="'x' does not vary"):
        partial_correlation(summary_of(frame.assign(x=1.0), TYPES + ",C"), "x", "y", "z")
    with pytest.raises(NotEnoughDataError, match="too few"):
        partial_correlation(summary_of(frame.head(3), TYPES + ",C"), "x", "y", "z")
    with pytest.raises(NotEnoughDataError, match="At least 2"):
        vif(summary, ["x"])
