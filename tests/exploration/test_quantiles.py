from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.batch import as_record_batch
from smlnb.errors import NotEnoughDataError, SchemaError, UnknownAttributeError
from smlnb.exploration.quantiles import quantile, quantiles
from smlnb.schema import Schema
from smlnb.stats.table import Table, TableSummary
from tests.exploration.making import summary_of
from tests.stats.laws import law_settings

KEPT = {
    "sketch": {"histogram": False, "quantiles": True},
    "histogram": {"histogram": True, "quantiles": False},
}
Q = np.array([0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0])
ROWS = 50_000
SHAPES = {
    "normal": lambda rng: rng.normal(size=ROWS),
    "heavy tail": lambda rng: rng.standard_cauchy(ROWS),
    "far from zero": lambda rng: 1e9 + rng.normal(size=ROWS),
    "negative": lambda rng: -rng.lognormal(0, 3, ROWS),
    "one outlier": lambda rng: np.append(rng.normal(size=ROWS), 1e9),
    "few values": lambda rng: rng.integers(0, 10, ROWS).astype(float),
    "constant": lambda _: np.full(ROWS, 0.1),
}


def of(values: np.ndarray, kept: str, parts: int = 3) -> TableSummary:
    return summary_of(pd.DataFrame({"x": np.asarray(values, float)}), "C", parts, **KEPT[kept])


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bounds_hold_the_quantiles_of_the_rows_and_the_error_their_ranks(shape: str, kept: str) -> None:
    values = SHAPES[shape](np.random.default_rng(3))
    found = quantiles(of(values, kept), "x", Q)
    assert found.attrs == {"source": kept, "confidence": 0.99 if kept == "sketch" else 1.0}
    truth = np.quantile(values, Q, method="inverted_cdf")
    # the sketch draws its own random numbers: 99 % of the runs are within its error, and nearly all within twice as much
    lower, upper = found["lower"].to_numpy(), found["upper"].to_numpy()
    ordered = np.sort(values)
    slack = 0.0133 if kept == "sketch" else 0.0
    assert (np.searchsorted(ordered, lower, "left") / len(values) <= Q + slack).all()
    assert (np.searchsorted(ordered, upper, "right") / len(values) >= Q - slack).all()
    if kept == "histogram":
        assert ((lower <= truth) & (truth <= upper)).all()
    assert ((lower <= found["value"]) & (found["value"] <= upper)).all()
    below = np.searchsorted(ordered, found["value"], "left") / len(values)
    upto = np.searchsorted(ordered, found["value"], "right") / len(values)
    assert (np.maximum(below - Q, Q - upto) <= found["error"] + slack + 1e-12).all()
    assert found.iloc[[0, -1]][["value", "lower", "upper"]].to_numpy().tolist() == [
        [values.min()] * 3,
        [values.max()] * 3,
    ]
    assert found["error"].iloc[[0, -1]].tolist() == [0, 0]


@pytest.mark.parametrize("kept", KEPT)
@law_settings
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60), q=st.floats(0, 1))
def test_few_values_have_exact_quantiles(kept: str, values: list[float], q: float) -> None:
    (row,) = quantiles(of(np.array(values), kept, parts=1), "x", q).itertuples()
    truth = np.quantile(values, q, method="inverted_cdf")
    assert row.lower <= truth <= row.upper
    assert row.lower in values
    assert row.upper in values
    assert row.lower <= row.value <= row.upper
    assert row.error == 0
    if row.lower != row.upper:  # only where q ends just between two values
        assert round(q * len(values)) == pytest.approx(q * len(values))
        assert not any(row.lower < v < row.upper for v in values)


def test_a_sketch_that_holds_all_values_says_so() -> None:
    found = quantiles(of(np.arange(100.0), "sketch"), "x", [0.25, 0.5])
    assert found.attrs == {"source": "values", "confidence": 1.0}
    assert (found["error"] == 0).all()


def test_the_sketchs_bounds_are_about_one_rank_error_away() -> None:
    found = quantiles(of(np.random.default_rng(0).permutation(ROWS), "sketch"), "x", [0.5])
    error = found["error"].iloc[0]
    assert error == pytest.approx(0.0133, abs=1e-4)
    assert (found["upper"] - found["lower"]).iloc[0] / ROWS == pytest.approx(2 * error, abs=2 * error)


def test_values_are_the_same_as_those_of_one_question_at_a_time() -> None:
    summary = summary_of(pd.DataFrame({"x": np.random.default_rng(1).normal(size=5000)}), "C")
    found = quantiles(summary, "x", Q)
    assert found["value"].tolist() == [quantile(summary, "x", q) for q in Q]
    np.testing.assert_array_equal(found["value"], quantile(summary, "x", Q.tolist()))
    assert isinstance(quantile(summary, "x", 0.5), float)
    assert found.index.name == "q"
    assert quantiles(summary, "x").index[0] == 0.01
    assert len(quantiles(summary, "x", [])) == 0


def test_gaps_and_infinities_have_no_rank() -> None:
    values = np.array([1.0, np.nan, 2.0, np.inf, 3.0, -np.inf])
    for kept in KEPT:
        assert quantile(of(values, kept), "x", [0, 0.5, 1]).tolist() == pytest.approx([1, 2, 3], abs=1e-9)


def test_after_something_was_forgotten_the_histogram_answers_with_bounds_that_still_hold() -> None:
    values = np.random.default_rng(2).normal(size=10_000)
    for kept in ("both", "sketch"):
        table = Table(Schema.of(["x"], "C"), histogram=kept == "both")
        table.update(as_record_batch(pd.DataFrame({"x": values})))
        table.forget(as_record_batch(pd.DataFrame({"x": values[:4000]})))
        if kept == "sketch":
            with pytest.raises(NotEnoughDataError, match="forgotten"):
                quantiles(table.result(), "x", Q)
            continue
        found = quantiles(table.result(), "x", Q)
        assert found.attrs["source"] == "histogram"
        truth = np.quantile(values[4000:], Q, method="inverted_cdf")
        assert ((found["lower"] <= truth) & (truth <= found["upper"])).all()


@pytest.mark.parametrize("q", [2, -0.1, [0.5, np.nan], "half", None, [[0.5]], {}])
def test_what_is_no_share_is_refused(q: object) -> None:
    for ask in (quantile, quantiles):
        with pytest.raises(SchemaError, match="between 0 and 1"):
            ask(of(np.arange(9), "sketch"), "x", q)


def test_what_can_not_be_told_is_an_error_that_says_why() -> None:
    frame = pd.DataFrame({"x": [1.0], "empty": [np.nan], "kind": ["a"]})
    summary = summary_of(frame, "C,C,T", parts=1)
    with pytest.raises(UnknownAttributeError, match=r"emty.*empty"):
        quantile(summary, "emty", 0.5)
    with pytest.raises(UnknownAttributeError):
        quantile(summary, "kind", 0.5)
    with pytest.raises(NotEnoughDataError, match="no values yet"):
        quantile(summary, "empty", 0.5)
    bare = summary_of(frame, "C,C,T", parts=1, histogram=False, quantiles=False)
    with pytest.raises(NotEnoughDataError, match="Neither sketches nor histograms"):
        quantile(bare, "x", 0.5)


def test_the_largest_numbers_have_quantiles_without_a_warning() -> None:
    largest = np.finfo(float).max
    for kept in KEPT:
        found = quantiles(of(np.array([-largest, 0.0, largest]), kept), "x", [0, 0.5, 1])
        assert found["value"].tolist() == [-largest, 0.0, largest]
        assert found["upper"].tolist() == [-largest, 0.0, largest]
