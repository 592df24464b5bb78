"""From a topic into a project, with controls: what ``smlnb.connect`` returns."""

from __future__ import annotations

import atexit
import html
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from streamz import Stream

from smlnb.cluster.bounds import Start, Until
from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.topics import watermarks
from smlnb.errors import SmlnbError
from smlnb.formats.decode import Format
from smlnb.ingest import nodes
from smlnb.ingest.backfill import BackfillMetrics, followed
from smlnb.ingest.checkpoint import Checkpoints
from smlnb.ingest.kafka import from_kafka_arrow
from smlnb.ingest.known import Known
from smlnb.ingest.metrics import Metrics
from smlnb.ingest.reader import OnGap
from smlnb.ingest.task import Policy
from smlnb.project import Project
from smlnb.stoppable import Stoppable
from smlnb.store import Workspace

__all__ = ["Feed", "connect"]


def connect(
    project: Project,
    topic: str | Sequence[str],
    *,
    bootstrap_servers: str | None = None,
    config: Mapping[str, Any] | KafkaConfig | str | Path | None = None,
    format: Format = "auto",  # noqa: A002 - the word that users know
    format_options: Mapping[str, Any] | None = None,
    start: Start = "earliest",
    until: Until | None = None,
    on_malformed: Policy = "stop",
    dead_letter_topic: str | None = None,
    on_gap: OnGap = "stop",
    batch_rows: int = 5_000,
    group_id: str | None = None,
    tasks: int = 1,
    statistics_interval_ms: int | None = None,
    workspace: Workspace | str | os.PathLike[str] | None = None,
    checkpoint_every: float = 5.0,
) -> Feed:
    """Let a project learn a topic, or several, from now on; return the running feed.

    A project that has read the topic before goes on where it stopped. Each record counts once.

    What is wrong with the records themselves is seen when they are read, after this has returned. If the project's
    letters do not fit the columns, say, ``feed.error`` holds the error, and :meth:`Feed.wait` raises it.

    Parameters
    ----------
    project : Project
    topic : str or sequence of str
    bootstrap_servers, config
        Where the cluster is and how to log in; see :meth:`smlnb.KafkaConfig.of`.
    format : str
        Of the records' values: ``"auto"`` tells JSON from what the schema registry describes (Avro, Protobuf, JSON
        Schema; ``config`` names the registry); the others, such as ``"csv"`` and ``"number"``, are named. See
        :func:`smlnb.formats.decode.decoder`.
    format_options : mapping, optional
        Of that format, such as ``{"columns": ["a", "b"]}`` for CSV.
    start : {"earliest", "latest"}, time, or mapping of (topic, partition) to int
        Where to begin in partitions that the project has not read: at an end; at a time, such as ``"10:30"``,
        ``"-1h"`` or a datetime, that is at the first record that is not older; or at offsets, and where none is given
        at the beginning. Partitions that are added to the topics later are read from their beginning.
    until : "now", time, or mapping of (topic, partition) to int, optional
        Read what is there now, what is older than a time, or what is before offsets (and nothing of partitions without
        one). Then the feed ends by itself, its state is ``done``, and :meth:`Feed.wait` returns; while it waits it
        shows how far it has come and how long the rest will take. By default the feed goes on for ever.
    on_malformed : {"stop", "dead_letter", "skip"}
        What happens at a record that can't be decoded or does not fit the project: stop with an error that names it;
        write it to ``dead_letter_topic`` and go on; or count it and go on.
    dead_letter_topic : str, optional
        ``<topic>-dlq`` by default.
    on_gap : {"stop", "count"}
        What happens where the broker's retention has deleted records before they were read: stop, with an error that
        says how many; or go on with the first that is there, and count the others as ``lost`` in the metrics, in
        ``project.counts`` and in ``project.log()``.
    batch_rows : int
        The most records learned at once.
    group_id : str, optional
        The consumer group that is told the positions, for lag tools. Where the positions are is never asked of it.
    tasks : int
        How many consumers share the partitions, each in a thread of this process, as one consumer group (with
        cooperative-sticky assignment). A partition that moves goes on at the project's position. See
        :meth:`Feed.rescale` for what it gains.
    statistics_interval_ms : int, optional
        Milliseconds between two reports of the Kafka client about itself; see :attr:`Feed.broker_statistics`.
    workspace : Workspace or path, optional
        Save the project there while it learns, in a thread of its own, and once more at the end. What goes wrong with
        that is counted and shown, and learning goes on. After a crash, ``connect(workspace.resume("name"), ...)``
        goes on as if nothing had happened.
    checkpoint_every : float, default 5
        Seconds between two saves.

    Raises
    ------
    WorkspaceError
        If the workspace can't be written, somebody else writes this project there, or another project has its name.
    BrokerUnavailableError
        Within 10 seconds, if no broker answers or the login is refused.
    TopicError
        If the topic is missing; the message names similar ones.
    ConfigError
        If a setting is unknown or wrong.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     where = {"bootstrap_servers": broker.bootstrap_servers}
    ...     _ = smlnb.replay({"x": [1.0, 2.0, 3.0]}, "numbers", **where, block=True, progress=False)
    ...     project = smlnb.Project("numbers", types="C")
    ...     with smlnb.connect(project, "numbers", **where) as feed:
    ...         feed.wait(timeout=30)
    >>> project.n
    3
    """
    config = KafkaConfig.of(bootstrap_servers, config)  # in its place: a traceback with variables shows no passwords
    if statistics_interval_ms is not None:
        config = replace(config, settings={**config.settings, "statistics.interval.ms": statistics_interval_ms})
    feed = Feed(
        project,
        topic,
        config=config,
        format=format,
        format_options=format_options,
        start=start,
        until=until,
        on_malformed=on_malformed,
        dead_letter_topic=dead_letter_topic,
        on_gap=on_gap,
        batch_rows=batch_rows,
        group_id=group_id,
        tasks=tasks,
        workspace=workspace,
        checkpoint_every=checkpoint_every,
    )
    feed.start()
    return feed


class Feed(Stoppable):
    """A project's connection to its topics; made by :func:`connect`.

    Attributes
    ----------
    project : Project
    stream : streamz.Stream
        Emits each batch after the project has learned it: ``feed.stream.sink(print)``.
    """

    def __init__(
        self,
        project: Project,
        topic: str | Sequence[str],
        *,
        config: KafkaConfig,
        workspace: Workspace | str | os.PathLike[str] | None = None,
        checkpoint_every: float = 5.0,
        **options: Any,
    ) -> None:
        self.project = project
        self.config = config
        self._checkpoints = None if workspace is None else Checkpoints(project, workspace, checkpoint_every)
        self._source = from_kafka_arrow(topic, config=config, known=Known(project), **options)
        self._learn = nodes.learn(self._source, project, strict=True)
        self.stream: Stream = self._learn

    @property
    def topics(self) -> list[str]:
        """What is read."""
        return list(self._source.topics)

    @property
    def state(self) -> str:
        """``created``, ``running``, ``paused``, ``stopped``, ``done`` or ``failed``."""
        return self._source.state

    @property
    def backfill(self) -> BackfillMetrics | None:
        """How far it has come towards ``until``, with an estimate of the time left; None where there is no end."""
        return self._source.backfill

    @property
    def error(self) -> BaseException | None:
        """Why it failed."""
        return self._source.error

    @property
    def metrics(self) -> Metrics:
        """A snapshot of the numbers; ``rows`` are those learned since the feed was made.

        ``read == rows + refused + filtered + pending`` holds in each snapshot, in total and per partition.
        """
        counts, reasons = self._learn.counts, self._learn.last_errors  # first: what is learned was read before
        metrics = self._source.metrics
        parts = {}
        for place, part in metrics.partitions.items():
            learned, unfit, filtered = counts.get(place, (0, 0, 0))
            done = learned + unfit + filtered
            read = max(part.read, done)
            parts[place] = replace(
                part,
                rows=learned,
                refused=unfit,
                filtered=filtered,
                read=read,
                pending=read - done,
                last_error=reasons.get(place, part.last_error),
            )
        summed = {
            name: sum(getattr(p, name) for p in parts.values())
            for name in ("read", "rows", "refused", "filtered", "pending")
        }
        last = metrics.last_error
        if self.error is None and reasons:
            (topic, partition), reason = list(reasons.items())[-1]
            last = f"{topic}[{partition}] {reason}"
        checkpoint = None if self._checkpoints is None else self._checkpoints.metrics
        return replace(metrics, last_error=last, partitions=parts, checkpoint=checkpoint, **summed)

    @property
    def broker_statistics(self) -> dict[str, Any]:
        """What librdkafka reported last about its brokers, partitions and queues; empty until it has.

        Off by default: ``connect(..., statistics_interval_ms=5000)`` asks for it. The names are those of
        https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md.
        """
        text = self._source.broker_statistics
        return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])

    def prometheus(self) -> str:
        """Return the metrics as text for Prometheus; see :func:`smlnb.prometheus`."""
        from smlnb.ingest.prometheus import prometheus

        return prometheus(self)

    def start(self) -> None:
        """Begin to learn, where the project stopped; nothing happens if it is running."""
        if not self._source.stopped:
            return
        self.restart()

    def pause(self) -> None:
        """Learn nothing more until :meth:`resume`; a batch that is being learned is finished.

        Raises
        ------
        StateMachineError
            If it is stopped.
        """
        self._source.pause()

    def resume(self) -> None:
        """Go on after :meth:`pause`.

        Raises
        ------
        StateMachineError
            If it is stopped.
        """
        self._source.resume()

    def stop(self) -> None:
        """Stop and disconnect; what was learned stays, and is saved once more where there is a workspace.

        Nothing happens if it was stopped before.
        """
        try:
            self._source.stop()
        finally:
            self._stop_saving()

    def _stop_saving(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.stop()
            _saving.discard(self)

    def restart(self, *, on_malformed: Policy | None = None) -> None:
        """Stop, then go on where the project stopped; with another policy for malformed records, if one is given.

        Raises
        ------
        BrokerUnavailableError, TopicError
            As :func:`connect` does.
        """
        self._source.stop()
        if on_malformed is not None:
            self._source.on_malformed = on_malformed
        if self._checkpoints is not None:
            self._checkpoints.start()
            _saving.add(self)
        try:
            self._go_on()
        except BaseException:
            self._stop_saving()
            raise

    def _go_on(self) -> None:
        self._source.connect_dead_letters()
        self._learn.on_bad = "raise" if self._source.on_malformed == "stop" else "refuse"
        self._learn.dead_letters = self._source.dead_letters
        self.project.rewind(self._lows())
        learned = {place: p for place, p in self.project.positions.items() if place[0] in self._source.topics}
        # where nothing was learned yet: from where reading began, which `start` would find elsewhere by now
        self._source.restart(positions={**self._source.positions, **learned})

    def rescale(self, tasks: int) -> None:
        """Share the partitions among another number of tasks; see :func:`connect`.

        Tasks fetch and decode at the same time as far as Python's interpreter lock lets them; the project learns one
        batch at a time. That gains no speed: on two processors, with Apache Kafka beside and eight partitions, 2 and 4
        tasks read 0.9 to 1.0 times as many Avro records per second as one did, and 0.7 to 0.8 times as many JSON
        records; and starting takes up to some seconds, in which the group shares out the partitions.
        For what is too much for one process, there are several processes.

        Tasks belong to one process, since the statistics do. Several processes share a topic by partition: each feeds
        a project of its own, and ``+`` merges these; it refuses two that have both read the same partition. If another
        process takes part in the consumer group of this feed, the partitions that it is assigned wait here, and go on
        where this project stopped as soon as they come back.
        """
        self._source.rescale(tasks)

    def wait(self, rows: int | None = None, timeout: float | None = None, *, progress: bool = True) -> None:
        """Wait until all that is in the topics *now* is learned, or until the feed has learned ``rows`` records.

        A feed with ``until`` is waited for until it is done, with a progress bar unless ``progress`` is false.

        Raises
        ------
        SmlnbError
            What made the feed fail.
        StateMachineError
            If the feed is paused or stopped before.
        TimeoutError
            After ``timeout`` seconds.
        """
        if rows is None and (backfill := self.backfill) is not None:
            with followed(backfill.total, ", ".join(self.topics), show=progress) as show:
                self._source.wait_until(lambda: show(self.backfill) or self.state == "done", timeout, self)
            self.stop()  # what is saved is saved to the end
            return
        ends = {} if rows is not None else self._ends()
        self._source.wait_until(lambda: self._reached(rows, ends), timeout, self)

    def _lows(self) -> dict[tuple[str, int], int]:
        """Return the first offset that each partition of the project's topics still has."""
        known = {topic for topic, _ in self.project.positions if topic in self._source.topics}
        return {
            (topic, partition): low
            for topic in sorted(known)
            for partition, (low, _) in watermarks(topic, config=self.config).items()
        }

    def _ends(self) -> dict[tuple[str, int], int]:
        return {
            (topic, partition): high
            for topic in self.topics
            for partition, (_, high) in watermarks(topic, config=self.config).items()
        }

    def _reached(self, rows: int | None, ends: Mapping[tuple[str, int], int]) -> bool:
        if rows is not None:
            return sum(learned for learned, *_ in self._learn.counts.values()) >= rows
        return self._source.reached(ends)

    def __repr__(self) -> str:
        m = self.metrics
        topics = ", ".join(map(repr, self.topics))
        refused = f", refused={m.refused:_}" if m.refused else ""
        state = f"{m.state}, disconnected" if m.broker_error else m.state
        saved = f", {m.checkpoint}" if m.checkpoint is not None else ""
        lost = f", lost={m.lost:_}" if m.lost else ""
        done = f", {self.backfill}" if self.backfill is not None else ""
        return (
            f"Feed({topics} -> {self.project.name!r}, {state}, rows={m.rows:_}{refused}{lost}, lag={m.lag_text('_')}"
            f"{done}{saved})"
        )

    def _repr_html_(self) -> str:
        m = self.metrics
        cells = {
            "state": m.state,
            "records learned": f"{m.rows:,}",
            "refused": f"{m.refused:,}",
            "rate": f"{m.rate:,.0f} per second",
            "to go": m.lag_text(),
            "partitions": f"{len(m.partitions)}",
        }
        if m.lost:
            cells["lost"] = f"{m.lost:,}"
        if self.backfill is not None:
            cells["done"] = str(self.backfill)
        if m.checkpoint is not None:
            cells["checkpoint"] = str(m.checkpoint)
        if m.broker_error:
            cells["broker"] = m.broker_error
        if self.error is not None:
            cells["error"] = str(self.error)
        rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in cells.items())
        title = html.escape(f"{', '.join(self.topics)} → {self.project.name}")
        return f"<table><caption>{title}</caption>{rows}</table>"


_saving: set[Feed] = set()  # those that run, held even if nobody else does


@atexit.register
def _save_all() -> None:
    """Save what was learned when the interpreter ends."""
    for feed in list(_saving):
        with suppress(SmlnbError):
            feed.stop()
