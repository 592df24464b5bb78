"""The compiled reader of Avro takes what pyruhvro takes, and makes the same of it, bit by bit; nothing else."""

from __future__ import annotations

import datetime as dt
import doctest
import io
import json
import random

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.avro_decode import AvroWriter
from smlnb.formats.avro_flat import FlatAvro
from smlnb.formats.payloads import Payloads
from tests.stats.laws import law_settings

native = pytest.importorskip("smlnb.native.avro", reason="smlnb was installed without a compiler")

WHOLE = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-200, 200)
    | st.sampled_from([s * 2**b for b in range(63) for s in (1, -1)])
)
MOMENT = st.integers(-(10**13), 10**13).map(
    lambda ms: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
)
TYPES = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1) | st.integers(-200, 200),
    "long": WHOLE,
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(max_size=80),
    "date": st.dates(),
    "timestamp-millis": MOMENT,
    "timestamp-micros": MOMENT,
    "local-timestamp-millis": MOMENT.map(lambda t: t.replace(tzinfo=None)),
    "uuid": st.uuids(),
}
CARRIERS = {"date": "int", "uuid": "string"}
FRAME = b"\0\0\0\1\7"
MUTATIONS = 12_000
NONE = np.zeros(1, np.int64)  # the size of a field that has none of its own


def carried(name):
    """Return the type as a schema has it."""
    if name not in TYPES or name in {"boolean", "int", "long", "float", "double", "string"}:
        return name
    return {"type": CARRIERS.get(name, "long"), "logicalType": name}


def schema_of(kinds):
    """Return a schema of fields ``f0``, ``f1`` and so on, each with a type and the place of null in its union."""
    types = [{None: carried(k), 0: ["null", carried(k)], 1: [carried(k), "null"]}[null] for k, null in kinds]
    return {"type": "record", "name": "r", "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types)]}


def encoded(schema, records):
    parsed = fastavro.parse_schema(schema)
    streams = [io.BytesIO() for _ in records]
    for stream, record in zip(streams, records, strict=True):
        fastavro.schemaless_writer(stream, parsed, record)
    return [s.getvalue() for s in streams]


def both(schema):
    """Return what decodes a schema with the compiled reader and without, one by one if need be."""
    ways = AvroWriter(json.dumps(schema)), AvroWriter(json.dumps(schema))
    for writer, compiled in zip(ways, (True, False), strict=True):
        writer._flat = FlatAvro.of(writer._schema, {}, writer._arrow, compiled=compiled)
    return ways


def check(compiled, plain, values):
    """Check that the compiled reader takes the values if the other does, and makes the same of them."""
    found = compiled._flat.decode(values)
    if found is None:
        assert plain._flat.decode(values) is None, values
        return False
    expected, refused = plain.decode(list(values))  # with slower code for what could be a number of too many bits
    assert not refused, values
    assert bits(found) == bits(expected), values
    return True


def bits(batch):
    """Return what tells any two different batches apart; NaN is not what equals it, but has the same bits."""
    if batch is None:
        return None
    columns = [c.view(pa.int64()) if pa.types.is_floating(c.type) else c for c in batch.columns]
    return batch.schema, [(c.is_null().to_pylist(), c.drop_null().cast(raw(c.type)).to_pylist()) for c in columns]


def raw(kind):
    """Return a type whose values Python can hold, whatever they are."""
    return {pa.date32(): pa.int32()}.get(kind, pa.int64() if pa.types.is_timestamp(kind) else kind)


@st.composite
def batches(draw):
    """Draw a schema and some values of it, each with a frame."""
    kinds = draw(
        st.lists(st.tuples(st.sampled_from(sorted(TYPES)), st.sampled_from([None, 0, 1])), min_size=1, max_size=6)
    )
    rows = st.tuples(*(TYPES[k] if null is None else TYPES[k] | st.none() for k, null in kinds))
    records = [{f"f{i}": v for i, v in enumerate(row)} for row in draw(st.lists(rows, min_size=1, max_size=12))]
    schema = schema_of(kinds)
    return schema, encoded(schema, records)


def test_the_example_in_the_documentation_runs():
    assert doctest.testmod(native).attempted > 0
    assert doctest.testmod(native).failed == 0


@law_settings
@given(batches(), st.integers(0, 3))
def test_both_readers_make_the_same_columns_of_what_was_written(drawn, cut):
    schema, bodies = drawn
    compiled, plain = both(schema)
    values = Payloads.of([b"other", *[FRAME + b for b in bodies]])[1:][cut:]
    found = compiled._flat.decode(values, FRAME)
    found.validate(full=True)
    assert bits(found) == bits(compiled._flat.decode(bodies[cut:]))
    assert bits(found) == bits(plain.decode(bodies[cut:])[0])
    assert bits(found) == bits(plain._one_by_one(bodies[cut:])[0])


@law_settings
@given(batches(), st.lists(st.integers(0, 2_000), min_size=1, max_size=9))
def test_both_readers_take_and_refuse_the_same_pieces_of_any_bytes(drawn, cuts):
    schema, bodies = drawn
    compiled, plain = both(schema)
    data = np.frombuffer(b"".join(bodies), np.uint8)
    bounds = np.cumsum([0, *map(len, bodies)])
    for cut in cuts:
        bounds[cut % len(bounds)] = cut % (len(data) + 1)
    pieces = Payloads(data, np.sort(bounds))
    check(compiled, plain, pieces)


def mutated(rng, body):
    """Change bytes, cut them off, put some in, or exchange them."""
    text = bytearray(body)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text)) if text else 0
        match rng.randrange(5):
            case 0 if text:
                text[at] = rng.choice([0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            case 1 if text:
                text[at] ^= 1 << rng.randrange(8)
            case 2:
                del text[at : at + rng.randint(1, 4)]
            case 3:
                text[at:at] = rng.choice([b"\0", b"\2", b"\x80", b"\x80\0", b"\xff" * 9 + b"\1", rng.randbytes(2)])
            case 4 if text:
                other = rng.randrange(len(text))
                text[at], text[other] = text[other], text[at]
    return bytes(text)


def test_no_change_of_bytes_makes_one_reader_take_what_the_other_refuses_or_give_another_value():
    rng = random.Random(11)  # noqa: S311 - it only corrupts bytes
    plain_kinds = [("boolean", None), ("long", None), ("double", None), ("string", None), ("int", 0), ("float", 1)]
    taken = 0
    for kinds in (
        plain_kinds,
        [(k, 0) for k, _ in plain_kinds],
        [(k, i % 2) for i, k in enumerate(sorted(TYPES))],
        [("long", None)] * 4,
    ):
        schema = schema_of(kinds)
        compiled, plain = both(schema)
        bodies = [b"".join(rng.choice(fields) for fields in map(samples, kinds)) for _ in range(50)]
        assert compiled._flat.decode(bodies) is not None
        values = [mutated(rng, rng.choice(bodies)) for _ in range(MUTATIONS // 4)]
        for value in values:
            taken += check(compiled, plain, [value])
    assert MUTATIONS / 20 < taken < MUTATIONS * 19 / 20


def samples(kind):
    """Return values of a field as they are written."""
    name, null = kind
    plain = {
        "boolean": [b"\0", b"\1"],
        "float": [b"\0\0\x80?", b"\1\0\x80\x7f"],
        "double": [b"\0" * 8, b"\1\0\0\0\0\0\xf0\x7f", b"abcdefgh"],
        "string": [b"\0", b"\2a", b"\x06\xe2\x82\xac", b"\x80\1" + b"x" * 64],
        "uuid": [b"\x48" + b"0" * 36],
    }
    whole = [b"\0", b"\x54", b"\x82\1", b"\xff\xff\3", b"\x80\x80\x80\x80\x08", b"\xff" * 4 + b"\x0f"]
    long = [b"\x80" * 8 + b"\1", b"\xff" * 9 + b"\1", b"\x80" * 7 + b"\1", b"\xff" * 6 + b"\1"]
    found = plain.get(name, whole + long if name == "long" else whole)
    return found if null is None else [*(bytes([2 - 2 * null]) + f for f in found), bytes([2 * null])]


def test_all_changed_bytes_in_one_batch_are_refused_for_the_same_reasons():
    rng = random.Random(12)  # noqa: S311 - it only corrupts bytes
    kinds = [("long", 0), ("string", None), ("double", 1), ("boolean", None), ("int", None)]
    compiled, plain = both(schema_of(kinds))
    bodies = [b"".join(rng.choice(fields) for fields in map(samples, kinds)) for _ in range(1_500)]
    bodies = [mutated(rng, b) if rng.random() < 0.3 else b for b in bodies]
    found, refused = compiled.decode(bodies)
    expected, reasons = plain.decode(bodies)
    assert refused == reasons
    assert len(refused) > 100
    assert bits(found) == bits(expected)


REFUSED = {
    "no bytes": (b"l", b""),
    "bytes that end in a number": (b"l", b"\x80"),
    "a number longer than it need be": (b"l", b"\x82\0"),
    "a number longer than it need be, of 9 bytes": (b"l", b"\x80" * 8 + b"\0"),
    "a number of 65 bits": (b"l", b"\x80" * 9 + b"\2"),
    "a number of 11 bytes": (b"l", b"\x80" * 10 + b"\1"),
    "a boolean of 2": (b"b", b"\2"),
    "a float of 3 bytes": (b"f", b"abc"),
    "a double of 7 bytes": (b"d", b"abcdefg"),
    "a length below 0": (b"s", b"\1"),
    "a length beyond the end": (b"s", b"\4a"),
    "a length of 2 ** 62": (b"s", b"\x80" * 8 + b"\x80\1"),
    "bytes that follow": (b"l", b"\2\2"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("after", [b"", b"\0" * 16], ids=["at the end", "with bytes of others behind"])
def test_what_is_no_record_is_refused(name, after):
    kinds, record = REFUSED[name]
    data = np.frombuffer(record + after, np.uint8)
    assert native.decode(data, np.array([0, len(record)]), b"", kinds, b"\2", NONE) is None


@pytest.mark.parametrize("branch", [1, 3, 4, 0x80, 0xFF])
def test_a_branch_that_there_is_not_is_refused(branch):
    data = np.array([branch, 2, 2], np.uint8)
    for stop in (1, 2, 3):
        assert native.decode(data, np.array([0, stop]), b"", b"l", b"\0", NONE) is None


def test_every_size_of_a_number_is_read_wherever_it_stands():
    numbers = [s * (2**b + d) for b in range(63) for d in (-1, 0) for s in (1, -1)] + [2**63 - 1, -(2**63)]
    bodies = encoded(schema_of([("long", None)]), [{"f0": n} for n in numbers])
    for end in (b"", b"\xff" * 9):
        packed = Payloads.of([*bodies, end])[: len(bodies)]
        ((values, valid),) = native.decode(packed.data, packed.bounds, b"", b"l", b"\2", NONE)
        assert values.tolist() == numbers
        assert valid is None


@pytest.mark.parametrize("bounds", [[], [0, 3], [-1, 2], [2, 1]])
def test_bounds_outside_the_data_are_an_error(bounds):
    with pytest.raises(ValueError, match="bounds"):
        native.decode(np.zeros(2, np.uint8), np.array(bounds, np.int64), b"", b"l", b"\2", NONE)


def test_bounds_that_do_not_ascend_are_refused():
    data = np.zeros(4, np.uint8)
    assert native.decode(data, np.array([0, 9, 1]), b"", b"l", b"\2", NONE) is None
    assert native.decode(data, np.array([0, -9, 1]), b"", b"l", b"\2", NONE) is None
    assert native.decode(data, np.array([1, 0, 1]), b"", b"l", b"\2", NONE) is None


@pytest.mark.parametrize(("kinds", "nulls"), [(b"z", b"\2"), (b"l", b""), (b"l", b"\4")])
def test_a_plan_that_is_none_is_an_error(kinds, nulls):
    with pytest.raises(ValueError, match="plan"):
        native.decode(np.zeros(1, np.uint8), np.array([0, 1]), b"", kinds, nulls, NONE)


def test_no_records_make_empty_columns():
    columns = native.decode(np.zeros(0, np.uint8), np.zeros(1, np.int64), FRAME, b"ls", b"\2\0", np.zeros(2, np.int64))
    assert columns[0][0].tolist() == []
    assert [part.tolist() for part in columns[1][0]] == [[0], []]
