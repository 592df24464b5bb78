"""From the values of records to Arrow columns: what every decoder is, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.errors import ConfigError
from smlnb.ingest.config import KafkaConfig

__all__ = ["EMPTY", "NO_FIELDS", "TOMBSTONE", "Decoded", "Decoder", "Format", "decoder"]

Format = Literal["auto", "json", "avro"]

TOMBSTONE = "tombstone: the record has no value"
EMPTY = "the value is empty"
NO_FIELDS = "the record has no fields"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Values as columns.

    Attributes
    ----------
    data : pyarrow.RecordBatch
    rows : array of int64, shape (data.num_rows,)
        Which of the values made each row, ascending.
    refused : tuple of (index, reason)
        The other values, and what was wrong with each.
    """

    data: pa.RecordBatch
    rows: NDArray[np.int64]
    refused: tuple[tuple[int, str], ...] = ()


class Decoder(Protocol):
    """Something that makes columns of values, and remembers the columns it has seen.

    The type of a column is that of its first value; in the first batch of JSON, that of most values, so that one
    strange record at the beginning does not make strangers of all others. Later records may bring new columns, leave
    columns out (they are null) and turn whole numbers into decimal ones; a record in which a column changes its type
    otherwise is refused.
    """

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        """Decode the values; what can't be decoded is refused by itself, with a reason; nothing is raised for it."""
        ...


def decoder(value_format: str, config: KafkaConfig | None = None) -> Decoder:
    """Return a new decoder for ``"json"``, ``"avro"`` (with the registry of ``config``) or ``"auto"``.

    Examples
    --------
    >>> decoded = decoder("json").decode([b'{"x": 1}', b"poison", b'{"x": 2.5}'])
    >>> decoded.data.to_pydict(), decoded.rows.tolist()
    ({'x': [1.0, 2.5]}, [0, 2])
    >>> decoded.refused
    ((1, 'malformed JSON: invalid character (byte 0)'),)
    """
    from smlnb.ingest.avro_decode import AvroDecoder
    from smlnb.ingest.json_decode import JsonDecoder

    if value_format == "json":
        return JsonDecoder()
    if value_format == "avro":
        return AvroDecoder(config)
    if value_format == "auto":
        return _AutoDecoder(config)
    raise ConfigError(f"There is no format {value_format!r}. Use one of {', '.join(get_args(Format))}.")


class _AutoDecoder:
    """Takes the first values that can be decoded for an example: a zero byte begins Avro, anything else is JSON."""

    def __init__(self, config: KafkaConfig | None) -> None:
        self._config = config
        self._chosen: Decoder | None = None

    def decode(self, values: Sequence[bytes | None]) -> Decoded:
        if self._chosen is not None:
            return self._chosen.decode(values)
        present = [v for v in values if v]
        framed = sum(v[0] == 0 for v in present)
        candidate = decoder("avro" if framed * 2 > len(present) else "json", self._config)
        decoded = candidate.decode(values)
        if decoded.data.num_rows:
            self._chosen = candidate
        return decoded
