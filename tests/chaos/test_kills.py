"""A process that is killed again and again while it learns ends with the bits of one that was left alone."""

from __future__ import annotations

import pytest

from benchmarks.chaos.kills import kill_until_done

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
    """The judge of the tests beside this one."""
    from benchmarks.chaos.judge import digest, problems
    from benchmarks.chaos.learner import project

    reference = learned(local_broker, size=8_000)
    truth, topic = reference.truth, reference.order.topic
    assert problems(reference.project, reference.project, truth, topic) == []
    other = project()
    with reference.order.feed(other, batch_rows=333) as feed:
        feed.wait(timeout=60)
    assert problems(other, reference.project, truth, topic) == []
    assert digest(other) == digest(reference.project)
    shards = other.state()["shards"]
    assert any(shard["sealed_at"] for *_, shard in shards) or reference.truth.ends[0] < 5_000
    other.learn({name: [value] for name, value in {"s0": 1e9, "ok": True, "kind": "a"}.items()})
    assert problems(other, reference.project, truth, topic) != []
