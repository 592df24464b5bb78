"""A process that is killed again and again while it learns ends with the bits of one that was left alone."""

from __future__ import annotations

import pytest

from benchmarks.chaos.judge import digest, problems
from benchmarks.chaos.kills import kill_until_done
from benchmarks.chaos.learner import project
from smlnb import Project

KILLS = 4


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("kind", "broker"),
    [("json", "local_broker"), pytest.param("avro", "kafka", marks=pytest.mark.kafka)],
)
def test_killed_at_random_moments_it_learns_every_record_once_to_the_last_bit(request, learned, rng, kind, broker):
    run = kill_until_done(learned(request.getfixturevalue(broker), kind), rng, KILLS)
    assert run.problems == []
    assert run.kills == KILLS


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
