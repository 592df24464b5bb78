from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlnb.errors import SchemaError
from smlnb.exploration.alerts import Limits, alerts
from tests.exploration.making import TYPES, random_frame, summary_of


def odd() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 400
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "plain": rng.normal(size=n),
            "same": 3.5,
            "empty": np.nan,
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "endless": np.where(np.arange(n) == 7, np.inf, rng.normal(size=n)),
            "idle": np.where(rng.random(n) < 0.8, 0.0, rng.normal(size=n)),
            "tail": rng.lognormal(0, 2, n),
            "x": x,
            "twin": x + 0.01 * rng.normal(size=n),
            "rare": (np.arange(n) < 4).astype(float),
            "ids": np.arange(n).astype(str),
            "one": "only",
            "mostly": np.where(np.arange(n) < 5, "b", "a"),
            "none": pd.Series([None] * n, dtype="str"),
        }
    )


ODD_TYPES = ",".join(["C"] * 9 + ["B"] + ["T"] * 4)


def test_each_oddity_is_told_once_the_most_severe_first():
    found = alerts(summary_of(odd(), ODD_TYPES))
    assert set(zip(found["attribute"], found["alert"], strict=True)) == {
        ("same", "constant"),
        ("empty", "empty"),
        ("gaps", "missing"),
        ("endless", "infinite"),
        ("idle", "zeros"),
        ("tail", "skewed"),
        ("x", "correlated"),
        ("twin", "correlated"),
        ("rare", "imbalanced"),
        ("ids", "cardinality"),
        ("ids", "folded"),
        ("one", "constant"),
        ("mostly", "imbalanced"),
        ("none", "empty"),
    }
    order = [("error", "warning", "info").index(s) for s in found["severity"]]
    assert order == sorted(order)
    sentences = found.set_index(["attribute", "alert"])["sentence"]
    assert sentences["same", "constant"] == "same is always 3.5: it tells nothing."
    assert sentences["ids", "cardinality"] == "ids has 400 different values: rather text than a category."
    assert sentences["endless", "infinite"].startswith("endless has 1 infinite value")
    assert "long tail on the right" in sentences["tail", "skewed"]
    assert sentences["mostly", "imbalanced"] == "98.8% of the values of mostly are 'a'."


def test_limits_decide():
    summary = summary_of(odd(), ODD_TYPES)
    lax = alerts(summary, Limits(missing=1, zeros=1, skewness=99, correlation=1, cardinality=999, imbalance=1))
    assert set(lax["alert"]) == {"constant", "empty", "folded", "infinite", "missing"}
    assert lax.set_index("alert").loc["missing", "severity"] == "info"
    with pytest.raises(SchemaError, match="'zeros' must change"):
        Limits(zeros=-0.1)


def test_ordinary_data_or_none_give_no_alerts():
    assert len(alerts(summary_of(random_frame(missing=0.0), TYPES))) == 0
    assert len(alerts(summary_of(random_frame().head(0), TYPES))) == 0
    assert list(alerts(summary_of(random_frame().head(0), TYPES)).columns) == [
        "attribute",
        "alert",
        "severity",
        "value",
        "sentence",
    ]


def test_values_without_a_column_of_their_own_are_told_with_their_number():
    rng = np.random.default_rng(0)
    values = pd.Series(rng.integers(0, 100, 5_000).astype(str))
    summary = summary_of(pd.DataFrame({"many": values, "few": values.str[:1]}), "T,T")
    own = {n.removeprefix("many$") for n in summary.pair_names if n.startswith("many$")} - {"(other)"}
    rows = int((~values.isin(own)).sum())
    found = alerts(summary, Limits(imbalance=1)).set_index(["attribute", "alert"])
    assert ("few", "folded") not in found.index
    row = found.loc["many", "folded"]
    assert row["value"] == pytest.approx(rows / 5_000)
    assert f"{rows:,} values of many" in row["sentence"]
    assert "64 of its 100 values stand for themselves" in row["sentence"]


def test_an_explosion_of_categories_is_told_with_an_estimate_of_how_many_and_what_is_not_counted_apart():
    frame = pd.DataFrame({"id": np.arange(25_000).astype(str)})
    found = alerts(summary_of(frame, "T")).set_index("alert")
    assert found.loc["cardinality", "value"] == pytest.approx(25_000, rel=0.05)
    assert found.loc["cardinality", "sentence"].startswith("id has about 2")
    assert "15,000 are not even counted one by one" in found.loc["folded", "sentence"]


def test_values_that_differ_in_case_or_spaces_only_are_told():
    frame = pd.DataFrame({"c": ["Red", "red ", "RED", "blue", "blu e", "\uff22lue"] * 5, "d": list("abcdef") * 5})
    found = alerts(summary_of(frame, "T,T")).set_index(["attribute", "alert"])
    row = found.loc["c", "spellings"]
    assert row["value"] == 5
    assert "'RED', 'Red' and 'red '" in row["sentence"]
    assert "1 more such group" in row["sentence"]
    assert ("d", "spellings") not in found.index


def test_refused_records_are_told_per_attribute_with_its_kind():
    summary = summary_of(random_frame(missing=0.0), TYPES)
    found = alerts(summary, refused={"x": 12, "y": 0, "gone": 3})
    assert found["attribute"].tolist() == ["x", "gone"]
    assert found["sentence"][0] == "12 record(s) were refused, since x held something that is not continuous."
    assert (found["alert"] == "refused").all()


def test_texts_and_lists_are_told_of_as_well():
    n = 200
    frame = pd.DataFrame(
        {
            "same": ["text"] * n,
            "ids": [f"id {i}" for i in range(n)],
            "gaps": ["a", None] * (n // 2),
            "none": pd.Series([None] * n, dtype="str"),
            "lists": [["a"], None] * (n // 2),
            "nolists": pd.Series([None] * n, dtype="object"),
        }
    )
    found = alerts(summary_of(frame, "S,S,S,S,L,L"))
    assert set(zip(found["attribute"], found["alert"], strict=True)) == {
        ("same", "constant"),
        ("ids", "cardinality"),
        ("gaps", "missing"),
        ("gaps", "constant"),
        ("none", "empty"),
        ("lists", "missing"),
        ("nolists", "empty"),
    }


def test_attributes_of_any_kinds_that_mean_the_same_are_told():
    frame = random_frame(missing=0.0)
    frame["code"] = frame["kind"].map({"a": 3.0, "b": 1.0, "c": 7.0})
    frame["word"] = frame["kind"].map({"a": "alpha", "b": "beta", "c": "gamma"})
    found = alerts(summary_of(frame, TYPES + ",C,T")).set_index(["attribute", "alert"])["sentence"]
    assert set(found.index) == {(name, "correlated") for name in ("kind", "code", "word")}
    assert (
        "their Cramer's V is 1.0000" in found["word", "correlated"] or "ratio is 1.0000" in found["word", "correlated"]
    )
    assert "with 1 more" in found["kind", "correlated"]
