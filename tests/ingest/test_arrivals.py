"""Two ways to take what a client has fetched bring the same, in the same order, whatever happens meanwhile."""

from __future__ import annotations

import re
import uuid
from unittest import mock

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka import KafkaError as ClientError
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from smlnb import Project, connect, native
from smlnb.cluster import _librdkafka
from smlnb.cluster._librdkafka import LibraryError
from smlnb.cluster.config import KafkaConfig
from smlnb.errors import KafkaError
from smlnb.formats.payloads import Payloads
from smlnb.ingest import arrivals as module
from smlnb.ingest.arrivals import BULK, MESSAGES, WEIGHT, ByMessage, Event, InBulk, Run
from smlnb.ingest.reader import LINGER, Reader
from tests.conftest import lacking
from tests.ingest.polling import BOTH, begun, polled
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

EOF = ClientError._PARTITION_EOF
SLOWLY = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.fixture(autouse=True)
def _compiled():
    if not native.AVAILABLE:
        lacking("native", native.UNAVAILABLE)


def plain(run):
    """Return the records of a run as tuples."""
    records = run.records
    headers = records.headers or [None] * len(records)
    columns = records.offsets.tolist(), records.times.tolist(), list(records.keys), list(records.values), headers
    return list(zip(*columns, strict=True))


def everything(way, broker, places, **options):
    """Return the records and the events of partitions, each in its order, up to their ends."""
    found = {place: [] for place in places}
    with polled(way, broker, **options) as (consumer, arrivals):
        begun(consumer, arrivals, places)
        open_ = set(places)

        def ended():
            for one in arrivals.poll(0.02):
                if isinstance(one, Run):
                    found[one.place] += plain(one)
                else:
                    found[one.place].append((one.error.code(), one.error.str(), one.offset))
                    open_.difference_update([one.place] if one.error.code() == EOF else [])
            return not open_

        eventually(ended, 60, "the ends of all partitions", every=0)
    return found


# -- the same records ------------------------------------------------

small = st.none() | st.binary(max_size=12)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
written = st.lists(
    st.fixed_dictionaries(
        {
            "place": st.tuples(st.integers(0, 1), st.integers(0, 2)),
            "key": small,
            "value": small | st.integers(1, 30_000).map(lambda n: b"v" * n),
            "headers": st.lists(st.tuples(names, small), max_size=3),
            "timestamp": st.sampled_from([0, -1, 1, 1_700_000_000_000]) | st.integers(1, 2**45),
        }
    ),
    max_size=40,
)
ODD = [
    {"place": (0, 0), "key": b"", "value": b"", "headers": [("a", None), ("a", b""), ("", b"\xff")], "timestamp": -1},
    {"place": (0, 0), "key": None, "value": None, "headers": [], "timestamp": 1},
]


@settings(**SLOWLY, max_examples=12)
@given(written, st.sampled_from(["none", "gzip", "lz4"]), st.booleans())
@example(ODD, "none", True)
@example(ODD, "none", False)
@example([], "none", True)
def test_both_ways_bring_the_same(local_broker, records, compression, headers):
    topics = [f"test-{uuid.uuid4().hex[:8]}.{end}" for end in ("a_b-c", "Z.9")]
    for topic in topics:
        local_broker.create_topic(topic, 3)
    producer = Producer(
        {"bootstrap.servers": local_broker.bootstrap_servers, "log_level": 0, "compression.type": compression}
    )
    for record in records:
        topic, partition = record["place"]
        rest = {k: record[k] for k in ("key", "value", "headers", "timestamp")}
        producer.produce(topics[topic], partition=partition, **rest)
    assert producer.flush(30) == 0
    places = [(topic, partition) for topic in topics for partition in range(3)]
    bulk, single = (everything(way, local_broker, places, headers=headers) for way in (InBulk, ByMessage))
    assert bulk == single
    for (topic, partition), found in bulk.items():
        *rows, (code, _, end) = found
        sent = [r for r in records if r["place"] == (topics.index(topic), partition)]
        assert [row[0] for row in rows] == list(range(len(sent)))
        assert [row[2:4] for row in rows] == [(r["key"], r["value"]) for r in sent]
        assert [row[4] or [] for row in rows] == [r["headers"] if headers else [] for r in sent]
        assert (code, end) == (EOF, len(sent))


def test_large_values_come_whole(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 3)
    rng = np.random.default_rng(0)
    values = [rng.bytes(900_000), b"", rng.bytes(1), None, rng.bytes(900_000), rng.bytes(70_000)]
    produce(local_broker, topic_name, values, 3)
    places = [(topic_name, p) for p in range(3)]
    found = everything(InBulk, local_broker, places)
    assert found == everything(ByMessage, local_broker, places)
    assert [found[place][row][3] for row in (0, 1) for place in places] == values


def test_partitions_may_be_many(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 300)
    produce(local_broker, topic_name, numbers(0, 6_000), 300)
    places = [(topic_name, p) for p in range(300)]
    assert everything(InBulk, local_broker, places) == everything(ByMessage, local_broker, places)


@pytest.mark.kafka
@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_transactions_come_the_same_with_their_holes(kafka, create_topic, topic_name, isolation):
    create_topic(kafka, topic_name, 2)
    at = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}
    producer = Producer({**at, "transactional.id": topic_name})
    producer.init_transactions()
    kept = []
    for i in range(6):
        producer.begin_transaction()
        values = [b"%d" % n for n in range(100 * i, 100 * i + 100)]
        for n, value in enumerate(values):
            producer.produce(topic_name, value, partition=n % 2)
        assert producer.flush(30) == 0
        if i % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
            kept += values
    produce(kafka, topic_name, [b"plain"])
    places = [(topic_name, p) for p in range(2)]
    options = {"headers": False, "isolation.level": isolation}
    found = everything(InBulk, kafka, places, **options)
    assert found == everything(ByMessage, kafka, places, **options)
    rows = [row for place in places for row in found[place] if len(row) == 5]
    assert len(rows) == (301 if isolation == "read_committed" else 601)
    assert set(kept) < {row[3] for row in rows}
    assert [found[place][-1][2] for place in places] == [307, 306]  # 300 records and the markers


@pytest.mark.kafka
def test_the_brokers_own_times_come_the_same(kafka, topic_name):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    topic = NewTopic(topic_name, 1, 1, config={"message.timestamp.type": "LogAppendTime"})
    admin.create_topics([topic], operation_timeout=20)[topic_name].result(30)
    produce(kafka, topic_name, numbers(0, 10), timestamp=1)
    places = [(topic_name, 0)]
    found = everything(InBulk, kafka, places)
    assert found == everything(ByMessage, kafka, places)
    assert all(row[1] > 1_700_000_000_000 for row in found[places[0]][:-1])


def test_headers_that_the_client_can_not_give_are_none(local_broker, create_topic, topic_name):
    """The client fails at names that are not UTF-8, and must not be asked twice."""

    class Broken:
        def headers(self):
            raise SystemError("returned a result with an exception set") from UnicodeDecodeError("utf-8", b"", 0, 1, "")

    assert module._headers(Broken()) is None


# -- the order of the two queues ---------------------------------------


class Script:
    """A queue, or a client's way, that brings what it is told to, and says when it is asked."""

    def __init__(self, name, said, brings):
        self.name, self.said, self.brings, self.headers, self.full = name, said, list(brings), False, False

    def poll(self, _):
        self.said.append(f"poll {self.name}")
        return self.brings.pop(0) if self.brings else []

    def take(self, *_):
        self.said.append(f"take {self.name}")
        return self.brings.pop(0) if self.brings else None

    def redirect(self, topic, partition):
        self.said.append(f"send {topic}[{partition}]")


def test_what_came_by_the_client_is_older_and_comes_first(local_broker):
    """Partitions are sent to the queue before the client is asked, so what it had before cannot be overtaken."""
    run = Run(("t", 0), None)
    with polled(InBulk, local_broker) as (_, arrivals):
        said = []
        direct = Script("client", said, [[run], [run], []])
        with (
            mock.patch.object(arrivals, "_direct", direct),
            mock.patch.object(arrivals, "_queue", Script("q", said, ())),
        ):
            arrivals.expect([("t", 0)])
            assert [arrivals.poll(0) for _ in range(3)] == [[run], [run], []]
            arrivals.forget(("t", 0))
            arrivals.expect([])
            arrivals.poll(0)
    sent = ["send t[0]", "send t[0]", "poll client"]  # as expected, and once more after it was assigned
    assert said == [*sent, "poll client", "poll client", "take q", "poll client", "take q"]


# -- batches -----------------------------------------------------------------


@pytest.mark.parametrize(("way", "size"), [(InBulk, BULK), (ByMessage, MESSAGES)])
def test_a_poll_is_full_where_there_is_more_even_if_an_event_is_among_the_records(
    local_broker, create_topic, topic_name, way, size
):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, [b"x"] * 2 * size, 2)
    found = []
    with polled(way, local_broker, headers=False) as (consumer, arrivals):
        begun(consumer, arrivals, [(topic_name, 0), (topic_name, 1)])

        def ended():
            ones = arrivals.poll(0.05)
            found.append((sum(len(one.records) if isinstance(one, Run) else 1 for one in ones), arrivals.full))
            return sum(count for count, _ in found) == 2 * size + 2

        eventually(ended, 30, "all records, and the ends of both partitions", every=0)
    assert all(full == (count == size) for count, full in found)
    assert max(found) == (size, True)


def test_a_poll_is_full_of_few_records_if_they_are_large(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 8)
    produce(local_broker, topic_name, [b"x" * 900_000] * 40, 8)
    sizes, fulls = [], []
    with polled(InBulk, local_broker, **{"queued.max.messages.kbytes": 100_000}) as (consumer, arrivals):
        begun(consumer, arrivals, [(topic_name, p) for p in range(8)])

        def read():
            runs = [one for one in arrivals.poll(0.05) if isinstance(one, Run)]
            sizes.append(sum(run.records.values.nbytes for run in runs))
            fulls.append(arrivals.full)
            return sum(sizes) == 36_000_000

        eventually(read, 30, "all records", every=0)
    assert max(sizes) < WEIGHT + 900_000
    assert [size >= WEIGHT for size in sizes] == fulls


@BOTH
def test_who_has_caught_up_waits_for_no_more(local_broker, create_topic, topic_name, way):
    create_topic(local_broker, topic_name)
    produce(local_broker, topic_name, numbers(0, 5_000))
    config = KafkaConfig.of(local_broker.bootstrap_servers)
    with mock.patch("smlnb.ingest.reader.arrivals", way):
        reader = Reader(config, [topic_name], positions={(topic_name, 0): 0}, batch_rows=100_000)
    try:
        eventually(lambda: reader.poll(0.01) or reader._linger == LINGER, 30, "a full poll", every=0)
        eventually(lambda: reader.poll(0.05) or reader.pending == 5_000, 30, "all records", every=0)
        eventually(lambda: reader.poll(0.05) or reader._linger == 0, 30, "a poll that is not full", every=0)
        assert reader.due() == [(topic_name, 0)]
    finally:
        reader.close()


# -- callbacks -----------------------------------------------------------------


def test_callbacks_come_while_there_is_a_backlog(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name)
    produce(local_broker, topic_name, numbers(0, 20_000))
    told, committed = [], []
    callbacks = {"stats_cb": told.append, "on_commit": lambda *result: committed.append(result)}
    place = (topic_name, 0)
    with polled(InBulk, local_broker, **{"statistics.interval.ms": 5, **callbacks}) as (consumer, arrivals):
        begun(consumer, arrivals, [place])

        def backlogged():
            """Begin anew where the end comes near, so that there always is one."""
            found = arrivals.poll(0.05)
            if any(isinstance(one, Event) for one in found):
                consumer.incremental_unassign([TopicPartition(*place)])
                begun(consumer, arrivals, [place])
            return len(told) > 20 and arrivals.full and committed

        consumer.commit(offsets=[TopicPartition(*place, 5)], asynchronous=True)
        eventually(backlogged, 30, "statistics, a commit, and records", every=0)


def test_what_is_wrong_with_the_broker_is_told(local_broker):
    errors = []
    nowhere = {"bootstrap.servers": "127.0.0.1:1", "error_cb": errors.append}
    with polled(InBulk, local_broker, **nowhere) as (consumer, arrivals):
        begun(consumer, arrivals, [("t", 0)])
        eventually(lambda: arrivals.poll(0.05) or errors, 30, "an error", every=0)


# -- the way that there always is ------------------------------------------------


def way_of(broker):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 0})
    found = module.arrivals(consumer, headers=False)
    found.close()
    consumer.close()
    return type(found)


def test_messages_are_taken_in_bulk_where_they_can_be(local_broker):
    assert way_of(local_broker) is InBulk


def missing(*_):
    raise LibraryError("there is none")


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (native, "AVAILABLE", False),
        (_librdkafka, "library_path", missing),
        (_librdkafka, "library", missing),
        (_librdkafka.confluent_kafka, "__version__", "3.0.0"),
        (_librdkafka.confluent_kafka, "__version__", "20.1"),
        (_librdkafka, "id", lambda client: id(client) + 8),  # as if the object had another layout
        (module, "client_place", missing),
    ],
)
def test_else_they_are_taken_one_by_one(local_broker, create_topic, topic_name, monkeypatch, owner, name, value):
    monkeypatch.setattr(owner, name, value, raising=False)
    _librdkafka.addresses.cache_clear()
    assert way_of(local_broker) is ByMessage
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 1_000), 2)
    project = Project("p", types="C")
    with connect(project, topic_name, bootstrap_servers=local_broker.bootstrap_servers) as feed:
        feed.wait(timeout=30)
    assert project.n == 1_000


def test_a_closed_client_is_not_used(local_broker):
    consumer = Consumer({"bootstrap.servers": local_broker.bootstrap_servers, "group.id": "g", "log_level": 0})
    consumer.close()
    with pytest.raises(LibraryError):
        InBulk(consumer, headers=False)


# -- ends ---------------------------------------------------------------------


@BOTH
def test_after_the_end_nothing_comes_and_nothing_breaks(local_broker, create_topic, topic_name, way):
    create_topic(local_broker, topic_name)
    produce(local_broker, topic_name, numbers(0, 3_000))
    with polled(way, local_broker) as (consumer, arrivals):
        begun(consumer, arrivals, [(topic_name, 0)])
        eventually(lambda: arrivals.poll(0.05), 30, "records", every=0)
    arrivals.expect([(topic_name, 0)])
    arrivals.forget((topic_name, 0))
    arrivals.close()
    with pytest.raises(RuntimeError, match="closed"):
        arrivals.poll(0.01)


@pytest.mark.kafka
@BOTH
def test_a_topic_that_is_deleted_while_it_is_read_is_told(kafka, create_topic, topic_name, way):
    create_topic(kafka, topic_name, 2)
    produce(kafka, topic_name, numbers(0, 2_000), 2)
    config = KafkaConfig.of(
        kafka.bootstrap_servers, {"topic.metadata.propagation.max.ms": 300, "topic.metadata.refresh.interval.ms": 200}
    )
    places = {(topic_name, p): 0 for p in range(2)}
    with mock.patch("smlnb.ingest.reader.arrivals", way):
        reader = Reader(config, [topic_name], positions=places, batch_rows=100)
    try:
        eventually(lambda: reader.poll(0.05) or reader.pending == 2_000, 30, "records", every=0)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        admin.delete_topics([topic_name], operation_timeout=20)[topic_name].result(30)
        eventually(lambda: reader.poll(0.05) or reader.broker_error, 30, "an error", every=0)
        assert re.search("no longer available|does not exist", reader.broker_error)
        create_topic(kafka, topic_name, 2)
        with pytest.raises(KafkaError, match="does not have offset 1000"):
            eventually(lambda: reader.poll(0.05), 30, "an error", every=0)
    finally:
        reader.close()


def test_columns_of_a_part_are_payloads_of_the_whole(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 100), 2)
    with polled(InBulk, local_broker, headers=False) as (consumer, arrivals):
        begun(consumer, arrivals, [(topic_name, 0), (topic_name, 1)])
        found = []
        eventually(lambda: found.extend(arrivals.poll(0.05)) or found, 30, "records", every=0)
    runs = [one for one in found if isinstance(one, Run)]
    assert all(isinstance(run.records.values, Payloads) and run.records.headers is None for run in runs)
