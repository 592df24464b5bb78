"""The keys of a sink connector's configuration: what each means here, and what happens to it.

Every key is honoured, accepted without effect (and listed with the reason), or refused by name. Keys that are neither
in this table nor of one of the families in :data:`OWN` are the Kafka client's own, and are handed to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from smlnb.errors import ConfigError

__all__ = ["KEYS", "Key", "find_key", "unknown_key", "without_effect"]

Treatment = Literal["honoured", "without effect", "refused"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or one family of keys.

    Attributes
    ----------
    name : str
        With ``*`` at its end: every key that begins so.
    meaning : str
        What it says; for a key without effect the reason why it has none, for a refused one what to do instead.
    default : str
        What holds without it.
    treatment : {"honoured", "without effect", "refused"}
    older : tuple of str
        Other spellings.
    numbered : bool
        Whether it may end in ``.1``, ``.2`` and so on, one for each project.
    """

    name: str
    meaning: str
    default: str = ""
    treatment: Treatment = "honoured"
    older: tuple[str, ...] = ()
    numbered: bool = False

    def stands_for(self, key: str) -> bool:
        """Tell whether a key, as somebody wrote it, is this one."""
        if self.name.endswith("*"):
            return key.startswith(self.name[:-1])
        return (_NUMBER.sub("", key) if self.numbered else key) in (self.name, *self.older)


_NUMBER = re.compile(r"\.[1-9][0-9]*$")

_SERVER = "projects are kept in this process and its workspace, not on a server"
_HTTP = "there is no HTTP request: projects are learned in this process"
_RECORD_KEYS = "the records' keys are not learned"
_POSITIONS = "positions are kept with the statistics, in one transaction"
_RETRIES = "sml.reconnect.backoff.ms, .max.ms and sml.backoff.max.retries say when to try again"
_DEAD = "dead letters"


def _inert(name: str, reason: str, *, numbered: bool = False, older: tuple[str, ...] = ()) -> Key:
    return Key(name, reason, treatment="without effect", numbered=numbered, older=older)


def _refused(name: str, instead: str) -> Key:
    return Key(name, instead, treatment="refused")


KEYS: Final[tuple[Key, ...]] = (
    # -- what is read
    Key("name", "the connector's name; the group of lag tools is connect-<name>", "smlnb"),
    Key("connector.class", "must be the ancestor's sink connector, by its full name or without the package"),
    Key("topics", "topics to read, with commas"),
    Key("topics.regex", "topics to read: all whose whole name matches, those made later, too"),
    Key("tasks.max", "consumers; with several projects their number", "1, or the number of projects"),
    Key("group.id", "the consumer group that is told the positions, for lag tools", "connect-<name>"),
    Key("auto.offset.reset", "earliest or latest: where to begin in partitions new to the project", "earliest"),
    Key("bootstrap.servers", "the brokers' addresses"),
    Key("consumer.*", "a key of the Kafka client; wins over the same key without the prefix"),
    Key("sasl.jaas.config", "user name and password of Java's PLAIN and SCRAM login modules"),
    Key("fetch.wait.max.ms", "the Kafka client's", older=("fetch.max.wait.ms",)),
    Key("socket.receive.buffer.bytes", "the Kafka client's", older=("receive.buffer.bytes",)),
    Key("socket.send.buffer.bytes", "the Kafka client's", older=("send.buffer.bytes",)),
    # -- how it is decoded
    Key("value.converter", "the converter's class says the format", "the format is recognised"),
    Key("value.converter.schemas.enable", 'whether JSON comes as {"schema": ..., "payload": ...}', "seen per record"),
    Key("value.converter.schema.registry.*", "a key of the schema registry's client", older=()),
    Key("value.converter.basic.auth.user.info", "user:password for the schema registry"),
    Key("schema.registry.*", "a key of the schema registry's client"),
    # -- into which projects
    Key("sml.project", "the project; with .1, .2, ... several, which share the partitions", numbered=True),
    Key("sml.attribute.types", "a letter for each column, by position; a wrong count means guess", "guess"),
    Key("sml.dataframe.max.chunk.size", "the most records learned at once", "5000"),
    Key("sml.project.must.preexist", "whether a project that is not in the workspace is an error", "false"),
    Key("sml.create.project.params", "options of a project that has to be made, as name=value with commas"),
    # -- when something is out of reach
    Key(
        "sml.reconnect.backoff.ms",
        "base of the wait before another try: min(longest, base * 2^try * U(0, 1))",
        "5000",
        older=("sml.request.retry.delay.ms",),
    ),
    Key("sml.reconnect.backoff.max.ms", "the longest wait", "10000"),
    Key("sml.backoff.max.retries", "tries after the first, then it fails", "5", older=("sml.request.max.retries",)),
    # -- when a record is bad
    Key("behavior.on.malformed.documents", "ignore (count it), warn (count and log it) or fail", "fail"),
    Key("drop.invalid.message", "true: count records that can't be used, and go on", "false"),
    Key("errors.tolerance", "all: go on after records that can't be used; none: fail", "none"),
    Key("errors.deadletterqueue.topic.name", "where records that can't be used are written to"),
    Key("errors.log.enable", "true: log records that can't be used, without what they hold", "false"),
    # -- accepted without effect: the server
    _inert("sml.url", _SERVER, numbered=True),
    _inert("sml.customer.id", _SERVER, numbered=True),
    _inert("sml.customer.secret.key", _SERVER, numbered=True),
    _inert("sml.create.project.type", "there is one type of project, in memory"),
    _inert("sml.create.project.persist", "whether projects are kept is said by the workspace"),
    _inert("http.client.idle.timeout.ms", _HTTP),
    _inert("http.client.response.buffer.size", _HTTP),
    _inert("logging.is.verbose", _HTTP),
    _inert("logging.is.signature.included", _HTTP),
    _inert("logging.is.url.body.truncated", _HTTP),
    # -- accepted without effect: Kafka Connect
    _inert("key.ignore", _RECORD_KEYS),
    _inert("schema.ignore", "columns come from the records as they are"),
    _inert("key.converter", _RECORD_KEYS),
    _inert("key.converter.*", _RECORD_KEYS),
    _inert("header.converter", "the records' headers are not learned"),
    _inert("header.converter.*", "the records' headers are not learned"),
    _inert("errors.retry.timeout", _RETRIES),
    _inert("errors.retry.delay.max.ms", _RETRIES),
    _inert("errors.log.include.messages", "what a record holds is never logged"),
    _inert("errors.deadletterqueue.context.headers.enable", f"{_DEAD} always say where they came from, and why"),
    _inert("errors.deadletterqueue.topic.replication.factor", f"a topic for {_DEAD} is made by the broker's default"),
    _inert("tasks.max.enforce", "there are never more tasks than tasks.max"),
    _inert("config.action.reload", "the configuration is read once, at the start"),
    _inert("connector.plugin.version", "there is one version of this connector"),
    _inert("producer.*", f"{_DEAD} are written with the settings that records are read with"),
    _inert("admin.*", "topics are looked up with the settings that records are read with"),
    _inert("basic.auth.credentials.source", "the login is in ...basic.auth.user.info"),
    _inert("schema.registry.basic.auth.credentials.source", "the login is in ...basic.auth.user.info"),
    _inert("value.converter.basic.auth.credentials.source", "the login is in ...basic.auth.user.info"),
    _inert("value.converter.schemas.cache.size", "schemas are kept as long as it runs"),
    _inert("value.converter.schemas.cache.config", "schemas are kept as long as it runs"),
    _inert("value.converter.enhanced.avro.schema.support", "each record is read by the schema that it names"),
    _inert("value.converter.connect.meta.data", "each record is read by the schema that it names"),
    _inert("value.converter.auto.register.schemas", "nothing is written to the registry"),
    _inert("value.converter.use.latest.version", "each record is read by the schema that it names"),
    _inert("value.converter.value.subject.name.strategy", "schemas are found by the id in the record"),
    _inert("value.converter.key.subject.name.strategy", _RECORD_KEYS),
    # -- accepted without effect: Java's consumer
    _inert("max.poll.records", "the client fetches as much as it can hold; a batch is limited by the chunk size"),
    _inert("enable.auto.commit", _POSITIONS),
    _inert("auto.commit.interval.ms", _POSITIONS),
    _inert("partition.assignment.strategy", "partitions are assigned, so that none is lost in a rebalance"),
    _inert("key.deserializer", _RECORD_KEYS),
    _inert("value.deserializer", "value.converter says the format"),
    _inert("interceptor.classes", "there is no Java to run it"),
    _inert("metric.reporters", "metrics() has the numbers"),
    _inert("exclude.internal.topics", "internal topics are never read"),
    _inert("default.api.timeout.ms", "requests end within ten seconds"),
    # -- refused
    _refused("sml.kstream.*", "it belongs to the stream application: run smlnb score with a file of such keys"),
    _refused("transforms", "records can't be transformed on the way. Leave it out, or transform them upstream"),
    _refused("transforms.*", "records can't be transformed on the way. Leave it out, or transform them upstream"),
    _refused("predicates", "it steers transforms, which there are none of. Leave it out"),
    _refused("predicates.*", "it steers transforms, which there are none of. Leave it out"),
    _refused("ssl.truststore.*", "a Java trust store can't be read. Export it as PEM, and set ssl.ca.location"),
    _refused("sasl.login.callback.handler.class", "there is no Java to run it. Use the client's own sasl.* keys"),
    _refused("sasl.client.callback.handler.class", "there is no Java to run it. Use the client's own sasl.* keys"),
)

OWN: Final = ("sml.", "errors.", "http.client.", "logging.", "topics", "tasks.", "behavior.", "value.converter")


def find_key(key: str) -> Key | None:
    """Return what the table says of a key; None if it is the Kafka client's own.

    Raises
    ------
    ConfigError
        If it is of a family of which every key is in the table, and is not there.

    Examples
    --------
    >>> find_key("sml.request.max.retries").name, find_key("sml.project.2").name, find_key("session.timeout.ms")
    ('sml.backoff.max.retries', 'sml.project', None)
    >>> find_key("sml.projekt")
    Traceback (most recent call last):
    smlnb.errors.ConfigError: The key sml.projekt is unknown. Did you mean sml.project?
    """
    exact = [k for k in KEYS if not k.name.endswith("*") and k.stands_for(key)]
    families = [k for k in KEYS if k.name.endswith("*") and k.stands_for(key)]
    for found in (*exact, *families):
        return found
    if key.startswith(OWN):
        raise ConfigError(unknown_key(key))
    return None


def without_effect(reasons: Mapping[str, str]) -> tuple[str, ...]:
    """Return the line that lists keys without effect, those of one reason together; no line where there are none.

    Parameters
    ----------
    reasons : mapping of key to reason

    Examples
    --------
    >>> without_effect({"sml.url": "no server", "key.ignore": "no keys", "sml.customer.id": "no server"})
    ('Without effect: key.ignore (no keys); sml.customer.id, sml.url (no server).',)
    """
    keys: dict[str, list[str]] = {}
    for key in sorted(reasons):
        keys.setdefault(reasons[key], []).append(key)
    listed = "; ".join(f"{', '.join(of_it)} ({reason})" for reason, of_it in keys.items())
    return (f"Without effect: {listed}.",) if listed else ()


def unknown_key(key: str) -> str:
    """Return the message about a key that nobody knows, with the nearest that somebody does."""
    number = _NUMBER.search(key)
    near = difflib.get_close_matches(
        _NUMBER.sub("", key), [s for k in KEYS if k.treatment != "refused" for s in (k.name, *k.older)], n=1
    )
    if not near:
        return f"The key {key} is unknown. Connector.keys() lists the keys that are known."
    suffix = number[0] if number and any(k.numbered for k in KEYS if near[0] == k.name) else ""
    return f"The key {key} is unknown. Did you mean {near[0]}{suffix}?"
