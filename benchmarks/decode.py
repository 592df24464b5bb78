"""What decoding costs: rows per CPU-second by format, beside reading the records one by one into Python objects.

Run as ``python -m benchmarks.decode``; needs the extra ``formats``. One thread, batches of 5,000 records of ten numbers
(``nested`` and ``rich``: two objects within, a list, an enum, a date and a decimal besides). The reference is what most
programs do: ``json.loads``, ``csv.reader`` with ``float``, or the deserialiser of Confluent's client. What is compared
runs in turns: believe the ratios.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import struct
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import fastavro
import numpy as np
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import DoubleDeserializer, MessageField, SerializationContext

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.registry import frame
from smlnb.formats.decode import decoder
from smlnb.formats.protobuf_schema import MessageTypes
from smlnb.testing import SchemaRegistry

ROWS = 5_000
REFERENCE_ROWS = 500
REPEAT = 7
NAMES = [f"x{i}" for i in range(10)]
CONTEXT = SerializationContext("t", MessageField.VALUE)

Read = Callable[[bytes], Any]


def rate(values: Sequence[bytes], read: Callable[[Sequence[bytes]], object]) -> float:
    """Return values per CPU-second."""
    started = time.process_time()
    read(values)
    return len(values) / max(time.process_time() - started, 1e-9)


def measure(name: str, values: Sequence[bytes], one: Any, read: Read, reference: str) -> None:
    """Print a line: rows/s of a decoder and of reading the records one by one, in turns."""

    def decode(batch: Sequence[bytes]) -> None:
        assert one.decode(batch).data.num_rows == len(batch)

    def each(batch: Sequence[bytes]) -> None:
        for value in batch:
            read(value)

    decode(values)
    each(values[:10])
    found = [(rate(values, decode), rate(values[:REFERENCE_ROWS], each)) for _ in range(REPEAT)]
    ours, theirs = np.median(np.array(found), axis=0)
    print(f"{name:22} {ours:12,.0f} {theirs:12,.0f} {ours / theirs:8.1f}   {reference}")


def in_context(deserialise: Callable[[bytes, SerializationContext], Any]) -> Read:
    """Return the deserialiser as a function of the value alone."""
    return lambda value: deserialise(value, CONTEXT)


def avro(schema: dict[str, Any], rows: Sequence[dict[str, Any]], schema_id: int) -> list[bytes]:
    parsed = fastavro.parse_schema(schema)
    values = []
    for row in rows:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, row)
        values.append(frame(schema_id) + out.getvalue())
    return values


def main() -> None:
    rng = np.random.default_rng(0)
    rows = [dict(zip(NAMES, row, strict=True)) for row in rng.normal(size=(ROWS, 10)).tolist()]
    nested = [
        {"a": dict(list(r.items())[:5]), "b": {"c": dict(list(r.items())[5:])}, "l": [1.0, 2.0], "e": "up"}
        for r in rows
    ]
    flat = {"type": "record", "name": "Flat", "fields": [{"name": n, "type": "double"} for n in NAMES]}
    half = {"type": "record", "name": "Half", "fields": flat["fields"][:5]}
    more = {
        "l": {"type": "array", "items": "double"},
        "e": {"type": "enum", "name": "E", "symbols": ["up", "down"]},
        "t": {"type": "long", "logicalType": "timestamp-millis"},
        "d": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    }
    rich = {
        "type": "record",
        "name": "Rich",
        "fields": [
            {"name": "a", "type": half},
            *flat["fields"][5:],
            *({"name": k, "type": v} for k, v in more.items()),
        ],
    }
    stamped = {**flat, "name": "Stamped", "fields": [*flat["fields"], {"name": "t", "type": more["t"]}]}
    when = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    special = {"l": [1.0, 2.0], "e": "up", "t": when, "d": Decimal("1.23")}
    rich_rows = [{"a": dict(list(r.items())[:5]), **dict(list(r.items())[5:]), **special} for r in rows]
    proto = 'syntax = "proto3"; message R { ' + " ".join(f"double {n} = {i + 1};" for i, n in enumerate(NAMES)) + " }"
    message = MessageTypes({"": proto}).message([0])
    schema = {"type": "object", "properties": {n: {"type": "number"} for n in NAMES}, "required": NAMES}
    json_values = [json.dumps(r).encode() for r in rows]
    lines = [",".join(map(repr, r.values())).encode() for r in rows]

    print(f"{'format':22} {'rows/s':>12} {'one by one':>12} {'ratio':>8}   one by one is")
    with SchemaRegistry() as registry:
        config = KafkaConfig.of("localhost:9092", registry.config)
        client = SchemaRegistryClient(registry.client_config)
        ids = {s["name"]: registry.register(s["name"], json.dumps(s)) for s in (flat, stamped, rich)}
        proto_id = registry.register("proto", proto, "PROTOBUF")
        json_id = registry.register("json", json.dumps(schema), "JSON")
        read_avro = in_context(AvroDeserializer(client))
        read_proto = in_context(ProtobufDeserializer(message, {"use.deprecated.format": False}))
        read_json = in_context(JSONDeserializer(None, schema_registry_client=client))
        stamped_rows = [{**r, "t": when} for r in rows]
        measure("json", json_values, decoder("json"), json.loads, "json.loads")
        measure("json, nested", [json.dumps(r).encode() for r in nested], decoder("json"), json.loads, "json.loads")
        measure(
            "json-schema",
            [frame(json_id) + v for v in json_values],
            decoder("json-schema", config),
            read_json,
            "JSONDeserializer",
        )
        values = avro(flat, rows, ids["Flat"])
        measure("avro", values, decoder("avro", config), read_avro, "AvroDeserializer")
        values = avro(stamped, stamped_rows, ids["Stamped"])
        measure("avro, with a timestamp", values, decoder("avro", config), read_avro, "AvroDeserializer")
        values = avro(rich, rich_rows, ids["Rich"])
        measure("avro, rich", values, decoder("avro", config), read_avro, "AvroDeserializer")
        values = [frame(proto_id) + b"\0" + message(**r).SerializeToString() for r in rows]
        measure("protobuf", values, decoder("protobuf", config), read_proto, "ProtobufDeserializer")
    measure(
        "csv",
        lines,
        decoder("csv", columns=NAMES),
        lambda v: list(map(float, next(csv.reader([v.decode()])))),
        "csv.reader, float",
    )
    measure("number", [repr(r["x0"]).encode() for r in rows], decoder("number"), float, "float")
    doubles = [struct.pack(">d", r["x0"]) for r in rows]
    measure("double", doubles, decoder("double"), DoubleDeserializer(), "DoubleDeserializer")


if __name__ == "__main__":
    main()
