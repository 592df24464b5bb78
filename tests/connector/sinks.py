"""Connectors for tests, and the records of the article's topic."""

from __future__ import annotations

from smlnb import Connector
from tests.ingest.writing import avro

__all__ = ["COLUMNS", "SCHEMA", "connector", "shuttle"]

COLUMNS = [*(f"s{i}" for i in range(1, 10)), "class"]
SCHEMA = {"type": "record", "name": "Shuttle", "fields": [{"name": c, "type": "double"} for c in COLUMNS]}


def shuttle(rows, schema_id, schema=SCHEMA):
    names = [f["name"] for f in schema["fields"]]
    return [avro(schema, {n: float(i + j) for j, n in enumerate(names)}, schema_id) for i in range(rows)]


def connector(broker, topic, workspace=None, **keys):
    keys = {"topics": topic, "sml.project": "plant", **keys}
    config = {k: v for k, v in keys.items() if v is not None}
    return Connector.from_config(config, bootstrap_servers=broker.bootstrap_servers, workspace=workspace)
