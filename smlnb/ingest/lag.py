"""How far a consumer group, or a feed, is behind the ends of its topics."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from smlnb.cluster.bounds import offsets_of
from smlnb.cluster.config import KafkaConfig, check_broker, client_error
from smlnb.cluster.topics import onlooker, partitions_of
from smlnb.errors import KafkaError
from smlnb.ingest.feed import Feed

__all__ = ["lag"]

Config = None | Mapping[str, Any] | KafkaConfig | str | Path
Place = tuple[str, int]

REQUEST: Final = 8.0  # seconds
COLUMNS: Final = ("low", "high", "position", "lag", "rate")


def lag(
    of: str | Feed,
    topics: str | Sequence[str] | None = None,
    *,
    over: float | None = None,
    bootstrap_servers: str | None = None,
    config: Config = None,
) -> pd.DataFrame:
    """Return how far a consumer group, or a feed, is behind, partition by partition.

    Parameters
    ----------
    of : str or Feed
        The ``group_id``, of any program; or a feed of this one, whose positions are what it has learned.
    topics : str or sequence of str, optional
        By default all that the group has committed anything for, or that the feed reads.
    over : float, optional
        Seconds between two looks at what the group has committed, for its rate. A feed knows its rate.
    bootstrap_servers, config
        See :meth:`KafkaConfig.of`; a feed brings its own.

    Returns
    -------
    pandas.DataFrame
        Indexed by topic and partition: ``low`` and ``high``, the first offset and that after the last; ``position``,
        the next offset; ``lag``, offsets from there to the end; ``rate``, records per second, NaN where not
        known. Position and lag are missing where nothing was committed.

    Raises
    ------
    TopicError
        If a topic is missing.
    KafkaError
        If the group has committed nothing.
    BrokerUnavailableError
        If no broker answers within 10 seconds.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     there = {"bootstrap_servers": broker.bootstrap_servers}
    ...     broker.create_topic("numbers", 1)
    ...     _ = smlnb.replay({"x": [1.0, 2.0]}, "numbers", **there, block=True, progress=False)
    ...     with smlnb.connect(smlnb.Project("plant", types="C"), "numbers", **there) as feed:
    ...         feed.wait(timeout=30)
    ...         smlnb.lag(feed)[["low", "high", "position", "lag"]].values.tolist()
    1
    [[0, 2, 2, 0]]
    """
    wanted = None if topics is None else [topics] if isinstance(topics, str) else list(dict.fromkeys(topics))
    if isinstance(of, Feed):
        return _of_feed(of, wanted)
    config = settings = KafkaConfig.of(bootstrap_servers, config)  # in its place: no passwords in a traceback
    before = _committed(settings, of, wanted)
    if over is None:
        return _frame(settings, before, {})
    begin = time.monotonic()
    time.sleep(over)
    positions = _committed(settings, of, wanted)
    seconds = time.monotonic() - begin
    rates = {
        place: (at - was) / seconds
        for place, at in positions.items()
        if at is not None and (was := before.get(place)) is not None
    }
    return _frame(settings, positions, rates)


def _of_feed(feed: Feed, wanted: Sequence[str] | None) -> pd.DataFrame:
    parts = {place: part for place, part in feed.metrics.partitions.items() if wanted is None or place[0] in wanted}
    return _frame(feed.config, {p: m.position for p, m in parts.items()}, {p: m.rate for p, m in parts.items()})


def _committed(settings: KafkaConfig, group: str, wanted: Sequence[str] | None) -> dict[Place, int | None]:
    """Return what a group has committed: of all partitions of the topics, or of those where it has."""
    metadata = check_broker(settings)
    there = [name for name, found in metadata.topics.items() if found.error is None and not name.startswith("__")]
    counts = partitions_of(there if wanted is None else wanted, metadata)
    consumer = onlooker(settings, group)
    try:
        asked = [TopicPartition(topic, p) for topic, count in counts.items() for p in range(count)]
        answers = consumer.committed(asked, timeout=REQUEST)
    except KafkaException as error:
        raise client_error(error, settings, f"The offsets of the group {group!r} can't be had") from None
    finally:
        consumer.close()
    found = {(a.topic, a.partition): a.offset if a.offset >= 0 else None for a in answers}
    if all(at is None for at in found.values()):
        where = "" if wanted is None else f" for {', '.join(map(repr, wanted))}"
        raise KafkaError(
            f"The group {group!r} has committed nothing{where} at {settings.bootstrap_servers}. Is that its group_id? "
            "A feed has one of its own if none is named: smlnb.lag(feed) asks it."
        )
    return {place: at for place, at in found.items() if wanted is not None or at is not None}


def _frame(settings: KafkaConfig, positions: Mapping[Place, int | None], rates: Mapping[Place, float]) -> pd.DataFrame:
    lows = offsets_of(settings, dict.fromkeys(positions, OffsetSpec.earliest()))
    highs = offsets_of(settings, dict.fromkeys(positions, OffsetSpec.latest()))
    rows = []
    for place in sorted(positions):
        low, high, position = lows[place], highs[place], positions[place]
        behind = None if position is None else max(high - position, 0)
        rows.append((*place, low, high, position, behind, rates.get(place)))
    frame = pd.DataFrame(rows, columns=["topic", "partition", *COLUMNS])
    types = {name: "Int64" for name in COLUMNS if name != "rate"}
    return frame.astype({**types, "rate": float}).set_index(["topic", "partition"])
