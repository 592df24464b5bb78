"""Where reading begins and where it ends: as people say it, and as offsets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, cast

import numpy as np
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka import KafkaError as ClientError
from confluent_kafka.admin import AdminClient, OffsetSpec

from smlnb.clock import Time, milliseconds, now, written
from smlnb.cluster.broker import check_limit
from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.errors import ConfigError, StatisticsError

__all__ = ["Bounds", "Place", "Start", "Until", "offsets_of"]

Place = tuple[str, int]

Start = Literal["earliest", "latest"] | Time | Mapping[Place, int]
"""Where to begin in partitions without a position: at an end, at a time, or at offsets."""

Until = Literal["now"] | Time | Mapping[Place, int]
"""Where to end: at what is there now, at a time, or at offsets."""

REQUEST: Final = 8.0  # seconds
NOT_YET: Final = (  # what a broker says of a partition that it has not taken charge of yet
    ClientError.NOT_LEADER_FOR_PARTITION,
    ClientError.LEADER_NOT_AVAILABLE,
    ClientError.UNKNOWN_TOPIC_OR_PART,
    ClientError._UNKNOWN_PARTITION,
)


class Bounds:
    """Where some topics are read from and to.

    Parameters
    ----------
    topics : sequence of str
    start : Start
        A time stands for the first record that is not older; where there is none, for the end. Of offsets, the
        partitions that are not named are read from their beginning.
    until : Until, optional
        A time stands for the first record that is not older, which is not read. Of offsets, the partitions that are not
        named are not read at all. Never, by default.

    Raises
    ------
    ConfigError
        If they are nothing of the kind.

    Examples
    --------
    >>> Bounds(["t"], start={("t", 0): 100}).start
    {('t', 0): 100}
    >>> Bounds(["t"], start="2026-11-22T10:30Z").start
    1795343400000
    """

    def __init__(self, topics: Sequence[str], start: Start = "earliest", until: Until | None = None) -> None:
        self.start: str | int | dict[Place, int]
        self.until: str | int | dict[Place, int] | None
        self.start = _checked("start", start, ("earliest", "latest"), topics)
        self.until = None if until is None else _checked("until", until, ("now",), topics)
        if isinstance(self.until, int) and self.until > now():
            raise ConfigError(
                f"until is {written(self.until)}, which is still to come. A time must have passed; until='now' reads "
                "what is there.",
            )

    def begin(self, config: KafkaConfig, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offsets to begin with.

        Raises
        ------
        ConfigError
            If an offset that was given is beyond the partition's end, or there is no such partition.
        BrokerLimitError
            If it is a time, and the embedded broker.
        KafkaError
            If the broker does not tell.
        """
        places = list(places)
        if isinstance(self.start, int):
            return _at(config, places, self.start)
        ends = offsets_of(config, dict.fromkeys(places, OffsetSpec.latest()))
        if self.start == "latest":
            return ends
        found = offsets_of(config, dict.fromkeys(places, OffsetSpec.earliest()))
        for place, offset in (self.start if isinstance(self.start, dict) else {}).items():
            if place in ends:
                if offset > ends[place]:
                    raise ConfigError(
                        f"start is offset {offset} of {place[0]}[{place[1]}], which ends at {ends[place]}. "
                        "Begin there or before, or at 'latest'.",
                    )
                found[place] = offset
        return found

    def end(self, config: KafkaConfig, places: Iterable[Place]) -> dict[Place, int] | None:
        """Return the offset that is no longer read, for each partition; None if there is no end.

        Raises
        ------
        BrokerLimitError
            If it is a time, and the embedded broker.
        KafkaError
            If the broker does not tell.
        """
        places = list(places)
        if self.until is None:
            return None
        if isinstance(self.until, int):
            return _at(config, places, self.until)
        if isinstance(self.until, dict):
            return {place: self.until.get(place, 0) for place in places}
        return offsets_of(config, dict.fromkeys(places, OffsetSpec.latest()))

    def check_partitions(self, places: Iterable[Place]) -> None:
        """Make sure that the topics have the partitions whose offsets were given.

        Raises
        ------
        ConfigError
            If one is missing.
        """
        there = set(places)
        for what, given in (("start", self.start), ("until", self.until)):
            for topic, partition in given if isinstance(given, dict) else ():
                if (topic, partition) not in there:
                    count = sum(t == topic for t, _ in there)
                    raise ConfigError(f"{what} names {topic}[{partition}], but {topic!r} has {count} partitions.")


def _checked(what: str, given: Any, words: tuple[str, ...], topics: Sequence[str]) -> str | int | dict[Place, int]:
    if isinstance(given, str) and given in words:
        return given
    if isinstance(given, Mapping):
        return {_place(what, place, topics): _offset(what, offset) for place, offset in given.items()}
    try:
        return milliseconds(given)
    except StatisticsError:
        raise ConfigError(
            f"{what} is {given!r}. Use {' or '.join(map(repr, words))}, a time such as '10:30', '-1h' or a datetime, "
            f"or offsets {{({topics[0]!r}, 0): 100}}.",
        ) from None


def _place(what: str, place: Any, topics: Sequence[str]) -> Place:
    match place:
        case (str(topic), int(partition)) if topic in topics and partition >= 0:
            return topic, partition
    raise ConfigError(f"{what} names {place!r}; offsets are given as {{({topics[0]!r}, 0): 100}}.")


def _offset(what: str, offset: Any) -> int:
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer) or offset < 0:
        raise ConfigError(f"{what} holds {offset!r}, which is no offset. Offsets are whole numbers from 0 on.")
    return int(offset)


def _at(config: KafkaConfig, places: Sequence[Place], when: int) -> dict[Place, int]:
    """Return the first offset whose time is not before ``when``, or else the end."""
    check_limit("offsets_by_time", config.bootstrap_servers, config.client())
    spec = OffsetSpec.for_timestamp(max(when, 0))
    found = offsets_of(config, dict.fromkeys(places, spec))
    none = [place for place, offset in found.items() if offset < 0]
    return {**found, **offsets_of(config, dict.fromkeys(none, OffsetSpec.latest()))}


def offsets_of(config: KafkaConfig, asked: Mapping[Place, OffsetSpec]) -> dict[Place, int]:
    """Ask the broker for offsets of many partitions at once; the latest is that of what is committed.

    Raises
    ------
    KafkaError
        If it does not tell in time.
    """
    if not asked:
        return {}
    admin = AdminClient(config.client())
    deadline = time.monotonic() + REQUEST
    found: dict[Place, int] = {}
    while True:
        missing = {TopicPartition(*place): spec for place, spec in asked.items() if place not in found}
        answers = admin.list_offsets(missing, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST)
        for part, answer in answers.items():
            try:
                found[part.topic, part.partition] = cast("int", answer.result(REQUEST + 1).offset)
            except KafkaException as error:
                if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                    raise client_error(error, config, f"The offsets of {part.topic!r} can't be had") from None
        if len(found) == len(asked):
            return found
        time.sleep(0.05)  # a partition that was made just now
