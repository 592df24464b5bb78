"""Flat Avro: whole batches, exactly what was written, or nothing."""

from __future__ import annotations

import io

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.avro_flat import FlatAvro
from tests.stats.laws import law_settings

WHOLE = st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)
TYPES = {
    "boolean": (pa.bool_(), st.booleans()),
    "int": (pa.int64(), st.integers(-(2**31), 2**31 - 1) | st.integers(-200, 200)),
    "long": (pa.int64(), WHOLE),
    "float": (pa.float64(), st.floats(width=32, allow_nan=False)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "string": (pa.string(), st.text(max_size=80)),
}
FRAME = b"\0\0\0\1\7"


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
    flat = FlatAvro.of(schema, pa.schema(columns))
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
    assert flat.decode([FRAME + body for body in bodies], FRAME).to_pylist() == records


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


@pytest.mark.parametrize("value", [None, b"", FRAME, FRAME[:3], bytes([1, *range(16)])])
def test_nothing_comes_of_a_batch_with_a_value_that_holds_no_record(value):
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}]})
    flat = FlatAvro.of(schema, pa.schema([("x", pa.int64())]))
    assert flat.decode([FRAME + b"\2", value], FRAME) is None


def test_a_whole_number_written_in_more_bytes_than_it_needs_is_left_to_others():
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": "long"}]})
    flat = FlatAvro.of(schema, pa.schema([("x", pa.int64())]))
    assert flat.decode([b"\x82\x00"]) is None


def test_a_schema_with_other_fields_is_left_to_others():
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": [{"name": "x", "type": "bytes"}]})
    assert FlatAvro.of(schema, pa.schema([("x", pa.binary())])) is None
    assert FlatAvro.of("long", pa.schema([("value", pa.int64())])) is None
