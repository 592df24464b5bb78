from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smlnb.batch import Batch
from smlnb.errors import ModelError, SchemaError, UnknownAttributeError
from smlnb.score.scored import FIELDS, Judge


class Distance:
    """A model whose contributions are the distances from zero."""

    name, version, feature_names_in_ = "distance", 3, ("a", "b")

    def contributions(self, data: pa.RecordBatch) -> pd.DataFrame:
        columns = {n: data.column(n).to_numpy(zero_copy_only=False).astype(float) for n in self.feature_names_in_}
        return pd.DataFrame(columns).abs().fillna(0)

    def score_samples(self, data: pa.RecordBatch) -> np.ndarray:
        return self.contributions(data).sum(axis=1).to_numpy()


def batch(data: dict, offset: int = 0, partition: int = 0) -> Batch:
    records = pa.RecordBatch.from_pydict(data)
    rows = records.num_rows
    return Batch(records, "t", partition, offset, offset + rows, np.arange(offset, offset + rows))


def test_each_row_says_score_flags_thresholds_contributions_model_and_kept_fields_in_that_order():
    judge = Judge(Distance(), keep=["label", "when"], warm_up=1)
    scored = judge(batch({"a": [1.0, -5.0], "b": [2.0, 1.0], "label": ["x", "y"], "when": [1, 2]}))
    first, second = scored.rows()
    assert list(first) == [*FIELDS, "label", "when"]
    assert first == {
        "score": 3.0,
        "quantile": None,
        "q95": None,
        "q98": None,
        "q99": None,
        "thresholds": None,
        "top": [{"feature": "b", "contribution": 2.0}, {"feature": "a", "contribution": 1.0}],
        "model": "distance",
        "model_version": 3,
        "label": "x",
        "when": 1,
    }
    assert second["thresholds"] == {"q95": 3.0, "q98": 3.0, "q99": 3.0}
    assert (second["quantile"], second["q95"], second["q98"], second["q99"]) == (1.0, True, True, True)


def test_only_as_many_contributions_as_asked_are_named():
    data = batch({"a": [1.0], "b": [2.0]})
    assert [len(next(Judge(Distance(), top=k)(data).rows())["top"]) for k in (0, 1, 2, 9)] == [0, 1, 2, 2]


def test_a_missing_value_contributes_nothing_and_the_row_still_has_a_score():
    row = next(Judge(Distance())(batch({"a": [None, 1.0], "b": [2.0, 1.0]})).rows())
    top = [{"feature": "b", "contribution": 2.0}, {"feature": "a", "contribution": 0.0}]
    assert (row["score"], row["top"]) == (2.0, top)


def test_a_missing_input_counts_as_missing_in_every_row():
    row = next(Judge(Distance())(batch({"b": [2.0]})).rows())
    assert row["score"] == 2.0


def test_records_without_any_of_the_inputs_are_another_topic():
    with pytest.raises(ModelError, match=r"none of the inputs of the model 'distance' \(a, b\); they have c\."):
        Judge(Distance())(batch({"c": [2.0]}))


def test_a_field_to_keep_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(UnknownAttributeError, match="Did you mean 'label'"):
        Judge(Distance(), keep=["lable"])(batch({"a": [1.0], "b": [1.0], "label": [1]}))


def test_a_field_to_keep_may_be_absent_later():
    judge = Judge(Distance(), keep=["label"])
    judge(batch({"a": [1.0], "b": [1.0], "label": [1]}))
    assert next(judge(batch({"a": [1.0], "b": [1.0]})).rows())["label"] is None


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_to_keep_can_not_have_the_name_of_an_output_field(name):
    with pytest.raises(SchemaError, match=f"'{name}' can't be kept"):
        Judge(Distance(), keep=["fine", name])


def test_one_string_is_no_list_of_fields():
    with pytest.raises(SchemaError, match=r"keep=\['class'\]"):
        Judge(Distance(), keep="class")


def test_a_field_to_keep_twice_is_kept_once():
    assert Judge(Distance(), keep=["x", "x"]).keep == ("x",)


def test_a_batch_without_rows_is_scored_to_nothing():
    judge = Judge(Distance(), keep=["label"])
    empty = Batch(pa.RecordBatch.from_pydict({}), "t", 0, 5, 6, np.empty(0, dtype=np.int64))
    assert list(judge(empty).rows()) == []


def test_a_negative_number_of_contributions_is_refused():
    with pytest.raises(ModelError, match="top=-1"):
        Judge(Distance(), top=-1)


def test_a_score_that_is_no_number_is_written_as_null():
    class Broken(Distance):
        def contributions(self, data):
            return super().contributions(data) * np.nan

    row = next(Judge(Broken(), warm_up=1)(batch({"a": [1.0], "b": [1.0]})).rows())
    assert (row["score"], row["q99"]) == (None, None)
