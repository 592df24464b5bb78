from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats.contingency import association

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.tables import chi2_test, crosstab
from tests.exploration.making import RTOL, random_frame, random_summary, summary_of

PAIRS = [("kind", "size"), ("flag", "kind"), ("kind", "sign"), ("flag", "sign")]


def expected_table(frame, a, b):
    return pd.crosstab(frame[a], frame[b]).to_numpy()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_joint_counts_are_those_of_pandas(seed, a, b):
    frame, summary = random_summary(seed)
    assert crosstab(summary, a, b).to_numpy().tolist() == expected_table(frame, a, b).tolist()


def test_joint_counts_stay_exact_over_many_merges():
    frame = random_frame(5, rows=20_000)
    summary = summary_of(frame, "C,C,C,B,B,T,T", parts=97)
    for a, b in PAIRS:
        assert crosstab(summary, a, b).to_numpy().tolist() == expected_table(frame, a, b).tolist()


def test_values_beyond_those_with_a_column_are_counted_together():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"many": rng.integers(0, 100, 5_000).astype(str), "flag": rng.integers(0, 2, 5_000)})
    table = crosstab(summary_of(frame, "T,B"), "many", "flag")
    assert table.shape == (65, 2)
    assert table.to_numpy().sum() == 5_000
    own = table.drop(index="(other)")
    assert own.to_numpy().tolist() == pd.crosstab(frame["many"], frame["flag"]).loc[own.index].to_numpy().tolist()


@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_chi_squared_is_that_of_scipy(a, b, correction):
    frame, summary = random_summary(2)
    counts = expected_table(frame, a, b)
    expected = stats.chi2_contingency(counts, correction=correction)
    test = chi2_test(summary, a, b, correction=correction)
    assert (test.statistic, test.pvalue) == pytest.approx((expected.statistic, expected.pvalue), rel=RTOL)
    assert test.df == (expected.dof,)
    assert test.tables["observed"].to_numpy().tolist() == counts.tolist()
    assert test.tables["expected"].to_numpy() == pytest.approx(expected.expected_freq, rel=RTOL)
    assert test.estimate["cramers_v"] == pytest.approx(association(counts, method="cramer"), rel=RTOL)
    assert test.estimate["tschuprows_t"] == pytest.approx(association(counts, method="tschuprow"), rel=RTOL)


def test_conditions_may_stand_for_a_category():
    _, summary = random_summary()
    by_name, by_condition = (
        chi2_test(summary, "kind", "flag"),
        chi2_test(summary, ["kind$a", "kind$b", "kind$c"], "flag"),
    )
    assert by_condition.statistic == by_name.statistic


def test_small_expected_counts_are_pointed_out():
    _, summary = random_summary(rows=12)
    assert "expected counts are below 5" in chi2_test(summary, "kind", "flag").notes[0]


def test_names_with_dollars_and_a_value_called_other_are_told_apart():
    frame = pd.DataFrame(
        {
            "a": ["b$c", "(other)", "b$(other)", "x"] * 5,
            "a$b": ["c", "c", "(other)", "c"] * 5,
            "flag": [0, 1, 1, 0] * 5,
        }
    )
    summary = summary_of(frame, "T,T,B")
    assert crosstab(summary, "a", "flag").sum(axis=1).to_dict() == {"(other)": 5, "b$(other)": 5, "b$c": 5, "x": 5}
    assert crosstab(summary, "a$b", "flag").sum(axis=1).to_dict() == {"(other)": 5, "c": 15}


def test_what_has_no_values_to_count_is_refused_in_words():
    frame, summary = random_summary()
    with pytest.raises(SchemaError, match="'x' is continuous"):
        chi2_test(summary, "x", "flag")
    with pytest.raises(StatisticsError, match="counted twice"):
        chi2_test(summary, ["flag", "sign"], "kind")
    with pytest.raises(SchemaError, match="different conditions"):
        crosstab(summary, [], "kind")
    with pytest.raises(NotEnoughDataError, match="kind has fewer than two values"):
        chi2_test(summary_of(frame.assign(kind="a"), "C,C,C,B,B,T,T"), "kind", "flag")
    with pytest.raises(NotEnoughDataError, match="fewer than two values"):
        chi2_test(summary_of(frame.head(0), "C,C,C,B,B,T,T"), "kind", "flag")
