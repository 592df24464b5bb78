"""JSON bodies with a schema of a registry to columns: checked against the schema, then decoded as any JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from confluent_kafka.schema_registry import Schema

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import referred_schemas
from smlnb.errors import SchemaError
from smlnb.formats.json_decode import JsonDecoder
from smlnb.formats.optional import need

__all__ = ["JsonSchemaWriter", "json_schema_writer"]


def json_schema_writer(config: KafkaConfig | None, name: int | str, schema: Schema) -> JsonSchemaWriter:
    """Return what decodes bodies written with a schema of the registry, with those that it refers to.

    Raises
    ------
    ConfigError
        If ``jsonschema-rs`` is not installed.
    SchemaError
        If it is no JSON Schema.
    UnknownSchemaError
        If the registry does not have one that it refers to.
    """
    others = referred_schemas(config, schema) if schema.references and config is not None else {}
    try:
        return JsonSchemaWriter(str(schema.schema_str), {k: str(v.schema_str) for k, v in others.items()})
    except SchemaError as error:
        raise SchemaError(f"schema {name} of the registry {error}") from None


class JsonSchemaWriter:
    r"""Decodes JSON that was written with one schema.

    Parameters
    ----------
    text : str
        The schema.
    referred : mapping, optional
        Schemas that it refers to by their names. No others are looked for, neither in files nor on the network.

    Examples
    --------
    >>> writer = JsonSchemaWriter('{"properties": {"x": {"type": "number"}}, "required": ["x"]}')
    >>> data, bad = writer.decode([b'{"x": 1.5}', b'{"x": "a"}', b"{}"])
    >>> data.to_pylist(), bad[1]
    ([{'x': 1.5}], 'against its schema: "a" is not of type "number" (at \'x\')')
    """

    def __init__(self, text: str, referred: Mapping[str, str] | None = None) -> None:
        rs = need("jsonschema_rs", "jsonschema-rs")
        others = {name: json.loads(other) for name, other in (referred or {}).items()}

        def retrieve(uri: str) -> Any:
            for name, other in others.items():
                if uri == name or uri.endswith(f"/{name}") or uri == other.get("$id"):
                    return other
            raise ValueError(f"the schema refers to {uri!r}, which the registry does not name among its references")

        try:
            self._validator = rs.validator_for(json.loads(text), retriever=retrieve)
        except (ValueError, rs.ValidationError, rs.ReferencingError, RecursionError) as error:
            raise SchemaError(f"is no JSON Schema: {str(error).partition(chr(10))[0]}") from None
        self._decoder = JsonDecoder()

    def decode(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the columns of the good bodies, and the reasons of the bad ones by index."""
        bad: dict[int, str] = {}
        rows: list[int] = []
        parse, valid = msgspec.json.decode, self._validator.is_valid
        for i, body in enumerate(bodies):
            try:
                found = parse(body)
                if not valid(found):
                    bad[i] = self._why(found)
                    continue
            except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError, OverflowError):
                pass  # the decoder says what is wrong with it
            rows.append(i)
        decoded = self._decoder.decode(bodies if len(rows) == len(bodies) else [bodies[i] for i in rows])
        bad.update({rows[i]: reason for i, reason in decoded.refused})
        return decoded.data, bad

    def _why(self, found: Any) -> str:
        error = next(iter(self._validator.iter_errors(found)))
        where = ".".join(map(str, error.instance_path))
        said = error.message if len(error.message) < 300 else f"{error.message[:300]}..."
        return f"against its schema: {said}" + (f" (at {where!r})" if where else "")
