"""The embedded broker, for demonstrations and quick tests: no Java, no Docker, ready in milliseconds."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from smlnb.cluster._librdkafka import LibraryError
from smlnb.cluster._mock_cluster import MockCluster
from smlnb.errors import BrokerLimitError, BrokerUnavailableError, StateMachineError, TopicError
from smlnb.stoppable import Stoppable

__all__ = [
    "LIMITS",
    "LocalBroker",
    "Retention",
    "broker_limit",
    "check_limit",
    "check_settings",
    "check_topic",
    "find_broker",
    "is_local",
]

AUTOMATIC_PARTITIONS: Final = 4  # of a topic that librdkafka's broker makes by itself
_CLUSTER_ID: Final = "mockCluster"  # how librdkafka begins the id of its own clusters
_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Retention(NamedTuple):
    """What a partition keeps; whichever is reached first. Older records are deleted, read or not."""

    bytes: int = 5 * 1024 * 1024
    records: int = 100_000


LIMITS: Final[Mapping[str, str]] = {
    "retention": "keeps 5 MiB or 100,000 records per partition. Use more partitions, or read while you write",
    "transactions": "has no transactions: aborted records are delivered and offsets in a transaction are lost",
    "offsets_by_time": "finds no offsets by time. Start at an offset, at 'earliest' or at 'latest'",
    "create_topics": "creates no topics for admin clients. Start it with smlnb broker --topic NAME --partitions N, "
    "or call create_topic() on the LocalBroker in its own process; "
    f"or write to the topic: it then appears with {AUTOMATIC_PARTITIONS} partitions",
    "delete_topics": "deletes no topics. Use another name, or a new LocalBroker",
    "groups": "shares no partitions among the members of a group. Tasks divide them for good there",
    "security": "has neither TLS nor SASL. Leave out security.protocol and the credentials",
}


def broker_limit(limit: str) -> BrokerLimitError:
    """Return the error to raise for one of :data:`LIMITS`; it names the limit and the way out.

    Examples
    --------
    >>> print(broker_limit("offsets_by_time"))
    The embedded broker finds no offsets by time. Start at an offset, at 'earliest' or at 'latest'; or use Apache Kafka.
    """
    return BrokerLimitError(f"The embedded broker {LIMITS[limit]}; or use Apache Kafka.")


def check_limit(limit: str, bootstrap_servers: str, config: Mapping[str, Any] | None = None) -> None:
    """Raise :func:`broker_limit` if the broker is embedded; for use before such a request, or after it has failed.

    Raises
    ------
    BrokerLimitError
        If it is an embedded broker.
    BrokerUnavailableError
        If it does not answer.
    """
    if is_local(bootstrap_servers, config):
        raise broker_limit(limit)


def check_settings(settings: Mapping[str, Any], *, writing: bool = False) -> None:
    """Make sure that an embedded broker is not asked for a login, nor, when ``writing``, for transactions.

    Raises
    ------
    BrokerLimitError
        If it is: for a login, by the address of a broker of this process; for transactions, of any process.
    BrokerUnavailableError
        If there is a ``transactional.id`` and no broker that answers.

    Examples
    --------
    >>> check_settings({"bootstrap.servers": "host:9092", "security.protocol": "SASL_SSL"})
    """
    servers = str(settings["bootstrap.servers"])
    if str(settings.get("security.protocol") or "plaintext").lower() != "plaintext" and find_broker(servers):
        raise broker_limit("security")
    if writing and settings.get("transactional.id"):
        check_limit("transactions", servers, {k: v for k, v in settings.items() if k != "transactional.id"})


def is_local(bootstrap_servers: str, config: Mapping[str, Any] | None = None, *, timeout: float = 5.0) -> bool:
    """Tell whether an embedded broker (of this or of any other process) answers at the address.

    Parameters
    ----------
    bootstrap_servers : str
    config : mapping, optional
        Further keys of librdkafka that are needed to connect.
    timeout : float
        Seconds to wait for an answer.

    Raises
    ------
    BrokerUnavailableError
        If there is no answer.
    """
    if find_broker(bootstrap_servers) is not None:
        return True
    admin = AdminClient({"log_level": 0, **(config or {}), "bootstrap.servers": bootstrap_servers})
    try:
        cluster_id = admin.list_topics(timeout=timeout).cluster_id
    except KafkaException as error:
        raise BrokerUnavailableError(
            f"No broker answered at {bootstrap_servers} within {timeout:g} s ({error.args[0].str()}). "
            "Is it running, and is the address right?",
        ) from error
    return str(cluster_id or "").startswith(_CLUSTER_ID)


_live: weakref.WeakValueDictionary[str, LocalBroker] = weakref.WeakValueDictionary()


def find_broker(bootstrap_servers: str) -> LocalBroker | None:
    """Return the running LocalBroker of this process at the address, if there is one."""
    for address in bootstrap_servers.split(","):
        name = address.strip().rpartition("://")[2].replace("localhost:", "127.0.0.1:")
        if (broker := _live.get(name)) is not None:
            return broker
    return None


class LocalBroker(Stoppable):
    """A Kafka broker inside this process: the one that librdkafka brings.

    It speaks the real protocol on a real port of the loopback interface, so that other processes can connect as well,
    and it ends with the process at the latest. Everything is in memory. Its limits:

    - a partition keeps 5 MiB or 100,000 records (:attr:`retention`), whichever is reached first, *whether read or not*;
    - no transactions: aborted records are delivered, offsets sent in a transaction are lost;
    - no offsets by time;
    - no topics created or deleted by an ``AdminClient``: use :meth:`create_topic`. A topic that somebody writes to or
      asks for appears by itself, with 4 partitions;
    - no TLS, no SASL, no access control.

    A :class:`~smlnb.errors.BrokerLimitError` is raised where smlnb itself is told to write with a ``transactional.id``,
    to log in at a broker of this process, or to make a topic of more than 4 partitions at a broker of another. Other
    clients are told nothing.

    Stop the clients before the broker: a consumer that commits automatically and is closed *after* its broker waits for
    it for ``session.timeout.ms`` (45 s by default) in vain.

    Parameters
    ----------
    partitions : int
        How many partitions :meth:`create_topic` makes where it is not told.

    Attributes
    ----------
    bootstrap_servers : str
        The address, for clients of this machine.
    can_set_partitions : bool
        False if librdkafka's interface was not found; then every topic has 4 partitions.
    notice : str or None
        One line that says so, if it is so.

    Examples
    --------
    >>> with LocalBroker(partitions=3) as broker:
    ...     broker.create_topic("readings"), is_local(broker.bootstrap_servers)
    (3, True)
    """

    retention: Final = Retention()

    def __init__(self, partitions: int = 8) -> None:
        _check_partitions(partitions)
        self.partitions = partitions
        self.notice: str | None = None
        self._cluster: MockCluster | None = None
        self._producer: Producer | None = None
        try:
            self._cluster = MockCluster()
        except LibraryError as error:
            self._fall_back(str(error))
        else:
            self.bootstrap_servers = self._cluster.bootstrap_servers
            # also when the broker is forgotten, and before the interpreter ends
            self._finalizer = weakref.finalize(self, self._cluster.destroy)
        _live[self.bootstrap_servers] = self

    def _fall_back(self, reason: str) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "client.id": "smlnb-local-broker", "log_level": 0})
        (broker,) = self._producer.list_topics(timeout=10).brokers.values()
        self.bootstrap_servers = f"{broker.host}:{broker.port}"
        self.notice = f"This broker's topics have {AUTOMATIC_PARTITIONS} partitions, whatever is asked: {reason}"

    @property
    def running(self) -> bool:
        """False once the broker was stopped."""
        return self._cluster is not None or self._producer is not None

    @property
    def can_set_partitions(self) -> bool:
        """False if every topic has 4 partitions."""
        return self.notice is None

    def create_topic(self, name: str, partitions: int | None = None) -> int:
        """Create a topic and return the number of its partitions (4 where :attr:`can_set_partitions` is false).

        Raises
        ------
        TopicError
            If the topic is there already, or Kafka has no such names or numbers.
        StateMachineError
            If the broker was stopped.
        """
        count = self.partitions if partitions is None else partitions
        check_topic(name, count)
        if self._cluster is not None:
            refusal = self._cluster.create_topic(name, count)
            if refusal is not None:
                raise self._refusal(name, refusal)
            return count
        if self._producer is not None:
            if name in self._producer.list_topics(timeout=10).topics:
                raise self._refusal(name, "it already exists")
            self._producer.list_topics(name, timeout=10)  # being asked for it, the broker makes it
            return AUTOMATIC_PARTITIONS
        raise StateMachineError(f"The broker at {self.bootstrap_servers} was stopped. Start another: LocalBroker().")

    def _refusal(self, topic: str, reason: str) -> TopicError:
        return TopicError(f"The topic {topic!r} can't be created at {self.bootstrap_servers}: {reason}")

    def stop(self) -> None:
        """Stop the broker and forget its records; connected clients see their connections close. Once or more."""
        _live.pop(self.bootstrap_servers, None)
        if self._cluster is not None:
            self._finalizer()
        self._cluster = self._producer = None

    close = stop

    def __repr__(self) -> str:
        state = "" if self.running else ", stopped"
        notice = f"\n{self.notice}" if self.notice and self.running else ""
        return f"LocalBroker({self.bootstrap_servers!r}{state}){notice}"


def check_topic(name: str, partitions: int) -> None:
    """Make sure that Kafka has topics of this name and number of partitions.

    Raises
    ------
    TopicError
        If it has not.

    Examples
    --------
    >>> check_topic("readings", 8)
    """
    _check_partitions(partitions)
    if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise TopicError(f"{name!r} is no name for a topic. Use up to 249 letters, digits, '.', '_' and '-'.")


def _check_partitions(partitions: int) -> None:
    if not 1 <= partitions <= 10_000:
        raise TopicError(f"A topic has 1 to 10,000 partitions, not {partitions}.")
