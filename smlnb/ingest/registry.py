"""The schema registry: schemas by id and by subject, with errors that say what to do."""

from __future__ import annotations

import importlib
import struct
from http import HTTPStatus

from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError

from smlnb.errors import BrokerUnavailableError, ConfigError, KafkaError, UnknownSchemaError
from smlnb.ingest.config import KafkaConfig

__all__ = ["FRAME", "frame", "registered_schema", "schema_of_id"]

FRAME = 5  # bytes before an Avro body: a zero and the schema's id


def _http_errors() -> tuple[type[Exception], ...]:
    found = []
    for name in ("httpx2", "httpx"):  # which of them depends on the version of confluent-kafka
        try:
            found.append(importlib.import_module(name).HTTPError)
        except ImportError:
            continue
    return tuple(found)


_HTTP_ERRORS = _http_errors()


def frame(schema_id: int) -> bytes:
    """Return the five bytes before the body.

    Examples
    --------
    >>> frame(258).hex()
    '0000000102'
    """
    return struct.pack(">bI", 0, schema_id)


def schema_of_id(config: KafkaConfig | None, schema_id: int) -> str:
    """Return the Avro schema, as JSON text, of an id.

    Raises
    ------
    ConfigError
        If no registry is configured, or the schema is not Avro or refers to others.
    UnknownSchemaError
        If the registry does not have it.
    BrokerUnavailableError
        If the registry does not answer, or refuses the login.
    """
    if config is None or config.registry is None:
        raise ConfigError(
            f"The records are Avro with schema {schema_id} of a registry, but no registry is configured. "
            "Give config={'schema.registry.url': 'http://host:8081'}.",
        )
    try:
        schema = config.registry.get_schema(schema_id)
    except (SchemaRegistryError, *_HTTP_ERRORS) as error:
        raise _registry_error(error, config, f"schema {schema_id}") from None
    if (schema.schema_type or "AVRO") != "AVRO":
        raise ConfigError(f"Schema {schema_id} of the registry is {schema.schema_type}; only Avro can be read.")
    if schema.references:
        raise ConfigError(f"Schema {schema_id} of the registry refers to other schemas, which is not supported.")
    return str(schema.schema_str)


def registered_schema(config: KafkaConfig, subject: str, schema: str) -> int:
    """Register an Avro schema under a subject; return its id.

    Raises
    ------
    ConfigError
        If no registry is configured.
    KafkaError
        If the registry refuses the schema, does not answer, or refuses the login.
    """
    if config.registry is None:
        raise ConfigError("Avro needs a schema registry. Give config={'schema.registry.url': 'http://host:8081'}.")
    try:
        return int(config.registry.register_schema(subject, Schema(schema, "AVRO")))
    except (SchemaRegistryError, *_HTTP_ERRORS) as error:
        raise _registry_error(error, config, f"subject {subject!r}") from None


def _registry_error(error: Exception, config: KafkaConfig, what: str) -> KafkaError:
    url = config.masked(str.__str__(config.settings["schema.registry.url"]))
    if not isinstance(error, SchemaRegistryError):
        return BrokerUnavailableError(
            f"The schema registry at {url} does not answer when asked for {what}: {config.masked(str(error))}. "
            "Is it running, and is schema.registry.url right?",
        )
    status = error.http_status_code
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return BrokerUnavailableError(
            f"The schema registry at {url} refused the login when asked for {what}. "
            "Check schema.registry.basic.auth.user.info, which is 'user:password'.",
        )
    if status == HTTPStatus.NOT_FOUND:
        return UnknownSchemaError(f"{what} is not in the schema registry at {url}")
    return KafkaError(f"The schema registry at {url} refused {what}: {config.masked(str(error.error_message))}.")
