"""What a poll of the client brings: runs of records of one partition, and what the broker has to say.

There are two ways. The client makes an object of each message; or, with :mod:`smlnb.native`, thousands of messages are
copied into columns at once, at half the cost and without holding up other threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Message
from confluent_kafka import KafkaError as ClientError
from numpy.typing import NDArray

from smlnb import native
from smlnb.cluster._librdkafka import LibraryError, addresses, client_place
from smlnb.formats.payloads import Payloads
from smlnb.ingest.chunk import Place
from smlnb.ingest.records import Records

__all__ = ["Arrivals", "ByMessage", "Event", "InBulk", "Run", "arrivals"]

MESSAGES = 500  # objects per call; fewer or more are slower
BULK = 2_000  # messages per call; their bytes fit the processor's cache
WEIGHT = 16 << 20  # bytes of values and keys per call, after which it is enough
AGAIN = 0.1  # seconds; sending a partition costs 0.3 microseconds
TIME = itemgetter(1)  # of a timestamp, whose other part is its type


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition, one after the other."""

    place: Place
    records: Records


@dataclass(frozen=True, slots=True)
class Event:
    """What the broker says of a partition, or of itself: then the partition is negative."""

    place: Place
    error: ClientError
    offset: int


Arrivals = list[Run | Event]


class ByMessage:
    """Polls by the client's message objects, which are taken apart and freed at once: kept, they cost twice as much.

    Parameters
    ----------
    consumer : Consumer
    headers : bool
        Whether the headers of the records are wanted.

    Attributes
    ----------
    full : bool
        Whether the last poll brought as much as it may: then there is more.
    """

    def __init__(self, consumer: Consumer, *, headers: bool) -> None:
        self.headers = headers
        self.full = False
        self._consumer = consumer

    def poll(self, timeout: float) -> Arrivals:
        """Return what has come, in its order; wait for at most ``timeout`` seconds.

        Raises
        ------
        KafkaException
            If the broker refuses.
        """
        messages = self._consumer.consume(MESSAGES, timeout)
        self.full = len(messages) == MESSAGES
        found: Arrivals = []
        for (topic, partition, is_event), run in groupby(messages, key=_place):
            if is_event:
                found += map(_event, run)
            else:
                found.append(Run((topic, partition), _records(list(run), headers=self.headers)))
        return found

    def expect(self, places: Iterable[Place]) -> None:
        """Take note of partitions that are about to be assigned; nothing to do here."""

    def forget(self, place: Place) -> None:
        """Take note of a partition that is given back; nothing to do here."""

    def close(self) -> None:
        """Nothing is held."""


class InBulk:
    """Polls by a queue of librdkafka's, to which the partitions are sent.

    A partition that was sent there before it is assigned comes by no other way: librdkafka leaves it as it is. When it
    is taken away librdkafka sends it nowhere, and its records wait until it is sent here again. The client goes on
    being polled, as it calls us back from there; should a partition's records come that way after all, they are older
    than those in the queue, which is read only when nothing is left of them.

    Parameters
    ----------
    consumer : Consumer
    headers : bool

    Raises
    ------
    LibraryError
        If the installed client is not known well enough for that.
    """

    def __init__(self, consumer: Consumer, *, headers: bool) -> None:
        from smlnb.native.messages import FUNCTIONS, Queue

        self._direct = ByMessage(consumer, headers=headers)
        self._queue = Queue(consumer, client_place(consumer), addresses(FUNCTIONS), BULK, WEIGHT)
        self._places: set[Place] = set()
        self._sent = 0.0  # when it was last made sure that they are sent to the queue
        self.headers = headers
        self.full = False

    def poll(self, timeout: float) -> Arrivals:
        """Return what has come, in its order; see :meth:`ByMessage.poll`."""
        if time.monotonic() - self._sent >= AGAIN:
            self._send(self._places)
            self._sent = time.monotonic()
        self._direct.headers = self.headers
        found = self._direct.poll(0)
        if found:
            self.full = self._direct.full
            return found
        taken = self._queue.take(int(timeout * 1000), self.headers)
        self.full = self._queue.full
        if taken is None:
            return []
        runs, offsets, times, values, keys, headers = taken
        records = Records(offsets, times, Payloads(*values), Payloads(*keys), headers)
        return [
            Run((topic, partition), records.part(what))
            if isinstance(what, slice)
            else Event((topic, partition), ClientError(*what[:2]), what[2])
            for topic, partition, what in runs
        ]

    def expect(self, places: Iterable[Place]) -> None:
        """Let partitions that are about to be assigned be sent to the queue."""
        self._places.update(places)
        self._send(places)
        self._sent = 0.0  # one that was taken away just now is sent here again by the next poll

    def forget(self, place: Place) -> None:
        """Let a partition that is given back be sent nowhere."""
        self._places.discard(place)

    def _send(self, places: Iterable[Place]) -> None:
        for place in places:
            self._queue.redirect(*place)

    def close(self) -> None:
        """Give the queue back, before the consumer is closed."""
        self._queue.close()


def arrivals(consumer: Consumer, *, headers: bool) -> ByMessage | InBulk:
    """Return the better way that there is here."""
    if native.AVAILABLE:
        try:
            return InBulk(consumer, headers=headers)
        except LibraryError:
            pass  # a client built against a librdkafka of the system
    return ByMessage(consumer, headers=headers)


def _place(message: Message) -> tuple[str, int, bool]:
    return message.topic(), message.partition(), message.error() is not None


def _event(message: Message) -> Event:
    return Event((message.topic(), message.partition()), message.error(), message.offset())


def _records(messages: list[Message], *, headers: bool) -> Records:
    return Records(
        _offsets(messages),
        np.fromiter(map(TIME, map(Message.timestamp, messages)), np.int64, len(messages)),
        list(map(Message.value, messages)),
        list(map(Message.key, messages)),
        list(map(_headers, messages)) if headers else None,
    )


def _headers(message: Message) -> Any:
    try:
        return message.headers()
    except SystemError:  # the client's, where a name is not UTF-8
        return None


def _offsets(messages: Sequence[Any]) -> NDArray[np.int64]:
    first, last = messages[0].offset(), messages[-1].offset()
    if last - first + 1 == len(messages):
        return np.arange(first, last + 1)
    return np.fromiter(map(Message.offset, messages), np.int64, len(messages))
