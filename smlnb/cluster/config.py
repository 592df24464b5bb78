"""How to reach a cluster: where settings come from, which of them win, and what goes to which client."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata
from confluent_kafka.schema_registry import SchemaRegistryClient

from smlnb.cluster.broker import check_settings
from smlnb.cluster.client_log import ClientLog
from smlnb.cluster.secrets import Secret, is_secret, masked, secrets_of
from smlnb.errors import BrokerUnavailableError, ConfigError, KafkaError

__all__ = ["ENVIRONMENT", "KafkaConfig", "check_broker", "client_error", "read_settings", "tidy"]

ENVIRONMENT = "SMLNB_KAFKA_"
_REGISTRY = "schema.registry."
_REGISTRY_ALIASES = {"basic.auth.user.info": "basic.auth.user.info"}
_WITHOUT_EFFECT = ("basic.auth.credentials.source", "schema.registry.basic.auth.credentials.source")  # Java's way
_REFUSED_SOON = 2.0  # seconds after which refused connections are taken for an answer


@dataclass(frozen=True, repr=False)
class KafkaConfig:
    """Settings of a cluster and of its schema registry; make one by :meth:`of`.

    Any key of librdkafka is allowed; keys that begin with ``schema.registry.`` go to the registry's client. Secrets are
    masked wherever the object is shown.

    Examples
    --------
    >>> config = KafkaConfig.of("localhost:9092", {"sasl.username": "me", "sasl.password": "hunter2"})
    >>> config
    KafkaConfig({'sasl.username': 'me', 'sasl.password': '****', 'bootstrap.servers': 'localhost:9092'})
    >>> config.masked("hunter2 is wrong")
    '**** is wrong'
    """

    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        bootstrap_servers: str | None = None,
        config: Mapping[str, Any] | KafkaConfig | str | os.PathLike[str] | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Merge settings; what comes later here wins: environment, file, mapping, ``bootstrap_servers``.

        Parameters
        ----------
        bootstrap_servers : str, optional
            ``host:port``, several with commas.
        config : mapping, KafkaConfig, or path of a file, optional
            Keys of librdkafka, ``schema.registry.url``, ``schema.registry.basic.auth.user.info`` and so on. A file
            holds ``key=value`` lines (Java's ``.properties``) or one JSON object.
        file : path, optional
            A file of settings besides a mapping.

        The environment is read from ``SMLNB_KAFKA_*``: ``SMLNB_KAFKA_SASL_USERNAME`` stands for ``sasl.username``. It
        fills in what nothing else says: a file that is named here wins over it.

        Raises
        ------
        ConfigError
            If a file can't be read, or no broker's address is given anywhere.
        """
        if isinstance(config, KafkaConfig):
            settings: dict[str, Any] = dict(config.settings)
        else:
            if isinstance(config, str | os.PathLike):
                file, config = config, None
            if not isinstance(config, Mapping | None):
                raise ConfigError(f"config is {type(config).__name__}; give a dict of keys, or the path of a file.")
            settings = dict(_environment())
            settings.update(read_settings(file) if file is not None else {})
            settings.update({str(k): v for k, v in (config or {}).items() if v is not None})
        if bootstrap_servers is not None:
            settings["bootstrap.servers"] = str(bootstrap_servers)
        if not str(settings.get("bootstrap.servers", "")).strip():
            raise ConfigError(
                "There is no broker's address. Give bootstrap_servers='host:9092', the key 'bootstrap.servers' in "
                f"config, or set {ENVIRONMENT}BOOTSTRAP_SERVERS. For a broker of your own: "
                "smlnb.LocalBroker().bootstrap_servers.",
            )
        return cls({k: Secret(v) if isinstance(v, str) and is_secret(k, v) else v for k, v in settings.items()})

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses."""
        return str(self.settings["bootstrap.servers"])

    @cached_property
    def secrets(self) -> frozenset[str]:
        """What must not be shown."""
        return secrets_of(self.settings)

    def client(self, **overrides: Any) -> dict[str, Any]:
        """Return the settings for a client of confluent_kafka; ``overrides`` win: ``client(**{"group.id": "g"})``.

        librdkafka's own log lines are off: what they tell arrives as errors. With ``log_level`` and ``debug`` among
        the settings they go to the logger ``smlnb.librdkafka``, without secrets.
        """
        own = {k: v for k, v in self.settings.items() if not _is_registry_key(k)}
        if str(own.get("log_level", 0)) != "0" and "logger" not in own:
            own["logger"] = ClientLog(self.secrets)
        return {"log_level": 0, "client.id": "smlnb", **own, **overrides}

    @cached_property
    def registry(self) -> SchemaRegistryClient | None:
        """The client of the schema registry; None if no ``schema.registry.url`` is set.

        Raises
        ------
        ConfigError
            If the registry's client refuses a key.
        """
        keys = {k.removeprefix(_REGISTRY): v for k, v in self.settings.items() if _is_registry_key(k)}
        for key in ("basic.auth.credentials.source", *(k for k in keys if not str(keys[k]))):
            keys.pop(key, None)
        if "url" not in keys:
            if keys:
                raise ConfigError(f"{', '.join(sorted(keys))} is set, but schema.registry.url is not. Set it, too.")
            return None
        try:
            return SchemaRegistryClient({"max.retries": 1, "retries.wait.ms": 200, "timeout": 8, **keys})
        except (ValueError, TypeError, OSError) as error:
            raise ConfigError(self.masked(f"The schema registry's settings are wrong: {error}.")) from None

    def masked(self, text: str) -> str:
        """Return the text without the secrets."""
        return masked(text, self.secrets)

    def __repr__(self) -> str:
        return f"KafkaConfig({dict(self.settings)!r})"  # a Secret shows itself as asterisks


def _is_registry_key(key: str) -> bool:
    return key.startswith(_REGISTRY) or key in _REGISTRY_ALIASES or key in _WITHOUT_EFFECT


def _environment() -> dict[str, str]:
    return {
        "log_level" if name == "LOG_LEVEL" else name.lower().replace("_", "."): value
        for name, value in (
            (k.removeprefix(ENVIRONMENT), v) for k, v in os.environ.items() if k.startswith(ENVIRONMENT)
        )
        if value
    }


def read_settings(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of settings: ``key=value`` lines (Java's ``.properties``) or one JSON object.

    Raises
    ------
    ConfigError
        If it can't be read; the message names the place, and nothing that the file holds.
    """
    path = Path(file)
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"The configuration file {str(path)!r} can't be read: {reason}.") from None
    if text.lstrip().startswith("{"):
        return _read_json(text, path)
    return _read_properties(text, path)


def _read_json(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:  # its text names the place, its `doc` holds the secrets
        raise ConfigError(
            f"The configuration file {str(path)!r} is no JSON: {error.msg}, line {error.lineno}."
        ) from None
    for key, value in found.items():
        if isinstance(value, dict | list):
            raise ConfigError(f"The key {key!r} in {str(path)!r} holds a {type(value).__name__}; one value is needed.")
    return {str(k): v for k, v in found.items() if v is not None}


_PROPERTY = re.compile(r"\s*(?P<key>[^\s=:#!][^\s=:]*)\s*[=:\s]\s*(?P<value>.*?)\s*")


def _read_properties(text: str, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    joined = re.sub(r"\\\r?\n[ \t]*", "", text)  # a backslash at the end continues a line
    for number, line in enumerate(joined.splitlines(), start=1):
        if not line.strip() or line.lstrip()[0] in "#!":
            continue
        match = _PROPERTY.fullmatch(line)
        if match is None:
            raise ConfigError(f"Line {number} of the configuration file {str(path)!r} is not 'key=value'.")
        found[match["key"]] = match["value"]
    return found


def client_error(error: BaseException, config: KafkaConfig, doing: str = "") -> KafkaError:
    """Turn what a client of confluent_kafka raised into one of ours, without secrets.

    Examples
    --------
    >>> from confluent_kafka import Producer
    >>> config = KafkaConfig.of("localhost:9092", {"sasl.pasword": "x"})
    >>> try:
    ...     Producer(config.client())
    ... except KafkaException as error:
    ...     print(client_error(error, config))
    Kafka's client refuses the configuration: No such configuration property: "sasl.pasword". Correct that key.
    """
    inner = error.args[0] if error.args else error
    name = inner.name() if hasattr(inner, "name") else ""
    text = config.masked(str(inner.str() if hasattr(inner, "str") else inner)).rstrip(".")
    if name == "_INVALID_ARG" or isinstance(error, ValueError | TypeError):
        text = re.sub(r"^Failed to create (consumer|producer|admin client): ", "", text)
        return ConfigError(f"Kafka's client refuses the configuration: {text}. Correct that key.")
    where = f" at {config.bootstrap_servers}"
    what = doing or "The request failed"
    if name in {"_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_TIMED_OUT"}:
        return BrokerUnavailableError(
            f"{what}: no broker answered{where} ({text}). Is it running, and is the address right?"
        )
    if name in {"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "_SSL"}:
        return BrokerUnavailableError(f"{what}: the broker{where} refused the login ({text}). {_CREDENTIALS}")
    return KafkaError(f"{what}{where}: {text}.")


_CREDENTIALS = "Check security.protocol, sasl.mechanism, sasl.username and sasl.password."


def check_broker(config: KafkaConfig, timeout: float = 10.0) -> ClusterMetadata:
    """Make sure that a broker answers and lets us in; return what it says about the cluster.

    Raises
    ------
    BrokerUnavailableError
        Within ``timeout`` seconds, naming the address, and the reason if the login was refused.
    ConfigError
        If the client refuses the configuration.
    BrokerLimitError
        If it is an embedded broker of this process, and ``security.protocol`` asks for TLS or a login.
    """
    check_settings(config.client())
    reported: dict[str, str] = {}
    begin = time.monotonic()
    try:
        admin = AdminClient(config.client(error_cb=lambda e: reported.update({e.name(): e.str()})))
    except (KafkaException, ValueError, TypeError) as error:
        raise client_error(error, config) from None
    while True:
        left = timeout - 0.5 - (time.monotonic() - begin)
        try:
            return admin.list_topics(timeout=max(min(1.0, left), 0.1))
        except KafkaException as error:
            admin.poll(0)
            waited = time.monotonic() - begin
            hopeless = "_AUTHENTICATION" in reported or "_SSL" in reported
            soon = waited >= _REFUSED_SOON and reported.keys() & {"_RESOLVE", "_BAD_MSG", "_ALL_BROKERS_DOWN"}
            if hopeless or soon or waited >= timeout - 0.6:
                raise _unavailable(config, reported, str(error.args[0].str()), waited) from None


def _unavailable(config: KafkaConfig, reported: Mapping[str, str], otherwise: str, waited: float) -> KafkaError:
    for name in ("_AUTHENTICATION", "_SSL"):
        if name in reported:
            return BrokerUnavailableError(
                f"The broker at {config.bootstrap_servers} refused the login: {tidy(config, reported[name])}. "
                f"{_CREDENTIALS}",
            )
    reasons = [v for k, v in reported.items() if k != "_ALL_BROKERS_DOWN"] or [otherwise]
    hint = "Is it running, and is the address right?"
    if "_BAD_MSG" in reported or "Disconnected" in reasons[-1]:
        hint = f"Does this port speak Kafka, and does it want TLS or SASL? {_CREDENTIALS}"
    return BrokerUnavailableError(
        f"No broker answered at {config.bootstrap_servers} within {waited:.0f} s: {tidy(config, reasons[-1])}. {hint}",
    )


def tidy(config: KafkaConfig, text: str) -> str:
    """Return what librdkafka reports without the client's inner state, and without secrets.

    Examples
    --------
    >>> tidy(KafkaConfig.of("h:1"), "h:1/bootstrap: Connection refused (after 0ms in state CONNECT)")
    'Connection refused'
    """
    text = re.sub(r"^(sasl_\w+://|ssl://|plaintext://)?\S+/(bootstrap|\d+): ", "", text)
    return config.masked(re.sub(r" \(after \d+ms in state \w+.*\)$", "", text)).rstrip(". ")
