"""A sink connector's configuration at work: from topics into projects, kept in a workspace, with retries."""

from __future__ import annotations

import html
import logging
import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Self

import pandas as pd
from confluent_kafka import Consumer, KafkaException

from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.connector.feeds import ConnectorFeeds
from smlnb.connector.file import hidden
from smlnb.connector.keys import KEYS, unknown_key
from smlnb.connector.projects import ConnectorProjects
from smlnb.connector.settings import Settings
from smlnb.errors import BrokerUnavailableError, ConfigError, SmlnbError, StateMachineError, WorkspaceError
from smlnb.ingest.feed import Feed
from smlnb.ingest.metrics import Metrics
from smlnb.project import Project
from smlnb.stoppable import Stoppable
from smlnb.store import Workspace

__all__ = ["Connector"]

_log = logging.getLogger(__name__)

TICK: Final = 0.1  # seconds between two looks at the feeds
LOOK: Final = 10.0  # seconds between two looks for topics that match topics.regex
SAVE: Final = 5.0  # seconds between two saves
WARN: Final = 5.0  # seconds between two warnings about records that can't be used
SAID: Final = 100  # lines of the report about what was decided while it ran, at most


class Connector(Stoppable):
    """What a sink connector's configuration describes, without a Connect worker: topics that projects learn.

    Made by :meth:`from_config`; :meth:`start` begins. While it runs, a thread of its own saves the projects in the
    workspace, and when the broker or the schema registry can't be reached, tries again after the configured waits.

    Attributes
    ----------
    settings : Settings
        What the configuration says.
    config : KafkaConfig
        The cluster.
    error : Exception or None
        Why it failed.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     where = broker.bootstrap_servers
    ...     _ = smlnb.replay({"x": [1.0, 2.0, 3.0]}, "numbers", bootstrap_servers=where, block=True, progress=False)
    ...     keys = {"topics": "numbers", "sml.project": "plant", "sml.url": "http://server:8080/symetry/rest"}
    ...     with Connector.from_config(keys, bootstrap_servers=where).start() as connector:
    ...         connector.wait(timeout=30)
    >>> connector.projects["plant"].n
    3
    >>> connector.report
    ['Without effect: sml.url (projects are kept in this process and its workspace, not on a server).']
    """

    def __init__(
        self,
        settings: Settings,
        config: KafkaConfig,
        workspace: Workspace | str | os.PathLike[str] | None = None,
        *,
        save_every: float = SAVE,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.settings = settings
        self.config = config
        self.error: BaseException | None = None
        self._state = "created"
        self._said: deque[str] = deque(maxlen=SAID)
        self._halt = threading.Event()
        self._pause = self._halt.wait if pause is None else pause
        self._control = threading.RLock()  # one start or stop at a time
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._unsaved: SmlnbError | None = None
        self._trouble: str | None = None
        self._save_every = save_every
        self._kept = ConnectorProjects(settings, workspace)
        self._said.extend(self._kept.notes)
        self._feeds = ConnectorFeeds(settings, config, self._kept, self._say)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any] | str | os.PathLike[str],
        *,
        bootstrap_servers: str | None = None,
        workspace: Workspace | str | os.PathLike[str] | None = None,
        cluster: str | os.PathLike[str] | None = None,
        save_every: float = SAVE,
    ) -> Self:
        """Read a configuration; nothing is connected yet.

        Parameters
        ----------
        config : mapping or path
            The keys, or ``{"name": ..., "config": {...}}``, or a file of either, as JSON or as ``key=value`` lines.
            :meth:`keys` lists what is known. Keys of the Kafka client are handed to it.
        bootstrap_servers : str, optional
            Wins over ``consumer.bootstrap.servers``, which wins over ``bootstrap.servers``, which wins over the
            environment's ``SMLNB_KAFKA_BOOTSTRAP_SERVERS``.
        workspace : Workspace or path, optional
            Where projects come from and are saved to. Without one they end with this process.
        cluster : path, optional
            A file with further settings of the cluster; the configuration's own keys win.
        save_every : float
            Seconds between two saves.

        Raises
        ------
        ConfigError
            If a key is unknown, refused, missing, wrong or contradicts another.
        WorkspaceError
            If ``sml.project.must.preexist`` is true and the workspace does not have the project.
        SchemaError
            If the project there has other types.
        """
        config = hidden(config)  # in its place: a traceback with variables shows no passwords
        settings = Settings.of(config)
        kafka = KafkaConfig.of(bootstrap_servers, settings.kafka, file=cluster)
        _check_client(kafka)
        return cls(settings, kafka, workspace, save_every=save_every)

    @staticmethod
    def keys() -> pd.DataFrame:
        """Return every key that is known: its meaning, default, treatment and older spellings."""
        rows = [
            (f"{k.name}[.n]" if k.numbered else k.name, k.meaning, k.default, k.treatment, ", ".join(k.older))
            for k in KEYS
        ]
        columns = ["key", "meaning", "default", "treatment", "older"]
        return pd.DataFrame(rows, columns=columns).set_index("key")

    # -- control ------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Connect, and let the projects learn from where they stopped; return the connector.

        Nothing happens if it is running. Where no broker answers this returns, too, and tries again in the background
        as often as is configured.

        Raises
        ------
        BrokerUnavailableError
            If no broker answers, and no retry is configured.
        TopicError
            If a topic is missing, or none matches ``topics.regex``.
        """
        with self._control:
            if self._thread is not None and self._thread.is_alive():
                return self
            self._halt.clear()
            self.error = self._unsaved = self._trouble = None
            self._kept.open()
            failure = None
            try:
                self._feeds.connect()
            except BrokerUnavailableError as error:
                if not self.settings.backoff.retries:
                    self._fail(error)
                    raise
                failure = error
            except SmlnbError as error:
                self._fail(error)
                raise
            self._set("running" if failure is None else "retrying")
            self._thread = threading.Thread(
                target=self._run, args=(failure,), name=f"smlnb-{self.settings.name}", daemon=True
            )
            self._thread.start()
            return self

    def stop(self) -> None:
        """Stop reading, and save what was learned; nothing happens if that was done before.

        Raises
        ------
        WorkspaceError
            If the projects can't be saved.
        """
        self._halt.set()
        with self._control:
            thread = self._thread
            if thread is not None and thread is not threading.current_thread():
                thread.join()
                self._thread = None
            if self._state == "created":
                self._set("stopped")
            self._kept.close()
            failure, self._unsaved = self._unsaved, None
        if failure is not None:
            raise failure

    def wait(self, rows: int | None = None, timeout: float | None = None) -> None:
        """Wait until all that is in the topics *now* is learned, or until ``rows`` records are, since it was made.

        Raises
        ------
        SmlnbError
            What made it fail.
        StateMachineError
            If it is not started, or stopped before.
        TimeoutError
            After ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        ends: dict[tuple[str, int], int] | None = None
        while True:
            if self._state == "failed" and self.error is not None:
                raise self.error
            if self._state not in ("running", "retrying"):
                raise StateMachineError(f"Nothing to wait for: {self!r}. Start it.")
            if ends is None and rows is None and self._state == "running":
                with suppress(BrokerUnavailableError):
                    ends = self._feeds.ends()
            if self._feeds.learned(rows, ends):
                return
            left = TICK if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self!r} was not done after {timeout:g} s.")
            with self._changed:
                self._changed.wait(min(left, TICK))

    # -- what can be seen ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``created``, ``running``, ``retrying``, ``stopped`` or ``failed``."""
        return self._state

    @property
    def projects(self) -> dict[str, Project]:
        """By name."""
        return dict(self._kept.by_name)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What reads the topics."""
        return self._feeds.all

    @property
    def report(self) -> list[str]:
        """A line that lists the keys without effect, with the reasons; then what was decided while it ran."""
        return [*self.settings.notes, *self._said]

    @property
    def metrics(self) -> Metrics:
        """The numbers of all feeds together; ``rows`` are those learned since it was made."""
        together = self._feeds.metrics
        return replace(together, state=self._state, broker_error=self._trouble or together.broker_error)

    def __repr__(self) -> str:
        m = self.metrics
        to = ", ".join(map(repr, self.projects))
        refused = f", refused={m.refused:_}" if m.refused else ""
        read = ", ".join(map(repr, self._feeds.topics))
        counts = f"rows={m.rows:_}{refused}, lag={m.lag_text('_')}"
        return f"Connector({self.settings.name!r}: {read} -> {to}, {m.state}, {counts})"

    def _repr_html_(self) -> str:
        m = self.metrics
        cells = {
            "state": m.state,
            "topics": ", ".join(self._feeds.topics),
            "projects": ", ".join(f"{name} ({project.n:,} records)" for name, project in self.projects.items()),
            "records learned": f"{m.rows:,}",
            "refused": f"{m.refused:,}",
            "rate": f"{m.rate:,.0f} per second",
            "to go": m.lag_text(),
        }
        if m.broker_error:
            cells["broker"] = m.broker_error
        if self.error is not None:
            cells["error"] = str(self.error)
        rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in cells.items())
        notes = "".join(f"<li>{html.escape(line)}</li>" for line in self.report)
        title = html.escape(self.settings.name)
        shown = f"<details><summary>{len(self.report)} notes</summary><ul>{notes}</ul></details>" if notes else ""
        return f"<table><caption>Connector {title}</caption>{rows}</table>{shown}"

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self, failure: BrokerUnavailableError | None) -> None:
        try:
            self._loop(failure)
            state = "stopped"
        except BaseException as error:  # noqa: BLE001 - whatever happens is kept and shown: nobody else would see it
            self.error, state = error, "failed"
            _log.error("%s: %s", self.settings.name, error)  # no traceback: it could show what a record holds
        try:
            self._feeds.stop()
            self._warn()
            self._kept.save()
        except SmlnbError as error:
            self._unsaved = error
            self.error, state = self.error or error, "failed"
        finally:
            self._set(state)

    def _loop(self, failure: BrokerUnavailableError | None) -> None:
        attempt, at, looked = 0, -1, time.monotonic()
        saved, warned = looked, -math.inf
        while True:
            if failure is not None:
                at = self._kept.positions
                if attempt >= self.settings.backoff.retries:
                    raise failure
                seconds = self.settings.backoff.seconds(attempt)
                attempt += 1
                self._say(f"{failure} Trying again in {seconds:.1f} s, {attempt} of {self.settings.backoff.retries}.")
                self._trouble = str(failure)
                self._set("retrying")
                self._pause(seconds)
                if self._halt.is_set():
                    return
                failure = self._connected()
                continue
            if self._halt.wait(TICK):
                return
            if attempt and self._kept.positions > at:  # it works again
                attempt = 0
            failure = self._feeds.failure()
            now = time.monotonic()
            if now - warned >= WARN and self._warn():
                warned = now
            if now - looked >= LOOK:
                self._feeds.take_up_new_topics()
                looked = now
            if now - saved >= self._save_every:
                self._save()
                saved = now
            with self._changed:
                self._changed.notify_all()

    def _save(self) -> None:
        """Save; what can't be saved now is told, and tried again next time, while reading goes on."""
        try:
            self._kept.save()
        except WorkspaceError as error:
            self._say(f"{error} Reading goes on; saving is tried again in {self._save_every:g} s.")

    def _connected(self) -> BrokerUnavailableError | None:
        try:
            self._feeds.connect()
        except BrokerUnavailableError as error:
            return error
        self._trouble = None
        self._set("running")
        return None

    def _warn(self) -> bool:
        """Log how many records could not be used since the last call; tell whether there were any."""
        new = list(self._feeds.newly_refused()) if self.settings.warn else []
        for (topic, partition), more, all_of_them in new:
            text = "%s: %d records of %s[%d] could not be used, %d so far"
            _log.warning(text, self.settings.name, more, topic, partition, all_of_them)
        return bool(new)

    def _say(self, text: str) -> None:
        self._said.append(text)
        _log.warning("%s: %s", self.settings.name, text)

    def _set(self, state: str) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self._kept.close()  # what fails at the start may never be stopped
        self._set("failed")


_NO_SUCH = re.compile(r'No such configuration property: "([^"]+)"')


def _check_client(config: KafkaConfig) -> None:
    """Let the client itself say which keys it knows, without connecting.

    Raises
    ------
    ConfigError
        If it refuses a key or a value.
    """
    settings = {k: v for k, v in config.client(**{"group.id": "smlnb"}).items() if k != "bootstrap.servers"}
    try:
        Consumer(settings).close()
    except (KafkaException, ValueError, TypeError) as error:
        refused = client_error(error, config)
        unknown = _NO_SUCH.search(str(refused))
        raise (ConfigError(unknown_key(unknown[1])) if unknown else refused) from None
