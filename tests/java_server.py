"""Servers on Java for the tests: fetched by Maven once, started on free ports of the loopback interface, ended by their id."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import platformdirs

from tests.waiting import eventually

__all__ = ["JavaServer", "Missing", "fetch", "free_ports"]

JAVA_OPTIONS = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>smlnb.tests</groupId>
  <artifactId>server</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
PORTS = (20_000, 32_000)
ALONE = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"


class Missing(Exception):  # noqa: N818 - a reason to skip, no failure
    """Something that the machine lacks."""


def fetch(name: str, *dependencies: Mapping[str, str], transitive: bool = True) -> Path:
    """Return a folder of the cache with the files of Maven dependencies; fetch them if it is not there yet.

    Parameters
    ----------
    name
        Of the folder, in ``SMLNB_TEST_CACHE`` or else the user's cache folder.
    dependencies
        The elements of each: groupId, artifactId, version and so on.
    transitive
        Whether to fetch what they depend on as well.

    Raises
    ------
    Missing
        If Java or Maven is not installed, or Maven can't fetch.
    """
    if shutil.which("java") is None:
        raise Missing("Java 17 is not installed")
    cache = Path(os.environ.get("SMLNB_TEST_CACHE") or platformdirs.user_cache_path("smlnb-tests"))
    folder = cache / name
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing(f"Maven is not installed and {name} was not fetched before")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        elements = ("".join(f"<{key}>{value}</{key}>" for key, value in each.items()) for each in dependencies)
        rest = "" if transitive else ALONE
        listed = "\n".join(f"    <dependency>{each}{rest}</dependency>" for each in elements)
        pom, got = Path(work, "pom.xml"), Path(work, "files")
        pom.write_text(POM.format(dependencies=listed))
        command = [maven, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={got}"]
        command += ["-DincludeScope=runtime"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            said = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr[-300:])
            raise Missing(f"Maven can't fetch {name}: {said[:400]}")
        try:
            got.rename(folder)  # whole or not at all
        except OSError:  # another test run was faster
            if not folder.is_dir():
                raise
    return folder


def free_ports(count: int) -> list[int]:
    """Give free ports of the loopback interface; they are held while they are chosen, so that they differ.

    They lie below those that a system gives to outgoing connections, of which the tests make many: one of those would
    be taken again before the server has started.
    """
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            candidate = stack.enter_context(socket.socket())
            port = random.randint(*PORTS)  # noqa: S311 - no secret
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found


class JavaServer:
    """A process of Java with a temporary folder of its own; subclasses say what to run and when it answers."""

    name = "the server"

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="smlnb-test-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.log_file = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Arguments of ``java`` that start the server."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether the server is ready."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Do what must be done before each start."""

    @staticmethod
    def java(*arguments: str) -> list[str]:
        """Complete a command; on Linux the server ends with the test run, however that ends."""
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
        return [*guard, "java", *JAVA_OPTIONS, *arguments]

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and return when it answers."""
        self.prepare()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.java(*self.command()),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a test run that is interrupted ends it by stop(), not by the terminal
            )
        eventually(self._ready, 90, f"an answer of {self.name}")
        return self

    def _ready(self) -> bool:
        if not self.running:
            raise AssertionError(f"{self.name} ended while it started:\n{self.log_file.read_text()[-3000:]}")
        return self.answers()

    def halt(self, *, kill: bool = False) -> None:
        """End the process, in order or by force; ``start`` brings it back at the same address with its data."""
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
        """End the process and delete its data."""
        self.halt(kill=True)
        self._temporary.cleanup()
