from __future__ import annotations

import json
import uuid

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame
from smlnb.errors import ConfigError
from smlnb.formats.decode import decoder
from smlnb.formats.framed_decode import FramedDecoder
from smlnb.formats.framing import HEADER
from smlnb.formats.payloads import Payloads
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import avro, written_by_confluent

READING = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "long"}]}
OBJECT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def reading(registry, **more):
    return FramedDecoder(KafkaConfig.of("a:1", registry.config), **more)


def guid_of(registry, subject="s"):
    client = SchemaRegistryClient(registry.client_config)
    return b"\1" + uuid.UUID(client.get_version(subject, 1).guid).bytes


@pytest.fixture
def written(registry):
    schema_id = registry.register("s", json.dumps(READING))
    return [avro(READING, {"x": i}, schema_id) for i in range(5)]


def test_the_schema_may_be_named_before_the_value_by_its_guid(registry, written):
    values = [guid_of(registry) + v[5:] for v in written]
    assert reading(registry).decode([*values, *written]).data["x"].to_pylist() == [*range(5)] * 2


def test_the_schema_may_be_named_in_a_header(registry, written):
    serializer = AvroSerializer(
        SchemaRegistryClient(registry.client_config),
        json.dumps(READING),
        conf={"schema.id.serializer": header_schema_id_serializer},
    )
    values, headers = written_by_confluent(serializer, [{"x": i} for i in (0, 1, 2)], "t", in_header=True)
    assert values[0] == b"\0"  # a body that looks like the begin of a frame
    decoded = reading(registry).decode([*values, *written], [*headers, None, [], [("other", b"1")], None, None])
    assert decoded.refused == ()
    assert decoded.data["x"].to_pylist() == [0, 1, 2, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("header", "reason"),
    [(b"", "is empty"), (b"\1abc", "ends within"), (b"\0\0\0\x7f\xff", "not in"), (b"x", "byte 0x78")],
)
def test_a_broken_header_refuses_its_record_alone(registry, written, header, reason):
    decoded = reading(registry).decode(written, [None, [(HEADER, header)], None, None, None])
    ((index, said),) = decoded.refused
    assert index == 1
    assert reason in said
    assert decoded.data["x"].to_pylist() == [0, 2, 3, 4]


@pytest.mark.parametrize("unlike", [None, b"", b"x", b"\0\0\0", "cut", "other"])
def test_values_in_one_piece_of_memory_are_decoded_as_a_list_of_them_is(registry, written, unlike):
    other = registry.register("o", json.dumps(READING | {"name": "O"}))
    unlike = {"cut": written[0][:-1], "other": avro(READING, {"x": 7}, other)}.get(unlike, unlike)
    for values in (written, [*written, unlike], [unlike, *written], [*written[:3], unlike, *written[3:]]):
        plain, packed = reading(registry), reading(registry)
        for _ in range(2):  # the second time the schema is known
            expected, found = plain.decode(values), packed.decode(Payloads.of(values))
            assert found.data.equals(expected.data)
            assert (found.rows.tolist(), found.refused) == (expected.rows.tolist(), expected.refused)


def test_headers_without_a_schema_cost_no_look_at_each_record(registry, written):
    class Counted(list):
        looks = 0

        def __getitem__(self, index):
            self.looks += 1
            return super().__getitem__(index)

    headers = Counted([None] * 5)
    assert reading(registry).decode(written, headers).data.num_rows == 5
    assert headers.looks == 0


def test_records_of_several_types_of_schema_are_told_apart_by_their_ids(registry, written):
    other = registry.register("j", json.dumps(OBJECT), "JSON")
    decoded = reading(registry).decode([written[1], frame(other) + b'{"x": 7}', written[2]])
    assert decoded.data["x"].to_pylist() == [1, 7, 2]


@pytest.mark.parametrize(("only", "kept"), [("AVRO", [1, 2]), ("JSON", [7])])
def test_records_of_another_type_than_wanted_are_refused(registry, written, only, kept):
    other = registry.register("j", json.dumps(OBJECT), "JSON")
    decoded = reading(registry, only=only).decode([written[1], frame(other) + b'{"x": 7}', written[2]])
    assert decoded.data["x"].to_pylist() == kept
    assert all(" is " in reason and ", not " in reason for _, reason in decoded.refused)


def test_a_schema_with_rules_that_would_have_to_be_carried_out_is_refused(registry, written):
    rule = {"name": "secret", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "ENCRYPT", "disabled": False}
    answer = registry.store.answer
    registry.store.answer = lambda *a: answer(*a) | {"ruleSet": {"domainRules": [rule]}}
    ((_, reason), *_) = reading(registry).decode(written).refused
    assert "rules secret" in reason


def test_a_schema_that_refers_to_others_is_put_together(registry):
    inner = {"type": "record", "name": "a.Q", "fields": [{"name": "z", "type": "int"}]}
    registry.register("q", json.dumps(inner))
    outer = {"type": "record", "name": "R", "fields": [{"name": "q", "type": "a.Q"}, {"name": "p", "type": "a.Q"}]}
    reference = {"name": "a.Q", "subject": "q", "version": 1}
    schema_id = registry.register("r", json.dumps(outer), references=[reference])
    decoded = reading(registry).decode([frame(schema_id) + b"\x02\x04"])
    assert decoded.data.to_pylist() == [{"q.z": 1, "p.z": 2}]


def test_a_reference_that_is_missing_refuses_the_records(registry):
    outer = {"type": "record", "name": "R", "fields": [{"name": "q", "type": "a.Q"}]}
    missing = registry.register("r", json.dumps(outer), references=[{"name": "a.Q", "subject": "q", "version": 1}])
    ((_, reason),) = reading(registry).decode([frame(missing) + b"\x02"]).refused
    assert "subject 'q' version 1 is not in the schema registry" in reason


def test_no_registry_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigError, match=r"schema\.registry\.url"):
        FramedDecoder().decode([frame(1) + b"\0"])


def test_auto_reads_headers_until_it_knows_that_they_do_not_matter(registry, written):
    config = KafkaConfig.of("a:1", registry.config)
    auto = decoder("auto", config)
    assert auto.uses_headers
    auto.decode([b'{"x": 1}'])
    assert not auto.uses_headers
    auto = decoder("auto", config)
    body = written[3][5:]
    assert auto.decode([body], [[(HEADER, guid_of(registry))]]).data["x"].to_pylist() == [3]


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.none() | st.binary(max_size=30), max_size=10), named=st.booleans())
def test_no_bytes_raise_and_each_value_is_a_row_or_refused(values, named):
    with SchemaRegistry() as registry:
        schema_id = registry.register("s", json.dumps(READING))
        values = [v if v is None or not named else frame(schema_id) + v for v in values]
        headers = [None if v is None or not v else [(HEADER, v[:17])] for v in values]
        decoded = reading(registry).decode(values, headers if not named else None)
        assert sorted([*decoded.rows.tolist(), *(i for i, _ in decoded.refused)]) == list(range(len(values)))
        assert decoded.data.num_rows == len(decoded.rows)
