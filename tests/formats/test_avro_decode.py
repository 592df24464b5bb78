from __future__ import annotations

import datetime as dt
import json
import random
import uuid

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame
from smlnb.errors import BrokerUnavailableError, ConfigError
from smlnb.formats.avro_types import MAX_DEPTH
from smlnb.formats.decode import decoder
from smlnb.formats.decoded import EMPTY, NO_FIELDS, TOMBSTONE
from smlnb.formats.framed_decode import FramedDecoder
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import avro, written_by_confluent


def record(*fields):
    return {"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields]}


FLAT = record(("x", "double"), ("n", "long"), ("s", "string"))
ROW = {"x": 1.5, "n": 7, "s": "héllo"}


class Writing:
    """A registry, a decoder that reads from it, and values."""

    def __init__(self, registry):
        self.registry = registry
        self.decoder = FramedDecoder(KafkaConfig.of("a:1", registry.config))

    def values(self, schema, *rows):
        schema_id = self.registry.register(f"{uuid.uuid4()}-value", json.dumps(schema))
        return [avro(schema, row, schema_id) for row in rows]


@pytest.fixture
def writing(registry):
    return Writing(registry)


def test_plain_records_become_columns(writing):
    data = writing.decoder.decode(writing.values(FLAT, ROW, ROW)).data
    assert data.schema.types == [pa.float64(), pa.int64(), pa.string()]
    assert data.to_pylist() == [ROW, ROW]


def test_every_plain_type_and_its_nullable_forms(writing):
    plain = {"boolean": True, "int": -3, "long": 2**40, "float": 0.5, "double": 0.1, "string": "x"}
    schema = record(*((f"{t}{i}", k) for t in plain for i, k in enumerate((t, ["null", t], [t, "null"]))))
    row = {f"{t}{i}": v for t, v in plain.items() for i in range(3)}
    empty = {k: (v if k.endswith("0") else None) for k, v in row.items()}
    assert writing.decoder.decode(writing.values(schema, row, empty)).data.to_pylist() == [row, empty]


def test_types_beyond_the_plain_ones(writing):
    when = dt.datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=dt.UTC)
    schema = record(
        ("e", {"type": "enum", "name": "E", "symbols": ["up", "down"]}),
        ("t", {"type": "long", "logicalType": "timestamp-millis"}),
        ("d", {"type": "int", "logicalType": "date"}),
        ("m", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
        ("l", {"type": "array", "items": "int"}),
        ("w", {"type": "array", "items": ["null", "string"]}),
        ("o", {"type": "map", "values": "long"}),
        ("r", ["null", record(("q", "int")) | {"name": "Q"}]),
        ("u", ["null", "long", "double"]),
        ("b", "bytes"),
    )
    from decimal import Decimal

    row = {
        "e": "up",
        "t": when,
        "d": when.date(),
        "m": Decimal("12.34"),
        "l": [1, 2],
        "w": ["a", None],
        "o": {"k": 1},
        "r": {"q": 1},
        "u": 0.5,
        "b": b"\1",
    }
    decoded = writing.decoder.decode(writing.values(schema, row))
    assert decoded.refused == ()
    (found,) = decoded.data.to_pylist()
    del row["r"]
    assert found == row | {"m": 12.34, "l": [1.0, 2.0], "o": '{"k": 1}', "r.q": 1}


def test_two_writer_schemas_in_one_batch_keep_the_order_of_the_records(writing):
    first = writing.values(record(("x", "int"), ("a", "string")), *({"x": i, "a": "a"} for i in (0, 2, 4)))
    second = writing.values(record(("x", "double"), ("b", "long")), *({"x": i, "b": 9} for i in (1.5, 3.5)))
    mixed = [first[0], second[0], first[1], second[1], first[2]]
    decoded = writing.decoder.decode(mixed)
    assert decoded.data.to_pydict() == {
        "x": [0.0, 1.5, 2.0, 3.5, 4.0],
        "a": ["a", None, "a", None, "a"],
        "b": [None, 9, None, 9, None],
    }
    assert decoded.rows.tolist() == [0, 1, 2, 3, 4]


def test_a_schema_is_fetched_once(writing):
    values = writing.values(FLAT, *[ROW] * 10)
    for _ in range(5):
        writing.decoder.decode(values)
    assert writing.registry.requests == 1


def test_a_schema_that_changes_a_type_is_refused_with_a_reason(writing):
    good = writing.values(FLAT, ROW)
    changed = writing.values(record(("x", "string")), {"x": "1"})
    decoded = writing.decoder.decode([*good, *changed, *good])
    ((index, reason),) = decoded.refused
    assert index == 1
    assert "'x' is string, but has been double" in reason
    assert decoded.data.num_rows == 2


def test_whole_numbers_that_a_decimal_column_would_round_are_refused(writing):
    writing.decoder.decode(writing.values(record(("x", "double")), {"x": 0.5}))
    decoded = writing.decoder.decode(writing.values(record(("x", "long")), {"x": 1}, {"x": 2**53 + 1}, {"x": 2}))
    assert decoded.data["x"].to_pylist() == [1.0, 2.0]
    assert decoded.rows.tolist() == [0, 2]
    assert decoded.refused[0][0] == 1


BAD = {
    "tombstone": (lambda _: None, TOMBSTONE),
    "empty": (lambda _: b"", EMPTY),
    "json": (lambda _: b'{"x": 1}', "like JSON"),
    "bare frame": (lambda v: v[:5], "broken Avro"),
    "cut in the id": (lambda v: v[:3], "after 3 bytes"),
    "cut": (lambda v: v[:-1], "end within the record"),
    "longer": (lambda v: v + b"\0", "1 bytes follow"),
    "unknown schema": (lambda v: frame(4_000_000_000) + v[5:], "not in the schema registry"),
    "text that is none": (lambda v: v.replace("é".encode(), b"\xff\xff"), "broken Avro"),
    "negative length": (lambda v: v[:-7] + b"\x01", "broken Avro"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_record_among_a_thousand_is_refused_by_itself_with_a_reason(writing, name):
    change, reason = BAD[name]
    good = writing.values(FLAT, *({**ROW, "n": i} for i in range(999)))
    decoded = writing.decoder.decode([*good[:500], change(good[0]), *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert decoded.data["n"].to_pylist() == list(range(999))


def test_a_bad_record_of_a_complex_schema_is_refused_by_itself(writing):
    schema = record(("l", {"type": "array", "items": "int"}))
    good = writing.values(schema, {"l": [1]}, {"l": [2]})
    decoded = writing.decoder.decode([good[0], good[0][:-1], good[1] + b"x", good[1]])
    assert [i for i, _ in decoded.refused] == [1, 2]
    assert decoded.data["l"].to_pylist() == [[1.0], [2.0]]


def test_numbers_written_longer_than_needed_are_right(writing):
    schema = record(("n", "long"))
    (good,) = writing.values(schema, {"n": 1})
    assert writing.decoder.decode([good[:5] + b"\x82\x00", good]).data["n"].to_pylist() == [1, 1]


def test_a_record_without_fields_is_refused(writing):
    assert writing.decoder.decode(writing.values(record(), {})).refused == ((0, NO_FIELDS),)


def test_a_schema_that_is_no_record_makes_one_column(writing):
    schema_id = writing.registry.register("s", '"string"')
    decoded = writing.decoder.decode([frame(schema_id) + b"\x02a", frame(schema_id) + b"\x04a"])
    assert decoded.data.to_pydict() == {"value": ["a"]}
    assert [i for i, _ in decoded.refused] == [1]


def test_avro_without_a_registry_is_an_error_that_says_what_to_do(writing):
    values = writing.values(FLAT, ROW)
    for config in (None, KafkaConfig.of("a:1")):
        with pytest.raises(ConfigError, match=r"schema\.registry\.url"):
            decoder("auto", config).decode(values)


def test_a_registry_that_wants_a_login_gets_it():
    with SchemaRegistry(user="ann", password="planted-secret") as registry:
        writing = Writing(registry)
        assert writing.decoder.decode(writing.values(FLAT, ROW)).data.num_rows == 1


def test_a_registry_that_refuses_the_login_or_is_gone_is_an_error_without_the_secret():
    with SchemaRegistry(user="ann", password="right") as registry:
        values = Writing(registry).values(FLAT, ROW)
        keys = {"schema.registry.url": registry.url, "schema.registry.basic.auth.user.info": "ann:planted-secret"}
        with pytest.raises(BrokerUnavailableError, match="refused the login") as caught:
            FramedDecoder(KafkaConfig.of("a:1", keys)).decode(values)
        assert "planted" not in str(caught.value)
        url = registry.url
    with pytest.raises(BrokerUnavailableError, match=f"{url} does not answer"):
        FramedDecoder(KafkaConfig.of("a:1", keys)).decode(values)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "x": st.floats(allow_nan=False),
                "n": st.none() | st.integers(-(2**63), 2**63 - 1),
                "s": st.text(st.characters(exclude_categories=["Cs"])),
            }
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_comes_out_is_what_was_written(rows):
    with SchemaRegistry() as registry:
        writing = Writing(registry)
        values = writing.values(record(("x", "double"), ("n", ["null", "long"]), ("s", "string")), *rows)
        assert writing.decoder.decode(values).data.to_pylist() == rows


def test_no_corruption_of_bytes_raises_or_is_lost(writing):
    rng = random.Random(7)  # noqa: S311 - it only corrupts bytes
    schema = record(*((f"{t}{i}", k) for t in ("double", "long", "string") for i, k in enumerate((t, ["null", t]))))
    row = {"double0": 0.1, "double1": 0.2, "long0": 1, "long1": 2, "string0": "abc", "string1": "def"}
    (good,) = writing.values(schema, row)
    values = []
    for _ in range(3_000):
        body = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            body[rng.randrange(5, len(body))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        values.append(bytes(body[: rng.randint(5, len(body))]) if rng.random() < 0.3 else bytes(body))
    decoded = writing.decoder.decode([good, *values])
    assert sorted([*decoded.rows.tolist(), *(i for i, _ in decoded.refused)]) == list(range(len(values) + 1))
    assert decoded.data.slice(0, 1).to_pylist() == [row]


def test_fields_of_records_within_are_columns_by_their_path(writing):
    inner = record(("z", "int"), ("deep", record(("k", "string")) | {"name": "D"})) | {"name": "Q"}
    schema = record(("q", ["null", inner]), ("p", "Q"), ("x", "double"))
    row = {"q": None, "p": {"z": 1, "deep": {"k": "a"}}, "x": 0.5}
    decoded = writing.decoder.decode(writing.values(schema, row))
    assert decoded.data.to_pylist() == [
        {"q.z": None, "q.deep.k": None, "p.z": 1, "p.deep.k": "a", "x": 0.5},
    ]


def test_a_record_that_holds_itself_is_kept_as_text_where_it_does(writing):
    schema = record(("v", "int"), ("next", ["null", "R"]))
    row = {"v": 1, "next": {"v": 2, "next": None}}
    decoded = writing.decoder.decode(writing.values(schema, row))
    assert decoded.data.to_pylist() == [{"v": 1, "next": '{"v": 2, "next": null}'}]


def test_records_nested_deeper_than_the_limit_are_kept_as_text(writing):
    schema, row = record(("end", "int")), {"end": 1}
    for depth in range(MAX_DEPTH):
        schema, row = record(("o", schema | {"name": f"N{depth}"})), {"o": row}
    decoded = writing.decoder.decode(writing.values(schema, row))
    assert decoded.data.to_pylist() == [{".".join("o" * MAX_DEPTH): '{"end": 1}'}]


@pytest.mark.parametrize(("fields", "what"), [(20, "fields"), (0, "records within records")])
def test_a_schema_that_unfolds_without_end_is_refused(writing, fields, what):
    schema = record(*((f"a{i}", "int") for i in range(fields))) | {"name": "N0"}
    for depth in range(1, 6):
        schema = record(("f0", schema), *((f"f{i}", f"N{depth - 1}") for i in range(1, 12))) | {"name": f"N{depth}"}
    schema_id = writing.registry.register("s", json.dumps(schema))
    ((_, reason),) = writing.decoder.decode([frame(schema_id) + b"\0"]).refused
    assert f"more than 4,096 {what}" in reason


LOGICAL = {  # the type, the bytes of a value, and what comes out
    "date": ({"type": "int", "logicalType": "date"}, b"\x02", dt.date(1970, 1, 2)),
    "milliseconds": (
        {"type": "long", "logicalType": "timestamp-millis"},
        b"\x02",
        dt.datetime(1970, 1, 1, 0, 0, 0, 1000, dt.UTC),
    ),
    "microseconds": (
        {"type": "long", "logicalType": "timestamp-micros"},
        b"\x02",
        dt.datetime(1970, 1, 1, 0, 0, 0, 1, dt.UTC),
    ),
    "nanoseconds": (
        {"type": "long", "logicalType": "timestamp-nanos"},
        b"\xd0\x0f",
        dt.datetime(1970, 1, 1, 0, 0, 0, 1, dt.UTC),
    ),
    "local": (
        {"type": "long", "logicalType": "local-timestamp-micros"},
        b"\x02",
        dt.datetime(1970, 1, 1, microsecond=1, tzinfo=dt.UTC).replace(tzinfo=None),
    ),
    "time": ({"type": "int", "logicalType": "time-millis"}, b"\x02", dt.time(0, 0, 0, 1000)),
    "time in microseconds": ({"type": "long", "logicalType": "time-micros"}, b"\x02", dt.time(0, 0, 0, 1)),
    "decimal": ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b"\x02\x9c", -1.0),
    "fixed decimal": (
        {"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 4, "scale": 1},
        b"\x00\x0f",
        1.5,
    ),
    "uuid": (
        {"type": "string", "logicalType": "uuid"},
        b"\x48" + b"00010203-0405-0607-0809-0a0b0c0d0e0f",
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
    ),
    "fixed uuid": (
        {"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"},
        bytes(range(16)),
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
    ),
    "duration": (
        {"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"},
        b"\1\0\0\0\2\0\0\0\xbc\x0b\0\0",
        "P1M2DT3.004S",
    ),
    "unknown": ({"type": "long", "logicalType": "light-years"}, b"\x02", 1),
    "misplaced": ({"type": "string", "logicalType": "date"}, b"\x02a", "a"),
    "enum": ({"type": "enum", "name": "E", "symbols": ["up", "down"]}, b"\x02", "down"),
    "fixed": ({"type": "fixed", "name": "F", "size": 2}, b"ab", b"ab"),
    "array of decimals": (
        {"type": "array", "items": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
        b"\x02\x02\x64\x00",
        [1.0],
    ),
    "array of enums": (
        {"type": "array", "items": {"type": "enum", "name": "E", "symbols": ["up", "down"]}},
        b"\x02\x02\x00",
        ["down"],
    ),
    "union of numbers": (["null", "int", "double"], b"\x02\x04", 2.0),
    "union of whole numbers": (["int", "long"], b"\x02\x04", 2),
    "union of number and decimal": (
        ["double", {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}],
        b"\x02\x02\x64",
        1.0,
    ),
    "union of text and enum": (["string", {"type": "enum", "name": "E", "symbols": ["up"]}], b"\x02\x00", "up"),
    "union of others": (["string", "int"], b"\x02\x04", "2"),
}


@pytest.mark.parametrize("name", LOGICAL)
@pytest.mark.parametrize("beside", ["double", {"type": "array", "items": "int"}], ids=["flat", "not flat"])
def test_every_logical_type_becomes_what_it_means(writing, name, beside):
    kind, body, expected = LOGICAL[name]
    schema = record(("v", kind), ("beside", beside))
    schema_id = writing.registry.register("s", json.dumps(schema))
    end = bytes(8) if beside == "double" else b"\0"
    decoded = writing.decoder.decode([frame(schema_id) + body + end, frame(schema_id) + body])
    assert decoded.data["v"].to_pylist() == [expected]
    assert [i for i, _ in decoded.refused] == [1]


def test_a_date_beyond_all_calendars_is_refused_by_itself(writing):
    schema = record(("t", {"type": "long", "logicalType": "timestamp-millis"}))
    schema_id = writing.registry.register("s", json.dumps(schema))
    far = avro(record(("t", "long")), {"t": 2**62}, schema_id)
    near = avro(record(("t", "long")), {"t": 0}, schema_id)
    decoded = writing.decoder.decode([near, far, near])
    assert [i for i, _ in decoded.refused] == [1]
    assert decoded.data.num_rows == 2


def test_a_field_that_is_renamed_with_an_alias_stays_one_column(writing):
    old = record(("temp", "double"))
    new = record(("temperature", "double"), ("y", "int"))
    new["fields"][0]["aliases"] = ["temp"]
    first = writing.values(old, {"temp": 1.0})
    later = writing.values(new, {"temperature": 2.0, "y": 1})
    writing.decoder.decode(first)
    assert writing.decoder.decode([*later, *first]).data.to_pydict() == {"temp": [2.0, 1.0], "y": [1, None]}
    config = KafkaConfig.of("a:1", writing.registry.config)
    again = decoder("avro", config, known=["temp"])  # after a restart
    assert again.decode(later).data.to_pydict() == {"temp": [2.0], "y": [1]}
    assert decoder("avro", config).decode(later).data.schema.names == ["temperature", "y"]


def test_an_alias_does_not_hide_a_field_of_that_name(writing):
    new = record(("b", "int"), ("a", "int"))
    new["fields"][0]["aliases"] = ["a"]
    writing.decoder.decode(writing.values(record(("a", "int")), {"a": 1}))
    assert writing.decoder.decode(writing.values(new, {"b": 2, "a": 3})).data.to_pydict() == {"a": [3], "b": [2]}


def test_fields_added_removed_and_widened_mid_stream_need_no_restart(writing):
    steps = [
        (record(("x", "int"), ("y", "int")), {"x": 1, "y": 1}),
        (record(("x", "int"), ("y", "int"), ("z", "string")), {"x": 2, "y": 2, "z": "a"}),
        (record(("x", "double"), ("z", "string")), {"x": 2.5, "z": "b"}),
        (record(("x", "string"), ("z", "string")), {"x": "text", "z": "c"}),
        (record(("x", ["null", "long"])), {"x": None}),
    ]
    values = [v for schema, row in steps for v in writing.values(schema, row)]
    decoded = writing.decoder.decode(values)
    assert decoded.data.to_pydict() == {
        "x": [1.0, 2.0, 2.5, None],
        "y": [1, 2, None, None],
        "z": [None, "a", "b", None],
    }
    assert decoded.refused == ((3, "'x' is string, but has been double before"),)


def test_records_are_translated_to_a_schema_that_is_given(writing):
    wanted = record(("temperature", "double"), ("unit", "string"))
    wanted["fields"][0]["aliases"] = ["temp"]
    wanted["fields"][1]["default"] = "K"
    values = writing.values(record(("temp", "int"), ("other", "string")), {"temp": 1, "other": "a"})
    strange = writing.values(record(("temp", "string")), {"temp": "x"})
    one = decoder("avro", KafkaConfig.of("a:1", writing.registry.config), schema=json.dumps(wanted))
    decoded = one.decode([*values, *strange])
    assert decoded.data.to_pylist() == [{"temperature": 1.0, "unit": "K"}]
    assert decoded.refused[0][0] == 1


def test_plain_avro_is_read_with_the_schema_that_is_given():
    one = decoder("avro-plain", schema=json.dumps(FLAT))
    good = avro(FLAT, ROW, 1)[5:]
    decoded = one.decode([good, None, b"", good[:-1], good, b"Obj\x01\x02"])
    assert decoded.data.to_pylist() == [ROW, ROW]
    assert [i for i, _ in decoded.refused] == [1, 2, 3, 5]
    assert "container file" in decoded.refused[-1][1]
    with pytest.raises(ConfigError, match="no Avro schema"):
        decoder("avro-plain", schema='{"type": "recorded"}')
    with pytest.raises(ConfigError, match="'schema'"):
        decoder("avro-plain")


simple = {
    "double": st.floats(allow_nan=False),
    "long": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=5),
}
INNER = record(*((f"n{i}", ["null", t]) for i, t in enumerate(simple))) | {"name": "Q"}
RICH = record(
    *((t, t) for t in simple),
    ("q", ["null", INNER]),
    ("l", {"type": "array", "items": "double"}),
    ("m", {"type": "map", "values": "long"}),
)
rich = st.fixed_dictionaries(
    {
        **simple,
        "q": st.none() | st.fixed_dictionaries({f"n{i}": st.none() | v for i, v in enumerate(simple.values())}),
        "l": st.lists(st.floats(allow_nan=False), max_size=3),
        "m": st.dictionaries(st.text("ab"), st.integers(0, 9), max_size=2),
    }
)


@settings(deadline=None, max_examples=40)
@given(st.lists(rich, min_size=1, max_size=8))
def test_what_comes_out_is_what_the_deserialiser_of_confluent_reads(rows):
    with SchemaRegistry() as registry:
        client = SchemaRegistryClient(registry.client_config)
        values, _ = written_by_confluent(AvroSerializer(client, json.dumps(RICH)), rows, "t")
        read, context = AvroDeserializer(client), SerializationContext("t", MessageField.VALUE)
        decoded = Writing(registry).decoder.decode(values)
        assert decoded.refused == ()
        for found, value in zip(decoded.data.to_pylist(), values, strict=True):
            expected = read(value, context)
            inner = expected.pop("q") or dict.fromkeys(f"n{i}" for i in range(len(simple)))
            expected |= {f"q.{k}": v for k, v in inner.items()}
            assert json.loads(found.pop("m")) == expected.pop("m")
            assert found == expected
