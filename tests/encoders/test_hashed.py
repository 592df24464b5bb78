from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction import FeatureHasher

from smlnb.encoders.hashed import HashEncoder
from smlnb.errors import SchemaError
from smlnb.schema import Kind
from smlnb.stats.checks import check_accumulator
from tests.stats.laws import law_settings
from tests.strategies import record_blocks, texts


@law_settings
@given(record_blocks())
def test_every_law_holds_for_any_records(blocks: Any) -> None:
    check_accumulator(lambda: HashEncoder("tags", columns=3), blocks)


@law_settings
@given(
    st.lists(st.lists(texts.filter(lambda t: t is not None), max_size=4), min_size=1, max_size=8), st.integers(1, 40)
)
def test_counts_are_those_of_scikit_learn(lists: list[list[str]], columns: int) -> None:
    judge = FeatureHasher(n_features=columns, input_type="string", alternate_sign=False)
    got = HashEncoder("tags", columns).transform(pa.record_batch({"tags": pa.array(lists, pa.list_(pa.string()))}))
    np.testing.assert_array_equal(got, judge.transform(lists).toarray().T)


def test_a_text_is_in_one_bucket_and_a_missing_one_in_none() -> None:
    encoder = HashEncoder("city", columns=8)
    got = encoder.transform({"city": ["rome", None, "", "rome"]})
    assert np.isnan(got).all(axis=0).tolist() == [False, True, False, False]
    assert got[:, [0, 2, 3]].sum(axis=0).tolist() == [1.0, 1.0, 1.0]
    assert got[encoder.bucket("rome")].tolist()[::3] == [1.0, 1.0]


def test_buckets_are_the_same_in_another_process() -> None:
    code = (
        "from smlnb.encoders.hashed import HashEncoder as H; print([H('c', 1000).bucket(v) for v in ('rome', 'Ä', '')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([HashEncoder("c", 1000).bucket(v) for v in ("rome", "Ä", "")]) == "[835, 859, 0]"


def test_nothing_is_learned_and_an_absent_column_is_missing() -> None:
    encoder = HashEncoder("city", columns=2)
    encoder.learn({"x": [1, 2]})
    assert (encoder.n, encoder.fixed) == (2, True)
    assert np.isnan(encoder.transform({"x": [1, 2]})).tolist() == [[True, True]] * 2
    assert [(a.name, a.kind) for a in encoder.attributes] == [("city#0", Kind.CONTINUOUS), ("city#1", Kind.CONTINUOUS)]
    assert encoder.table()["output"].tolist() == ["city#0", "city#1"]
    assert "city#1" in encoder._repr_html_()


@pytest.mark.parametrize("columns", [0, -1, 5000, 2.0, True, "16"])
def test_a_number_of_columns_that_makes_no_sense_is_refused(columns: Any) -> None:
    with pytest.raises(SchemaError, match="whole number from 1 to 4,096"):
        HashEncoder("city", columns)
