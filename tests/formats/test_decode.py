from __future__ import annotations

import json

import pytest

from smlnb.cluster.config import KafkaConfig
from smlnb.errors import ConfigError
from smlnb.formats.decode import decoder
from tests.ingest.writing import avro


def test_an_unknown_format_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"'xml'.*json"):
        decoder("xml")


def test_auto_finds_json():
    assert decoder("auto").decode([b'{"x": 1}']).data["x"].to_pylist() == [1]


def test_auto_finds_avro(registry):
    schema = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "long"}]}
    schema_id = registry.register("s", json.dumps(schema))
    found = decoder("auto", KafkaConfig.of("a:1", registry.config)).decode([avro(schema, {"x": 1}, schema_id)])
    assert found.data["x"].to_pylist() == [1]


def test_auto_is_not_misled_by_poison_at_the_beginning():
    auto = decoder("auto")
    first = auto.decode([b"\0poison", b'{"x": 1}', b'{"x": 2}'])
    assert first.data["x"].to_pylist() == [1, 2]
    assert "zero byte" in first.refused[0][1]


def test_auto_decides_when_it_has_decoded_something():
    auto = decoder("auto")
    assert auto.decode([None, b"", b"poison"]).data.num_rows == 0
    assert auto.decode([b'{"x": 1}']).data.num_rows == 1
    assert len(auto.decode([b"\0\0\0\0\1\2"]).refused) == 1
