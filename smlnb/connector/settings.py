"""From a connector's configuration, as people and Kafka Connect write it, to settings that are complete and valid."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, cast

from smlnb.cluster.secrets import Secret
from smlnb.connector.backoff import Backoff
from smlnb.connector.file import flat
from smlnb.connector.keys import OWN, find_key, without_effect
from smlnb.connector.values import Values
from smlnb.errors import ConfigError, SchemaError
from smlnb.schema import parse_kinds

__all__ = ["CONVERTERS", "Settings"]

CLASSES: Final = ("SymetryKafkaSinkConnector", "SymetryKafkaSink")

CONVERTERS: Final = {  # a converter's class, and the format of :func:`smlnb.formats.decode.decoder` that reads the same
    "io.confluent.connect.avro.AvroConverter": "avro",
    "io.confluent.connect.json.JsonSchemaConverter": "json-schema",
    "io.confluent.connect.protobuf.ProtobufConverter": "protobuf",
    "org.apache.kafka.connect.converters.ByteArrayConverter": "auto",
    "org.apache.kafka.connect.converters.DoubleConverter": "double",
    "org.apache.kafka.connect.converters.FloatConverter": "float",
    "org.apache.kafka.connect.converters.IntegerConverter": "integer",
    "org.apache.kafka.connect.converters.LongConverter": "long",
    "org.apache.kafka.connect.converters.ShortConverter": "short",
    "org.apache.kafka.connect.json.JsonConverter": "json-envelope",
    "org.apache.kafka.connect.storage.StringConverter": "auto",
}

_STARTS: Final = {
    **dict.fromkeys(("earliest", "smallest", "beginning"), "earliest"),
    **dict.fromkeys(("latest", "largest", "end"), "latest"),
}
_PREFIXES: Final = ("consumer.override.", "consumer.")  # the first wins
_PARAMETERS: Final = {  # of sml.create.project.params: the ancestor's name or ours, and the option of Project
    "enableHistogram": ("histogram", "flag"),
    "histogram": ("histogram", "flag"),
    "quantiles": ("quantiles", "flag"),
    "distinct": ("distinct", "flag"),
    "history": ("history", "flag"),
    "sml_project_rolling_window_size": ("window", "span"),
    "window": ("window", "span"),
    "decay": ("decay", "span"),
    "sml_project_predicate_row_filter": ("row_filter", "conditions"),
    "row_filter": ("row_filter", "conditions"),
}
_PARAMETERS_WITHOUT_EFFECT: Final = ("persist", "type", "sml_project_autosave", "sml_project_learn_merge")
_PLACEHOLDER = re.compile(r"\$\{\w+:")
_LOGIN = re.compile(r'\b(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|\'([^\']*)\')')


@dataclass(frozen=True, slots=True)
class Settings:
    """What a connector's configuration says; nothing in it shows a secret.

    Attributes
    ----------
    name : str
        The connector's.
    projects : tuple of str
        One for each task, or one for all.
    topics : tuple of str
    pattern : str or None
        Instead of topics: what a topic's whole name must match.
    tasks : int
        How many consumers.
    types : str or None
        Letters by position; None is guess.
    batch_rows : int
    backoff : Backoff
    on_malformed : {"stop", "skip", "dead_letter"}
    warn : bool
        Whether each lot of records that can't be used is logged.
    dead_letter_topic : str or None
    must_preexist : bool
    options : mapping
        Of a project that has to be made.
    format : str
    start : {"earliest", "latest"}
    group_id : str
    kafka : mapping
        Keys for :meth:`smlnb.KafkaConfig.of`.
    notes : tuple of str
        A line that lists the keys without effect, with the reasons, if there are any.
    """

    name: str
    projects: tuple[str, ...]
    topics: tuple[str, ...]
    pattern: str | None
    tasks: int
    types: str | None
    batch_rows: int
    backoff: Backoff
    on_malformed: Literal["stop", "skip", "dead_letter"]
    warn: bool
    dead_letter_topic: str | None
    must_preexist: bool
    options: Mapping[str, Any]
    format: str
    start: Literal["earliest", "latest"]
    group_id: str
    kafka: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any] | str | os.PathLike[str]) -> Self:
        """Read a configuration: a dict, or a file of JSON or of ``key=value`` lines.

        Raises
        ------
        ConfigError
            If the file can't be read, or a key is unknown, refused, missing, wrong or contradicts another.

        Examples
        --------
        >>> settings = Settings.of({"topics": "a, b", "sml.project": "plant", "sml.request.max.retries": 3})
        >>> settings.topics, settings.projects, settings.backoff.retries
        (('a', 'b'), ('plant',), 3)
        """
        found = _sorted_out(flat(config))
        own = found.own
        name = own.text("name") or "smlnb"
        _check_class(own)
        topics, pattern = _topics(own)
        projects = _projects(own, found.numbers)
        tasks = own.number("tasks.max", len(projects), least=1)
        if len(projects) > 1 and tasks != len(projects):
            raise ConfigError(
                f"tasks.max is {tasks}, but there are {len(projects)} projects: each is that of one task. "
                f"Set tasks.max to {len(projects)}, or leave it out.",
            )
        policy, dead_letter_topic = _policy(own)
        _check_dead_letters(dead_letter_topic, topics, pattern)
        return cls(
            name=name,
            projects=projects,
            topics=topics,
            pattern=pattern,
            tasks=tasks,
            types=_types(own),
            batch_rows=own.number("sml.dataframe.max.chunk.size", 5_000, least=1),
            backoff=Backoff(
                own.number("sml.reconnect.backoff.ms", 5_000) / 1000,
                own.number("sml.reconnect.backoff.max.ms", 10_000) / 1000,
                own.number("sml.backoff.max.retries", 5),
            ),
            on_malformed=policy,
            warn=own.text("behavior.on.malformed.documents", "").lower() == "warn" or own.flag("errors.log.enable"),
            dead_letter_topic=dead_letter_topic,
            must_preexist=own.flag("sml.project.must.preexist"),
            options=_options(own),
            format=_format(own),
            start=cast("Literal['earliest', 'latest']", _STARTS[own.choice("auto.offset.reset", _STARTS, "earliest")]),
            group_id=own.text("group.id") or f"connect-{name}",
            kafka=_client(found),
            notes=without_effect(found.inert),
        )


# -- sorting ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
    own: Values = field(default_factory=Values)
    client: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    inert: dict[str, str] = field(default_factory=dict)  # keys without effect, and the reasons


def _sorted_out(flat: Mapping[str, str]) -> _Found:
    """Tell apart what is ours, the client's, the registry's, and what has no effect."""
    found = _Found()
    for key, value in sorted(flat.items(), key=lambda item: _prefix(item[0]), reverse=True):  # what comes later wins
        prefix = _PREFIXES[_prefix(key)] if _prefix(key) < len(_PREFIXES) else ""
        plain = key.removeprefix(prefix)
        if prefix and plain.startswith(OWN):
            raise ConfigError(f"The key {key} is unknown: {plain} is no key of the Kafka client. Write {plain}.")
        known = find_key(plain)
        if known is not None and known.treatment == "refused":
            raise ConfigError(f"The key {key} is refused: {known.meaning}.")
        if known is not None and known.numbered and plain not in (known.name, *known.older):
            found.numbers.add(int(plain.rpartition(".")[2]))
        if known is not None and known.treatment == "without effect":
            found.inert[key] = known.meaning
            continue
        if _PLACEHOLDER.search(value):
            raise ConfigError(
                f"The key {key} refers to a configuration provider of a Connect worker, which there is none of here. "
                "Give the value itself, or leave the key out and set SMLNB_KAFKA_* in the environment.",
            )
        if known is None or known.name in ("bootstrap.servers", *_SPELLED_BY_JAVA):
            found.client[known.name if known else plain] = value
        elif "schema.registry." in plain or plain.endswith("basic.auth.user.info"):
            registry = f"schema.registry.{plain.removeprefix('value.converter.').removeprefix('schema.registry.')}"
            if plain.startswith("value.converter.") or registry not in found.registry:
                found.registry[registry] = value
        else:
            found.own.put(known.name if not known.numbered else plain, key, value, wins=bool(prefix))
    return found


_SPELLED_BY_JAVA: Final = ("fetch.wait.max.ms", "socket.receive.buffer.bytes", "socket.send.buffer.bytes")


def _prefix(key: str) -> int:
    return next((i for i, prefix in enumerate(_PREFIXES) if key.startswith(prefix)), len(_PREFIXES))


# -- what the keys say -------------------------------------------------------------------------------------------------


def _check_class(own: Values) -> None:
    named = own.text("connector.class")
    if named and named.rpartition(".")[2] not in CLASSES:
        raise ConfigError(
            f"connector.class is {named!r}, another connector. This one stands in for "
            f"com.sml.kafka.connector.{CLASSES[0]}.",
        )


def _topics(own: Values) -> tuple[tuple[str, ...], str | None]:
    topics, pattern = own.parts("topics"), own.text("topics.regex")
    if bool(topics) == bool(pattern):
        there = "both are set" if topics else "neither is set"
        raise ConfigError(f"The topics are named by topics or by topics.regex, and {there}. Set one of the two.")
    if pattern:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"topics.regex is {pattern!r}, which is no regular expression: {error}.") from None
    return topics, pattern


def _projects(own: Values, numbers: Iterable[int]) -> tuple[str, ...]:
    named = {
        int(key.rpartition(".")[2]): own.text(key, "")
        for key in own.names()
        if key.startswith("sml.project.") and key[-1].isdigit()
    }
    one = own.text("sml.project")
    if one and named:
        raise ConfigError(
            f"sml.project and sml.project.{min(named)} are both set. Number all of the projects, or none."
        )
    if one:
        return (one,)
    if not named:
        raise ConfigError("No project is named. Set sml.project, or sml.project.1, sml.project.2, ...")
    missing = sorted(set(range(1, max({*named, *numbers}) + 1)) - set(named))
    if missing:
        raise ConfigError(f"sml.project.{missing[0]} is not set, but keys with higher or the same number are. Set it.")
    return tuple(named[number] for number in sorted(named))


def _types(own: Values) -> str | None:
    letters = own.text("sml.attribute.types")
    if letters is None or letters.lower() == "guess":
        return None
    try:
        return ",".join(parse_kinds(letters))
    except SchemaError as error:
        raise ConfigError(f"sml.attribute.types: {error}") from None


def _policy(own: Values) -> tuple[Literal["stop", "skip", "dead_letter"], str | None]:
    """Return what happens at a record that can't be used: there is one answer, so the keys must agree on it."""
    behavior = own.choice("behavior.on.malformed.documents", ("ignore", "warn", "fail"), "")
    tolerance = own.choice("errors.tolerance", ("none", "all"), "")
    topic = own.text("errors.deadletterqueue.topic.name")
    on = {
        "behavior.on.malformed.documents": behavior in ("ignore", "warn"),
        "errors.tolerance": tolerance == "all",
        "drop.invalid.message": own.flag("drop.invalid.message"),
        "errors.deadletterqueue.topic.name": topic is not None,
    }
    stop = {"behavior.on.malformed.documents": behavior == "fail", "errors.tolerance": tolerance == "none"}
    goes_on, stops = next((k for k, v in on.items() if v), None), next((k for k, v in stop.items() if v), None)
    if goes_on and stops:
        raise ConfigError(
            f"{goes_on} says to go on after a record that can't be used, {stops} says to stop. Remove one of the two.",
        )
    return ("dead_letter" if topic else "skip" if goes_on else "stop"), topic


def _check_dead_letters(topic: str | None, topics: tuple[str, ...], pattern: str | None) -> None:
    if topic and (topic in topics or (pattern and re.fullmatch(pattern, topic))):
        raise ConfigError(
            f"errors.deadletterqueue.topic.name is {topic!r}, which is read: dead letters would come back for ever. "
            "Name another topic.",
        )


def _options(own: Values) -> dict[str, Any]:
    options: dict[str, Any] = {}
    key = "sml.create.project.params"
    for part in own.parts(key):
        name, _, value = (text.strip() for text in part.partition("="))
        if name in _PARAMETERS_WITHOUT_EFFECT:
            continue
        if name not in _PARAMETERS:
            raise ConfigError(f"{key} has {name!r}, which is unknown. Known are: {', '.join(sorted(_PARAMETERS))}.")
        option, kind = _PARAMETERS[name]
        if kind == "conditions":
            options[option] = " and ".join(condition.strip() for condition in value.split(";") if condition.strip())
        elif kind == "span":
            options[option] = int(value) if value.isascii() and value.isdigit() else value
        elif value.lower() in ("true", "false"):
            options[option] = value.lower() == "true"
        else:
            raise ConfigError(f"{key} sets {name} to {value!r}; use true or false.")
    return options


def _format(own: Values) -> str:
    named = own.text("value.converter")
    if named is None:
        return "auto"
    if named not in CONVERTERS:
        raise ConfigError(f"value.converter is {named!r}, which can't be read. Use one of {', '.join(CONVERTERS)}.")
    if CONVERTERS[named] == "json-envelope" and not own.flag("value.converter.schemas.enable", default=True):
        return "json"
    return CONVERTERS[named]


def _client(found: _Found) -> dict[str, str]:
    client = {**found.registry, **found.client}
    jaas = found.own.text("sasl.jaas.config")
    if jaas:
        login = {name: Secret(a or b) for name, a, b in _LOGIN.findall(jaas)}
        if set(login) != {"username", "password"}:
            raise ConfigError(
                "sasl.jaas.config can't be read: only a login module with username and password can. "
                "Set the client's own keys, sasl.mechanism and sasl.*, instead.",
            )
        client = {"sasl.username": login["username"], "sasl.password": login["password"], **client}
    return client
