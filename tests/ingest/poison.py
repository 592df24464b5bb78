"""Records that something is wrong with, in every format: a corpus for tests of decoders and of whole pipelines.

Each function below gives the poison of one kind, by a name, made of one good value of the format; what makes no poison
in a format is not in its dictionary. :func:`corpus` gives everything.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from smlnb.cluster.registry import frame
from smlnb.testing import SchemaRegistry
from tests.ingest.writing import avro, compiled_classes

__all__ = ["FORMATS", "Poison", "corpus", "good", "options", "register"]

AVRO = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "x", "type": "double"},
        {"name": "n", "type": "long"},
        {"name": "s", "type": "string"},
        {"name": "ok", "type": "boolean"},
    ],
}
RICH = {
    "type": "record",
    "name": "Rich",
    "fields": [
        *AVRO["fields"],
        {"name": "l", "type": {"type": "array", "items": "double"}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["up", "down"]}},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "u", "type": ["null", "long", "double"]},
    ],
}
SCHEMA = {
    "type": "object",
    "properties": {
        "x": {"type": "number"},
        "n": {"type": "integer"},
        "s": {"type": "string"},
        "ok": {"type": "boolean"},
        "at": {"type": "object", "properties": {"k": {"type": "number"}}},
    },
    "required": ["x", "n"],
}
PROTO = """
syntax = "proto3";
message Reading { double x = 1; int64 n = 2; string s = 3; bool ok = 4; At at = 5; repeated double l = 6; uint64 u = 7; }
message At { double k = 1; }
"""
COLUMNS = "x,n,s,ok"
FORMATS = ("json", "json-schema", "avro", "avro-rich", "avro-plain", "protobuf", "csv", "number", "double", "long")
IDS = {"avro": 1, "avro-rich": 2, "json-schema": 3, "protobuf": 4}  # of a registry that nothing else was registered in
DEEP = 1_000_000
LONG = 10_000_000


@dataclass(frozen=True)
class Poison:
    """One record: the format of the topic that it is written to, what is wrong with it, and its value."""

    format: str
    kind: str
    value: bytes | None


def register(registry: SchemaRegistry) -> None:
    """Register the schemas of the formats that have one."""
    found = {
        "avro": registry.register("avro-value", json.dumps(AVRO)),
        "avro-rich": registry.register("avro-rich-value", json.dumps(RICH)),
        "json-schema": registry.register("json-schema-value", json.dumps(SCHEMA), "JSON"),
        "protobuf": registry.register("protobuf-value", PROTO, "PROTOBUF"),
    }
    assert found == IDS


def options(kind: str) -> Mapping[str, str]:
    """Return the options of the format."""
    return {"csv": {"columns": COLUMNS}, "avro-plain": {"schema": json.dumps(AVRO)}}.get(kind, {})


def good(kind: str, n: int) -> bytes:
    """Return a good value of a format, which holds the number ``n``."""
    row = {"x": n + 0.5, "n": n, "s": "abc", "ok": True}
    text = json.dumps({**row, "at": {"k": 0.5}}).encode()
    rich = {**row, "l": [1.0], "e": "up", "t": 0, "d": Decimal("1.23"), "u": 0.5}
    message = _Reading(**row, at={"k": 0.5}, l=[1.0])
    makers = {
        "json": text.strip,
        "json-schema": lambda: frame(IDS[kind]) + text,
        "avro": lambda: avro(AVRO, row, IDS[kind]),
        "avro-plain": lambda: avro(AVRO, row, 0)[5:],
        "avro-rich": lambda: avro(RICH, rich, IDS[kind]),
        "protobuf": lambda: frame(IDS[kind]) + b"\0" + message.SerializeToString(),
        "csv": f"{n + 0.5},{n},abc,true".encode,
        "number": str(n).encode,
        "double": partial(struct.pack, ">d", n),
        "long": partial(struct.pack, ">q", n),
    }
    return makers[kind]()


_Reading = compiled_classes(PROTO)["Reading"]


def absent(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give values without anything in them."""
    yield "tombstone", None
    yield "empty", b""


def cut(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give the value cut at some places."""
    for k in sorted({1, 2, 3, 4, len(value) // 2, len(value) - 3, len(value) - 2, len(value) - 1}):
        if 0 < k < len(value):
            yield f"cut after {k} bytes", value[:k]


def longer(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give the value with something behind it."""
    for name, more in {"zero": b"\0", "text": b"poison", "itself": value, "a megabyte": b"\0" * 1_000_000}.items():
        yield f"followed by {name}", value + more


def foreign(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give values of other formats, and of none."""
    others = {
        "text": b"poison",
        "XML": b"<x>1.0</x>",
        "container file of Avro": b"Obj\x01\x04",
        "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3",
        "invalid UTF-8": b"\xff\xfe\xfa\xf0\xff",
        "overlong UTF-8": b"\xc0\xaf\xc0\xaf",
        "zeros": bytes(3),
        "a pickle": b"\x80\x04K\x01.",
        "HTML": b"<img src=x onerror=alert(1)>",
        "a formula": b"=cmd|' /C calc'!A0",
        "a path": b"../../etc/passwd\0",
        "ten megabytes": b"\xf1" * LONG,
    }
    yield from others.items()


def unknown_schema(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give values whose schema there is not, or is another's."""
    for name in (0, 999, 2**31, 2**32 - 1):
        yield f"schema {name}", frame(name) + value[5:]
    yield "GUID of no schema", b"\1" + bytes(range(16)) + value[5:]
    yield "cut within the GUID", b"\1" + bytes(range(9))
    yield "another first byte", b"\2" + value[1:]


def other_types(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give values with a schema of another type than the format."""
    own = int.from_bytes(value[1:5], "big")
    kinds = {1: "Avro", 3: "JSON Schema", 4: "Protobuf"}
    yield from (
        (f"written as {k}", frame(i) + value[5:]) for i, k in kinds.items() if k != kinds[1 if own == 2 else own]
    )


def broken_json(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give what is no JSON, or none that a record can be made of."""
    texts = {
        "no object": b"[1, 2]",
        "number": b"5",
        "null": b"null",
        "string": b'"x"',
        "true": b"true",
        "NaN": b'{"x": NaN, "n": 1}',
        "Infinity": b'{"x": -Infinity, "n": 1}',
        "single quotes": b"{'x': 1, 'n': 1}",
        "comment": b'{"x": 1, "n": 1} // one',
        "trailing comma": b'{"x": 1, "n": 1,}',
        "two objects": b'{"x": 1, "n": 1} {"x": 2, "n": 2}',
        "byte order mark": b'\xef\xbb\xbf{"x": 1, "n": 1}',
        "UTF-16": '{"x": 1, "n": 1}'.encode("utf-16"),
        "invalid UTF-8 in text": b'{"x": 1, "n": 1, "s": "\xff"}',
        "lone surrogate": b'{"x": 1, "n": 1, "s": "\\ud800"}',
        "surrogates the wrong way round": b'{"x": 1, "n": 1, "s": "\\udc00\\ud800"}',
        "raw control character": b'{"x": 1, "n": 1, "s": "a\nb"}',
        "NUL behind": b'{"x": 1, "n": 1}\0',
        "hexadecimal": b'{"x": 0x1, "n": 1}',
        "leading zero": b'{"x": 01, "n": 1}',
        "plus": b'{"x": +1, "n": 1}',
        "bare point": b'{"x": .5, "n": 1}',
        "blank": b" \n\t ",
        "only a brace": b"{",
        "cut within a text": b'{"x": 1, "n": 1, "s": "a',
    }
    yield from texts.items()


def unfit_json(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give JSON that its columns can't hold."""
    records = {
        "text for a number": b'{"x": "1", "n": 1}',
        "NaN as text": b'{"x": "NaN", "n": 1}',
        "boolean for a number": b'{"x": true, "n": 1}',
        "number for a text": b'{"x": 1, "n": 1, "s": 1}',
        "number for a boolean": b'{"x": 1, "n": 1, "ok": 1}',
        "list for a number": b'{"x": [1], "n": 1}',
        "object for a number": b'{"x": {}, "n": 1}',
        "number for an object": b'{"x": 1, "n": 1, "at": 1}',
        "list for an object": b'{"x": 1, "n": 1, "at": [1]}',
        "text within an object": b'{"x": 1, "n": 1, "at": {"k": "1"}}',
        "2^63": b'{"x": 1, "n": 9223372036854775808}',
        "2^64": b'{"x": 1, "n": 18446744073709551616}',
        "2^53 + 1 among decimals": b'{"x": 9007199254740993, "n": 1}',
        "1e400": b'{"x": 1e400, "n": 1}',
        "many digits": b'{"n": 1, "x": ' + b"9" * 10_000 + b"}",
        "twice": b'{"x": 1, "n": 1, "x": 1}',
        "twice, escaped": b'{"x": 1, "n": 1, "\\u0078": 1}',
        "twice within": b'{"x": 1, "n": 1, "at": {"k": 1, "k": 1}}',
        "one column by two ways": b'{"x": 1, "n": 1, "at.k": 1}',
        "quotation mark in a name": b'{"x": 1, "n": 1, "a\\"b": 1}',
        "NUL in a name": b'{"x": 1, "n": 1, "a\\u0000b": 1}',
        "a million levels of lists": b'{"x": 1, "n": 1, "z": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        "many levels of objects": b'{"x": 1, "n": 1, "z": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        "a million brackets": b"[" * DEEP,
        "too many columns": json.dumps({"x": 1, "n": 1, **{f"c{i}": 0 for i in range(5_000)}}).encode(),
    }
    yield from records.items()


def against_schema(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give JSON that the schema does not allow."""
    bodies = [b"{}", b'{"x": 1}', b'{"n": 1}', b'{"x": 1, "n": 1.5}', b'{"x": null, "n": 1}', b'{"x": 1, "n": "1"}']
    bodies += [b'{"x": 1, "n": 1, "s": null}', b'{"x": 1, "n": 1, "at": null}', b'{"x": 1, "n": 1, "ok": "true"}']
    yield from ((f"against the schema {i}", body) for i, body in enumerate(bodies))


def broken_avro(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give bodies of plain fields that are no records: x (8 bytes), n, s with its length, ok."""
    bodies = {
        "endless number": bytes(8) + b"\xff" * 12,
        "number of 11 bytes": bytes(8) + b"\x80" * 10 + b"\x01" + b"\x02a\1",
        "negative length": bytes(8) + b"\x02\x01a\x01",
        "length beyond the end": bytes(8) + b"\x02\x7fa\x01",
        "length of a gigabyte": bytes(8) + b"\x02\x80\x80\x80\x80\x08a\x01",
        "length of 2^62": bytes(8) + b"\x02" + b"\xfe" * 8 + b"\x7fa\x01",
        "invalid UTF-8": bytes(8) + b"\x02\x02\xff\x01",
        "overlong UTF-8": bytes(8) + b"\x02\x04\xc0\xaf\x01",
        "surrogate": bytes(8) + b"\x02\x06\xed\xa0\x80\x01",
        "text missing": bytes(8) + b"\x02",
        "boolean missing": bytes(8) + b"\x02\x02a",
        "a byte more": bytes(8) + b"\x02\x02a\x01\x00",
        "nothing but the first field": bytes(8),
    }
    yield from bodies.items()


def broken_rich(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give bodies of records with lists, enums, dates, decimals and unions that are none."""
    head = bytes(8) + b"\x02\x02a\x01"
    bodies = {
        "list without end": head + b"\x02" + bytes(8),
        "list of 2^60": head + b"\xfe" * 8 + b"\x1f",
        "negative list": head + b"\x01",
        "symbol beyond": head + b"\x00\x08\x00\x02\x64\x00",
        "negative symbol": head + b"\x00\x01\x00\x02\x64\x00",
        "date beyond all calendars": head + b"\x00\x00" + b"\xfe" * 8 + b"\x7f" + b"\x02\x64\x00",
        "decimal cut": head + b"\x00\x00\x00\x7f\x64\x00",
        "branch beyond": head + b"\x00\x00\x00\x02\x64\x08",
        "negative branch": head + b"\x00\x00\x00\x02\x64\x03",
        "negative branch, else right": head + b"\x00\x00\x00\x02\x64\x05",
        "number of 70 bits": bytes(8) + b"\xff" * 9 + b"\x7f" + b"\x02a\x01\x00\x00\x00\x02\x64\x00",
        "branch without a value": head + b"\x00\x00\x00\x02\x64\x04",
    }
    yield from bodies.items()


def broken_protobuf(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give messages that are none, without the five bytes of the id."""
    bodies = {
        "no place": b"",
        "endless place": b"\xff" * 20,
        "place beyond": b"\x02\x0e",
        "negative place": b"\x02\x01",
        "negative number of places": b"\x01",
        "million places": b"\x80\x89\x7a",
        "place within what has nothing within": b"\x04\x00\x00",
        "tag of no type": b"\0\x0f",
        "field zero": b"\0\x00\x01",
        "endless tag": b"\0" + b"\xff" * 12,
        "endless number": b"\0\x10" + b"\xff" * 12,
        "length beyond the end": b"\0\x1a\x7fa",
        "length of 2 gigabytes": b"\0\x1a\xff\xff\xff\xff\x07a",
        "invalid UTF-8": b"\0\x1a\x01\xff",
        "overlong UTF-8": b"\0\x1a\x02\xc0\xaf",
        "surrogate": b"\0\x1a\x03\xed\xa0\x80",
        "message within cut": b"\0\x2a\x09\x09\0\0\0",
        "list within cut": b"\0\x32\x07" + bytes(7),
        "group without end": b"\0\x0b",
        "end without group": b"\0\x0c",
        "number beyond 2^63": b"\0\x38" + b"\xff" * 9 + b"\x01",
        "JSON": b'\0{"x": 1}',
        "a thousand messages within": b"\0" + b"\x2b" * 1_000,
    }
    yield from bodies.items()


def broken_csv(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give lines that are not of four fields: two numbers, a text and a boolean."""
    lines = {
        "one field": b"1.5",
        "three fields": b"1.5,1,a",
        "five fields": b"1.5,1,a,true,1",
        "semicolons": b"1.5;1;a;true",
        "decimal comma": b"1,5,1,a,true",
        "the names": b"x,n,s,ok",
        "quotation mark not closed": b'1.5,1,"a,true',
        "text behind a quotation mark": b'1.5,1,"a"b,true',
        "two lines": b"1.5,1,a,true\n2.5,2,b,false",
        "two lines of old Macs": b"1.5,1,a,true\r2.5,2,b,false",
        "text for a number": b"one,1,a,true",
        "text for a whole number": b"1.5,one,a,true",
        "text for a boolean": b"1.5,1,a,yes",
        "number for a boolean": b"1.5,1,a,1",
        "1e400": b"1e400,1,a,true",
        "hexadecimal": b"0x10,1,a,true",
        "thousands": b"1_000,1,a,true",
        "other digits": "\u0661,1,a,true".encode(),
        "byte order mark": b"\xef\xbb\xbf1.5,1,a,true",
        "NUL in a number": b"1.5\0,1,a,true",
        "invalid UTF-8": b"1.5,1,\xff,true",
        "UTF-16": "1.5,1,a,true".encode("utf-16"),
        "a million fields": b"," * DEEP,
        "a megabyte of quotation marks": b'"' * 1_000_001,
        "blank": b"  \t ",
        "JSON": b'{"x": 1, "n": 1}',
    }
    yield from lines.items()


def broken_number(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give texts that are no numbers."""
    texts = ["", " ", "one", "1 2", "1,5", "1.5.2", "--1", "+-1", "1e", "e5", ".", "0x10", "0b1", "1_000", "1f", "1L"]
    texts += [
        "inf",
        "nan",
        "NULL",
        "None",
        "true",
        "\u0661",
        "1e400",
        "-1e400",
        "9007199254740993",
        "9" * 10_000,
        "½",
        "∞",
    ]
    texts += ["1\0", "\ufeff1", "$1", "1%", "1;drop", '{"value": 1}', "[1]", '"1"', "1/2", "1..2"]
    yield from ((f"{t[:20]!r} as text", t.encode()) for t in texts if t.strip())


def broken_bytes(value: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Give values of other lengths than eight bytes."""
    yield from ((f"{n} bytes", b"\x40" * n) for n in (1, 2, 4, 5, 7, 9, 12, 16, 1_000))
    yield "as text", b"3.14"
    yield "framed", frame(1) + value


Kind = Callable[[bytes], Iterator[tuple[str, bytes | None]]]

_FRAMED = {"json-schema", "avro", "avro-rich", "protobuf"}
_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "json": (absent, cut, foreign, broken_json, unfit_json),
    "json-schema": (absent, cut, foreign, unknown_schema, other_types),
    "avro": (absent, cut, longer, foreign, unknown_schema, other_types),
    "avro-rich": (absent, cut, longer, foreign, unknown_schema, other_types),
    "avro-plain": (absent, cut, longer),
    "protobuf": (absent, foreign, unknown_schema, other_types),
    "csv": (absent, foreign, broken_csv),
    "number": (absent, foreign, broken_number),
    "double": (absent, foreign, broken_bytes),
    "long": (absent, foreign, broken_bytes),
}
_BODIES: Mapping[str, tuple[Kind, ...]] = {  # what stands behind the id of the schema
    "json-schema": (broken_json, unfit_json, against_schema),
    "avro": (broken_avro,),
    "avro-rich": (broken_avro, broken_rich),
    "avro-plain": (broken_avro,),
    "protobuf": (broken_protobuf,),
}


def corpus(only: str | None = None) -> list[Poison]:
    """Return all poison, or that of one format; the schemas are those of :func:`register`."""
    found = []
    for name in FORMATS if only is None else [only]:
        value = good(name, 7)
        head = frame(IDS[name]) if name in _FRAMED else b""
        found += [Poison(name, f"{make.__name__}: {kind}", bad) for make in _KINDS[name] for kind, bad in make(value)]
        for make in _BODIES.get(name, ()):
            bodies = make(value[len(head) :])
            found += [Poison(name, f"{make.__name__}: {kind}", head + (bad or b"")) for kind, bad in bodies]
    return found
