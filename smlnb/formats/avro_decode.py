"""Avro bodies, each without its frame, to columns.

Records of fields that hold one value each, and of such records, are decoded a batch at a time, several million a
second; without compiled code only those of plain fields, dates and timestamps. Anything else goes through fastavro, one
by one.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import fastavro
import pyarrow as pa
from confluent_kafka.schema_registry import Schema
from fastavro.schema import SchemaParseException, UnknownType

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import referred_schemas
from smlnb.errors import ConfigError, SchemaError
from smlnb.formats.avro_flat import FlatAvro
from smlnb.formats.avro_strict import walk
from smlnb.formats.avro_types import Leaf, leaves_of
from smlnb.formats.decoded import NO_FIELDS
from smlnb.formats.plain_decode import PlainDecoder

__all__ = ["AvroWriter", "avro_writer", "plain_avro_decoder"]

_BROKEN = (
    EOFError,
    ValueError,  # also UnicodeDecodeError and Arrow's
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    RecursionError,
    MemoryError,
    StopIteration,
    fastavro.read.SchemaResolutionError,
)
_LONG_NUMBER = re.compile(rb"[\x80-\xff]{9}")  # or a text, or a float: it is only a reason to look closer
_NO_SCHEMA = (ValueError, TypeError, KeyError, AttributeError, RecursionError, SchemaParseException, UnknownType)


def avro_writer(
    config: KafkaConfig | None,
    name: int | str,
    schema: Schema,
    *,
    reader_schema: str | None = None,
    known: Collection[str] = (),
) -> AvroWriter:
    """Return what decodes bodies written with a schema of the registry, with those that it refers to.

    Raises
    ------
    SchemaError
        If it is no schema of Avro.
    UnknownSchemaError
        If the registry does not have one that it refers to.
    """
    others = referred_schemas(config, schema) if schema.references and config is not None else {}
    texts = [str(s.schema_str) for s in others.values()]
    try:
        return AvroWriter(str(schema.schema_str), texts, reader_schema=reader_schema, known=known)
    except _NO_SCHEMA as error:
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(f"schema {name} of the registry is no Avro schema: {error}") from None


class AvroWriter:
    r"""Decodes bodies that were written with one schema.

    Parameters
    ----------
    text : str
        The schema, as JSON.
    referred : sequence of str
        Schemas that it refers to, each after those that it refers to itself.
    reader_schema : str, optional
        Another schema that the records are translated to.
    known : collection of str
        Columns that there are: a field with one of these as alias goes by it.

    Examples
    --------
    >>> fields = [{"name": "x", "type": "long"}, {"name": "y", "type": ["null", "string"]}]
    >>> writer = AvroWriter(json.dumps({"type": "record", "name": "r", "fields": fields}))
    >>> data, bad = writer.decode([b"\x02\x00", b"\x02"])
    >>> data.to_pylist(), bad
    ([{'x': 1, 'y': None}], {1: 'broken Avro: the bytes end within the record'})
    """

    def __init__(
        self,
        text: str,
        referred: Sequence[str] = (),
        *,
        reader_schema: str | None = None,
        known: Collection[str] = (),
    ) -> None:
        named: dict[str, Any] = {}
        for other in referred:
            fastavro.parse_schema(json.loads(other), named)
        schema = fastavro.parse_schema(json.loads(text), named)
        self._schema = schema
        self._named = named
        self._has_indexes = _has_indexes([json.loads(t) for t in (text, *referred)])
        self._reader = None
        if reader_schema is not None:
            named = {}
            schema = self._reader = fastavro.parse_schema(json.loads(reader_schema), named)
        self._leaves = _renamed(leaves_of(schema, named), frozenset(known))
        self._arrow = pa.schema([(leaf.name, leaf.kind) for leaf in self._leaves])
        self._flat = FlatAvro.of(schema, named, self._arrow) if self._leaves and self._reader is None else None

    def decode(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the columns of the good bodies, and the reasons of the bad ones by index."""
        if not self._leaves:
            return self._none(), dict.fromkeys(range(len(bodies)), NO_FIELDS)
        if self._flat is None:
            return self._one_by_one(bodies)
        bad: dict[int, str] = {}
        batches = self._halved(self._flat, self._flat.packed(bodies), 0, bad)
        return (pa.concat_batches(batches) if len(batches) > 1 else batches[0] if batches else self._none()), bad

    def decode_framed(self, values: Sequence[bytes | None], frame: bytes) -> pa.RecordBatch | None:
        """Return the columns of values with the frame before their bodies; None if anything is unlike the others."""
        return None if self._flat is None else self._flat.decode(values, frame)

    def _none(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([], schema=self._arrow)

    def _halved(self, flat: FlatAvro, bodies: Sequence[bytes], first: int, bad: dict[int, str]) -> list[pa.RecordBatch]:
        """Decode by halves, down to a few bodies with one that is broken."""
        batch = flat.decode(bodies)
        if batch is not None:
            return [batch]
        if len(bodies) <= flat.least:
            some, reasons = self._one_by_one(bodies)
            bad.update({first + i: reason for i, reason in reasons.items()})
            return [some] if len(reasons) < len(bodies) else []
        middle = len(bodies) // 2
        return [
            *self._halved(flat, bodies[:middle], first, bad),
            *self._halved(flat, bodies[middle:], first + middle, bad),
        ]

    def _one_by_one(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        records: list[Any] = []
        rows: list[int] = []
        bad: dict[int, str] = {}
        for i, body in enumerate(bodies):
            stream = io.BytesIO(body)
            try:
                record = fastavro.schemaless_reader(stream, self._schema, self._reader)
            except _BROKEN as error:
                bad[i] = _why(error) + _like(body)
                continue
            if stream.tell() != len(body):
                bad[i] = f"broken Avro: {len(body) - stream.tell()} bytes follow the record" + _like(body)
                continue
            if self._doubtful(body) and not self._written_so(record, body):
                try:
                    walk(self._schema, self._named, body)
                except (ValueError, RecursionError) as error:
                    bad[i] = f"broken Avro: {error}"
                    continue
            records.append(record)
            rows.append(i)
        try:
            return self._columns(records), bad
        except _BROKEN:  # a value that its column can't hold
            return self._each(records, rows, bad), bad

    def _doubtful(self, body: bytes) -> bool:
        """Say whether fastavro may have taken damaged bytes for a record: by a negative index, or a number too long."""
        return self._has_indexes or _LONG_NUMBER.search(body) is not None

    def _written_so(self, record: Any, body: bytes) -> bool:
        """Say whether the record would be written with these bytes; if not, they may still be right."""
        if self._reader is not None:
            return False
        stream = io.BytesIO()
        try:
            fastavro.schemaless_writer(stream, self._schema, record)
        except _BROKEN:
            return False
        return stream.getvalue() == body

    def _each(self, records: Sequence[Any], rows: Sequence[int], bad: dict[int, str]) -> pa.RecordBatch:
        batches = []
        for i, record in zip(rows, records, strict=True):
            try:
                batches.append(self._columns([record]))
            except _BROKEN as error:
                bad[i] = _why(error)
        return pa.concat_batches(batches) if batches else self._none()

    def _columns(self, records: Sequence[Any]) -> pa.RecordBatch:
        arrays = []
        for leaf in self._leaves:
            items = records
            for key in leaf.path:
                items = [None if r is None else r[key] for r in items]
            if leaf.convert is not None:
                items = [None if v is None else leaf.convert(v) for v in items]
            arrays.append(pa.array(items, leaf.kind))
        return pa.RecordBatch.from_arrays(arrays, schema=self._arrow)


def plain_avro_decoder(schema: str) -> PlainDecoder:
    """Return a decoder of Avro values without a frame, all of one schema, which is given as JSON text.

    Raises
    ------
    ConfigError
        If it is no schema of Avro.
    """
    try:
        return PlainDecoder(AvroWriter(schema))
    except _NO_SCHEMA as error:
        raise ConfigError(f"schema= is no Avro schema: {error}") from None


def _renamed(leaves: list[Leaf], known: Collection[str]) -> list[Leaf]:
    """Give columns that have been renamed the name that is known."""
    taken = {leaf.name for leaf in leaves}
    found = []
    for leaf in leaves:
        old = next((a for a in leaf.aliases if a in known and a not in taken), None)
        if leaf.name in known or old is None:
            found.append(leaf)
        else:
            taken.add(old)
            found.append(replace(leaf, name=old))
    return found


def _has_indexes(schema: Any) -> bool:
    """Say whether there are unions or enums in a schema, or in a list of schemas."""
    if isinstance(schema, list):
        return any(map(_has_indexes, schema))
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "enum":
        return True
    parts = [schema.get("type"), schema.get("items"), schema.get("values")]
    fields = [f.get("type") for f in schema.get("fields") or ()]
    return any(isinstance(p, list) or _has_indexes(p) for p in (*parts, *fields))


def _like(body: bytes) -> str:
    return " (it begins like a container file of Avro, which is no record)" if body.startswith(b"Obj\x01") else ""


def _why(error: BaseException) -> str:
    if isinstance(error, EOFError | struct.error | StopIteration):
        return "broken Avro: the bytes end within the record"
    return f"broken Avro: {type(error).__name__}: {error}".rstrip(": ")
