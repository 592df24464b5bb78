"""Values whose schema is in a registry, to columns: each is decoded by the schema that wrote it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import FRAME, named_schema
from smlnb.errors import SchemaError, UnknownSchemaError
from smlnb.formats.avro_decode import AvroWriter, avro_writer
from smlnb.formats.columns import Columns, Piece
from smlnb.formats.decoded import Decoded, Headers, Writer
from smlnb.formats.framing import by_schema, named_by
from smlnb.formats.json_schema_decode import json_schema_writer
from smlnb.formats.protobuf_decode import protobuf_writer

__all__ = ["FramedDecoder", "SchemaType"]

SchemaType = Literal["AVRO", "JSON", "PROTOBUF"]

_UNUSABLE_KEPT = 1_000  # ids that the registry does not have; random bytes must not fill the memory
_NAMES: Mapping[str, str] = {"AVRO": "Avro", "JSON": "JSON Schema", "PROTOBUF": "Protobuf"}


class FramedDecoder:
    """Makes columns of records whose schemas are in a registry; see :class:`~smlnb.formats.decoded.Decoder`.

    The schema may change from record to record; each is asked for once. A record whose schema the registry does not
    have, or that can't be read here, is refused, and so are records of a schema that changes a column's type.

    Parameters
    ----------
    config : KafkaConfig, optional
        Names the registry.
    only : {"AVRO", "JSON", "PROTOBUF"}, optional
        Refuse records of other types of schema.
    reader_schema : str, optional
        An Avro schema, as JSON text, that Avro records are translated to: fields that it does not have are left out,
        fields that the record does not have get their default, aliases are renamed.
    known : collection of str
        Columns that were seen in an earlier run, or by others: an Avro field that has one of these as alias goes by
        that name. It may grow.
    """

    uses_headers = True

    def __init__(
        self,
        config: KafkaConfig | None = None,
        only: SchemaType | None = None,
        *,
        reader_schema: str | None = None,
        known: Collection[str] = (),
    ) -> None:
        self._config = config
        self._only = only
        self._reader_schema = reader_schema
        self._known = known
        self._writers: dict[bytes, Writer] = {}
        self._unusable: dict[bytes, str] = {}
        self._columns = Columns()

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:
        """Decode the values; see :meth:`smlnb.formats.decoded.Decoder.decode`.

        Raises
        ------
        ConfigError
            If no registry is configured, or a library for the type of schema is not installed.
        BrokerUnavailableError
            If the registry does not answer, or refuses the login.
        """
        alike = self._alike(values, headers)
        if alike is not None:
            return alike
        refused: dict[int, str] = {}
        pieces = []
        for key, (indices, bodies) in by_schema(values, headers, refused).items():
            writer = self._writer(key)
            if isinstance(writer, str):
                refused.update(dict.fromkeys(indices, writer))
                continue
            data, bad = writer.decode(bodies)
            refused.update({indices[i]: reason for i, reason in bad.items()})
            rows = np.arange(len(values)) if isinstance(indices, range) else np.array(indices, np.int64)
            pieces.append(Piece(data, np.delete(rows, list(bad))))
        data, rows, unfit = self._columns.join(pieces)
        refused.update(unfit)
        return Decoded(data, rows, tuple(sorted(refused.items())))

    def _alike(self, values: Sequence[bytes | None], headers: Headers | None) -> Decoded | None:
        """Decode values that have one frame and nothing wrong with them, at once; None if there is anything else."""
        frame = ((values[0] if values else None) or b"")[:FRAME]
        writer = self._writers.get(frame)
        if not isinstance(writer, AvroWriter) or len(frame) < FRAME or (headers is not None and any(headers)):
            return None
        data = writer.decode_framed(values, frame)
        if data is None:
            return None
        joined, rows, unfit = self._columns.join([Piece(data, np.arange(len(values)))])
        return Decoded(joined, rows, tuple(sorted(unfit.items())))

    def _writer(self, key: bytes) -> Writer | str:
        """Return what decodes records of a schema, or why they can't be decoded."""
        if key in self._writers:
            return self._writers[key]
        if key in self._unusable:
            return self._unusable[key]
        try:
            writer = self._make(named_by(key))
        except (UnknownSchemaError, SchemaError) as error:
            if len(self._unusable) >= _UNUSABLE_KEPT:
                self._unusable.clear()
            self._unusable[key] = str(error)
            return str(error)
        self._writers[key] = writer
        return writer

    def _make(self, name: int | str) -> Writer:
        schema = named_schema(self._config, name)
        kind = schema.schema_type or "AVRO"
        if self._only not in (None, kind):
            raise SchemaError(f"schema {name} of the registry is {_NAMES.get(kind, kind)}, not {_NAMES[self._only]}")
        match kind:
            case "AVRO":
                known = frozenset(self._known) | self._columns.names
                return avro_writer(self._config, name, schema, reader_schema=self._reader_schema, known=known)
            case "JSON":
                return json_schema_writer(self._config, name, schema)
            case "PROTOBUF":
                return protobuf_writer(self._config, name)
        raise SchemaError(f"schema {name} of the registry is of the type {kind}, which can't be read here")
