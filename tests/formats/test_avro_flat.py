"""Flat Avro: whole batches, exactly what was written, or nothing."""

from __future__ import annotations

import io

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.avro_flat import FlatAvro
from smlnb.formats.payloads import Payloads
from smlnb.native import AVAILABLE
from tests.stats.laws import law_settings

WHOLE = st.integers(-(2**62), 2**62 - 1) | st.integers(-200, 200)  # beyond, pyruhvro's may be left to others
TYPES = {
    "boolean": (pa.bool_(), st.booleans()),
    "int": (pa.int64(), st.integers(-(2**31), 2**31 - 1) | st.integers(-200, 200)),
    "long": (pa.int64(), WHOLE),
    "float": (pa.float64(), st.floats(width=32, allow_nan=False)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "string": (pa.string(), st.text(max_size=80)),
}
FRAME = b"\0\0\0\1\7"
WAYS = [False, True] if AVAILABLE else [False]
either_way = pytest.mark.parametrize("compiled", WAYS, ids=["compiled" if way else "pyruhvro" for way in WAYS])
LONG = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}]})
LONGS = pa.schema([("x", pa.int64())])


@st.composite
def batches(draw):
    """Draw a schema of plain fields, its columns, and some records as they were and as they are written."""
    kinds = draw(
        st.lists(st.tuples(st.sampled_from(sorted(TYPES)), st.sampled_from(["", "before", "after"])), min_size=1)
    )
    fields, strategies, columns = [], {}, []
    for i, (kind, null) in enumerate(kinds):
        arrow, values = TYPES[kind]
        fields.append({"name": f"f{i}", "type": {"": kind, "before": ["null", kind], "after": [kind, "null"]}[null]})
        strategies[f"f{i}"] = values | st.none() if null else values
        columns.append((f"f{i}", arrow))
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": fields})
    records = draw(st.lists(st.fixed_dictionaries(strategies), min_size=1, max_size=20))
    flat = FlatAvro.of(schema, {}, pa.schema(columns), compiled=draw(st.sampled_from(WAYS)))
    return flat, records, [encoded(schema, record) for record in records]


def encoded(schema, record):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


@law_settings
@given(batches())
def test_what_was_written_is_read_with_and_without_frames(drawn):
    flat, records, bodies = drawn
    assert flat.decode(bodies).to_pylist() == records
    framed = [FRAME + body for body in bodies]
    assert flat.decode(framed, FRAME).to_pylist() == records
    assert flat.decode(Payloads.of(framed), FRAME).to_pylist() == records


@law_settings
@given(batches(), st.data())
def test_nothing_comes_of_a_batch_in_which_one_record_is_cut_or_followed_by_anything(drawn, data):
    flat, _, bodies = drawn
    at = data.draw(st.integers(0, len(bodies) - 1))
    for damaged in (bodies[at] + data.draw(st.binary(min_size=1, max_size=3)), bodies[at][:-1]):
        batch = [*bodies[:at], damaged, *bodies[at + 1 :]]
        assert flat.decode(batch) is None
        assert flat.decode([FRAME + body for body in batch], FRAME) is None


@law_settings
@given(batches(), st.data())
def test_nothing_comes_of_a_batch_with_two_frames(drawn, data):
    flat, _, bodies = drawn
    at = data.draw(st.integers(0, len(bodies) - 1))
    other = data.draw(st.binary(min_size=5, max_size=5).filter(lambda frame: frame != FRAME))
    values = [(other if i == at else FRAME) + body for i, body in enumerate(bodies)]
    assert flat.decode(values, FRAME) is None


@either_way
@pytest.mark.parametrize("value", [None, b"", FRAME, FRAME[:3], bytes([1, *range(16)])])
def test_nothing_comes_of_a_batch_with_a_value_that_holds_no_record(value, compiled):
    flat = FlatAvro.of(LONG, {}, LONGS, compiled=compiled)
    for values in ([FRAME + b"\2", value], Payloads.of([FRAME + b"\2", value])):
        assert flat.decode(values, FRAME) is None


@either_way
@pytest.mark.parametrize("body", [b"\x82\x00", b"\x80" * 9 + b"\x03", b"\x80" * 10 + b"\x01"])
def test_a_whole_number_in_more_bytes_than_it_needs_or_of_more_bits_than_there_are_is_left_to_others(body, compiled):
    assert FlatAvro.of(LONG, {}, LONGS, compiled=compiled).decode([body]) is None


@either_way
def test_numbers_that_take_as_many_bytes_as_there_can_be_are_read(compiled):
    numbers = [2**62, -(2**62) - 1, 2**63 - 1, -(2**63)]
    bodies = [encoded(LONG, {"x": n}) for n in numbers]
    assert FlatAvro.of(LONG, {}, LONGS, compiled=compiled).decode(bodies)["x"].to_pylist() == numbers


@either_way
def test_a_number_that_an_int_could_not_hold_is_what_was_written(compiled):
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": "int"}]})
    found = FlatAvro.of(schema, {}, LONGS, compiled=compiled).decode(
        [encoded(LONG, {"x": n}) for n in (2**31, -(2**40))]
    )
    assert found["x"].to_pylist() == [2**31, -(2**40)]


@either_way
def test_a_date_that_an_int_could_not_hold_is_left_to_others(compiled):
    kind = {"type": "int", "logicalType": "date"}
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]})
    flat = FlatAvro.of(schema, {}, pa.schema([("x", pa.date32())]), compiled=compiled)
    assert flat.decode([encoded(LONG, {"x": 2**31 - 1})]).num_rows == 1
    assert flat.decode([encoded(LONG, {"x": 2**31})]) is None


@either_way
def test_text_that_is_none_is_left_to_others(compiled):
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": "string"}]})
    flat = FlatAvro.of(schema, {}, pa.schema([("x", pa.string())]), compiled=compiled)
    whole, cut = "\N{EURO SIGN}".encode(), b"\xe2\x82"
    assert flat.decode([b"\x06" + whole, b"\x00"])["x"].to_pylist() == ["\N{EURO SIGN}", ""]
    assert flat.decode([b"\x04" + cut, b"\x02" + whole[2:]]) is None  # UTF-8 only if it were one text


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        "null",
        ["null", "long", "string"],
        ["long", "string"],
        ["long"],
        {"type": "array", "items": "long"},
        {"type": "bytes", "logicalType": "decimal", "precision": 400, "scale": 399},
    ],
    ids=str,
)
def test_a_schema_with_other_fields_is_left_to_others(kind, compiled):
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]})
    assert FlatAvro.of(schema, {}, LONGS, compiled=compiled) is None
    assert FlatAvro.of("long", {}, pa.schema([("value", pa.int64())]), compiled=compiled) is None


@pytest.mark.parametrize(
    "kind", ["bytes", {"type": "int", "logicalType": "time-millis"}, {"type": "enum", "name": "e", "symbols": ["a"]}]
)
def test_fields_that_are_not_plain_are_read_by_compiled_code_alone(kind):
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]})
    assert FlatAvro.of(schema, {}, LONGS, compiled=False) is None
    assert (FlatAvro.of(schema, {}, LONGS) is not None) == AVAILABLE
