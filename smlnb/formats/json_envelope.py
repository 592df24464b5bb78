"""JSON as Kafka Connect writes it, with the schema beside each value."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smlnb.formats.decoded import Decoded, Headers
from smlnb.formats.json_decode import JsonDecoder

__all__ = ["EnvelopeDecoder"]


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    schema: msgspec.Raw
    payload: msgspec.Raw


class EnvelopeDecoder:
    """Takes ``{"schema": ..., "payload": ...}`` apart and makes columns of the payloads.

    The schema is not read: JSON says itself what is a number, a text or a list. Decimals, dates and times stay as
    Connect writes them: base64 texts, days and milliseconds. A value that is no envelope is taken as it is; an envelope
    whose payload is null is a tombstone.

    Examples
    --------
    >>> values = [b'{"schema": {"type": "struct"}, "payload": {"x": 1.5}}', b'{"x": 2.5}']
    >>> EnvelopeDecoder().decode(values).data.to_pydict()
    {'x': [1.5, 2.5]}
    """

    uses_headers = False

    def __init__(self) -> None:
        self._payloads = JsonDecoder()
        self._open = msgspec.json.Decoder(_Envelope).decode

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:
        """Decode the values; see :class:`~smlnb.formats.decoded.Decoder`."""
        return self._payloads.decode([self._payload(v) for v in values], headers)

    def _payload(self, value: bytes | None) -> bytes | None:
        if value is None or b'"payload"' not in value:
            return value
        try:
            payload = bytes(self._open(value).payload)
        except (msgspec.DecodeError, UnicodeDecodeError):  # no envelope: the decoder of plain values says what is wrong
            return value
        return None if payload == b"null" else payload
