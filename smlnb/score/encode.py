"""Rows to the bytes of a topic: JSON, or Avro framed for a schema registry."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, Final

import fastavro
import msgspec
import pyarrow as pa
import pyarrow.types as pt

from smlnb.batch import Batch
from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame, registered_schema
from smlnb.errors import ConfigError, SchemaError
from smlnb.formats.encode import row_encoder
from smlnb.score.scored import Scored
from smlnb.score.thresholds import FLAGS

__all__ = ["FORMATS", "encoder"]

FORMATS: Final = ("json", "avro")

Encode = Callable[[Scored | Batch | pa.RecordBatch], list[bytes]]


def encoder(value_format: str, topic: str, config: KafkaConfig) -> Encode:
    """Return a function from a :class:`Scored`, a :class:`Batch` or a record batch to one value per row.

    Raises
    ------
    ConfigError
        If there is no such format, or Avro is asked for without a registry.

    Examples
    --------
    >>> encoder("json", "t", KafkaConfig.of("localhost:9092"))(pa.record_batch({"x": [1, None]}))
    [b'{"x":1}', b'{"x":null}']
    """
    if value_format not in FORMATS:
        raise ConfigError(f"There is no output format {value_format!r}. Use one of {', '.join(FORMATS)}.")
    rows = row_encoder(value_format, topic, config)
    scores = _AvroScores(topic, config) if value_format == "avro" else _json_scores

    def encode(data: Scored | Batch | pa.RecordBatch) -> list[bytes]:
        if isinstance(data, Scored):
            return scores(data)
        return rows(data.data if isinstance(data, Batch) else data)

    return encode


_encode = msgspec.json.Encoder(decimal_format="number").encode


def _json_scores(scored: Scored) -> list[bytes]:
    return [_encode(row) for row in scored.rows()]


class _AvroScores:
    """Registers the schema of the first rows, and again when the columns have become others."""

    def __init__(self, topic: str, config: KafkaConfig) -> None:
        self._subject = f"{topic}-value"
        self._config = config
        self._known: pa.Schema | None = None
        self._frame = b""
        self._schema: Any = None

    def __call__(self, scored: Scored) -> list[bytes]:
        kept = scored.kept_data.schema
        if kept != self._known:
            self._register(kept)
        values = []
        for row in scored.rows():
            buffer = io.BytesIO(self._frame)
            buffer.seek(0, io.SEEK_END)
            fastavro.schemaless_writer(buffer, self._schema, row)
            values.append(buffer.getvalue())
        return values

    def _register(self, kept: pa.Schema) -> None:
        fields = [*_SCORE_FIELDS, *(_field(column.name, _avro_type(column)) for column in kept)]
        text = {"type": "record", "name": "Score", "namespace": "smlnb", "fields": fields}
        self._frame = frame(registered_schema(self._config, self._subject, json.dumps(text)))
        self._schema = fastavro.parse_schema(text)
        self._known = kept


def _field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "default": None}


def _avro_type(column: pa.Field) -> list[str]:
    kind = column.type
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_boolean(kind):
        return ["null", "boolean"]
    if pt.is_integer(kind) or pt.is_null(kind):
        # of a JSON source it is not known yet whether decimals, or anything else, will follow
        return ["null", "long", "double"] if pt.is_integer(kind) else ["null", "boolean", "long", "double", "string"]
    if pt.is_floating(kind):
        return ["null", "double"]
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return ["null", "string"]
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return ["null", "bytes"]
    raise SchemaError(f"The field {column.name!r} is of type {kind}, which is not written as Avro. Use format='json'.")


_MAYBE_NUMBER: Final = ["null", "double"]
_SCORE_FIELDS: Final[list[dict[str, Any]]] = [
    _field("score", _MAYBE_NUMBER),
    _field("quantile", _MAYBE_NUMBER),
    *(_field(flag, ["null", "boolean"]) for flag in FLAGS),
    _field(
        "thresholds",
        ["null", {"type": "record", "name": "Thresholds", "fields": [{"name": f, "type": "double"} for f in FLAGS]}],
    ),
    {
        "name": "top",
        "type": {
            "type": "array",
            "items": {
                "type": "record",
                "name": "Contribution",
                "fields": [{"name": "feature", "type": "string"}, _field("contribution", _MAYBE_NUMBER)],
            },
        },
    },
    {"name": "model", "type": "string"},
    {"name": "model_version", "type": "long"},
]
