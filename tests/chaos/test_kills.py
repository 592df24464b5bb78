"""A process that is killed again and again while it learns ends with the bits of one that was left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from confluent_kafka import Consumer, TopicPartition

from benchmarks.chaos.judge import digest, problems
from benchmarks.chaos.kills import kill_until_done
from benchmarks.chaos.learner import project
from smlnb import Project
from tests.waiting import eventually

KILLS = 4
PACE = 0.2  # seconds between batches: it takes as many lives


def slowly(reference, **changes):
    return replace(reference, order=replace(reference.order, pace=PACE, **changes))


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("kind", "broker"),
    [("json", "local_broker"), pytest.param("avro", "kafka", marks=pytest.mark.kafka)],
)
def test_killed_at_random_moments_it_learns_every_record_once_to_the_last_bit(request, learned, rng, kind, broker):
    run = kill_until_done(slowly(learned(request.getfixturevalue(broker), kind)), rng, KILLS)
    assert run.problems == []
    assert run.kills == KILLS


def read(servers, topic):
    """Return the records of a topic."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "read", "enable.partition.eof": True})
    parts = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, timeout=20).topics[topic].partitions]
    consumer.assign(parts)
    found, ended = [], set()

    def poll():
        for message in consumer.consume(1_000, 0.2):
            if message.error() is None:
                found.append(message)
            else:
                ended.add(message.partition())
        return len(ended) == len(parts)

    eventually(poll, 60, "the ends of the topic")
    consumer.close()
    return found


@pytest.mark.kafka
@pytest.mark.timeout(150)
def test_killed_at_random_moments_every_record_that_can_not_be_used_is_in_the_dead_letters(kafka, learned, rng):
    reference = learned(kafka)
    order = reference.order
    run = kill_until_done(slowly(reference, on_malformed="dead_letter"), rng, KILLS)
    assert (run.problems, run.kills) == ([], KILLS)
    there = {(m.partition(), m.offset()): m.value() for m in read(order.servers, order.topic)}
    letters = {}
    for message in read(order.servers, f"{order.topic}-dlq"):
        headers = dict(message.headers())
        place = (int(headers["smlnb.source.partition"]), int(headers["smlnb.source.offset"]))
        letters[place] = message.value()
        assert message.value() == there[place]
    tombstones = sum(value is None for value in there.values())
    assert len(letters) + tombstones == sum(reference.truth.refused.values())


def test_what_differs_is_found(local_broker, learned):
    reference = learned(local_broker, size=24_000)
    truth, topic = reference.truth, reference.order.topic
    assert problems(reference.project, reference.project, truth, topic) == []
    other = project()
    with reference.order.feed(other, batch_rows=333) as feed:
        feed.wait(timeout=60)
    assert problems(other, reference.project, truth, topic) == []
    assert digest(other) == digest(reference.project)
    assert all(shard["sealed_at"] for *_, shard in other.state()["shards"])
    other.learn({"s0": [1e9], "ok": [True], "kind": ["a"]})
    assert problems(other, reference.project, truth, topic) != []


def test_a_tail_that_is_not_read_again_is_found(local_broker, learned):
    """Without it the records are all there, but the bits depend on when the process was killed."""
    reference = learned(local_broker)
    other = project()
    with reference.order.feed(other, until={(reference.order.topic, 0): 7_000}) as feed:
        feed.wait(timeout=60, progress=False)
    other = Project.from_state(other.state())
    other.rewind = lambda _: None
    with reference.order.feed(other) as feed:
        feed.wait(timeout=60)
    found = problems(other, reference.project, reference.truth, reference.order.topic)
    assert found == ["the sealed statistics differ in their bits"]
