"""What there is on a cluster: topics, their partitions and ends."""

from __future__ import annotations

import difflib
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaException,
    TopicPartition,
)
from confluent_kafka import (
    KafkaError as ClientError,
)
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic

from smlnb.cluster.broker import AUTOMATIC_PARTITIONS, broker_limit, check_topic, find_broker, is_local
from smlnb.cluster.config import KafkaConfig, check_broker, client_error
from smlnb.errors import TopicError

__all__ = ["ends_of", "ensure_topic", "list_topics", "onlooker", "partitions_of", "watermarks"]

Config = None | Mapping[str, Any] | KafkaConfig | str | Path

PARTITIONS = 8  # of a topic for which nothing else is said
REQUEST = 8.0  # seconds

_NOT_YET = (  # what a broker says of a partition that it has not taken charge of yet
    ClientError.NOT_LEADER_FOR_PARTITION,
    ClientError.LEADER_NOT_AVAILABLE,
    ClientError.UNKNOWN_TOPIC_OR_PART,
    ClientError._UNKNOWN_PARTITION,
)


def list_topics(*, bootstrap_servers: str | None = None, config: Config = None) -> dict[str, int]:
    """Return the topics and the number of partitions of each, without Kafka's internal ones.

    Raises
    ------
    BrokerUnavailableError
        If no broker answers within 10 seconds.
    """
    config = KafkaConfig.of(bootstrap_servers, config)  # in its place: a traceback with variables shows no passwords
    found = check_broker(config).topics
    return {name: len(found[name].partitions) for name in sorted(found) if not name.startswith("__")}


def partitions_of(topics: Iterable[str], metadata: ClusterMetadata) -> dict[str, int]:
    """Return the number of partitions of each of the topics.

    Raises
    ------
    TopicError
        If one is missing; the message lists topics with similar names.
    """
    found = {}
    for topic in topics:
        known = metadata.topics.get(topic)
        if known is None or known.error is not None:
            raise _missing(topic, metadata)
        found[topic] = len(known.partitions)
    return found


def _missing(topic: str, metadata: ClusterMetadata) -> TopicError:
    names = [n for n in metadata.topics if not n.startswith("__")]
    near = difflib.get_close_matches(topic, names, n=3, cutoff=0.5)
    if near:
        hint = f"Did you mean {' or '.join(map(repr, near))}?"
    elif names:
        hint = f"There are: {', '.join(sorted(names)[:10])}{', ...' if len(names) > 10 else ''}."
    else:
        hint = "The cluster has no topics yet; smlnb.replay(data, topic) makes and fills one."
    return TopicError(f"There is no topic {topic!r}. {hint}")


def ensure_topic(
    topic: str,
    partitions: int | None = None,
    *,
    bootstrap_servers: str | None = None,
    config: Config = None,
) -> int:
    """Create the topic if it is missing, with 8 partitions if nothing else is said; return its number of partitions.

    An embedded broker of another process can't be told to: there the topic appears by itself, with 4 partitions.

    Raises
    ------
    BrokerLimitError
        If such a broker is asked for more than that.
    TopicError
        If the broker refuses to create it.
    BrokerUnavailableError
        If no broker answers within 10 seconds.
    """
    config = settings = KafkaConfig.of(bootstrap_servers, config)
    known = check_broker(settings).topics.get(topic)
    if known is not None and known.error is None:
        return len(known.partitions)
    count = PARTITIONS if partitions is None else partitions
    check_topic(topic, count)
    local = find_broker(settings.bootstrap_servers)
    if local is not None:
        return local.create_topic(topic, count)
    admin = AdminClient(settings.client())
    if is_local(settings.bootstrap_servers, settings.client()):
        if partitions is not None and partitions > AUTOMATIC_PARTITIONS:
            raise broker_limit("create_topics")
        return len(
            admin.list_topics(topic, timeout=REQUEST).topics[topic].partitions
        )  # being asked, it makes the topic
    try:
        admin.create_topics([NewTopic(topic, count)], operation_timeout=REQUEST)[topic].result(REQUEST + 5)
    except KafkaException as error:
        if error.args[0].code() == ClientError.TOPIC_ALREADY_EXISTS:
            return partitions_of([topic], check_broker(settings))[topic]
        reason = settings.masked(error.args[0].str())
        raise TopicError(f"The topic {topic!r} can't be created at {settings.bootstrap_servers}: {reason}.") from None
    return count


def watermarks(
    topic: str,
    *,
    bootstrap_servers: str | None = None,
    config: Config = None,
) -> dict[int, tuple[int, int]]:
    """Return the first offset and the offset after the last, for each partition.

    Raises
    ------
    TopicError
        If the topic is missing.
    BrokerUnavailableError
        If no broker answers within 10 seconds.
    """
    config = settings = KafkaConfig.of(bootstrap_servers, config)
    count = partitions_of([topic], check_broker(settings))[topic]
    consumer = onlooker(settings)
    try:
        return {p: ends_of(consumer, topic, p) for p in range(count)}
    except KafkaException as error:
        raise client_error(error, settings, f"The ends of {topic!r} can't be had") from None
    finally:
        consumer.close()


def ends_of(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Return the first offset and the offset after the last; a partition that was made just now may need a moment.

    Raises
    ------
    KafkaException
        If the broker does not tell in time.
    """
    deadline = time.monotonic() + REQUEST
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=REQUEST)
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return low, high


def onlooker(settings: KafkaConfig, group_id: str | None = None) -> Consumer:
    """Return a consumer that looks and commits nothing; close it.

    Raises
    ------
    ConfigError
        If the client refuses the configuration.
    """
    keys = {
        "group.id": group_id or f"smlnb-peek-{uuid.uuid4().hex[:12]}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
    }
    try:
        return Consumer(settings.client(**keys))
    except (KafkaException, ValueError, TypeError) as error:
        raise client_error(error, settings) from None
