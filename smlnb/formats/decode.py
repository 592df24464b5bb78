"""From the values of records to Arrow columns: the choice among the decoders."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, get_args

from smlnb.cluster.config import KafkaConfig
from smlnb.errors import ConfigError
from smlnb.formats.avro_decode import plain_avro_decoder
from smlnb.formats.csv_decode import CsvDecoder
from smlnb.formats.decoded import Decoded, Decoder, Headers
from smlnb.formats.framed_decode import FramedDecoder
from smlnb.formats.framing import schema_header
from smlnb.formats.json_decode import JsonDecoder
from smlnb.formats.json_envelope import EnvelopeDecoder
from smlnb.formats.number_decode import BinaryNumberDecoder, NumberDecoder
from smlnb.formats.protobuf_decode import plain_protobuf_decoder

__all__ = ["Format", "check_options", "decoder"]

Format = Literal[
    "auto",
    "json",
    "json-envelope",
    "avro",
    "avro-plain",
    "csv",
    "protobuf",
    "protobuf-plain",
    "json-schema",
    "number",
    "double",
    "float",
    "long",
    "integer",
    "short",
]

_OPTIONS: Mapping[str, tuple[str, ...]] = {  # of the formats that have any; those in capitals are needed
    "avro": ("schema",),
    "avro-plain": ("SCHEMA",),
    "csv": ("COLUMNS", "delimiter"),
    "protobuf-plain": ("MESSAGE_TYPE",),
}


def decoder(
    value_format: str, config: KafkaConfig | None = None, /, *, known: Collection[str] = (), **options: Any
) -> Decoder:
    """Return a new decoder.

    Parameters
    ----------
    value_format : str
        One of

        - ``"json"``: objects; those within become columns by their path.
        - ``"json-envelope"``: ``{"schema": ..., "payload": ...}``, as Kafka Connect writes JSON with its schema; the
          payload is read. What is no envelope is read as JSON.
        - ``"avro"``, ``"protobuf"``, ``"json-schema"``: the schema of each record is in the registry of ``config``, and
          its id or GUID before the record or in its headers.
        - ``"avro-plain"``, ``"protobuf-plain"``: nothing stands before the record, and the schema is given here.
        - ``"csv"``: a line each.
        - ``"number"``: a number as text; ``"double"``, ``"float"``, ``"long"``, ``"integer"``, ``"short"``: as Kafka's
          serialisers of these names write them. The column is ``value``.
        - ``"auto"``: by the first records that can be decoded: records whose schema is in the registry, of whatever
          type, or JSON. Nothing else is guessed.
    config : KafkaConfig, optional
    known : collection of str
        Columns of an earlier run, to which aliases lead; nothing but Avro has any.
    schema : str
        For ``"avro-plain"`` the schema of the records; for ``"avro"`` one that they are translated to. JSON text.
    columns : sequence of str, or str
        For ``"csv"``: the names, or the line of names.
    delimiter : str
        For ``"csv"``; a comma if nothing is said.
    message_type : class
        For ``"protobuf-plain"``: a generated class.

    Raises
    ------
    ConfigError
        If there is no such format, an option does not belong to it or is missing.

    Examples
    --------
    >>> decoded = decoder("json").decode([b'{"x": 1}', b"poison", b'{"x": 2.5}'])
    >>> decoded.data.to_pydict(), decoded.rows.tolist()
    ({'x': [1.0, 2.5]}, [0, 2])
    >>> decoded.refused
    ((1, 'malformed JSON: invalid character (byte 0)'),)
    >>> decoder("csv", columns="x,name").decode([b"0.5,a"]).data.to_pylist()
    [{'x': 0.5, 'name': 'a'}]
    """
    check_options(value_format, options)
    if value_format in ("avro", "auto"):
        options["known"] = known
    if value_format in _MAKERS:
        return _MAKERS[value_format](config, **options)
    return BinaryNumberDecoder(value_format)


def check_options(value_format: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a format does not have, and the lack of those that it needs.

    Raises
    ------
    ConfigError
        The message names those that it has. Also if there is no such format.

    Examples
    --------
    >>> check_options("csv", {"columns": "x,y", "delimeter": ";"})
    Traceback (most recent call last):
    smlnb.errors.ConfigError: The format 'csv' has no format option 'delimeter'. It has columns, delimiter.
    """
    formats = get_args(Format)
    if value_format not in formats:
        near = difflib.get_close_matches(str(value_format), formats, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"There is no format {value_format!r}.{hint} Use one of {', '.join(formats)}.")
    allowed = _OPTIONS.get(value_format, ())
    unknown = sorted(options.keys() - {o.lower() for o in allowed})
    if unknown:
        has = f"It has {', '.join(o.lower() for o in allowed)}." if allowed else "It has none."
        raise ConfigError(f"The format {value_format!r} has no format option {unknown[0]!r}. {has}")
    missing = [o.lower() for o in allowed if o.isupper() and not options.get(o.lower())]
    if missing:
        raise ConfigError(
            f"The format {value_format!r} needs the format option {missing[0]!r}: {_WANTED[missing[0]]}.",
        )


_WANTED: Mapping[str, str] = {
    "columns": "the names of the fields, as a line such as 'time,x'",
    "schema": "the Avro schema of the records, as JSON text",
    "message_type": "the generated class of the messages, which only Python can give",
}


def _avro(config: KafkaConfig | None, schema: str | None = None, known: Collection[str] = ()) -> Decoder:
    return FramedDecoder(config, "AVRO", reader_schema=schema, known=known)


def _auto(config: KafkaConfig | None, known: Collection[str] = ()) -> Decoder:
    return _AutoDecoder(lambda: FramedDecoder(config, known=known))


_MAKERS: Mapping[str, Callable[..., Decoder]] = {
    "auto": _auto,
    "json": lambda _: JsonDecoder(),
    "json-envelope": lambda _: EnvelopeDecoder(),
    "avro": _avro,
    "avro-plain": lambda _, schema: plain_avro_decoder(schema),
    "csv": lambda _, **options: CsvDecoder(**options),
    "protobuf": lambda config: FramedDecoder(config, "PROTOBUF"),
    "protobuf-plain": lambda _, message_type: plain_protobuf_decoder(message_type),
    "json-schema": lambda config: FramedDecoder(config, "JSON"),
    "number": lambda _: NumberDecoder(),
}


class _AutoDecoder:
    """Takes the first values that can be decoded for an example: those that name a schema, or JSON."""

    uses_headers = True

    def __init__(self, framed: Callable[[], Decoder]) -> None:
        self._framed = framed
        self._chosen: Decoder | None = None

    def decode(self, values: Sequence[bytes | None], headers: Headers | None = None) -> Decoded:
        if self._chosen is not None:
            return self._chosen.decode(values, headers)
        present = [v for v in values if v]
        named = sum(schema_header(h) is not None for h in headers or ())
        framed = named or sum(v[0] <= 1 for v in present)
        candidate: Decoder = self._framed() if framed * 2 > len(present) else JsonDecoder()
        decoded = candidate.decode(values, headers)
        if decoded.data.num_rows:
            self._chosen = candidate
            self.uses_headers = candidate.uses_headers
            return decoded
        return Decoded(decoded.data, decoded.rows, tuple((i, r + _hint(values[i])) for i, r in decoded.refused))


def _hint(value: bytes | None) -> str:
    """Say which format a value could be of that is not guessed."""
    if not value or value.lstrip()[:1] in (b"{", b"["):
        return ""
    if not NumberDecoder().decode([value]).refused:
        return "; if it is a number, name the format 'number'"
    if len(value) == 8 and not value.isascii():
        return "; if Kafka's DoubleSerializer or LongSerializer wrote it, name the format 'double' or 'long'"
    first = value.partition(b"\n")[0]
    if value[0] > 1 and any(first.count(c) > 1 for c in (b",", b";", b"\t")):
        return "; if it is a line of CSV, name the format 'csv', and its columns by the format option columns='a,b'"
    return ""
