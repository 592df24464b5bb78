"""A model at work: reads a topic, scores it, writes another."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

import pandas as pd

from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.topics import ensure_topic, watermarks
from smlnb.errors import ConfigError, ModelError, TopicError
from smlnb.ingest.kafka import from_kafka_arrow
from smlnb.ingest.metrics import Metrics
from smlnb.ingest.task import Policy
from smlnb.score.encode import encoder
from smlnb.score.nodes import score
from smlnb.score.position import committed
from smlnb.score.scored import Judge
from smlnb.score.sink import to_kafka_arrow
from smlnb.score.thresholds import FLAGS
from smlnb.stoppable import Stoppable

__all__ = ["Scorer"]

Place = tuple[str, int]

_PATIENCE: Final = 10.0  # seconds that stop() waits for the broker
_METHODS: Final = ("score_samples", "contributions", "feature_names_in_", "name", "version")


class Scorer(Stoppable):
    """Scores each record of a source topic by a model into a sink topic, in a thread of its own. It never learns.

    Each output record has ``score``, ``quantile`` (the share of the earlier scores that are smaller), the flags
    ``q95``, ``q98`` and ``q99`` (whether the score is larger than these quantiles of the scores so far), ``thresholds``
    (the values it was compared with), ``top`` (the inputs that contribute most), ``model``, ``model_version`` and the
    fields to keep. The first 500 scores carry no quantile and no flags. The headers ``smlnb.source.topic``,
    ``smlnb.source.partition`` and ``smlnb.source.offset`` say where the source record stands.

    Output is written *at least once*: a batch counts as done when the broker has confirmed all of it, and what was not
    confirmed before a crash is scored again. Records go to the partition of the same number as they came from, in
    order. Records that can't be decoded have no score; they are counted in ``metrics.refused``.

    Parameters
    ----------
    model
        What ``project.build`` returned. A live model scores by the project's newest statistics.
    source, sink : str
        Topics. The sink is created, with as many partitions, if it is missing.
    bootstrap_servers, config
        As for :func:`smlnb.connect`.
    keep : sequence of str
        Fields of the source record to copy into the output, of any kind.
    name : str, optional
        With a name, the position in the source is kept in Kafka under the consumer group of that name, and a scorer of
        the same name goes on from there, also in another process.
    format : {"json", "avro"}
        Of the output; Avro needs a schema registry in ``config``. The format of the source is recognised.
    start : {"earliest", "latest"}
        Where to begin where no position is known.
    top : int
        How many contributing inputs to name.
    warm_up : int
        How many scores carry no flags.
    on_malformed : {"skip", "stop", "dead_letter"}
        What happens at a record that can't be decoded.
    batch_rows : int
        The most records scored at once.

    Attributes
    ----------
    model, source, sink, keep, name, config, format
        As given.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     there = {"bootstrap_servers": broker.bootstrap_servers}
    ...     data = {"x": [0.0] * 99 + [7.0], "label": ["usual"] * 99 + ["strange"]}
    ...     project = smlnb.Project("p", types="C,X")
    ...     _ = project.learn(data)
    ...     smlnb.replay(data, "readings", **there).wait()
    ...     with smlnb.Scorer(project.build("hba"), "readings", "scores", keep=["label"], **there).start() as scorer:
    ...         scorer.wait(timeout=30)
    ...     found = smlnb.peek("scores", 100, **there)
    >>> found.sort_values("score")["label"].iloc[-1]
    'strange'
    """

    def __init__(
        self,
        model: Any,
        source: str,
        sink: str,
        *,
        bootstrap_servers: str | None = None,
        config: Mapping[str, Any] | KafkaConfig | str | Path | None = None,
        keep: Sequence[str] = (),
        name: str | None = None,
        format: Literal["json", "avro"] = "json",  # noqa: A002 - the word that users know
        start: Literal["earliest", "latest"] = "earliest",
        top: int = 3,
        warm_up: int = 500,
        on_malformed: Policy = "skip",
        batch_rows: int = 5_000,
    ) -> None:
        lacking = [m for m in _METHODS if not hasattr(model, m)]
        if lacking:
            raise ModelError(
                f"{type(model).__name__} is no model to score with: it has no {lacking[0]}. Use project.build()."
            )
        if source == sink:
            raise ConfigError(
                f"Source and sink are the same topic, {source!r}: its scores would be scored. Name another."
            )
        config = self.config = KafkaConfig.of(bootstrap_servers, config)
        self.model = model
        self.source = source
        self.sink = sink
        self.name = name
        self.format = format
        self._judge = Judge(model, keep=keep, top=top, warm_up=warm_up)
        self._from = from_kafka_arrow(
            source,
            config=self.config,
            start=start,
            on_malformed=on_malformed,
            batch_rows=batch_rows,
            group_id=name,  # it commits what has been emitted, and the sink's emission ends with the broker's word
        )
        self._scored: score = self._from.score(judge=self._judge)
        encoder(format, sink, self.config)  # an unknown format, or no registry, is said now
        self._into: to_kafka_arrow | None = None

    # -- control -------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to score, or go on after :meth:`stop`; return the scorer. Nothing happens if it is running.

        Raises
        ------
        BrokerUnavailableError, TopicError
            Within 10 seconds: if there is no broker, no source topic, or the sink has too few partitions.
        """
        if self.state == "running":
            return self
        places = self._prepare_sink()
        known = self._from.positions
        if self.name is not None and not known:
            known = committed(self.config, self.name, places)
        self._close()
        self._into = self._scored.to_kafka_arrow(self.sink, config=self.config, format=self.format)
        self._from.restart(positions=known)
        return self

    def _prepare_sink(self) -> list[Place]:
        partitions = len(watermarks(self.source, config=self.config))
        there = ensure_topic(self.sink, partitions, config=self.config)
        if there < partitions:
            raise TopicError(
                f"The sink topic {self.sink!r} has {there} partitions, the source {self.source!r} has {partitions}. "
                "Scores go to the partition of their source record: take another sink, or give it as many partitions.",
            )
        return [(self.source, p) for p in range(partitions)]

    def stop(self) -> None:
        """Finish the batch at hand and stop; nothing happens if that was done before.

        If the broker does not confirm the batch within 10 seconds the scorer stops as failed; started again, it scores
        that batch again.
        """
        if self._into is not None:
            self._into.hurry(_PATIENCE)
        self._from.stop()
        self._close()

    def _close(self) -> None:
        if self._into is not None:
            self._into.destroy()
            self._into = None

    def restart(self, *, on_malformed: Policy | None = None) -> Self:
        """Stop, then go on where it stopped; with another policy for malformed records, if one is given."""
        self.stop()
        if on_malformed is not None:
            self._from.on_malformed = on_malformed
        return self.start()

    def wait(self, rows: int | None = None, timeout: float | None = None) -> None:
        """Wait until the scores of all that is in the source *now* are written, or ``rows`` scores are.

        Raises
        ------
        SmlnbError
            What made the scorer fail.
        StateMachineError
            If it does not run, or was stopped before.
        TimeoutError
            After ``timeout`` seconds.
        """
        ends = {} if rows is not None else {(self.source, p): e for p, (_, e) in self._ends().items()}
        self._from.wait_until(lambda: self._reached(rows, ends), timeout, self)

    def _reached(self, rows: int | None, ends: Mapping[Place, int]) -> bool:
        if rows is not None:
            return self.metrics.rows >= rows
        return self._from.reached(ends)

    def _ends(self) -> dict[int, tuple[int, int]]:
        return watermarks(self.source, config=self.config)

    # -- what can be seen ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``created``, ``running``, ``stopped`` or ``failed``."""
        return self._from.state

    @property
    def error(self) -> BaseException | None:
        """Why it failed."""
        return self._from.error

    @property
    def metrics(self) -> Metrics:
        """A snapshot of the numbers: ``rows`` scored and confirmed by the broker, ``refused``, ``lag``, ``rate``."""
        return self._from.metrics

    @property
    def positions(self) -> dict[Place, int]:
        """The next offset of each source partition: all before it are scored and written."""
        return self._from.positions

    @property
    def keep(self) -> tuple[str, ...]:
        """The fields that are copied."""
        return self._judge.keep

    @property
    def quantiles(self) -> dict[str, float]:
        """The quantiles of all scores so far, ``{"q50", "q95", "q98", "q99"}``; empty before the first."""
        return self._judge.thresholds.quantiles()

    def thresholds(self) -> pd.DataFrame:
        """Return the scores above which records are flagged now, and how well they are known.

        Returns
        -------
        pandas.DataFrame
            Indexed by flag: ``level``, the share of all scores so far that are at most ``value``, and the bounds
            ``lower`` and ``upper`` between which the true quantile lies with 99.7 % confidence. NaN before the first
            score.
        """
        found = self._judge.thresholds.bounds()
        return pd.DataFrame(
            {"level": found.ranks, "value": found.values, "lower": found.low, "upper": found.high},
            index=pd.Index(FLAGS, name="flag"),
        )

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses."""
        return self.config.bootstrap_servers

    def __repr__(self) -> str:
        topics = f"{self.source!r} -> {self.sink!r}"
        return f"Scorer({self.model.name!r}, {topics}): {self.state}, {self.metrics.rows:,} scores written"

    def _repr_html_(self) -> str:
        metrics = self.metrics
        limits = self.thresholds().dropna()
        thresholds = ", ".join(f"{t.Index} {t.value:.2f} ({t.lower:.2f} to {t.upper:.2f})" for t in limits.itertuples())
        facts = {
            "state": metrics.state,
            "model": f"{self.model.name}, version {self.model.version}",
            "topics": f"{self.source} → {self.sink}",
            "scores": f"{metrics.rows:,} written, {metrics.rate:,.0f} per second, to go: {metrics.lag_text()}",
            "refused": f"{metrics.refused:,}",
            "thresholds": thresholds or "none yet",
            "kept": ", ".join(self.keep) or "nothing",
        }
        if metrics.broker_error:
            facts["broker"] = metrics.broker_error
        if self.error is not None:
            facts["error"] = str(self.error)
        rows = "".join(f"<tr><th>{k}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
        return f"<b>Scorer</b><table>{rows}</table>"
