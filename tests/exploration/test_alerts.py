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
    assert set(lax["alert"]) == {"constant", "empty", "infinite", "missing"}
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
