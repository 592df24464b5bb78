"""From the values of records to Arrow columns: the choice among the decoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from smlnb.errors import ConfigError
from smlnb.ingest.avro_decode import AvroDecoder
from smlnb.ingest.config import KafkaConfig
from smlnb.ingest.decoded import Decoded, Decoder
from smlnb.ingest.json_decode import JsonDecoder

__all__ = ["Format", "decoder"]

Format = Literal["auto", "json", "avro"]


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
