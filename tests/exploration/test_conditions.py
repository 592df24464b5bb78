from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError, UnknownAttributeError
from smlnb.exploration.conditions import has_joint_cells, is_continuous, joint_cells
from tests.exploration.making import TYPES, random_frame, random_summary, summary_of


@pytest.mark.parametrize("given", ["flag", "kind"])
def test_counts_are_those_of_the_rows_where_both_are_present(given):
    frame, summary = random_summary()
    joint = joint_cells(summary, "x", given)
    both = frame[["x", given]].dropna()
    expected = both[given].map(lambda v: f"{v}"[:1]).value_counts().sort_index()
    assert dict(zip(joint.values, joint.counts.sum(axis=1).tolist(), strict=True)) == expected.to_dict()
    assert joint.everywhere.sum() == frame["x"].count()
    assert joint.together.total == len(both)


def test_a_value_of_a_category_is_a_condition_of_its_own():
    frame, summary = random_summary()
    both = frame[["x", "kind"]].dropna()
    joint = joint_cells(summary, "x", "kind$b")
    assert joint.values == ("0", "1")
    assert joint.cells(1).total == joint.cells("1").total == joint.cells(True).total == (both["kind"] == "b").sum()
    assert joint.cells(0.0).total == (both["kind"] != "b").sum()


def test_questions_about_kinds():
    _, summary = random_summary()
    assert [is_continuous(summary, n) for n in ("x", "flag", "kind", "none")] == [True, False, False, False]
    assert [has_joint_cells(summary, n) for n in ("flag", "kind", "kind$b", "kind$z", "x")] == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("name", "given", "error", "words"),
    [
        ("q", "flag", UnknownAttributeError, "no attribute 'q'"),
        ("x", "flg", UnknownAttributeError, "Did you mean 'flag'"),
        ("x", "kind$z", UnknownAttributeError, r"Did you mean 'kind\$"),
        ("x", "y", SchemaError, "'y' is continuous, so it is no condition"),
        ("flag", "kind", SchemaError, "'flag' is not continuous"),
        ("kind", "flag", SchemaError, "'kind' is not continuous"),
        ("kind$b", "flag", SchemaError, "not continuous"),
    ],
)
def test_what_can_not_be_asked_is_explained(name, given, error, words):
    _, summary = random_summary()
    with pytest.raises(error, match=words):
        joint_cells(summary, name, given)


def test_a_value_never_seen_is_answered_with_those_that_were():
    _, summary = random_summary()
    with pytest.raises(SchemaError, match=r"'x' was never seen where 'kind' is 'z'.*'a', 'b' and 'c'"):
        joint_cells(summary, "x", "kind").cells("z")
    for value in (0.5, np.inf, np.nan):
        with pytest.raises(SchemaError, match=f"'flag' is '{value}'"):
            joint_cells(summary, "x", "flag").cells(value)


def test_where_no_histograms_are_kept_the_option_is_named():
    frame = random_frame()
    with pytest.raises(StatisticsError, match="histogram=True"):
        joint_cells(summary_of(frame, TYPES, histogram=False), "x", "flag")
    with pytest.raises(StatisticsError, match="conditional=True"):
        joint_cells(summary_of(frame, TYPES, conditional=False), "x", "flag")
    with pytest.raises(NotEnoughDataError, match="no row"):
        joint_cells(summary_of(frame.assign(flag=np.nan), TYPES), "x", "flag")


def test_conditions_and_values_beyond_the_most_are_told_from_unknown_ones():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "many": [f"v{i}" for i in rng.integers(0, 30, 300)]})
    frame = frame.astype({"many": object}).assign(**{f"b{i}": rng.integers(0, 2, 300) for i in range(16)})
    summary = summary_of(frame, "C,T" + ",B" * 16)
    with pytest.raises(StatisticsError, match="only the first conditions have them, which are 'many', 'b0'"):
        joint_cells(summary, "x", "b15")
    joint = joint_cells(summary, "x", "many")
    assert len(joint.values) == 21
    assert joint.values[-1] == "(other)"
    shared = next(v for v in frame["many"].unique() if v not in joint.values)
    with pytest.raises(StatisticsError, match="too many values"):
        joint_cells(summary, "x", f"many${shared}")
