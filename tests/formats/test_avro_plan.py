"""The plan of a schema has a field for each column, in the order of the columns, or there is none."""

from __future__ import annotations

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.avro_plan import flat_fields, nested_fields
from smlnb.formats.avro_types import MAX_DEPTH, leaves_of
from tests.native.avro_schemas import Schemas
from tests.stats.laws import law_settings

ENUM = {"type": "enum", "name": "E", "symbols": ["a", "b"]}


def record(name, *kinds):
    return {"type": "record", "name": name, "fields": [{"name": f"f{i}", "type": kind} for i, kind in enumerate(kinds)]}


def planned(schema):
    """Return the plan of a schema, and its columns."""
    named = {}
    parsed = fastavro.parse_schema(schema, named)
    return nested_fields(parsed, named), leaves_of(parsed, named)


@law_settings
@given(st.randoms(use_true_random=False))
def test_there_is_a_field_for_each_column_and_a_record_says_how_many_are_within(rng):
    schema, _, _ = Schemas(rng).record()
    fields, leaves = planned(schema)
    assert len([f for f in fields if f.kind != "record"]) == len(leaves)
    for i, field in enumerate(fields):
        if field.kind == "record":
            inside = fields[i + 1 : i + 1 + field.size]
            assert len(inside) == field.size
            assert all(f.within for f in inside)
    around = [any(f.kind == "record" and i <= j + f.size for j, f in enumerate(fields[:i])) for i in range(len(fields))]
    assert [f.within for f in fields] == around


def test_plain_fields_make_a_flat_plan_and_others_do_not():
    plain = record("R", "int", ["null", "string"], {"type": "int", "logicalType": "date"}, ["double", "null"])
    assert [(f.kind, f.null) for f in flat_fields(plain)] == [
        ("long", None),
        ("string", 0),
        ("long", None),
        ("double", 1),
    ]
    for kind in (ENUM, "bytes", record("Q", "int"), {"type": "int", "logicalType": "time-millis"}):
        assert flat_fields(record("R", kind)) is None


UNPLANNED = {
    "an array": {"type": "array", "items": "int"},
    "a map": {"type": "map", "values": "int"},
    "null": "null",
    "a union of several": ["null", "int", "string"],
    "a union of one": ["int"],
    "a union of a record alone": [record("Q", "int")],
    "a record that holds itself": record("Q", "int", ["null", "Q"]),
    "an array in a record": record("Q", {"type": "array", "items": "int"}),
    "fixed bytes of less than none": {"type": "fixed", "name": "F", "size": -1},
    "a UUID of other than 16 bytes": {"type": "fixed", "name": "F", "size": 15, "logicalType": "uuid"},
    "a duration of other than 12 bytes": {"type": "fixed", "name": "F", "size": 16, "logicalType": "duration"},
    "a decimal number without a precision": {"type": "bytes", "logicalType": "decimal"},
    "a decimal number that no float can hold": {"type": "bytes", "logicalType": "decimal", "precision": 310},
    "a type with the name of another": {"type": "enum", "name": "long", "symbols": ["a"]},
}


@pytest.mark.parametrize("name", UNPLANNED)
def test_a_schema_with_a_field_of_another_kind_has_no_plan(name):
    assert planned(record("R", "int", UNPLANNED[name]))[0] is None


@pytest.mark.parametrize(("depth", "there"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_records_are_unfolded_as_deep_as_there_are_columns(depth, there):
    schema = "int"
    for i in range(depth):
        schema = record(f"N{i}", schema)
    fields, leaves = planned(schema)
    assert (fields is not None) == there
    assert len(leaves) == 1


def test_two_fields_of_one_name_have_no_plan():
    schema = record("R", ENUM, "int")
    schema["fields"][1]["name"] = "f0"
    assert planned(schema)[0] is None


def test_what_is_no_record_has_no_plan():
    assert nested_fields("long", {}) is None
    assert nested_fields(ENUM, {}) is None
