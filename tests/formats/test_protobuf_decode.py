from __future__ import annotations

import datetime as dt
import json

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame
from smlnb.errors import ConfigError, SchemaError
from smlnb.formats.decode import decoder
from smlnb.formats.protobuf_schema import compiled
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import compiled_classes, written_by_confluent

READING = """
syntax = "proto3";
package plant;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
message Other { int32 n = 1; message Within { double w = 1; } }
message Reading {
  double d = 1; float f = 2; int32 i = 3; sint64 l = 4; fixed64 u = 5; bool b = 6; string s = 7; bytes raw = 8;
  optional double maybe = 9;
  enum State { UP = 0; DOWN = 1; }
  State state = 10;
  Other at = 11;
  oneof choice { string name = 12; int64 number = 13; }
  repeated double list = 14; repeated string words = 15; repeated State states = 16; repeated Other others = 17;
  map<string, int32> counts = 18;
  google.protobuf.Timestamp time = 19; google.protobuf.Duration took = 20;
  google.protobuf.DoubleValue wrapped = 21; google.protobuf.Struct more = 22;
  Reading before = 23;
}
"""
CLASSES = compiled_classes(READING)
Reading, Other = CLASSES["Reading"], CLASSES["Other"]


def decoder_of(registry):
    return decoder("protobuf", KafkaConfig.of("a:1", registry.config))


def serializer(registry, message_type, **more):
    client = SchemaRegistryClient(registry.client_config)
    return ProtobufSerializer(message_type, client, {"use.deprecated.format": False, **more})


def test_every_type_makes_its_column(registry):
    when = dt.datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=dt.UTC)
    message = Reading(d=0.1, f=0.5, i=-3, l=-(2**40), u=7, b=True, s="é", raw=b"\1", maybe=2.5, state="DOWN")
    message.at.n = 4
    message.number = 9
    message.list.extend([1, 2.5])
    message.words.extend(["a", ""])
    message.states.extend([1, 0])
    message.others.add(n=1)
    message.counts["k"] = 2
    message.time.FromDatetime(when)
    message.took.FromMilliseconds(1500)
    message.wrapped.value = 0.0
    message.more.update({"a": 1})
    message.before.d = 3.0
    values, _ = written_by_confluent(serializer(registry, Reading), [message, Reading()], "t")
    decoded = decoder_of(registry).decode(values)
    assert decoded.refused == ()
    full, empty = decoded.data.to_pylist()
    assert full == {
        "d": 0.1,
        "f": 0.5,
        "i": -3,
        "l": -(2**40),
        "u": 7,
        "b": True,
        "s": "é",
        "raw": b"\1",
        "maybe": 2.5,
        "state": "DOWN",
        "at.n": 4,
        "name": None,
        "number": 9,
        "list": [1.0, 2.5],
        "words": ["a", ""],
        "states": ["DOWN", "UP"],
        "others": '[{"n": 1}]',
        "counts": '{"k": 2}',
        "time": when,
        "took": 1.5,
        "wrapped": 0.0,
        "more": '{"a": 1.0}',
        "before": '{"d": 3.0}',
    }
    assert (empty["d"], empty["state"], empty["list"], empty["s"]) == (0.0, "UP", [], "")
    nothing = ("maybe", "at.n", "name", "number", "time", "took", "wrapped", "more", "before")
    assert [empty[k] for k in nothing] == [None] * len(nothing)


def test_the_schema_may_be_the_text_of_a_file_that_imports_others(registry):
    registry.register("unit", 'syntax = "proto3"; package a; message Unit { string name = 1; }', "PROTOBUF")
    text = 'syntax = "proto3"; import "a/unit.proto"; message R { double x = 1; a.Unit unit = 2; }'
    reference = {"name": "a/unit.proto", "subject": "unit", "version": 1}
    schema_id = registry.register("r", text, "PROTOBUF", references=[reference])
    body = b"\x09" + bytes(8) + b"\x12\x03\x0a\x01m"
    decoded = decoder_of(registry).decode([frame(schema_id) + b"\0" + body])
    assert decoded.data.to_pylist() == [{"x": 0.0, "unit.name": "m"}]


def test_the_registry_is_asked_for_the_compiled_file_and_once(registry):
    values, _ = written_by_confluent(serializer(registry, Reading), [Reading(i=n) for n in range(3)], "t")
    before = registry.requests
    one = decoder_of(registry)
    for _ in range(3):
        assert one.decode(values).data["i"].to_pylist() == [0, 1, 2]
    assert registry.requests == before + 2  # the schema, of whatever type, and then its compiled form


def test_messages_of_several_places_in_one_file_go_by_their_indexes(registry):
    readings, _ = written_by_confluent(serializer(registry, Reading), [Reading(i=1)], "t")
    others, _ = written_by_confluent(serializer(registry, Other), [Other(n=2)], "t")
    assert readings[0][:5] == others[0][:5]
    assert readings[0][5:] != others[0][5:]
    decoded = decoder_of(registry).decode([*readings, *others])
    assert decoded.data["i"].to_pylist() == [1, None]
    assert decoded.data["n"].to_pylist() == [None, 2]


def test_a_message_within_another_is_found(registry):
    schema_id = registry.register("r", READING, "PROTOBUF")
    within = b"\x04\x00\x00"  # two numbers: 0, 0
    decoded = decoder_of(registry).decode([frame(schema_id) + within + b"\x09" + bytes(7) + b"\x40"])
    assert decoded.data.to_pydict() == {"w": [2.0]}


def test_the_schema_may_be_named_in_a_header(registry):
    writer = serializer(registry, Other, **{"schema.id.serializer": header_schema_id_serializer})
    values, headers = written_by_confluent(writer, [Other(n=1), Other()], "t", in_header=True)
    assert decoder_of(registry).decode(values, headers).data.to_pydict() == {"n": [1, 0]}


BAD = {
    "tombstone": (lambda _: None, "tombstone"),
    "empty": (lambda _: b"", "empty"),
    "json": (lambda _: b'{"n": 1}', "like JSON"),
    "cut": (lambda v: v[:-1], "broken Protobuf"),
    "no message": (lambda v: v[:5], "place of the message"),
    "place beyond": (lambda v: v[:5] + b"\x02\x0e" + v[7:], "message 7, which its schema does not have"),
    "negative place": (lambda v: v[:5] + b"\x02\x01" + v[7:], "message -1"),
    "endless place": (lambda v: v[:5] + b"\xff" * 40, "place of the message"),
    "invalid UTF-8": (lambda v: v + b"\x3a\x01\xff", "broken Protobuf"),
    "wrong wire type": (lambda v: v + b"\x0f", "broken Protobuf"),
    "beyond 64 bits": (lambda v: v + b"\x29" + b"\xff" * 8, "broken Protobuf"),
    "date beyond all calendars": (lambda v: v + b"\x9a\x01\x0a\x08" + b"\xff" * 8 + b"\x7f", "broken Protobuf"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_record_among_a_thousand_is_refused_by_itself_with_a_reason(registry, name):
    change, reason = BAD[name]
    good, _ = written_by_confluent(serializer(registry, Reading), [Reading(i=n, s="x") for n in range(999)], "t")
    decoded = decoder_of(registry).decode([*good[:500], change(good[1]), *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert decoded.data["i"].to_pylist() == list(range(999))


def test_a_schema_that_is_none_refuses_its_records(registry):
    broken = registry.register("r", "syntax = 'proto3'; mess", "PROTOBUF")
    absent = registry.register("s", 'syntax = "proto3"; import "none.proto"; message R {}', "PROTOBUF")
    decoded = decoder_of(registry).decode([frame(broken) + b"\0", frame(absent) + b"\0"])
    assert all("protoc refuses it" in reason for _, reason in decoded.refused)


@pytest.mark.parametrize("name", ["../x.proto", "/etc/x.proto"])
def test_imports_stay_within_the_schema(name):
    with pytest.raises(SchemaError, match="no name of a file"):
        compiled({name: "", "": 'syntax = "proto3";'})


def test_plain_messages_need_a_class(registry):
    one = decoder("protobuf-plain", message_type=Other)
    decoded = one.decode([Other(n=5).SerializeToString(), b"", None, b"\xff"])
    assert decoded.data.to_pydict() == {"n": [5, 0]}
    assert [i for i, _ in decoded.refused] == [2, 3]
    with pytest.raises(ConfigError, match="generated class"):
        decoder("protobuf-plain", message_type="plant.Other")
    with pytest.raises(ConfigError, match="'message_type'"):
        decoder("protobuf-plain")


whole = st.integers(-(2**31), 2**31 - 1)
messages = st.builds(
    lambda at, **fields: Reading(
        **{k: v for k, v in fields.items() if v is not None}, at=None if at is None else Other(n=at)
    ),
    d=st.floats(allow_nan=False),
    i=whole,
    l=st.integers(-(2**63), 2**63 - 1),
    b=st.booleans(),
    s=st.text(st.characters(exclude_categories=["Cs"])),
    maybe=st.none() | st.floats(allow_nan=False),
    state=st.integers(0, 3),
    list=st.lists(st.floats(allow_nan=False), max_size=3),
    at=st.none() | whole,
)


@settings(deadline=None, max_examples=40)
@given(st.lists(messages, min_size=1, max_size=10))
def test_what_comes_out_is_what_the_deserialiser_of_confluent_reads(written):
    with SchemaRegistry() as registry:
        values, _ = written_by_confluent(serializer(registry, Reading), written, "t")
        read = ProtobufDeserializer(Reading, {"use.deprecated.format": False})
        context = SerializationContext("t", MessageField.VALUE)
        decoded = decoder_of(registry).decode(values)
        assert decoded.refused == ()
        for row, value in zip(decoded.data.to_pylist(), values, strict=True):
            message = read(value, context)
            assert {k: row[k] for k in "dilbs"} == {k: getattr(message, k) for k in "dilbs"}
            assert row["maybe"] == (message.maybe if message.HasField("maybe") else None)
            assert row["at.n"] == (message.at.n if message.HasField("at") else None)
            assert row["list"] == list(message.list)
            assert row["state"] == ({0: "UP", 1: "DOWN"}.get(message.state) or str(message.state))


def test_json_within_is_json(registry):
    message = Reading()
    message.counts["é"] = 1
    values, _ = written_by_confluent(serializer(registry, Reading), [message], "t")
    assert json.loads(decoder_of(registry).decode(values).data["counts"][0].as_py()) == {"é": 1}


@pytest.mark.kafka
def test_a_registry_that_is_no_test_double_is_read_as_well(apicurio, topic_name):
    config = KafkaConfig.of("a:1", {"schema.registry.url": apicurio.url})
    with SchemaRegistryClient({"url": apicurio.url}) as client, config.registry:
        writer = ProtobufSerializer(Other, client, {"use.deprecated.format": False})
        values, _ = written_by_confluent(writer, [Other(n=1), Other(n=2)], topic_name)
        for name in ("protobuf", "auto"):
            assert decoder(name, config).decode(values).data.to_pydict() == {"n": [1, 2]}
