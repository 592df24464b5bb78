"""Real Apache Kafka for the tests: one broker in KRaft mode, from the jars of Maven."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.java_server import JavaServer, fetch, free_ports

__all__ = ["KAFKA_VERSION", "KafkaServer", "kafka_jars"]

KAFKA_VERSION = "4.3.1"
LOG4J_VERSION = "2.25.4"
USER, PASSWORD = "alice", "wonder-land-7"

LOG4J = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
"""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars; fetch them first if they are not there."""
    return fetch(
        f"kafka-{KAFKA_VERSION}",
        {"groupId": "org.apache.kafka", "artifactId": "kafka_2.13", "version": KAFKA_VERSION},
        {"groupId": "org.apache.logging.log4j", "artifactId": "log4j-slf4j-impl", "version": LOG4J_VERSION},
    )


class KafkaServer(JavaServer):
    """Apache Kafka, its data in a temporary folder. Topics must be created: it makes none by itself.

    Attributes
    ----------
    bootstrap_servers : str
        The listener without security.
    sasl_bootstrap_servers : str
        The listener that wants SASL/PLAIN.
    sasl_config : dict
        What a client needs for it, but for the address.
    """

    name = "Apache Kafka"

    def __init__(self, jars: Path) -> None:
        super().__init__()
        self._jars = jars
        self._data = self.folder / "data"
        self._properties = self.folder / "server.properties"
        self._log4j = self.folder / "log4j2.properties"
        plain, sasl, controller = free_ports(3)
        self.bootstrap_servers = f"127.0.0.1:{plain}"
        self.sasl_bootstrap_servers = f"127.0.0.1:{sasl}"
        self.sasl_config = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
        }
        ports = {"plain": plain, "sasl": sasl, "controller": controller}
        self._properties.write_text(PROPERTIES.format(**ports, user=USER, password=PASSWORD, data=self._data))
        self._log4j.write_text(LOG4J)

    def _main(self, *arguments: str) -> list[str]:
        return [f"-Dlog4j2.configurationFile={self._log4j}", "-cp", f"{self._jars}/*", *arguments]

    def prepare(self) -> None:
        """Format the data folder before the first start."""
        if not self._data.exists():
            cluster = uuid.uuid4().hex[:22]
            tool = self._main("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
            subprocess.run(self.java(*tool), check=True, capture_output=True, timeout=60)

    def command(self) -> list[str]:
        return self._main("kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 100}
        )
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def __repr__(self) -> str:
        return f"KafkaServer({self.bootstrap_servers!r}{'' if self.running else ', stopped'})"
