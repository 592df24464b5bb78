"""Partitions that other brokers come to lead, and brokers that answer by errors, while a topic is written and learned."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.chaos.brokers import Live, living, until
from benchmarks.chaos.learner import Order
from benchmarks.chaos.topics import records
from tests.chaos.cluster import BROKERS, Cluster
from tests.waiting import eventually

PARTITIONS = 2
ROWS = 24_000
FETCH, METADATA, OFFSET_COMMIT, FIND_COORDINATOR, LIST_OFFSETS = 1, 3, 8, 10, 2
NOT_LEADER, TIMED_OUT, NOT_COORDINATOR, COORDINATOR_LOADING, UNKNOWN_MEMBER, REBALANCING, FENCED_EPOCH = (
    6,
    7,
    16,
    14,
    25,
    27,
    74,
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    eventually(
        lambda: not [t for t in threading.enumerate() if t.name.startswith("smlnb")], 30, "the end of all threads"
    )
    made.stop()


@pytest.fixture
def live(cluster, topic_name) -> Callable[..., Live]:
    """Give ``live(tasks=1)``: a topic that is written for some seconds while a feed learns it."""

    @contextmanager
    def begin(**options):
        cluster.create(topic_name, PARTITIONS)
        order = Order(cluster.bootstrap_servers, topic_name, "", **options)
        with living(order, records(ROWS, PARTITIONS, "json")) as one:
            until(lambda: one.feed.metrics.rows > 100, 30, "progress")
            yield one

    return begin


@pytest.mark.timeout(120)
def test_partitions_that_other_brokers_come_to_lead_are_learned_to_the_last_bit(cluster, live, topic_name):
    with live() as one:
        for turn in range(3 * BROKERS):
            for partition in range(PARTITIONS):
                cluster.lead(topic_name, partition, (turn + partition) % BROKERS + 1)
            rows = one.feed.metrics.rows
            until(lambda: one.feed.metrics.rows > rows + 100 or not one.trickle.writing, 30, "learning again")  # noqa: B023 - asked at once
        assert one.judged()[0] == []


@pytest.mark.timeout(120)
def test_a_broker_that_goes_down_while_others_lead_costs_nothing(cluster, live, topic_name):
    with live() as one:
        for broker in range(1, BROKERS + 1):
            for partition in range(PARTITIONS):
                cluster.lead(topic_name, partition, broker % BROKERS + 1)
            cluster.down(broker)
            rows = one.feed.metrics.rows
            until(lambda: one.feed.metrics.rows > rows + 100 or not one.trickle.writing, 60, "learning again")  # noqa: B023 - asked at once
            assert one.feed.state == "running"
            cluster.up(broker)
        assert one.judged()[0] == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("request_kind", "codes"),
    [
        (FETCH, (NOT_LEADER, TIMED_OUT, FENCED_EPOCH, NOT_LEADER)),
        (OFFSET_COMMIT, (UNKNOWN_MEMBER, REBALANCING, NOT_COORDINATOR, COORDINATOR_LOADING)),
        (FIND_COORDINATOR, (COORDINATOR_LOADING, TIMED_OUT, NOT_COORDINATOR)),
        (METADATA, (TIMED_OUT, TIMED_OUT)),
        (LIST_OFFSETS, (NOT_LEADER, NOT_LEADER)),
    ],
    ids=["fetch", "commit", "coordinator", "metadata", "offsets"],
)
def test_requests_that_are_answered_by_errors_are_sent_again(cluster, live, request_kind, codes):
    with live(tasks=2 if request_kind in (OFFSET_COMMIT, FIND_COORDINATOR) else 1) as one:
        for _ in range(3):
            cluster.fail(request_kind, *codes)
            rows = one.feed.metrics.rows
            until(lambda: one.feed.metrics.rows > rows + 500 or not one.trickle.writing, 60, "learning again")  # noqa: B023 - asked at once
            assert one.feed.error is None
        assert one.judged()[0] == []
