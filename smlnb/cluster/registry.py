"""The schema registry: schemas by id, by GUID and by subject, with errors that say what to do."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from confluent_kafka.schema_registry import RuleMode, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from smlnb.cluster.config import KafkaConfig
from smlnb.errors import BrokerUnavailableError, ConfigError, KafkaError, SchemaError, UnknownSchemaError

__all__ = ["FRAME", "frame", "named_schema", "referred_schemas", "registered_schema", "serialized_schemas"]

FRAME = 5  # bytes before a body: a zero and the schema's id

_T = TypeVar("_T")
_READING = (RuleMode.READ, RuleMode.WRITEREAD)


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


def named_schema(config: KafkaConfig | None, name: int | str) -> Schema:
    """Return the schema of an id or a GUID.

    Raises
    ------
    ConfigError
        If no registry is configured.
    UnknownSchemaError
        If the registry does not have it.
    SchemaError
        If its records must be transformed by rules of the registry, such as decryption, before they can be read.
    BrokerUnavailableError
        If the registry does not answer, or refuses the login.
    """
    if config is None or config.registry is None:
        raise ConfigError(
            f"The records have schema {name} of a registry, but no registry is configured. "
            "Give config={'schema.registry.url': 'http://host:8081'}.",
        )
    schema = _ask(config, f"schema {name}", _get(config.registry, name))
    rules = [*(schema.rule_set.domain_rules or ()), *(schema.rule_set.encoding_rules or ())] if schema.rule_set else []
    acting = [r.name for r in rules if r.mode in _READING and not r.disabled and r.kind == "TRANSFORM"]
    if acting:
        raise SchemaError(
            f"schema {name} of the registry asks for the rules {', '.join(map(str, acting))} before its records can "
            "be read (encryption, for example), which are not carried out",
        )
    return schema


def referred_schemas(config: KafkaConfig, schema: Schema) -> dict[str, Schema]:
    """Return the schemas that one refers to, and they in turn, by the names that they go by; a schema after its own.

    Raises
    ------
    ConfigError
        If no registry is configured.
    UnknownSchemaError
        If the registry does not have one of them.
    BrokerUnavailableError
        If the registry does not answer, or refuses the login.
    """
    return _referred(config, _client(config), schema, None)


def serialized_schemas(config: KafkaConfig, name: int | str) -> dict[str, str]:
    """Return a Protobuf schema, named ``""``, and those that it imports, in the form that the registry has compiled.

    That is a ``FileDescriptorProto`` in base 64; a registry that can't do it gives the text of the file.

    Raises
    ------
    ConfigError
        If no registry is configured.
    UnknownSchemaError
        If the registry does not have one of them.
    BrokerUnavailableError
        If the registry does not answer, or refuses the login.
    """
    with _client(KafkaConfig(config.settings)) as client:  # the client that has given the text would give it again
        schema = _ask(config, f"schema {name}", _get(client, name, "serialized"))
        referred = _referred(config, client, schema, "serialized")
    return {**{k: str(v.schema_str) for k, v in referred.items()}, "": str(schema.schema_str)}


def _referred(config: KafkaConfig, client: SchemaRegistryClient, schema: Schema, fmt: str | None) -> dict[str, Schema]:
    found: dict[str, Schema] = {}

    def follow(schema: Schema, above: tuple[str, ...]) -> None:
        for reference in schema.references or ():
            name = str(reference.name)
            if name not in found and name not in above:
                what = f"subject {reference.subject!r} version {reference.version}"
                get = partial(client.get_version, reference.subject, reference.version, deleted=True, fmt=fmt)
                other = _ask(config, what, get).schema
                follow(other, (*above, name))
                found[name] = other

    follow(schema, ())
    return found


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
    client = config.registry
    return int(_ask(config, f"subject {subject!r}", partial(client.register_schema, subject, Schema(schema, "AVRO"))))


def _client(config: KafkaConfig) -> SchemaRegistryClient:
    if config.registry is None:
        raise ConfigError("No schema registry is configured. Give config={'schema.registry.url': 'http://host:8081'}.")
    return config.registry


def _get(client: SchemaRegistryClient, name: int | str, fmt: str | None = None) -> Callable[[], Schema]:
    if isinstance(name, int):
        return partial(client.get_schema, name, fmt=fmt)
    return partial(client.get_schema_by_guid, name, fmt=fmt)


def _ask(config: KafkaConfig, what: str, question: Callable[[], _T]) -> _T:
    try:
        return question()
    except (SchemaRegistryError, *_HTTP_ERRORS) as error:
        raise _registry_error(error, config, what) from None


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
