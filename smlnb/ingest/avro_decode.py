"""Avro values, framed as by Confluent's serialisers, to columns.

Records of plain fields go through pyruhvro, a batch at a time and several million a second; it does not look at what
follows a record, so the columns are encoded again and the lengths compared. Anything else goes through fastavro, one
by one.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from smlnb.errors import ConfigError, UnknownSchemaError
from smlnb.ingest.avro_types import column_of, is_flat
from smlnb.ingest.columns import Columns, Piece
from smlnb.ingest.config import KafkaConfig
from smlnb.ingest.decoded import EMPTY, NO_FIELDS, TOMBSTONE, Decoded
from smlnb.ingest.registry import FRAME, schema_of_id

__all__ = ["AvroDecoder"]

_UNKNOWN_KEPT = 1_000  # ids of schemas that the registry does not have; random bytes must not fill the memory
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
)


class AvroDecoder:
    """Makes columns of Avro records; see :class:`~smlnb.ingest.decode.Decoder`.

    Parameters
    ----------
    config : KafkaConfig, optional
        Names the registry that the schemas are read from, each once.
    """

    def __init__(self, config: KafkaConfig | None = None) -> None:
        self._config = config
        self._writers: dict[bytes, _Writer] = {}
        self._unknown: dict[bytes, str] = {}
        self._columns = Columns()

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Decode the values; see :meth:`smlnb.ingest.decode.Decoder.decode`.

        Raises
        ------
        ConfigError
            If no registry is configured.
        BrokerUnavailableError
            If the registry does not answer, or refuses the login.
        """
        refused: dict[int, str] = {}
        pieces = []
        for prefix, (indices, bodies) in self._groups(values, refused).items():
            writer = self._writer(prefix)
            if isinstance(writer, str):
                refused.update(dict.fromkeys(indices, writer))
                continue
            if not writer.has_fields:
                refused.update(dict.fromkeys(indices, NO_FIELDS))
                continue
            whole, bad = writer.decode(bodies)
            refused.update({indices[i]: reason for i, reason in bad.items()})
            rows = np.arange(len(values)) if isinstance(indices, range) else np.array(indices, np.int64)
            pieces.append(Piece(whole, np.delete(rows, list(bad))))
        data, rows, unfit = self._columns.join(pieces)
        refused.update(unfit)
        return Decoded(data, rows, tuple(sorted(refused.items())))

    def _groups(
        self,
        values: Sequence[bytes | None],
        refused: dict[int, str],
    ) -> dict[bytes, tuple[Sequence[int], list[bytes]]]:
        """Return indices and bodies of the values, by their first five bytes."""
        if values and (bodies := _without(values[0], values)) is not None:
            return {values[0][:FRAME]: (range(len(values)), bodies)}  # type: ignore[index] # it is no None
        groups: dict[bytes, tuple[list[int], list[bytes]]] = {}
        for i, value in enumerate(values):
            if value is None:
                refused[i] = TOMBSTONE
            elif not value:
                refused[i] = EMPTY
            elif value[0] != 0:
                like = ", like JSON" if value.lstrip()[:1] == b"{" else ""
                refused[i] = f"no Avro from a schema registry: it begins with byte {value[0]:#04x}{like}, not with zero"
            elif len(value) < FRAME:
                refused[i] = f"no Avro from a schema registry: it ends within the schema's id, after {len(value)} bytes"
            else:
                indices, bodies = groups.setdefault(value[:FRAME], ([], []))
                indices.append(i)
                bodies.append(value[FRAME:])
        return dict(groups)

    def _writer(self, prefix: bytes) -> _Writer | str:
        """Return what decodes records of a schema, or why they can't be decoded."""
        if prefix in self._writers:
            return self._writers[prefix]
        if prefix in self._unknown:
            return self._unknown[prefix]
        schema_id = int.from_bytes(prefix[1:], "big")
        try:
            writer = _Writer(schema_of_id(self._config, schema_id), schema_id)
        except UnknownSchemaError as error:
            if len(self._unknown) >= _UNKNOWN_KEPT:
                self._unknown.clear()
            self._unknown[prefix] = str(error)
            return str(error)
        self._writers[prefix] = writer
        return writer


def _without(first: bytes | None, values: Sequence[bytes | None]) -> list[bytes] | None:
    """Return the values without the frame of the first, if all have that one."""
    if first is None or len(first) < FRAME or first[0] != 0:
        return None
    try:
        bodies = list(map(bytes.removeprefix, values, repeat(first[:FRAME])))  # type: ignore[arg-type]
    except TypeError:  # None is among them
        return None
    whole = sum(map(len, values)) - FRAME * len(bodies)  # type: ignore[arg-type]
    return bodies if sum(map(len, bodies)) == whole else None


class _Writer:
    """Decodes bodies that were written with one schema."""

    def __init__(self, text: str, schema_id: int) -> None:
        schema = json.loads(text)
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise ConfigError(f"Schema {schema_id} of the registry is not a record; its values make no columns.")
        self._text = text
        self.has_fields = bool(schema["fields"])
        self._flat = is_flat(schema)
        self._schema = fastavro.parse_schema(schema)
        self._fields = [(f["name"], *column_of(f["type"])) for f in schema["fields"]]

    def decode(self, bodies: list[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the columns of the good bodies, and the reasons of the bad ones by index."""
        if not self._flat:
            return self._one_by_one(bodies)
        batch = self._whole(bodies)
        if batch is not None:
            return batch, {}
        bad: dict[int, str] = {}
        batches = list(self._halved(bodies, 0, bad))
        if not batches:
            return pa.RecordBatch.from_pylist([], schema=self._arrow()), bad
        return pa.concat_batches(batches), bad

    def _whole(self, bodies: list[bytes]) -> pa.RecordBatch | None:
        """Decode all, or return None if any is broken or longer than its record."""
        try:
            batch = pyruhvro.deserialize_array(bodies, self._text)
            batch.validate(full=True)
            again = pyruhvro.serialize_record_batch(batch, self._text, 1)
        except ValueError:  # what pyruhvro raises; Arrow's are of this kind, too
            return None
        if sum(pc.sum(pc.binary_length(a)).as_py() or 0 for a in again) != sum(map(len, bodies)):
            return None
        return self._cast(batch)

    def _halved(self, bodies: list[bytes], first: int, bad: dict[int, str]) -> list[pa.RecordBatch]:
        """Decode by halves, down to the single bodies that are broken."""
        batch = self._whole(bodies)
        if batch is not None:
            return [batch]
        if len(bodies) == 1:
            one, reasons = self._one_by_one(bodies)
            if reasons:
                bad[first] = reasons[0]
                return []
            return [one]
        middle = len(bodies) // 2
        return self._halved(bodies[:middle], first, bad) + self._halved(bodies[middle:], first + middle, bad)

    def _one_by_one(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, dict[int, str]]:
        records: list[dict[str, Any]] = []
        bad: dict[int, str] = {}
        for i, body in enumerate(bodies):
            stream = io.BytesIO(body)
            try:
                record = fastavro.schemaless_reader(stream, self._schema, None)
                arrays = {n: _converted(record[n], convert) for n, _, convert in self._fields}
                for name, kind, _ in self._fields:
                    pa.array([arrays[name]], kind)
            except _BROKEN as error:
                bad[i] = _why(error)
                continue
            if stream.tell() != len(body):
                bad[i] = f"broken Avro: {len(body) - stream.tell()} bytes follow the record"
                continue
            records.append(arrays)
        columns = [pa.array([r[n] for r in records], kind) for n, kind, _ in self._fields]
        return pa.RecordBatch.from_arrays(columns, schema=self._arrow()), bad

    def _arrow(self) -> pa.Schema:
        return pa.schema([(name, kind) for name, kind, _ in self._fields])

    def _cast(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [c if c.type == k else c.cast(k) for c, (_, k, _) in zip(batch.columns, self._fields, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self._arrow())


def _why(error: BaseException) -> str:
    if isinstance(error, EOFError | struct.error | StopIteration):
        return "broken Avro: the bytes end within the record"
    return f"broken Avro: {type(error).__name__}: {error}".rstrip(": ")


def _converted(value: Any, convert: Any) -> Any:
    return value if value is None or convert is None else convert(value)
