"""What tests share: brokers, a browser, data, names; and the count of what was skipped for want of which."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from smlnb.cluster.broker import LocalBroker
from smlnb.testing import SchemaRegistry
from tests.apicurio_server import ApicurioServer, apicurio_archive
from tests.java_server import Missing
from tests.kafka_server import KafkaServer, kafka_jars

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ROOT = Path(__file__).parents[1]
TRUE = {"1", "true", "yes", "on"}


def lacking(what: str, reason: str) -> None:
    """Skip the test for want of something, or fail it where ``SMLNB_REQUIRE_<WHAT>`` is set."""
    variable = f"SMLNB_REQUIRE_{what.upper()}"
    if os.environ.get(variable, "").lower() in TRUE:
        pytest.fail(f"{reason}, and {variable} is set", pytrace=False)
    pytest.skip(f"needs {what}: {reason}")


@pytest.fixture(scope="session")
def _kafka_server() -> Iterator[KafkaServer | str]:
    """Give the server, or the reason why there is none: each test that wants it says so for itself."""
    try:
        jars = kafka_jars()
    except Missing as error:
        yield str(error)
        return
    server = KafkaServer(jars)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def kafka(_kafka_server: KafkaServer | str) -> KafkaServer:
    """Real Apache Kafka, one for the whole run: use ``topic_name`` for a topic of your own."""
    if isinstance(_kafka_server, str):
        lacking("kafka", _kafka_server)
    if not _kafka_server.running:
        _kafka_server.start()
    return _kafka_server


@pytest.fixture(scope="session")
def _session_broker() -> Iterator[LocalBroker]:
    with LocalBroker() as broker:
        yield broker


@pytest.fixture
def local_broker(_session_broker: LocalBroker) -> LocalBroker:
    """Give the embedded broker, one for the whole run: use ``topic_name`` for a topic of your own."""
    return _session_broker


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def any_broker(request: pytest.FixtureRequest) -> LocalBroker | KafkaServer:
    """Each broker in turn; both have ``bootstrap_servers``."""
    return request.getfixturevalue("local_broker" if request.param == "embedded" else "kafka")


@pytest.fixture
def topic_name() -> str:
    """Name a topic that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def create_topic() -> Callable[..., str]:
    """Give ``create_topic(broker, name, partitions=1)``, the same for either broker."""

    def create(broker: LocalBroker | KafkaServer, name: str, partitions: int = 1) -> str:
        if isinstance(broker, LocalBroker):
            broker.create_topic(name, partitions)
        else:
            admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
            admin.create_topics([NewTopic(name, partitions, 1)], operation_timeout=20)[name].result(30)
        return name

    return create


@pytest.fixture
def registry() -> Iterator[SchemaRegistry]:
    """Give a schema registry without authentication."""
    with SchemaRegistry() as server:
        yield server


@pytest.fixture(scope="session")
def _apicurio_server() -> Iterator[ApicurioServer | str]:
    try:
        archive = apicurio_archive()
    except Missing as error:
        yield str(error)
        return
    server = ApicurioServer(archive)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def apicurio(_apicurio_server: ApicurioServer | str) -> ApicurioServer:
    """Apicurio Registry, one for the whole run: ``url`` is where it speaks Confluent's API."""
    if isinstance(_apicurio_server, str):
        lacking("registry", _apicurio_server)
    return _apicurio_server


@pytest.fixture(scope="session")
def _browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture
def chromium(_browser_path: str | None) -> str:
    """Path of the system's Chromium or Chrome."""
    if _browser_path is None:
        lacking("browser", f"none of {', '.join(BROWSERS)} is installed")
    return _browser_path


@pytest.fixture
def data_dir() -> Path:
    """Folder of the test data sets: ``SMLNB_DATA``, else ``shared/data`` beside the checkout."""
    named = os.environ.get("SMLNB_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        lacking("data", f"{folder} is no folder; SMLNB_DATA names another")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran, and how many were skipped for want of what."""
    ran = sum(len(terminalreporter.stats.get(outcome, [])) for outcome in ("passed", "failed", "xfailed", "xpassed"))
    wants: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        wants[reason.removeprefix("needs ").partition(":")[0] if reason.startswith("needs ") else reason] += 1
    terminalreporter.section("what ran")
    terminalreporter.line(f"{ran} tests ran, {wants.total()} were skipped")
    for want, count in sorted(wants.items()):
        terminalreporter.line(f"{count} skipped for want of {want}")
