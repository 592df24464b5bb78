"""Apicurio Registry for the tests: somebody else's registry with Confluent's API, in memory, from Maven."""

from __future__ import annotations

import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from tests.java_server import JavaServer, fetch, free_ports

__all__ = ["APICURIO_VERSION", "ApicurioServer", "apicurio_archive"]

APICURIO_VERSION = "2.6.13.Final"


def apicurio_archive() -> Path:
    """Return the path of the distribution; fetch it first if it is not there."""
    folder = fetch(
        f"apicurio-{APICURIO_VERSION}",
        {
            "groupId": "io.apicurio",
            "artifactId": "apicurio-registry-app",
            "version": APICURIO_VERSION,
            "type": "tar.gz",
            "classifier": "all",
        },
        transitive=False,
    )
    (archive,) = folder.glob("*.tar.gz")
    return archive


class ApicurioServer(JavaServer):
    """Apicurio Registry; ``url`` is where it speaks Confluent's API. It forgets everything when it is halted."""

    name = "Apicurio Registry"

    def __init__(self, archive: Path) -> None:
        super().__init__()
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"
        with tarfile.open(archive) as tar:
            tar.extractall(self.folder, filter="data")

    def command(self) -> list[str]:
        (jar,) = self.folder.glob("*-runner.jar")
        return ["-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self._port}", "-jar", str(jar)]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
