from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlnb.errors import NotEnoughDataError, SchemaError, UnknownAttributeError
from smlnb.exploration.conditional import bivariate, by_category
from tests.exploration.making import RTOL, TYPES, random_frame, random_summary, summary_of


def expected_row(values: pd.Series, ddof: int) -> dict[str, float]:
    n, std = len(values), values.std(ddof=ddof)
    margin = stats.t.ppf(0.975, n - 1) * std / np.sqrt(n)
    return {
        "count": n,
        "mean": values.mean(),
        "variance": values.var(ddof=ddof),
        "std": std,
        "stderr": std / np.sqrt(n),
        "ci95_low": values.mean() - margin,
        "ci95_high": values.mean() + margin,
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ddof", [0, 1])
def test_covariance_and_correlation_are_those_of_the_complete_rows(seed, ddof):
    frame, summary = random_summary(seed)
    both = frame[["x", "y"]].dropna().astype(float)
    found = bivariate(summary, "x", "y", ddof)
    assert found.count == len(both)
    assert found.covariance == pytest.approx(both["x"].cov(both["y"], ddof=ddof), rel=RTOL)
    expected = stats.pearsonr(both["x"], both["y"])
    assert found.correlation == pytest.approx(expected.statistic, rel=RTOL)
    assert found.correlation_pvalue == pytest.approx(expected.pvalue, rel=RTOL)
    assert found.correlation_ci == pytest.approx(tuple(expected.confidence_interval()), rel=RTOL)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("condition", ["flag", "kind$b"])
def test_statistics_given_a_condition_are_those_of_the_rows(seed, ddof, condition):
    frame, summary = random_summary(seed)
    name = condition.partition("$")[0]
    rows = frame.dropna(subset=["x", name])
    holds = rows[name] == ("b" if "$" in condition else 1)
    found = bivariate(summary, "x", condition, ddof)
    assert found.given.row == pytest.approx(expected_row(rows["x"][holds].astype(float), ddof), rel=RTOL)
    assert found.complement.row == pytest.approx(expected_row(rows["x"][~holds].astype(float), ddof), rel=RTOL)


@pytest.mark.parametrize("seed", range(3))
def test_a_continuous_condition_weights_as_in_symetryml(seed):
    frame, summary = random_summary(seed)
    x, y = frame[["x", "y"]].dropna().astype(float).to_numpy().T
    found = bivariate(summary, "x", "y").given
    mean = (x * y).sum() / y.sum()
    assert found.count == pytest.approx(y.sum(), rel=RTOL)
    assert found.mean == pytest.approx(mean, rel=RTOL)
    assert found.variance == pytest.approx((x * x * y * y).sum() / y.sum() - mean**2, rel=RTOL)
    assert bivariate(summary, "x", "y").complement is None


def test_for_zeros_and_ones_the_weighted_form_gives_the_biased_figures():
    frame = random_frame()
    as_binary, as_number = summary_of(frame, TYPES), summary_of(frame, TYPES.replace("B", "C"))
    exact, weighted = (bivariate(s, "x", "flag", 0).given for s in (as_binary, as_number))
    assert (weighted.count, weighted.mean) == pytest.approx((exact.count, exact.mean), rel=RTOL)
    assert weighted.variance == pytest.approx(exact.variance, rel=RTOL)


@pytest.mark.parametrize("attribute", ["kind", "size", "flag"])
@pytest.mark.parametrize("ddof", [0, 1])
def test_statistics_by_category_are_those_of_pandas(attribute, ddof):
    frame, summary = random_summary(4)
    found = by_category(summary, "z", attribute, ddof)
    rows = frame.dropna(subset=["z", attribute])
    for value, part in rows.groupby(attribute):
        name = str(int(value)) if attribute == "flag" else value
        assert found.loc[name].to_dict() == pytest.approx(expected_row(part["z"].astype(float), ddof), rel=RTOL)
    assert len(found) == rows[attribute].nunique()
    assert found["count"].dtype == np.int64


def test_a_group_that_does_not_vary_has_variance_zero_and_no_noise():
    frame = random_frame(rows=1000, missing=0.0)
    frame["x"] = np.where(frame["kind"] == "a", 0.1, frame["x"])
    found = by_category(summary_of(frame, TYPES, parts=13), "x", "kind")
    assert found.loc["a", "variance"] == 0
    assert found.loc["a", "mean"] == pytest.approx(0.1, rel=1e-12)


def test_one_row_has_a_mean_and_nothing_else():
    frame = random_frame(rows=1, missing=0.0)
    row = by_category(summary_of(frame, TYPES), "x", "kind").iloc[0]
    assert row["mean"] == frame["x"][0]
    assert row.drop(["count", "mean"]).isna().all()
    both = bivariate(summary_of(frame, TYPES), "x", "y")
    assert np.isnan([both.covariance, both.correlation, both.correlation_pvalue]).all()


def test_a_constant_has_no_correlation_but_a_covariance_of_zero():
    frame = random_frame().assign(y=2.0)
    found = bivariate(summary_of(frame, TYPES), "x", "y")
    assert np.isnan(found.correlation)
    assert found.covariance == 0
    everywhere = bivariate(summary_of(frame.assign(flag=1.0), TYPES), "x", "flag")
    assert everywhere.complement.count == 0
    assert np.isnan(everywhere.complement.mean)


def test_weights_that_add_up_to_zero_give_no_mean():
    frame = random_frame(rows=10, missing=0.0).assign(y=0.0)
    assert np.isnan(bivariate(summary_of(frame, TYPES), "x", "y").given.mean)


def test_names_that_do_not_serve_are_refused_in_words():
    frame, summary = random_summary()
    with pytest.raises(UnknownAttributeError, match="Did you mean 'flag'"):
        bivariate(summary, "x", "flags")
    with pytest.raises(UnknownAttributeError, match="Did you mean 'kind\\$b'"):
        bivariate(summary, "x", "kind$bb")
    with pytest.raises(SchemaError, match=r"'kind' is a category.*'kind\$a'"):
        bivariate(summary, "x", "kind")
    with pytest.raises(SchemaError, match="'y' is continuous"):
        by_category(summary, "x", "y")
    with pytest.raises(SchemaError, match="'z' is text"):
        bivariate(summary_of(frame.astype({"z": "str"}), "C,C,S,B,B,T,T"), "x", "z")
    with pytest.raises(NotEnoughDataError, match="no row in which both"):
        bivariate(summary_of(frame.assign(y=np.nan), TYPES), "x", "y")


def test_the_notebook_form_escapes_names():
    frame = random_frame().rename(columns={"x": "<b>x</b>"})
    found = bivariate(summary_of(frame, TYPES), "<b>x</b>", "flag")
    assert "<b>x" not in found._repr_html_()
    assert "given flag" in found._repr_html_()
    assert "correlation" in str(found)
