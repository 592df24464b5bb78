"""However a reader is led about, each record comes once and in its order."""

from __future__ import annotations

import uuid
from collections import Counter
from unittest import mock

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from smlnb import native
from smlnb.cluster.config import KafkaConfig
from smlnb.ingest.arrivals import InBulk
from smlnb.ingest.chunk import Chunk
from smlnb.ingest.group import Member
from smlnb.ingest.reader import Reader
from tests.conftest import lacking
from tests.ingest.polling import BOTH, by_the_clients_queue
from tests.ingest.test_group import Visitor
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

SLOWLY = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.fixture(autouse=True)
def _compiled():
    if not native.AVAILABLE:
        lacking("native", native.UNAVAILABLE)


PARTITIONS, RECORDS = 3, 2_000
places = st.integers(0, PARTITIONS - 1)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("poll"), st.integers(1, 4)),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("move"), places, st.integers(0, RECORDS)),
        st.tuples(st.just("leave"), places),
        st.tuples(st.just("come"), places),
        st.tuples(st.just("fetch"), places),
    ),
    max_size=14,
)


class Reading:
    """A reader that is led about, and where each partition's chunks must go on."""

    def __init__(self, broker, topic, way):
        self.places = [(topic, p) for p in range(PARTITIONS)]
        self.at = dict.fromkeys(self.places, 0)
        config = KafkaConfig.of(broker.bootstrap_servers, {"fetch.message.max.bytes": 2_000})
        with mock.patch("smlnb.ingest.reader.arrivals", way):
            self.reader = Reader(config, [topic], positions=self.at, batch_rows=300)

    def poll(self, times):
        for _ in range(times):
            self.reader.poll(0.002)
            for place in self.reader.due():
                chunk = self.reader.take(place)
                assert (chunk.place, chunk.start) == (place, self.at[place])
                assert chunk.records.offsets.tolist() == list(range(chunk.start, chunk.stop))
                assert list(chunk.records.values) == numbers(chunk.start, chunk.stop)
                self.at[place] = chunk.stop

    def pause(self, paused):
        self.reader.pause(paused)

    def move(self, partition, position):
        place = self.places[partition]
        if place in self.reader.positions:
            self.reader.move(place, position)
            self.at[place] = position

    def fetch(self, partition):
        place = self.places[partition]
        if place in self.reader.positions:
            self.reader._fetch_from(place, self.reader._buffers[place].stop)

    def leave(self, partition):
        place = self.places[partition]
        if place in self.reader.positions:
            self.reader.give_back(place)
            self.reader._unassign([TopicPartition(*place)])

    def come(self, partition):
        place = self.places[partition]
        if place not in self.reader.positions:
            self.reader._assign({place: self.at[place]})
            self.reader._buffers[place] = Chunk(place, self.at[place], self.at[place])
            if self.reader._paused:
                self.reader._consumer.pause([TopicPartition(*place)])

    def to_the_end(self):
        self.pause(False)
        for partition in range(PARTITIONS):
            self.come(partition)
        eventually(lambda: self.poll(1) or set(self.at.values()) == {RECORDS}, 30, f"all records: {self.at}", every=0)


@pytest.fixture(scope="module")
def counted():
    """Give the name of a topic whose partitions count their records, at each broker."""
    return f"test-{uuid.uuid4().hex[:12]}"


@BOTH
@settings(**SLOWLY, max_examples=40, phases=[Phase.explicit, Phase.generate])
@given(steps=operations)
@example(steps=[("leave", 0), ("poll", 1), ("come", 0), ("leave", 0), ("come", 0), ("poll", 4), ("move", 1, 0)])
@example(steps=[("pause", True), ("leave", 0), ("pause", False), ("come", 0)])
@example(steps=[("poll", 1), ("pause", True), ("move", 0, 5), ("poll", 1), ("pause", False), ("move", 0, 0)])
def test_no_record_is_lost_doubled_or_out_of_order(any_broker, create_topic, counted, way, steps):
    if counted not in AdminClient({"bootstrap.servers": any_broker.bootstrap_servers}).list_topics().topics:
        create_topic(any_broker, counted, PARTITIONS)
        produce(any_broker, counted, [v for v in numbers(0, RECORDS) for _ in range(PARTITIONS)], PARTITIONS)
    reading = Reading(any_broker, counted, way)
    try:
        with by_the_clients_queue(reading.reader) as strays:
            for name, *arguments in steps:
                getattr(reading, name)(*arguments)
            reading.to_the_end()
        assert strays == []
    finally:
        reading.reader.close()


@pytest.mark.kafka
def test_partitions_that_others_had_meanwhile_go_on_where_they_were(kafka, create_topic, topic_name):
    create_topic(kafka, topic_name, 6)
    at, seen, sent = {}, Counter(), 0
    config = KafkaConfig.of(kafka.bootstrap_servers, {"heartbeat.interval.ms": 300})
    member = Member(
        config, [topic_name], position_of=lambda place: at.get(place, 0), batch_rows=50, group_id=topic_name
    )

    def drained():
        member.poll(0.005)
        for place in member.due():
            chunk = member.take(place)
            assert chunk.start == at.get(place, 0)
            at[place] = chunk.stop
            seen.update((place, offset) for offset in chunk.records.offsets.tolist())

    def until(condition, what):
        eventually(lambda: drained() or condition(), 60, what, every=0)

    try:
        assert isinstance(member._arrivals, InBulk)
        with by_the_clients_queue(member) as strays:
            for _ in range(3):
                produce(kafka, topic_name, numbers(sent, sent + 12_000), 6)
                visitor = Visitor(kafka, topic_name, topic_name)
                until(lambda visitor=visitor: visitor.parts, "partitions of the visitor")
                produce(kafka, topic_name, numbers(sent, sent + 6_000), 6)
                sent += 18_000
                drained()
                visitor.leave()
                until(lambda: len(member.positions) == 6, "all partitions again")
            until(lambda: sum(at.values()) == sent, "all records")
        assert strays == []
        assert at == {(topic_name, p): sent // 6 for p in range(6)}
        assert set(seen.values()) == {1}
        assert len(seen) == sent
    finally:
        member.close()
