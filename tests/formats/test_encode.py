from __future__ import annotations

import json
import math

import pandas as pd
import pyarrow as pa
import pytest

from smlnb.cluster.config import KafkaConfig
from smlnb.errors import ConfigError, SchemaError
from smlnb.formats.encode import row_encoder
from smlnb.formats.framed_decode import FramedDecoder


def test_json_has_every_column_and_null_for_what_is_missing():
    encode = row_encoder("json", "t", KafkaConfig.of("a:1"))
    values = encode(pa.record_batch({"x": [1.0, math.nan, math.inf], "s": ["é", None, '"']}))
    assert [json.loads(v) for v in values] == [{"x": 1.0, "s": "é"}, {"x": None, "s": None}, {"x": None, "s": '"'}]


def test_avro_of_every_plain_type_comes_back(registry):
    config = KafkaConfig.of("a:1", registry.config)
    frame = pd.DataFrame(
        {
            "i": pd.array([1, 2], "int32"),
            "f": pd.array([0.5, 1.5], "float32"),
            "b": [True, False],
            "s": ["a", "b"],
            "c": pd.Categorical(["u", "v"]),
        }
    )
    values = row_encoder("avro", "t", config)(pa.RecordBatch.from_pandas(frame, preserve_index=False))
    assert FramedDecoder(config).decode(values).data.to_pydict() == {k: list(v) for k, v in frame.items()}


def test_columns_that_change_register_another_schema(registry):
    config = KafkaConfig.of("a:1", registry.config)
    encode = row_encoder("avro", "t", config)
    values = encode(pa.record_batch({"x": [1]})) + encode(pa.record_batch({"x": [2], "y": [0.5]}))
    assert len({v[:5] for v in values}) == 2
    assert FramedDecoder(config).decode(values).data.to_pydict() == {"x": [1, 2], "y": [None, 0.5]}


def test_what_avro_can_not_hold_is_an_error_that_names_the_column(registry):
    encode = row_encoder("avro", "t", KafkaConfig.of("a:1", registry.config))
    with pytest.raises(SchemaError, match=r"'l'.*json"):
        encode(pa.record_batch({"l": [[1]]}))


def test_unknown_formats_and_a_missing_registry_are_refused():
    with pytest.raises(ConfigError, match="'xml'"):
        row_encoder("xml", "t", KafkaConfig.of("a:1"))
    with pytest.raises(ConfigError, match="registry"):
        row_encoder("avro", "t", KafkaConfig.of("a:1"))
