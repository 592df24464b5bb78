"""What is disturbed: topics filled from a seed on either broker, and what an undisturbed run makes of them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable

import pytest

from benchmarks.chaos.kills import Reference, undisturbed
from benchmarks.chaos.learner import Order
from benchmarks.chaos.topics import SCHEMA, Format, create, fill, records
from smlnb import LocalBroker
from tests.kafka_server import KafkaServer

PARTITIONS = 3
SEED = int(os.environ.get("SMLNB_CHAOS_SEED", "1"))


@pytest.fixture
def rng() -> random.Random:
    return random.Random(SEED)  # noqa: S311 - no secret


@pytest.fixture
def order_for(registry, topic_name) -> Callable[..., Order]:
    """Give ``order_for(broker, format)``: a new topic that is empty."""

    def make(broker: LocalBroker | KafkaServer, kind: Format = "json") -> Order:
        create(broker if isinstance(broker, LocalBroker) else broker.bootstrap_servers, topic_name, PARTITIONS)
        config = registry.config if kind == "avro" else {}
        return Order(broker.bootstrap_servers, topic_name, "", kind, config, pace=0.05)

    return make


@pytest.fixture
def learned(order_for, registry) -> Callable[..., Reference]:
    """Give ``learned(broker, format, size)``: a new topic with so many records, some blocks in each partition, and what they make."""

    def make(broker: LocalBroker | KafkaServer, kind: Format = "json", size: int = 36_000) -> Reference:
        order = order_for(broker, kind)
        schema_id = registry.register("chaos-value", json.dumps(SCHEMA)) if kind == "avro" else 0
        fill(order.servers, order.topic, records(size, PARTITIONS, kind, schema_id=schema_id))
        return undisturbed(order)

    return make


@pytest.fixture
def own_kafka(kafka) -> KafkaServer:
    """Real Apache Kafka, to be stopped and killed: it runs again afterwards for the other tests."""
    yield kafka
    if not kafka.running:
        kafka.start()
