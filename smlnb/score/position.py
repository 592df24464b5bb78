"""Where a named scorer stopped: the offsets that Kafka keeps for its consumer group."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from smlnb.cluster.config import KafkaConfig, client_error

__all__ = ["committed"]

_REQUEST = 10.0  # seconds


def committed(config: KafkaConfig, group: str, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the next offsets of a consumer group; partitions for which it has none are left out.

    Raises
    ------
    KafkaError
        If the broker does not tell.
    """
    try:
        consumer = Consumer(config.client(**{"group.id": group, "enable.auto.commit": False}))
    except (KafkaException, ValueError, TypeError) as error:
        raise client_error(error, config) from None
    try:
        found = consumer.committed([TopicPartition(*place) for place in places], timeout=_REQUEST)
    except KafkaException as error:
        raise client_error(error, config, f"The position of {group!r} can't be had") from None
    finally:
        consumer.close()
    return {(part.topic, part.partition): part.offset for part in found if part.offset >= 0}
