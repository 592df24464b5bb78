"""A topic whose schema changes while a feed learns it: what is learned, missing, refused, and said."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Consumer, TopicPartition

from smlnb import Project, connect
from smlnb.shards.shard import BLOCK
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import avro, produce
from tests.waiting import eventually

ROWS = 400  # of each writer


def schema(*fields):
    return {"type": "record", "name": "Reading", "fields": [f if isinstance(f, dict) else field(f) for f in fields]}


def field(name, kind="double", **more):
    return {"name": name, "type": kind, **more}


class Live:
    """A feed that runs while one writer after another writes to its topic."""

    def __init__(self, broker, topic, kind, registry, **options):
        self.broker, self.topic, self.kind, self.registry = broker, topic, kind, registry
        self.project = Project("p", **options)
        self.written = 0
        config = registry.config if kind == "avro" else None
        where = {"bootstrap_servers": broker.bootstrap_servers, "config": config, "format": kind}
        self.connect = lambda: connect(self.project, topic, on_malformed="dead_letter", batch_rows=150, **where)
        self.feed = self.connect()

    def write(self, writer, records):
        """Write records by a schema, and wait until the feed has dealt with them; return what it was counted as."""
        before = self.project.counts
        if self.kind == "json":
            values = [json.dumps(record).encode() for record in records]
        else:
            number = self.registry.register(f"{self.topic}-value", json.dumps(writer))
            values = [avro(writer, record, number) for record in records]
        produce(self.broker, self.topic, values)
        self.written += len(values)
        eventually(lambda: self.feed.error or sum(self.project.positions.values()) == self.written, 30, "all of it")
        assert self.feed.error is None
        assert self.feed.state == "running"
        after = self.project.counts
        return after.learned - before.learned, after.refused - before.refused

    def letters(self, count):
        """Return the dead letters: the value and the reason of each."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap_servers, "group.id": "x", "log_level": 0})
        consumer.assign([TopicPartition(f"{self.topic}-dlq", 0, 0)])
        found = []
        eventually(lambda: found.extend(consumer.consume(100, 0.2)) or len(found) >= count, 30, f"{count} letters")
        consumer.close()
        return [(m.value(), dict(m.headers())["smlnb.reason"].decode()) for m in found]

    def column(self, name):
        return self.project.univariate().loc[name]


@pytest.fixture(params=["json", "avro"])
def live(request, kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 1)
    made = []
    with SchemaRegistry() as registry:

        def begin(**options):
            made.append(Live(kafka, topic_name, request.param, registry, **options))
            return made[-1]

        yield begin
        for one in made:
            one.feed.stop()


pytestmark = pytest.mark.kafka


def test_a_field_that_is_added_becomes_an_attribute_that_is_missing_before(live):
    one = live()
    assert one.write(schema("x"), [{"x": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.write(schema("x", "z"), [{"x": i, "z": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.project.schema.names == ("x", "z")
    assert one.column("z")[["count", "missing", "max"]].tolist() == [ROWS, ROWS, ROWS - 1]
    assert one.column("x")[["count", "missing"]].tolist() == [2 * ROWS, 0]


def test_a_field_that_is_added_with_a_default_is_missing_in_the_records_written_without_it(live):
    one = live()
    assert one.write(schema("x"), [{"x": i} for i in range(ROWS)]) == (ROWS, 0)
    new = schema("x", field("z", ["null", "double"], default=None))
    assert one.write(new, [{"x": i, "z": None if i % 2 else i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.write(schema("x"), [{"x": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.column("z")[["count", "missing"]].tolist() == [ROWS / 2, 2.5 * ROWS]


def test_a_field_that_is_removed_is_missing_from_then_on(live):
    one = live()
    assert one.write(schema("x", "z"), [{"x": i, "z": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.write(schema("x"), [{"x": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.column("z")[["count", "missing"]].tolist() == [ROWS, ROWS]
    assert one.column("x")["count"] == 2 * ROWS


def test_a_field_that_is_renamed_goes_on_by_its_alias_or_in_json_becomes_a_new_one(live):
    one = live()
    assert one.write(schema("x", "kind"), [{"x": i, "kind": i} for i in range(ROWS)]) == (ROWS, 0)
    new = schema(field("reading", aliases=["x"]), "kind")
    assert one.write(new, [{"reading": ROWS + i, "kind": i} for i in range(ROWS)]) == (ROWS, 0)
    if one.kind == "avro":
        assert one.project.schema.names == ("x", "kind")
        assert one.column("x")[["count", "missing", "max"]].tolist() == [2 * ROWS, 0, 2 * ROWS - 1]
    else:  # which has no aliases
        assert one.project.schema.names == ("x", "kind", "reading")
        assert one.column("reading")[["count", "missing"]].tolist() == [ROWS, ROWS]


def test_an_alias_leads_to_the_attribute_also_after_the_process_has_begun_anew(live):
    one = live()
    one.write(schema("x", "kind"), [{"x": i, "kind": i} for i in range(BLOCK)])
    one.feed.stop()
    one.project = Project.from_state(one.project.state())
    one.feed = one.connect()
    assert one.project.n == BLOCK  # whole blocks are not read again: nothing but the project knows of x
    new = schema(field("reading", aliases=["x"]), "kind")
    assert one.write(new, [{"reading": BLOCK + i, "kind": i} for i in range(ROWS)]) == (ROWS, 0)
    if one.kind == "avro":
        assert one.project.schema.names == ("x", "kind")
        assert one.column("x")[["count", "missing", "max"]].tolist() == [BLOCK + ROWS, 0, BLOCK + ROWS - 1]


@pytest.mark.parametrize("kinds", [("int", "long", "double"), ("double", "int", "float"), ("float", "long", "double")])
def test_a_number_that_is_widened_or_narrowed_stays_one_attribute(live, kinds):
    one = live()
    for i, kind in enumerate(kinds):
        value = 0.5 if kind in ("float", "double") else 0
        records = [{"x": i * ROWS + k + value} for k in range(ROWS)]
        assert one.write(schema(field("x", kind)), records) == (ROWS, 0)
    assert one.project.schema.names == ("x",)
    row = one.column("x")
    assert row[["count", "missing", "min"]].tolist() == [3 * ROWS, 0, 0.5 if kinds[0] != "int" else 0]
    assert row["max"] == 3 * ROWS - 0.5
    halves = sum(kind in ("float", "double") for kind in kinds)
    assert row["mean"] == pytest.approx((3 * ROWS - 1) / 2 + 0.5 * halves / 3)


def test_a_field_that_becomes_text_is_refused_record_by_record_and_the_others_go_on(live):
    one = live()
    assert one.write(schema("x"), [{"x": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.write(schema(field("x", "string")), [{"x": f"no. {i}"} for i in range(20)]) == (0, 20)
    assert one.write(schema("x"), [{"x": i} for i in range(ROWS)]) == (ROWS, 0)
    assert one.column("x")[["count", "missing"]].tolist() == [2 * ROWS, 0]
    letters = one.letters(20)
    assert len(letters) == 20
    for i, (value, reason) in enumerate(letters):
        assert f"no. {i}".encode() in value
        assert "x" in reason
    assert f"offset {ROWS + 19}" in one.feed.metrics.last_error
    assert (one.feed.metrics.refused, one.feed.metrics.pending) == (20, 0)
    assert one.project.log().set_index("action")["rows"]["refused"] == 20


def test_a_text_that_becomes_a_number_is_one_more_value_of_its_category_or_refused(live):
    one = live(types={"kind": "T", "x": "C"})
    write = schema("x", field("kind", "string"))
    assert one.write(write, [{"x": i, "kind": "a"} for i in range(ROWS)]) == (ROWS, 0)
    learned, refused = one.write(schema("x", field("kind", "int")), [{"x": i, "kind": 7} for i in range(20)])
    assert learned + refused == 20
    assert one.column("x")["count"] == ROWS + learned
    values = one.project.categories("kind").set_index("value")["count"].to_dict()
    assert values == ({"a": ROWS, "7": 20} if learned else {"a": ROWS})
    if refused:
        assert {reason for _, reason in one.letters(20) if "kind" not in reason} == set()


def test_a_required_field_that_becomes_a_union_with_null_or_a_list_is_missing_or_refused(live):
    one = live()
    assert one.write(schema("x", "y"), [{"x": i, "y": i} for i in range(ROWS)]) == (ROWS, 0)
    union = schema("x", field("y", ["null", "double"]))
    assert one.write(union, [{"x": i, "y": None} for i in range(20)]) == (20, 0)
    lists = schema("x", field("y", {"type": "array", "items": "double"}))
    assert one.write(lists, [{"x": i, "y": [1.0]} for i in range(20)]) == (0, 20)
    assert one.column("y")[["count", "missing"]].tolist() == [ROWS, 20]
    assert {reason for _, reason in one.letters(20) if "y" not in reason} == set()
