"""The whole loop, end to end: data into a topic, a project, a model, scores into another topic, and back."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb import datasets
from smlnb.batch import Batch
from smlnb.cluster.broker import LocalBroker, is_local
from smlnb.cluster.config import ENVIRONMENT, KafkaConfig
from smlnb.cluster.topics import ensure_topic, list_topics, watermarks
from smlnb.errors import ConfigError, DataError, KafkaError, NotEnoughDataError
from smlnb.evaluate import Ranking, ranking
from smlnb.ingest.feed import Feed, connect
from smlnb.ingest.kafka import from_kafka_arrow
from smlnb.ingest.replay import Replay, replay
from smlnb.project import Project
from smlnb.score.scorer import Scorer

__all__ = ["Demo", "Outcome", "Progress", "Strange"]

SOURCE: Final = "shuttle-sensor"
SINK: Final = "shuttle-scores"
PARTITIONS: Final = 8
_ADDRESS: Final = f"{ENVIRONMENT}BOOTSTRAP_SERVERS"
LEVELS: Final = {"q50": 0.50, "q95": 0.95, "q98": 0.98, "q99": 0.99}

_ENOUGH = 1000  # records learned before the model is built
_BLOCK = 500  # rows that the replay is given at once
_EVERY = 0.25  # seconds between two looks at the progress
_STALLED = 60.0  # seconds without any progress
_STRANGEST = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far each step is; rows."""

    doing: str
    total: int
    produced: int
    learned: int
    scored: int
    read: int
    seconds: float
    quantiles: Mapping[str, float] = field(default_factory=dict)
    flagged: int = 0


@dataclass(frozen=True, slots=True)
class Strange:
    """One of the records with the largest scores."""

    score: float
    partition: int
    offset: int
    anomaly: bool
    top: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out."""

    data: str
    broker: str
    rows: int
    rows_scored: int
    partitions: int
    seconds: float
    univariate: pd.DataFrame
    quantiles: dict[str, float]
    ranking: Ranking | None
    strangest: tuple[Strange, ...]

    @property
    def rate(self) -> float:
        """Rows per second, from the first record produced to the last score read back."""
        return self.rows_scored / self.seconds if self.seconds > 0 else 0.0

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON; what is not known is None."""
        return {
            "rows": self.rows,
            "rows_scored": self.rows_scored,
            "partitions": self.partitions,
            "rate_rows_per_s": round(self.rate, 1),
            "univariate": {
                str(name): {str(k): _plain(self.univariate[k].loc[name]) for k in self.univariate.columns}
                for name in self.univariate.index
            },
            "score_quantiles": {name: _plain(value) for name, value in self.quantiles.items()},
            "roc_auc": self.ranking.roc_auc if self.ranking else None,
            "average_precision": self.ranking.average_precision if self.ranking else None,
            "data": self.data,
            "broker": self.broker,
        }


class Demo:
    """The loop of the README, with the Shuttle data, or synthetic data of its shape where it can't be had.

    Parameters
    ----------
    bootstrap_servers, config
        A cluster to run on; by default that of ``SMLNB_KAFKA_BOOTSTRAP_SERVERS``, else an embedded broker. On a
        cluster where the topics are there already and not empty, two others with a time stamp are used.
    rows : int, optional
        How many; the whole set by default, and from its start again beyond that.
    rate : float, optional
        Rows per second; as fast as possible by default.
    seed : int, optional
        Of the synthetic data, or of the order in which the real data is replayed (file order by default).
    note : callable
        Gets one-line remarks for people.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str | None = None,
        config: Mapping[str, Any] | KafkaConfig | str | Path | None = None,
        rows: int | None = None,
        rate: float | None = None,
        seed: int | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        if rows is not None and rows < 1:
            raise DataError(f"rows={rows}: give the number of rows to replay, 1 or more.")
        if rate is not None and not rate > 0:
            raise DataError(f"rate={rate:g}: give the rows per second, more than 0.")
        self._own: LocalBroker | None = None
        self._note = note
        self._rate = rate
        self.config = self._cluster(bootstrap_servers, config)
        self.data, self._frame = self._data(rows, seed)
        self.total = rows or len(self._frame)
        self.source, self.sink, self.partitions = SOURCE, SINK, PARTITIONS
        self.project = Project("shuttle", types=datasets.TYPES, histogram=True)
        self.read = _ReadBack()
        self._scorer: Scorer | None = None
        self._replay: Replay | None = None
        self._feed: Feed | None = None
        self._reader: from_kafka_arrow | None = None
        self._begin = 0.0
        self._given = threading.Event()

    def _cluster(self, bootstrap_servers: str | None, config: Any) -> KafkaConfig:
        try:
            given = KafkaConfig.of(bootstrap_servers, config)
        except ConfigError:
            if bootstrap_servers is not None or config is not None:
                raise
            self._own = LocalBroker(PARTITIONS)
            return KafkaConfig.of(self._own.bootstrap_servers)
        if bootstrap_servers is None and os.environ.get(_ADDRESS) == given.bootstrap_servers:
            self._note(f"The broker's address, {given.bootstrap_servers}, comes from the environment's {_ADDRESS}.")
        return given

    @property
    def broker(self) -> str:
        """Which broker, for people."""
        address = self.config.bootstrap_servers
        return f"embedded ({address})" if self._own is not None else address

    def _data(self, rows: int | None, seed: int | None) -> tuple[str, pd.DataFrame]:
        try:
            frame = datasets.shuttle()
        except DataError as error:
            self._note(f"Synthetic data is used, since the Shuttle data can't be had: {error}")
            return "shuttle_like", datasets.shuttle_like(rows or 49_097, seed or 0)
        return "shuttle", frame if seed is None else frame.sample(frac=1, random_state=seed, ignore_index=True)

    # -- the run -------------------------------------------------------------------------------------------------------

    def run(self, show: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Run the loop to its end; ``show`` gets the progress a few times a second.

        Raises
        ------
        SmlnbError
            If something fails, or nothing moves for a minute.
        """
        self._make_topics()
        self._reader = reader = from_kafka_arrow(self.sink, config=self.config)
        reader.sink(self.read.add)
        blocks = self._blocks(held=is_local(self.config.bootstrap_servers, self.config.client()))
        self._begin = time.monotonic()
        try:
            self._feed = connect(self.project, self.source, config=self.config)
            self._replay = replay(
                blocks,
                self.source,
                rate=self._rate,
                partitions=self.partitions,
                progress=False,
                config=self.config,
            )
            self._watch("learning", show, lambda: self.project.n >= min(_ENOUGH, self.total))
            model = self.project.build("hba", name="hba1", live=True)
            self._scorer = Scorer(model, self.source, self.sink, keep=["class"], config=self.config).start()
            reader.start()
            self._watch("learning and scoring", show, self._done)
            seconds = time.monotonic() - self._begin
        finally:
            self._given.set()
            for part in (self._replay, self._feed, self._scorer, reader):
                if part is not None:
                    part.stop()
        return self._outcome(seconds)

    def close(self) -> None:
        """Stop the embedded broker."""
        if self._own is not None:
            self._own.stop()

    def _make_topics(self) -> None:
        known = list_topics(config=self.config)
        used = [
            t for t in (SOURCE, SINK) if t in known and any(h for _, h in watermarks(t, config=self.config).values())
        ]
        narrow = known.get(SINK, PARTITIONS) < known.get(SOURCE, PARTITIONS)
        if used or narrow:
            run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
            self.source, self.sink = f"{SOURCE}-{run}", f"{SINK}-{run}"
            self._note(
                f"The topic {(used or [SINK])[0]!r} is in use; this run writes to {self.source!r} and {self.sink!r}."
            )
        self.partitions = ensure_topic(self.source, config=self.config)
        ensure_topic(self.sink, self.partitions, config=self.config)
        if self._own is not None and self._own.notice:
            self._note(self._own.notice)

    def _blocks(self, *, held: bool) -> Iterator[pd.DataFrame]:
        """Give the rows in blocks; if ``held``, no faster than the scores are read back.

        The embedded broker deletes what exceeds its retention, whether it was read or not. Rows go to the partitions in
        turn, and each score to the partition of its row: so the room is counted for each partition by itself.
        """
        given = 0
        while given < self.total:
            begin = given % len(self._frame)
            block = self._frame.iloc[begin : begin + min(_BLOCK, self.total - given)]
            given += len(block)
            while held and given / self.partitions - self._slowest() > self._room() and not self._given.wait(0.01):
                pass
            if self._given.is_set():
                return
            yield block

    def _slowest(self) -> int:
        """Return how many rows of the partition that is furthest behind are learned, and read back as scores."""
        learned = self.project.counts.by_partition
        return min(
            min(sum(learned.get((self.source, p), (0, 0))), self.read.by_partition[p]) for p in range(self.partitions)
        )

    def _room(self) -> float:
        return 0.5 * LocalBroker.retention.bytes / (self.read.mean_bytes + 200)  # 200: headers and framing

    def _done(self) -> bool:
        """Tell whether every record that was produced has come out at the end, or never will."""
        if self._scorer is None or self._reader is None or self._replay is None or self._replay.produced < self.total:
            return False
        scored = self._scorer.metrics
        lost = scored.refused + self._reader.metrics.refused
        learned = self.project.counts
        return (
            learned.learned + learned.refused >= self.total
            and scored.rows + scored.refused >= self.total
            and self.read.rows + lost >= self.total
        )

    def _watch(self, doing: str, show: Callable[[Progress], None], done: Callable[[], bool]) -> None:
        """Show the progress until ``done``; raise what made a part fail."""
        pause = threading.Event()
        moved, last = time.monotonic(), (-1, -1, -1, -1)
        while True:
            finished = done()
            progress = self._progress(doing, time.monotonic() - self._begin)
            show(progress)
            for part in (self._replay, self._feed, self._scorer, self._reader):
                if part is not None and part.error is not None:
                    raise part.error
            if finished:
                return
            now = (progress.produced, progress.learned, progress.scored, progress.read)
            if now != last:
                moved, last = time.monotonic(), now
            if time.monotonic() - moved > _STALLED:
                raise KafkaError(
                    f"Nothing has moved for {_STALLED:g} s; of {self.total:,} rows {now[0]:,} are produced, {now[1]:,} "
                    f"learned, {now[2]:,} scored, {now[3]:,} read back. Is {self.config.bootstrap_servers} well?",
                )
            pause.wait(_EVERY)

    def _progress(self, doing: str, seconds: float) -> Progress:
        scorer, replaying = self._scorer, self._replay
        return Progress(
            doing=doing,
            total=self.total,
            produced=replaying.produced if replaying is not None else 0,
            learned=self.project.n,
            scored=scorer.metrics.rows if scorer is not None else 0,
            read=self.read.rows,
            seconds=seconds,
            quantiles=scorer.quantiles if scorer is not None else {},
            flagged=self.read.flagged,
        )

    def _outcome(self, seconds: float) -> Outcome:
        scores, labels = self.read.arrays()
        levels = np.quantile(scores, list(LEVELS.values())).tolist() if len(scores) else []
        try:
            found = ranking(scores, labels)
        except NotEnoughDataError as error:
            self._note(str(error))
            found = None
        return Outcome(
            data=self.data,
            broker=self.broker,
            rows=self._replay.produced if self._replay is not None else 0,
            rows_scored=len(scores),
            partitions=self.partitions,
            seconds=seconds,
            univariate=self.project.univariate(),
            quantiles=dict(zip(LEVELS, levels, strict=False)),
            ranking=found,
            strangest=self.read.strangest(),
        )


class _ReadBack:
    """What comes back from the sink topic."""

    def __init__(self) -> None:
        self.rows = 0
        self.flagged = 0
        self.by_partition: Counter[int] = Counter()
        self.mean_bytes = 600.0  # of a value; before the first is known
        self._scores: list[NDArray[np.float64]] = []
        self._labels: list[NDArray[np.float64]] = []
        self._strangest: list[Strange] = []

    def add(self, batch: Batch) -> None:
        """Take in a batch of the sink topic."""
        if not len(batch):
            return
        scores = _floats(batch, "score")
        labels = _floats(batch, "class")
        if batch.raw is not None:
            self.mean_bytes = max(self.mean_bytes, 1.0 * len(batch.raw[0][1] or b""))
        for row in np.argsort(scores)[-_STRANGEST:].tolist():
            top = str(batch.data.column("top")[row].as_py())
            where = (batch.partition, int(batch.offsets[row]))
            self._strangest.append(Strange(float(scores[row]), *where, bool(labels[row] == 1), top))
        self._strangest = sorted(self._strangest, key=lambda s: -s.score)[:_STRANGEST]
        self._scores.append(scores)
        self._labels.append(labels)
        self.flagged += int(np.nansum(_floats(batch, "q99")))
        self.by_partition[batch.partition] += len(batch)
        self.rows += len(batch)

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return all scores, and the labels beside them."""
        return np.concatenate([np.empty(0), *self._scores]), np.concatenate([np.empty(0), *self._labels])

    def strangest(self) -> tuple[Strange, ...]:
        """Return the records with the largest scores, largest first."""
        return tuple(self._strangest)


def _floats(batch: Batch, name: str) -> NDArray[np.float64]:
    column: NDArray[np.float64] = batch.data.column(name).to_pandas().to_numpy(dtype=np.float64, na_value=np.nan)
    return column


def _plain(value: Any) -> float | int | str | None:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if isinstance(value, int | np.integer) else number
