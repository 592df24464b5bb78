"""The poison corpus amid good records, from a topic to the project and the dead letters."""

from __future__ import annotations

from functools import partial

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import smlnb.formats.decode
from smlnb import Project, connect
from smlnb.errors import DecodeError
from smlnb.testing import SchemaRegistry
from tests.ingest.poison import FORMATS, corpus, good, options, register
from tests.waiting import eventually

PARTITIONS = 3
GOOD = 5  # good records around each bad one
LARGE = 20_000_000  # bytes of a record; a broker takes a million if nobody says otherwise
COLUMN = {"number": "value", "double": "value", "long": "value"}


@pytest.fixture(scope="module")
def config():
    with SchemaRegistry() as registry:
        register(registry)
        yield {**registry.config, "message.max.bytes": LARGE}


@pytest.fixture
def format_options(monkeypatch):
    """Let feeds know what a format needs: columns of CSV, the schema of plain Avro."""

    def give(name):
        made = partial(smlnb.formats.decode.decoder, **options(name))
        monkeypatch.setattr("smlnb.ingest.kafka.decoder", made)

    return give


def create(broker, topic, partitions):
    """Create a topic for large records."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    new = NewTopic(topic, partitions, 1, config={"max.message.bytes": str(LARGE)})
    admin.create_topics([new], operation_timeout=20)[topic].result(30)


def write(broker, topic, values):
    """Write values, which may be large, to the partitions in turn."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "message.max.bytes": LARGE, "log_level": 0})
    for i, value in enumerate(values):
        producer.produce(topic, value, partition=i % PARTITIONS)
        producer.poll(0)
    assert producer.flush(60) == 0


class Written:
    """A topic of one format: every record that can't be used, with its place."""

    def __init__(self, broker, name, topic):
        bad = corpus(name)
        assert len(bad) >= 10
        values = []
        for poison in bad:
            values += [good(name, len(values) + i) for i in range(GOOD)] + [poison.value]
        values += [good(name, len(values) + i) for i in range(GOOD)]
        write(broker, topic, values)
        self.name, self.topic, self.total, self.bad = name, topic, len(values), len(bad)
        self.format = "avro" if name == "avro-rich" else name
        at = [i for i in range(len(values)) if i % (GOOD + 1) == GOOD and i < len(bad) * (GOOD + 1)]
        self.places = {(i % PARTITIONS, i // PARTITIONS): values[i] for i in at}
        self.letters = {place: value for place, value in self.places.items() if value is not None}
        self.numbers = sorted(set(range(len(values))) - set(at))


@pytest.fixture(params=FORMATS)
def written(request, kafka, topic_name, format_options):
    create(kafka, topic_name, PARTITIONS)
    create(kafka, f"{topic_name}-dlq", 1)
    format_options(request.param)
    return Written(kafka, request.param, topic_name)


def letters_of(broker, topic, count):
    """Return value and headers of the dead letters, by where they came from."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "letters", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    eventually(lambda: found.extend(consumer.consume(100, 0.2)) or len(found) >= count, 30, f"{count} letters")
    found += consumer.consume(1, 0.5)
    consumer.close()
    by_place = {}
    for message in found:
        headers = dict(message.headers())
        place = (int(headers["smlnb.source.partition"]), int(headers["smlnb.source.offset"]))
        assert place not in by_place
        by_place[place] = (message.value(), headers)
    return by_place


def watched(feed, until):
    """Wait until something is true, and look at the counts all the while; return how often."""
    looks = []

    def look():
        m = feed.metrics
        for each in (m, *m.partitions.values()):
            assert each.read == each.rows + each.refused + each.filtered + each.pending
            assert each.pending >= 0
        looks.append(m)
        return until() or feed.error

    eventually(look, 60, "the end of the topic", every=0.001)
    assert feed.error is None
    return looks


def check_learned(project, written):
    """Check that every good record is in the statistics, and each bad one is counted in its partition."""
    counts = project.counts
    for partition in range(PARTITIONS):
        bad = sum(p == partition for p, _ in written.places)
        there = len(range(partition, written.total, PARTITIONS))
        learned, refused = counts.by_partition[written.topic, partition]
        assert (learned + counts_filtered(project, written, partition), refused) == (there - bad, bad)
    column = COLUMN.get(written.name, "n")
    kept = [n for n in written.numbers if n >= MINIMUM]
    row = project.univariate().loc[column]
    assert (row["count"], row["min"], row["max"]) == (len(kept), min(kept), max(kept))
    assert row["mean"] == pytest.approx(sum(kept) / len(kept), rel=1e-12)


MINIMUM = 20  # of the row filter


def counts_filtered(project, written, partition):
    return sum(n < MINIMUM and n % PARTITIONS == partition for n in written.numbers)


@pytest.mark.kafka
@pytest.mark.parametrize("policy", ["dead_letter", "skip"])
def test_every_record_is_learned_refused_filtered_or_pending_and_dead_letters_are_what_was_written(
    kafka, config, written, policy
):
    project = Project("p", row_filter=f"{COLUMN.get(written.name, 'n')} >= {MINIMUM}")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "config": config, "format": written.format}
    with connect(project, written.topic, **where, on_malformed=policy, batch_rows=40) as feed:
        looks = watched(feed, lambda: sum(project.positions.values()) == written.total)
        feed.wait(timeout=30)
        last = feed.metrics
    filtered = sum(n < MINIMUM for n in written.numbers)
    assert len({m.read for m in looks}) > 1
    assert (last.read, last.refused, last.filtered, last.pending) == (written.total, written.bad, filtered, 0)
    assert last.rows == project.n == written.total - written.bad - filtered
    check_learned(project, written)
    if policy == "skip":
        return
    letters = letters_of(kafka, f"{written.topic}-dlq", len(written.letters))
    assert letters.keys() == written.letters.keys()
    for place, (value, headers) in letters.items():
        assert (value or b"") == written.letters[place]
        assert headers["smlnb.source.topic"] == written.topic.encode()
        assert headers["smlnb.stage"] in (b"decode", b"learn")
        assert len(headers["smlnb.reason"]) > 5


@pytest.mark.kafka
def test_the_policy_stop_stops_before_each_bad_record_and_goes_on_behind_it_when_told(kafka, config, written):
    project = Project("p")
    where = {"bootstrap_servers": kafka.bootstrap_servers, "config": config, "format": written.format}
    feed = connect(project, written.topic, **where, batch_rows=40)
    with feed:
        with pytest.raises(DecodeError) as stopped:
            feed.wait(timeout=30)
        places = {(p, at) for (_, p), at in project.positions.items()} & written.letters.keys()
        assert any(f"{written.topic}[{p}] offset {at} " in str(stopped.value) for p, at in places)
        for partition in range(PARTITIONS):
            position = project.positions.get((written.topic, partition), 0)
            before = sum(p == partition and at < position for p, at in written.letters)
            assert before == 0
        seen = project.counts.refused
        assert seen == sum(
            at < project.positions[written.topic, p] for p, at in written.places.keys() - written.letters
        )
        feed.restart(on_malformed="skip")
        feed.wait(timeout=30)
    assert (project.n, project.counts.refused) == (written.total - written.bad, written.bad)
