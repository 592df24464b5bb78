"""What there is on a cluster: topics, their ends, and a look at the latest records."""

from __future__ import annotations

import difflib
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from confluent_kafka import (
    Consumer,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka import (
    KafkaError as ClientError,
)
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic

from smlnb.errors import DecodeError, TopicError
from smlnb.ingest.broker import AUTOMATIC_PARTITIONS, broker_limit, check_topic, find_broker, is_local
from smlnb.ingest.config import KafkaConfig, check_broker, client_error
from smlnb.ingest.decode import decoder

__all__ = ["ends_of", "ensure_topic", "list_topics", "partitions_of", "peek", "watermarks"]

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
    consumer = _consumer(settings)
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


def peek(
    topic: str,
    n: int = 10,
    *,
    bootstrap_servers: str | None = None,
    config: Config = None,
    format: Literal["auto", "json", "avro"] = "auto",  # noqa: A002 - the word that users know
) -> pd.DataFrame:
    """Return the latest ``n`` records of a topic as a DataFrame, by time and partition; nothing is committed.

    Parameters
    ----------
    topic : str
    n : int
    bootstrap_servers, config
        See :meth:`KafkaConfig.of`.
    format : {"auto", "json", "avro"}

    Raises
    ------
    TopicError
        If the topic is missing or empty.
    DecodeError
        If none of the records can be decoded.
    """
    config = settings = KafkaConfig.of(bootstrap_servers, config)
    if n < 1:
        raise ValueError(f"peek shows at least one record, not {n}.")
    ends = watermarks(topic, config=settings)
    if all(low == high for low, high in ends.values()):
        raise TopicError(f"The topic {topic!r} is empty: there is nothing to look at yet. Write to it first.")
    messages = _latest(settings, topic, ends, n)
    decoded = decoder(format, settings).decode([m.value() for m in messages])
    if not len(decoded.rows) and decoded.refused:
        _, reason = decoded.refused[-1]
        raise DecodeError(f"None of the latest {len(messages)} records of {topic!r} can be decoded: {reason}.")
    keep = np.arange(len(decoded.rows))[-n:]
    frame: pd.DataFrame = decoded.data.take(keep).to_pandas()
    return frame


def _latest(settings: KafkaConfig, topic: str, ends: Mapping[int, tuple[int, int]], n: int) -> Sequence[Message]:
    """Read the last records of each partition, in the order of their time stamps."""
    consumer = _consumer(settings)
    found: list[Message] = []
    waiting = {p for p, (low, high) in ends.items() if high > low}
    try:
        consumer.assign([TopicPartition(topic, p, max(ends[p][0], ends[p][1] - n)) for p in waiting])
        deadline = time.monotonic() + REQUEST
        while waiting and time.monotonic() < deadline:
            for message in consumer.consume(500, 0.1):
                error = message.error()
                if error is None:
                    found.append(message)
                    if message.offset() + 1 >= ends[message.partition()][1]:
                        waiting.discard(message.partition())
                elif error.code() == ClientError._PARTITION_EOF:
                    waiting.discard(message.partition())
                elif not error.retriable():
                    raise client_error(KafkaException(error), settings, f"{topic!r} can't be read")
    finally:
        consumer.close()
    return sorted(found, key=lambda m: (m.timestamp()[1], m.offset(), m.partition()))


def _consumer(settings: KafkaConfig) -> Consumer:
    keys = {
        "group.id": f"smlnb-peek-{uuid.uuid4().hex[:12]}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
    }
    try:
        return Consumer(settings.client(**keys))
    except (KafkaException, ValueError, TypeError) as error:
        raise client_error(error, settings) from None
