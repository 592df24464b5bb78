"""Readers that share the partitions of their topics in a consumer group."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import KafkaError as ClientError

from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.errors import KafkaError
from smlnb.ingest.arrivals import Event
from smlnb.ingest.chunk import Chunk, Place
from smlnb.ingest.reader import Reader
from smlnb.logs import event, quiet_logger

__all__ = ["Member", "Together"]

_log = quiet_logger(__name__)

GROUP: Mapping[str, Any] = {
    "group.protocol": "classic",
    "partition.assignment.strategy": "cooperative-sticky",
}
PACE: Mapping[str, Any] = {  # unless the configuration says otherwise
    "heartbeat.interval.ms": 500,  # how soon members hear that others have come; with the default a start takes seconds
    "session.timeout.ms": 10_000,  # how long one that was closed while it joined is waited for; by default 45 s
    "topic.metadata.refresh.interval.ms": 10_000,  # how soon partitions that are added are shared out
}


class Member(Reader):
    """Reads the partitions that the group assigns to it, each from where the last of its readers has come to.

    A partition moves between two polls: what was read of it and not taken is given back. Where it goes on is asked of
    ``position_of``, never of the group: the group's offsets are told for lag tools, and may be behind.

    Parameters
    ----------
    config, topics, **options
        As for :class:`Reader`; all members have the same ``group_id``.
    position_of : callable
        Returns the next offset of a (topic, partition); None for one that was added, which is read from its beginning.
    """

    def __init__(
        self, config: KafkaConfig, topics: Sequence[str], *, position_of: Callable[[Place], int | None], **options: Any
    ) -> None:
        self._position_of = position_of
        self._failure: KafkaError | None = None
        super().__init__(config, topics, positions={}, alone=False, **options)

    def _settings(self) -> Mapping[str, Any]:
        return {**PACE, **{k: v for k, v in self.config.settings.items() if k in PACE}, **GROUP}

    def _join(self, positions: Mapping[Place, int]) -> None:  # noqa: ARG002 - they come with the assignment
        self._consumer.subscribe(
            list(self.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def poll(self, timeout: float) -> None:
        """Read some records, and take part in the sharing out of partitions.

        Raises
        ------
        KafkaError
            If the broker refuses, or records were lost to retention.
        """
        super().poll(timeout)
        if self._failure is not None:
            raise self._failure

    def _on_assign(self, _: Consumer, parts: Sequence[TopicPartition]) -> None:
        """Begin with partitions. What goes wrong is raised after the poll that this is called in."""
        self._say("assigned", parts)
        try:
            new = {place: self._opened(place) for place in ((part.topic, part.partition) for part in parts)}
            self._assign({place: buffer.stop for place, buffer in new.items()})
            self._buffers.update(new)
            idle = [TopicPartition(*place) for place in new if self._paused or place in self._finished]
            if idle:
                self._consumer.pause(idle)
        except KafkaException as error:
            self._failure = client_error(error, self.config, "The partitions can't be read")
        except KafkaError as error:
            self._failure = error

    def _opened(self, place: Place) -> Chunk:
        position = self._position_of(place)
        if self._ended(place, position or 0):
            self._finished.add(place)
            self.high.setdefault(place, position or 0)
            return Chunk(place, position or 0, position or 0)
        return self._begin(place, position)

    def _on_revoke(self, _: Consumer, parts: Sequence[TopicPartition]) -> None:
        """Give partitions back, or notice that they were taken away."""
        self._say("revoked", parts)
        for part in parts:
            self.give_back((part.topic, part.partition))
        try:
            self._unassign(list(parts))
        except KafkaException as error:
            self._failure = client_error(error, self.config, "The partitions can't be given back")

    def _say(self, what: str, parts: Sequence[TopicPartition]) -> None:
        shared = [f"{part.topic}[{part.partition}]" for part in parts]
        event(_log, logging.INFO, what, topics=self.topics, count=len(shared), partitions=shared)

    def _on_event(self, event: Event) -> None:
        if event.error.code() != ClientError._MAX_POLL_EXCEEDED:  # else it joins again at the next poll
            super()._on_event(event)

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Tell the consumer group the positions of the partitions that are assigned."""
        super().commit({place: offset for place, offset in positions.items() if place in self._buffers})


class Together:
    """Several readers as one, for their meter.

    Parameters
    ----------
    readers : iterable of Reader
    before : Counter
        What readers have read that are gone by now, per partition.
    """

    def __init__(self, readers: Iterable[Reader], before: Counter[Place]) -> None:
        readers = list(readers)
        self.high: dict[Place, int] = {}
        self.read: dict[Place, int] = dict(before)
        for reader in readers:
            for place, high in dict(reader.high).items():
                self.high[place] = max(high, self.high.get(place, 0))
            for place, count in dict(reader.read).items():
                self.read[place] = self.read.get(place, 0) + count
        self.commit_errors = sum(reader.commit_errors for reader in readers)
        self.broker_error = next((reader.broker_error for reader in readers if reader.broker_error), None)
