"""Brokers that stop, die and come back, and partitions that move, while a topic is written and learned."""

from __future__ import annotations

import pytest

from benchmarks.chaos.brokers import outage, rebalances
from benchmarks.chaos.topics import records
from tests.chaos.conftest import PARTITIONS

pytestmark = pytest.mark.kafka


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("seconds", "kill"), [(5.0, False), (0.0, True)], ids=["stopped for 5 s", "killed"])
def test_a_broker_that_is_gone_is_said_within_five_seconds_and_back_costs_no_record(
    own_kafka, order_for, seconds, kill
):
    what = records(20_000, PARTITIONS, "json")
    assert outage(own_kafka, order_for(own_kafka), what, seconds=seconds, kill=kill) == []


@pytest.mark.timeout(150)
def test_readers_that_join_and_leave_read_each_record_once_between_them(kafka, order_for):
    amid, problems = rebalances(order_for(kafka), records(16_000, PARTITIONS, "json"), 6)
    assert problems == []
    assert amid > 0
