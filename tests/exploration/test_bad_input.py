"""Whatever the data, an answer is a documented value or an error that says what to do; pytest turns warnings into errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlnb.errors import SmlnbError, UnknownAttributeError
from smlnb.exploration import (
    alerts,
    association,
    bivariate,
    collinearity,
    conditional,
    drift,
    hypothesis,
    multiple,
    reduction,
    tables,
)
from smlnb.exploration.univariate import univariate
from tests.exploration.making import TYPES, random_frame, summary_of

QUESTIONS = {
    "univariate": univariate,
    "correlation": bivariate.correlation,
    "covariance": bivariate.covariance,
    "bivariate": lambda s: conditional.bivariate(s, "x", "y"),
    "given a binary": lambda s: conditional.bivariate(s, "x", "flag"),
    "by category": lambda s: conditional.by_category(s, "x", "kind"),
    "by binary": lambda s: conditional.by_category(s, "x", "flag"),
    "z": lambda s: hypothesis.z_test(s, "x", "y"),
    "t": lambda s: hypothesis.t_test(s, "x", by="flag"),
    "f": lambda s: hypothesis.f_test(s, "x", "y"),
    "sigma": lambda s: hypothesis.f_test(s, "x", sigma=1.0),
    "proportions": lambda s: hypothesis.proportion_test(s, "flag", "sign"),
    "anova": lambda s: hypothesis.anova(s, ["x", "y", "z"]),
    "anova by": lambda s: hypothesis.anova(s, "x", by="kind"),
    "chi2": lambda s: hypothesis.chi2_test(s, "kind", "flag"),
    "crosstab": lambda s: tables.crosstab(s, "kind", "size"),
    "ks": lambda s: hypothesis.kolmogorov_smirnov(s, "x", "y"),
    "mann-whitney": lambda s: hypothesis.mann_whitney(s, "x", "y"),
    "information": lambda s: association.mutual_information(s, "kind", "flag"),
    "gain": lambda s: association.information_gain(s, "flag"),
    "eta": lambda s: association.correlation_ratio(s, "x", "kind"),
    "pca": reduction.pca,
    "svd": reduction.svd,
    "vif": collinearity.vif,
    "partial": lambda s: collinearity.partial_correlation(s, "x", "y", "z"),
    "partials": collinearity.partial_correlations,
    "alerts": alerts.alerts,
    "group tests": lambda s: multiple.group_tests(s, "flag"),
    "group tests by category": lambda s: multiple.group_tests(s, "kind"),
    "correlation tests": multiple.correlation_tests,
    "drift": lambda s: drift.drift(s, summary_of(random_frame(1), TYPES)),
    "drift back": lambda s: drift.drift(summary_of(random_frame(1), TYPES), s),
}


def data(what: str) -> pd.DataFrame:  # noqa: PLR0911 - one case per kind
    frame = random_frame(0, rows=40)
    numbers = ["x", "y", "z"]
    everything = [*numbers, "flag", "sign"]
    rng = np.random.default_rng(0)
    match what:
        case "no rows":
            return frame.head(0)
        case "one row":
            return frame.dropna().head(1)
        case "two rows":
            return frame.dropna().head(2)
        case "all missing":
            gone = frame.assign(**dict.fromkeys(everything, np.nan), kind=None, size=None)
            return gone.astype({"kind": "str", "size": "str"})
        case "constant":
            return frame.assign(x=1.5, y=1.5, z=1e9, flag=1.0, sign=0.0, kind="a", size="big")
        case "infinite":
            frame["x"] = np.where(np.arange(40) % 2, np.inf, -np.inf)
            frame.loc[3, "y"] = np.inf
            return frame
        case "huge":
            return frame.assign(**{n: rng.normal(size=40) * 1e200 for n in numbers})
        case "tiny":
            return frame.assign(**{n: rng.normal(size=40) * 1e-200 for n in numbers})
        case "denormal":
            return frame.assign(**{n: rng.integers(0, 9, 40) * 5e-324 for n in numbers})
        case "collinear":
            x = rng.normal(size=40)
            return frame.assign(x=x, y=-x, z=2 * x + 1)
        case "never together":
            frame.loc[frame.index % 2 == 0, ["x", "flag", "kind"]] = np.nan
            frame.loc[frame.index % 2 == 1, ["y", "z", "sign", "size"]] = np.nan
            return frame
        case _:
            raise AssertionError(what)


KINDS = [
    "no rows",
    "one row",
    "two rows",
    "all missing",
    "constant",
    "infinite",
    "huge",
    "tiny",
    "denormal",
    "collinear",
    "never together",
]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("what", KINDS)
def test_an_answer_or_an_error_that_says_what_to_do(what, question):
    summary = summary_of(data(what), TYPES)
    try:
        answer = QUESTIONS[question](summary)
    except SmlnbError as error:
        assert len(str(error)) > 20  # noqa: PT017 - either of two outcomes is right
    else:
        assert str(answer)
        if hasattr(answer, "_repr_html_"):
            assert answer._repr_html_()
        if isinstance(answer, hypothesis.TestResult):
            assert not np.isnan([answer.statistic, answer.pvalue]).any(), "no number, without a reason"


@pytest.mark.parametrize(
    "question",
    [
        lambda s: univariate(s, ["sepal_lenght"]),
        lambda s: conditional.bivariate(s, "sepal_lenght", "b"),
        lambda s: hypothesis.t_test(s, "b", "sepal_lenght"),
        lambda s: hypothesis.anova(s, "b", by="sepal_lenght"),
        lambda s: hypothesis.chi2_test(s, "b", "sepal_lenght"),
        lambda s: hypothesis.kolmogorov_smirnov(s, "b", "sepal_lenght"),
        lambda s: association.information_gain(s, "sepal_lenght", ["b"]),
        lambda s: reduction.pca(s, ["sepal_lenght"]),
        lambda s: collinearity.partial_correlation(s, "b", "sepal_lenght", "é"),
    ],
)
def test_unknown_names_get_the_nearest(question):
    frame = pd.DataFrame({"sepal_length": [1.0, 2.0, 4.0], "b": [0, 1, 1], "é": [1.0, 5.0, 2.0]})
    with pytest.raises(UnknownAttributeError, match="Did you mean 'sepal_length'"):
        question(summary_of(frame, "C,B,C"))


def test_unicode_names_and_values_are_names_like_any_other():
    frame = pd.DataFrame({"größe 📏": [1.0, 2.0, 4.0, 3.0], "色": ["赤", "青", "赤", "青"]})
    summary = summary_of(frame, "C,T")
    assert conditional.by_category(summary, "größe 📏", "色").loc["赤", "mean"] == 2.5
    assert hypothesis.t_test(summary, "größe 📏", by="色$赤").n == (2, 2)
