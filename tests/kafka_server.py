"""Real Apache Kafka for the tests: one broker in KRaft mode on Java, from the jars of Maven.

The jars are fetched once into a cache folder (``SMLNB_TEST_CACHE``, else the user's cache folder); every start has a fresh
data folder and free ports of its own.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import platformdirs
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.waiting import eventually

__all__ = ["KAFKA_VERSION", "KafkaServer", "Missing", "kafka_jars"]

KAFKA_VERSION = "4.3.1"
LOG4J_VERSION = "2.25.4"
USER, PASSWORD = "alice", "wonder-land-7"

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>smlnb.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

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
listener.name.sasl_plaintext.plain.sasl.jaas.config={jaas}
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
"""

JAVA_OPTIONS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


class Missing(Exception):  # noqa: N818 - a reason to skip, no failure
    """Something that the machine lacks."""


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars; fetch them first if they are not there.

    Raises
    ------
    Missing
        If Java 17 or Maven is not installed, or Maven can't fetch.
    """
    if shutil.which("java") is None:
        raise Missing("Java 17 is not installed")
    cache = Path(os.environ.get("SMLNB_TEST_CACHE") or platformdirs.user_cache_path("smlnb-tests"))
    jars = cache / f"kafka-{KAFKA_VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    if not jars.is_dir():
        _fetch(jars)
    return jars


def _fetch(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Maven is not installed and Kafka's jars were not fetched before")
    with tempfile.TemporaryDirectory(dir=jars.parent) as folder:
        pom = Path(folder, "pom.xml")
        pom.write_text(POM)
        got = Path(folder, "jars")
        command = [maven, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={got}", "-DincludeScope=runtime"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            last = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr[-300:])
            raise Missing(f"Maven can't fetch Kafka {KAFKA_VERSION}: {last[:400]}")
        (got / "log4j2.properties").write_text(LOG4J)
        try:
            got.rename(jars)
        except OSError:  # another test run was faster
            if not jars.is_dir():
                raise


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Give free ports; all are held while they are chosen, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]


class KafkaServer:
    """Apache Kafka on free ports of the loopback interface, its data in a temporary folder.

    Attributes
    ----------
    bootstrap_servers : str
        The listener without security.
    sasl_bootstrap_servers : str
        The listener that wants SASL/PLAIN.
    sasl_config : dict
        What a client needs for it, but for the address.
    """

    def __init__(self, jars: Path) -> None:
        self._jars = jars
        self._folder = tempfile.TemporaryDirectory(prefix="smlnb-kafka-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        root = Path(self._folder.name)
        self.log_file = root / "server.log"
        self._properties = root / "server.properties"
        with _free_ports(3) as (plain, sasl, controller):
            pass
        self.bootstrap_servers = f"127.0.0.1:{plain}"
        self.sasl_bootstrap_servers = f"127.0.0.1:{sasl}"
        self.sasl_config = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
        }
        jaas = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        self._properties.write_text(
            PROPERTIES.format(plain=plain, sasl=sasl, controller=controller, jaas=jaas, data=root / "data"),
        )

    def _java(self, *arguments: str) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self._jars / 'log4j2.properties'}"
        setpriv = shutil.which("setpriv")  # on Linux: the server ends with the test run, however that ends
        guard = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
        return [*guard, "java", *JAVA_OPTIONS, log4j, "-cp", f"{self._jars}/*", *arguments]

    def start(self) -> Self:
        """Start the server, the first time on an empty data folder; return when it answers."""
        if not (self._properties.parent / "data").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            command = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # an interrupted test run stops it by stop(), not by the terminal's signal
            )
        eventually(self._answers, 60, "an answer of Apache Kafka")
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        if not self.running:
            raise AssertionError(f"Apache Kafka ended while it started:\n{self.log_file.read_text()[-3000:]}")
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 100}
        )
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def halt(self, *, kill: bool = False) -> None:
        """End the server, in order or by force; its data stays, ``start`` brings it back at the same address."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
        self._process = None

    def restart(self, *, kill: bool = False) -> Self:
        """Halt and start again, with the data."""
        self.halt(kill=kill)
        return self.start()

    def stop(self) -> None:
        """End the server and delete its data."""
        self.halt(kill=True)
        self._folder.cleanup()

    def __repr__(self) -> str:
        return f"KafkaServer({self.bootstrap_servers!r}{'' if self.running else ', stopped'})"
