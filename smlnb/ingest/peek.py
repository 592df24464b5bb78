"""A look at the records of a topic, whatever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, Message, TopicPartition
from confluent_kafka import KafkaError as ClientError

from smlnb.clock import Time, milliseconds, written
from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.cluster.topics import onlooker, watermarks
from smlnb.errors import ConfigError, DecodeError, TopicError, UnknownSchemaError
from smlnb.formats.decode import Format, decoder
from smlnb.formats.decoded import Decoded, Decoder
from smlnb.schema import Schema

__all__ = ["guess_types", "peek", "sample"]

Config = None | Mapping[str, Any] | KafkaConfig | str | Path
Ends = Mapping[int, tuple[int, int]]

PATIENCE: Final = 8.0  # seconds
REQUEST: Final = 8.0  # seconds
UNDECODABLE: Final = "kafka.error"


def peek(
    topic: str,
    n: int = 10,
    *,
    start: Time | None = None,
    details: bool = False,
    format: Format = "auto",  # noqa: A002 - the word that users know
    format_options: Mapping[str, Any] | None = None,
    bootstrap_servers: str | None = None,
    config: Config = None,
) -> pd.DataFrame:
    """Return the latest ``n`` records of a topic, or the first ``n`` from a time, as a DataFrame; nothing is committed.

    Parameters
    ----------
    topic : str
    n : int
    start : time, optional
        ``"-5min"``, ``"10:30"``, ``"2026-11-22 10:30"``, a datetime, or milliseconds since 1970.
    details : bool
        Begin with the columns ``kafka.partition``, ``kafka.offset``, ``kafka.timestamp`` and ``kafka.key``.
    format : str
        Of the values; see :func:`smlnb.formats.decode.decoder`.
    format_options : mapping, optional
        Of that format, such as ``{"columns": ["a", "b"]}`` for CSV.
    bootstrap_servers, config
        See :meth:`KafkaConfig.of`.

    Returns
    -------
    pandas.DataFrame
        By time and partition. If there are records that can't be decoded, tombstones among them, they have nothing but
        the reason, in the column ``kafka.error``.

    Raises
    ------
    TopicError
        If the topic is missing or empty, or there is nothing from that time on.
    BrokerUnavailableError
        If no broker answers within 10 seconds, or no schema registry.
    ConfigError
        If the format is unknown, or an option does not belong to it or is missing.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     there = {"bootstrap_servers": broker.bootstrap_servers}
    ...     _ = smlnb.replay({"x": [1.0, 2.0, 3.0]}, "numbers", **there, block=True, progress=False)
    ...     smlnb.peek("numbers", 2, **there)["x"].tolist()
    [2.0, 3.0]
    """
    config = settings = KafkaConfig.of(bootstrap_servers, config)  # in its place: no passwords in a traceback
    chosen = decoder(format, settings, **(format_options or {}))
    messages = _messages(settings, topic, n, start)
    decoded = _decoded(chosen, messages)
    frame: pd.DataFrame = decoded.data.to_pandas()
    if decoded.refused:
        frame = frame.set_axis(decoded.rows, axis=0).reindex(range(len(messages)))
        frame[UNDECODABLE] = pd.Series(dict(decoded.refused), dtype=object).reindex(frame.index)
    return frame if not details else pd.concat([_details(messages), frame], axis=1)


def guess_types(
    topic: str,
    n: int = 1_000,
    *,
    format: Format = "auto",  # noqa: A002 - the word that users know
    format_options: Mapping[str, Any] | None = None,
    bootstrap_servers: str | None = None,
    config: Config = None,
) -> Schema:
    """Guess the names and types of a topic's columns from its latest ``n`` records.

    The letters are what a project takes: ``smlnb.Project("plant", types=smlnb.guess_types("readings").letters)``. How
    they are guessed is told by :func:`smlnb.schema.guess_kind`.

    Raises
    ------
    TopicError
        If the topic is missing or empty.
    DecodeError
        If none of the records can be decoded.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     there = {"bootstrap_servers": broker.bootstrap_servers}
    ...     data = {"x": [0.5, 1.5, 2.5, 3.5], "on": [0, 1, 1, 0], "place": ["a", "b", "a", "b"]}
    ...     _ = smlnb.replay(data, "readings", **there, block=True, progress=False)
    ...     smlnb.guess_types("readings", **there).letters
    'C,B,T'
    """
    config = KafkaConfig.of(bootstrap_servers, config)  # in its place: no passwords in a traceback
    return Schema.guess(sample(topic, n, format=format, format_options=format_options, config=config))


def sample(
    topic: str,
    n: int,
    *,
    format: Format = "auto",  # noqa: A002 - the word that users know
    format_options: Mapping[str, Any] | None = None,
    bootstrap_servers: str | None = None,
    config: Config = None,
) -> pa.RecordBatch:
    """Return those of the latest ``n`` records that can be decoded.

    Raises
    ------
    TopicError
        If the topic is missing or empty.
    DecodeError
        If none of the records can be decoded.
    """
    config = settings = KafkaConfig.of(bootstrap_servers, config)
    chosen = decoder(format, settings, **(format_options or {}))
    messages = _messages(settings, topic, n, None)
    decoded = _decoded(chosen, messages)
    if not len(decoded.rows):
        _, reason = decoded.refused[-1]
        raise DecodeError(f"None of the latest {len(messages)} records of {topic!r} can be decoded: {reason}.")
    return decoded.data


# -- reading -----------------------------------------------------------------------------------------------------------


def _messages(settings: KafkaConfig, topic: str, n: int, start: Time | None) -> list[Message]:
    """Return the latest records, or the first from a time, in the order of their times."""
    if n < 1:
        raise ValueError(f"A look shows at least one record, not {n}.")
    since = None if start is None else milliseconds(start)
    ends = watermarks(topic, config=settings)
    if all(low == high for low, high in ends.values()):
        raise TopicError(f"The topic {topic!r} is empty: there is nothing to look at yet. Write to it first.")
    consumer = onlooker(settings)
    try:
        if since is None:
            begins = {p: max(low, high - n) for p, (low, high) in ends.items() if high > low}
            return _ordered(_read(consumer, topic, begins, ends))[-n:]
        begins = _begins(consumer, topic, ends, since)
        found = _read(consumer, topic, begins, ends, since=since, enough=n)
    except KafkaException as error:
        raise client_error(error, settings, f"{topic!r} can't be read") from None
    finally:
        consumer.close()
    if not found:
        raise TopicError(f"The topic {topic!r} has no record since {written(since)}. Look from an earlier time.")
    return _ordered(found)[:n]


def _begins(consumer: Consumer, topic: str, ends: Ends, since: int) -> dict[int, int]:
    """Return where each partition's records from a time on begin, or its beginning: an embedded broker can't tell."""
    asked = [TopicPartition(topic, p, since) for p, (low, high) in ends.items() if high > low]
    found = consumer.offsets_for_times(asked, timeout=REQUEST)
    told = {part.partition: part.offset for part in found if part.offset >= 0}
    if told:
        return {p: at for p, at in told.items() if at < ends[p][1]}
    return {part.partition: ends[part.partition][0] for part in asked}


def _read(
    consumer: Consumer,
    topic: str,
    begins: Mapping[int, int],
    ends: Ends,
    *,
    since: int | None = None,
    enough: int | None = None,
) -> list[Message]:
    """Read to the ends, or until there are enough of each partition; what is older than ``since`` is left out."""
    found: list[Message] = []
    counts = dict.fromkeys(begins, 0)
    waiting = set(begins)
    consumer.assign([TopicPartition(topic, p, at) for p, at in begins.items()])
    deadline = monotonic() + PATIENCE
    while waiting and monotonic() < deadline:
        for message in consumer.consume(500, 0.1):
            error, partition = message.error(), message.partition()
            if error is not None:
                if error.code() == ClientError._PARTITION_EOF:
                    waiting.discard(partition)
                elif not error.retriable():
                    raise KafkaException(error)
                continue
            if partition not in waiting:
                continue
            if since is None or _time(message) >= since:
                found.append(message)
                counts[partition] += 1
            if message.offset() + 1 >= ends[partition][1] or counts[partition] == enough:
                waiting.discard(partition)
    return found


def _time(message: Message) -> int:
    return int(message.timestamp()[1])


def _ordered(messages: Sequence[Message]) -> list[Message]:
    return sorted(messages, key=lambda m: (_time(m), m.offset(), m.partition()))


# -- showing -----------------------------------------------------------------------------------------------------------


def _decoded(chosen: Decoder, messages: Sequence[Message]) -> Decoded:
    headers = [m.headers() for m in messages] if chosen.uses_headers else None
    try:
        return chosen.decode([m.value() for m in messages], headers)
    except (ConfigError, UnknownSchemaError) as error:  # their schema can't be had: what is else known is shown
        nothing = pa.RecordBatch.from_arrays([], names=[])
        return Decoded(nothing, np.empty(0, np.int64), tuple((i, str(error)) for i in range(len(messages))))


def _details(messages: Sequence[Message]) -> pd.DataFrame:
    times = (m.timestamp() for m in messages)
    known = [t if kind != TIMESTAMP_NOT_AVAILABLE and t >= 0 else None for kind, t in times]  # -1: it has none
    return pd.DataFrame(
        {
            "kafka.partition": [m.partition() for m in messages],
            "kafka.offset": [m.offset() for m in messages],
            "kafka.timestamp": pd.to_datetime(pd.Series(known, dtype="Int64"), unit="ms", utc=True),
            "kafka.key": pd.Series([_text(m.key()) for m in messages], dtype=object),
        }
    )


def _text(key: bytes | None) -> str | None:
    """Return a key as text, or else its bytes in hexadecimal.

    Examples
    --------
    >>> _text(b"plant"), _text(bytes([0, 255])), _text(None)
    ('plant', '0x00ff', None)
    """
    if key is None:
        return None
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return f"0x{key.hex()}"
    return text if text.isprintable() else f"0x{key.hex()}"
