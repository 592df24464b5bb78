from __future__ import annotations

import datetime as dt
import json
import random
import uuid

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.errors import BrokerUnavailableError, ConfigError
from smlnb.ingest.config import KafkaConfig
from smlnb.ingest.decode import decoder
from smlnb.ingest.decoded import EMPTY, NO_FIELDS, TOMBSTONE
from smlnb.ingest.framed_decode import FramedDecoder
from smlnb.ingest.registry import frame
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import avro


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
