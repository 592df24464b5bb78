"""Columns to the values of records: JSON, or Avro framed for a schema registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyruhvro

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame, registered_schema
from smlnb.errors import ConfigError, SchemaError

__all__ = ["Encoder", "row_encoder"]

Encoder = Callable[[pa.RecordBatch], list[bytes]]


def row_encoder(value_format: str, topic: str, config: KafkaConfig) -> Encoder:
    """Return a function from a record batch to one value per row.

    Examples
    --------
    >>> encode = row_encoder("json", "t", KafkaConfig.of("localhost:9092"))
    >>> encode(pa.record_batch({"x": [1.5, float("nan")], "name": ["a", None]}))
    [b'{"x":1.5,"name":"a"}', b'{"x":null,"name":null}']
    """
    if value_format == "json":
        return _json
    if value_format == "avro":
        return _Avro(topic, config)
    raise ConfigError(f"There is no format {value_format!r} to write. Use 'json' or 'avro'.")


_encode = msgspec.json.Encoder(decimal_format="number").encode


def _json(batch: pa.RecordBatch) -> list[bytes]:
    names = batch.schema.names
    columns = [c.to_pylist() for c in batch.columns]
    return [_encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


class _Avro:
    """Registers the schema of the first columns, and another when the columns change."""

    def __init__(self, topic: str, config: KafkaConfig) -> None:
        if config.registry is None:
            raise ConfigError("Avro needs a schema registry. Give config={'schema.registry.url': 'http://host:8081'}.")
        self._subject = f"{topic}-value"
        self._config = config
        self._seen: pa.Schema | None = None
        self._text = ""
        self._frame = b""
        self._columns: list[pa.DataType] = []

    def __call__(self, batch: pa.RecordBatch) -> list[bytes]:
        if batch.schema != self._seen:
            self._register(batch.schema)
        columns = [c.cast(t) for c, t in zip(batch.columns, self._columns, strict=True)]
        plain = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        bodies = pyruhvro.serialize_record_batch(plain, self._text, 1)
        return [self._frame + body for part in bodies for body in part.to_pylist()]

    def _register(self, schema: pa.Schema) -> None:
        kinds = [_avro_type(column) for column in schema]
        fields = [
            {"name": name, "type": ["null", kind], "default": None}
            for name, (kind, _) in zip(schema.names, kinds, strict=True)
        ]
        self._text = json.dumps({"type": "record", "name": "Row", "namespace": "smlnb", "fields": fields})
        self._frame = frame(registered_schema(self._config, self._subject, self._text))
        self._columns = [kind for _, kind in kinds]
        self._seen = schema


def _avro_type(column: pa.Field) -> tuple[str, pa.DataType]:
    kind: Any = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "boolean", pa.bool_()
    if pa.types.is_integer(kind):
        return "long", pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return "double", pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string", pa.string()
    raise SchemaError(f"The column {column.name!r} is {column.type}, which is not written as Avro. Use format='json'.")
