from __future__ import annotations

import json

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame
from smlnb.formats.decode import decoder
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import written_by_confluent

READING = {
    "title": "Reading",
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "x": {"type": ["number", "null"]},
        "at": {"type": "object", "properties": {"unit": {"enum": ["m", "s"]}}, "additionalProperties": False},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    },
    "required": ["id"],
}
ROW = {"id": 1, "x": 0.5, "at": {"unit": "m"}, "tags": ["a"]}


def decoder_of(registry):
    return decoder("json-schema", KafkaConfig.of("a:1", registry.config))


def serializer(registry, schema, **conf):
    return JSONSerializer(json.dumps(schema), SchemaRegistryClient(registry.client_config), conf=conf)


def test_objects_are_columns_by_their_path(registry):
    values, _ = written_by_confluent(serializer(registry, READING), [ROW, {"id": 2}], "t")
    assert decoder_of(registry).decode(values).data.to_pylist() == [
        {"id": 1, "x": 0.5, "at.unit": "m", "tags": ["a"]},
        {"id": 2, "x": None, "at.unit": None, "tags": None},
    ]


def test_the_schema_may_be_named_in_a_header(registry):
    writer = serializer(registry, READING, **{"schema.id.serializer": header_schema_id_serializer})
    values, headers = written_by_confluent(writer, [{"id": 3}], "t", in_header=True)
    assert decoder_of(registry).decode(values, headers).data.to_pydict() == {"id": [3]}


BAD = {
    "required": (b"{}", '"id" is a required property'),
    "type": (b'{"id": "1"}', "is not of type \"integer\" (at 'id')"),
    "minimum": (b'{"id": -1}', "less than the minimum of 0"),
    "within": (b'{"id": 1, "at": {"unit": "kg"}}', "(at 'at.unit')"),
    "additional": (b'{"id": 1, "at": {"other": 1}}', "Additional properties are not allowed"),
    "items": (b'{"id": 1, "tags": ["a", "b", "c"]}', "more than 2 items"),
    "no object": (b"[]", 'is not of type "object"'),
    "malformed": (b'{"id": 1', "malformed JSON"),
    "empty": (b"", "the value is empty"),
    "NaN": (b'{"id": 1, "x": NaN}', "NaN is no JSON value"),
    "twice": (b'{"id": 1, "id": 1}', "'id' appears twice"),
    "deep": (b'{"id": 1, "o": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "long": (b'{"id": "' + b"x" * 1_000_000 + b'"}', "..."),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_record_among_a_thousand_is_refused_by_itself_with_a_reason(registry, name):
    body, reason = BAD[name]
    schema_id = registry.register("s", json.dumps(READING), "JSON")
    good = [frame(schema_id) + json.dumps({**ROW, "id": i}).encode() for i in range(999)]
    decoded = decoder_of(registry).decode([*good[:500], frame(schema_id) + body, *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert len(said) < 500
    assert decoded.data["id"].to_pylist() == list(range(999))


def test_a_schema_that_refers_to_another_is_put_together(registry):
    unit = {"$id": "http://plant/unit.json", "enum": ["m"]}
    registry.register("unit", json.dumps(unit), "JSON")
    outer = {"$id": "http://plant/r.json", "properties": {"unit": {"$ref": "unit.json"}}}
    reference = {"name": "unit.json", "subject": "unit", "version": 1}
    schema_id = registry.register("r", json.dumps(outer), "JSON", references=[reference])
    decoded = decoder_of(registry).decode([frame(schema_id) + b'{"unit": "m"}', frame(schema_id) + b'{"unit": "s"}'])
    assert decoded.data.to_pydict() == {"unit": ["m"]}
    assert "against its schema" in decoded.refused[0][1]


@pytest.mark.parametrize("ref", ["file:///etc/passwd", "http://127.0.0.1:1/x", "other.json"])
def test_nothing_is_read_that_the_registry_does_not_name(registry, ref):
    schema_id = registry.register("r", json.dumps({"$id": "http://a/b", "$ref": ref}), "JSON")
    ((_, reason),) = decoder_of(registry).decode([frame(schema_id) + b"{}"]).refused
    assert "is no JSON Schema" in reason
    assert "does not name among its references" in reason


def test_a_schema_that_is_none_refuses_its_records(registry):
    schema_id = registry.register("r", '{"type": "thing"}', "JSON")
    ((_, reason),) = decoder_of(registry).decode([frame(schema_id) + b"{}"]).refused
    assert f"schema {schema_id} of the registry is no JSON Schema" in reason


JUDGED = {
    "type": "object",
    "properties": {
        "i": {"type": "integer", "minimum": -5, "multipleOf": 2},
        "x": {"type": "number", "exclusiveMaximum": 10},
        "s": {"type": "string", "minLength": 1, "pattern": "^a"},
        "l": {"type": "array", "items": {"type": "number"}, "uniqueItems": True},
    },
    "required": ["i"],
    "additionalProperties": False,
}
anything = st.none() | st.booleans() | st.integers(-20, 20) | st.floats(-20, 20) | st.sampled_from(["", "a", "ab", "b"])
records = st.dictionaries(
    st.sampled_from(["i", "x", "s", "l", "other"]), anything | st.lists(anything, max_size=3), max_size=4
)


@settings(deadline=None, max_examples=60)
@given(records)
def test_what_the_schema_allows_is_judged_as_by_the_deserialiser_of_confluent(record):
    with SchemaRegistry() as registry:
        schema_id = registry.register("t-value", json.dumps(JUDGED), "JSON")
        value = frame(schema_id) + json.dumps(record).encode()
        read = JSONDeserializer(None, schema_registry_client=SchemaRegistryClient(registry.client_config))
        decoded = decoder_of(registry).decode([value])
        try:
            expected = read(value, SerializationContext("t", MessageField.VALUE))
        except SerializationError:
            assert "against its schema" in decoded.refused[0][1]
        else:
            assert decoded.refused == ()
            (row,) = decoded.data.to_pylist()
            assert {k: v for k, v in row.items() if v is not None} == expected
