"""Protobuf bodies to columns.

The messages are parsed by protobuf's own classes, which are made from the registry's schema; then each field of all
messages is read in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import serialized_schemas
from smlnb.errors import ConfigError, SchemaError
from smlnb.formats.columns import Columns, Piece
from smlnb.formats.decoded import NO_FIELDS
from smlnb.formats.optional import need
from smlnb.formats.plain_decode import PlainDecoder
from smlnb.formats.protobuf_schema import MessageTypes
from smlnb.formats.protobuf_types import Leaf, leaves_of

__all__ = ["MessageWriter", "ProtobufWriter", "plain_protobuf_decoder", "protobuf_writer"]

_MAX_INDEXES = 64  # messages are not declared within each other deeper than that


def protobuf_writer(config: KafkaConfig | None, name: int | str) -> ProtobufWriter:
    """Return what decodes bodies written with a schema of the registry.

    Raises
    ------
    ConfigError
        If no registry is configured, or a library is not installed.
    SchemaError
        If it is no schema of Protobuf.
    """
    if config is None:
        raise ConfigError(f"The records have schema {name} of a registry, but no registry is configured.")
    try:
        return ProtobufWriter(MessageTypes(serialized_schemas(config, name)))
    except SchemaError as error:
        raise SchemaError(f"schema {name} of the registry can't be used: {error}") from None


def plain_protobuf_decoder(message_type: Any) -> PlainDecoder:
    """Return a decoder of messages without a frame, all of one generated class.

    Raises
    ------
    ConfigError
        If it is no such class, or protobuf is not installed.
    """
    messages = need("google.protobuf.message", "protobuf")
    if not (isinstance(message_type, type) and issubclass(message_type, messages.Message)):
        raise ConfigError(f"message_type= is {message_type!r}; give a generated class of Protobuf messages.")
    return PlainDecoder(MessageWriter(message_type), empty=True)


class ProtobufWriter:
    """Decodes bodies of one schema: first the place of the message in its file, then the message."""

    def __init__(self, types: MessageTypes) -> None:
        self._types = types
        self._writers: dict[tuple[int, ...], MessageWriter | str] = {}
        self._columns = Columns()

    def decode(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the columns of the good bodies, and the reasons of the bad ones by index."""
        bad: dict[int, str] = {}
        groups: dict[tuple[int, ...], tuple[list[int], list[bytes]]] = {}
        for i, body in enumerate(bodies):
            try:
                place, start = ((0,), 1) if body[:1] == b"\0" else _indexes(body)
            except (IndexError, ValueError):
                bad[i] = "broken Protobuf: the bytes do not begin with the place of the message in its schema"
                continue
            indices, messages = groups.setdefault(place, ([], []))
            indices.append(i)
            messages.append(body[start:])
        pieces = []
        for place, (indices, messages) in groups.items():
            writer = self._writer(place)
            if isinstance(writer, str):
                bad.update(dict.fromkeys(indices, writer))
                continue
            data, reasons = writer.decode(messages)
            bad.update({indices[i]: reason for i, reason in reasons.items()})
            pieces.append(Piece(data, np.delete(np.array(indices, np.int64), list(reasons))))
        data, _, unfit = self._columns.join(pieces)
        return data, bad | unfit

    def _writer(self, place: tuple[int, ...]) -> MessageWriter | str:
        if place not in self._writers:
            try:
                writer: MessageWriter | str = MessageWriter(self._types.message(place))
            except SchemaError as error:
                return str(error)  # not kept: random bytes must not fill the memory
            self._writers[place] = writer
        return self._writers[place]


def _indexes(body: bytes) -> tuple[tuple[int, ...], int]:
    """Read the place of the message: how many numbers, and the numbers; return where the message begins."""
    count, at = _zigzag(body, 0)
    if not 0 <= count <= _MAX_INDEXES:
        raise ValueError(count)
    found = []
    for _ in range(count):
        index, at = _zigzag(body, at)
        found.append(index)
    return tuple(found) or (0,), at


def _zigzag(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 35:
            raise ValueError(value)


class MessageWriter:
    """Decodes messages of one class."""

    def __init__(self, message_type: Any) -> None:
        error = need("google.protobuf.message", "protobuf").DecodeError
        self._broken = (error, ValueError, OverflowError, TypeError)  # Arrow's are among them
        self._parse = message_type.FromString
        self._leaves = leaves_of(message_type.DESCRIPTOR)
        self._arrow = pa.schema([(leaf.name, leaf.kind) for leaf in self._leaves])

    def decode(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the columns of the good messages, and the reasons of the bad ones by index."""
        if not self._leaves:
            return self._columns([]), dict.fromkeys(range(len(bodies)), NO_FIELDS)
        try:
            return self._columns(list(map(self._parse, bodies))), {}
        except self._broken:
            return self._each(bodies)

    def _each(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        bad: dict[int, str] = {}
        good = []
        for i, body in enumerate(bodies):
            try:
                message = self._parse(body)
                self._columns([message])
            except self._broken as error:
                bad[i] = f"broken Protobuf: {' '.join(str(error).split())}"
            else:
                good.append(message)
        return self._columns(good), bad

    def _columns(self, messages: Sequence[Any]) -> pa.RecordBatch:
        found: dict[tuple[str, ...], list[Any]] = {(): list(messages)}
        arrays = [pa.array(_items(leaf, found), leaf.kind) for leaf in self._leaves]
        return pa.RecordBatch.from_arrays(arrays, schema=self._arrow)


def _items(leaf: Leaf, found: dict[tuple[str, ...], list[Any]]) -> list[Any]:
    """Return the values of a column; the messages on the way there are kept in ``found``."""
    for depth in range(1, len(leaf.path)):
        path = leaf.path[:depth]
        if path not in found:
            name = path[-1]
            found[path] = [getattr(m, name) if m is not None and m.HasField(name) else None for m in found[path[:-1]]]
    messages, name = found[leaf.path[:-1]], leaf.path[-1]
    if leaf.presence:
        items = [getattr(m, name) if m is not None and m.HasField(name) else None for m in messages]
    elif len(leaf.path) > 1:
        items = [None if m is None else getattr(m, name) for m in messages]
    else:
        items = list(map(attrgetter(name), messages))
    if leaf.convert is None:
        return items
    return [None if v is None else leaf.convert(v) for v in items]
