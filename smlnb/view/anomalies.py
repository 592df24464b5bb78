"""Anomaly scores as they are written: time line, thresholds, true values, and why the last records were flagged."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final, Literal

import ipywidgets as w

from smlnb.errors import ConfigError, SmlnbError, TopicError
from smlnb.view import score_charts
from smlnb.view.figures import Figures
from smlnb.view.panel import Panel, button, row
from smlnb.view.publish import publisher
from smlnb.view.rate import Rate
from smlnb.view.scores import FLAGS, ScoreLog, View
from smlnb.view.tables import facts, number, table, whole

__all__ = ["Anomalies", "anomalies"]

_STATES: Final = {
    "running": "watching",
    "waiting": "waiting for the topic",
    "stopped": "not watching",
    "failed": "failed",
}
RETRY: Final = 1.0  # seconds between two looks for a topic that is not there yet


class Anomalies(Panel):
    """The live view of a topic of scores; see :func:`anomalies`.

    Attributes
    ----------
    log : ScoreLog
        What was read so far.
    state : str
        ``"waiting"`` for the topic, ``"running"``, ``"stopped"`` or ``"failed"``.
    """

    def __init__(self, topic: str, scorer: Any, log: ScoreLog, make_source: Callable[[], Any]) -> None:
        super().__init__(f"of topic {topic}")
        self.topic = topic
        self.scorer = scorer
        self.log = log
        self._make_source = make_source
        self._source: Any = None
        self._wanted = True
        self._trying = False
        self._tried_at = 0.0
        self._rate = Rate()
        self._drawn = -1
        self._facts = w.HTML()
        self._thresholds, self._truth, self._last = w.HTML(), w.HTML(), w.HTML()
        self._charted: bool | None = None
        self.time_line, self.figures = Figures(narrowest="320px"), Figures(narrowest="320px")
        self.stop_button = button("Stop watching", "Stop reading the scores; the scorer goes on")
        self.start_button = button("Watch on", "Read on from the last score shown")
        self.stop_scorer_button = button("Stop scoring", "Stop the scorer itself", "warning")
        self.on(self.stop_button, self._stop)
        self.on(self.start_button, self.start)
        self.on(self.stop_scorer_button, self._stop_scorer)
        buttons = [self.stop_button, self.start_button, *([self.stop_scorer_button] if scorer is not None else [])]
        tables = row(self._thresholds, self._truth, grid_gap="0 40px", align_items="flex-start")
        self.fill([row(self._facts), row(*buttons), self.time_line, self.figures, tables, self._last])

    @property
    def state(self) -> str:
        """Whether the panel reads."""
        if self._source is not None and self._source.error is not None:
            return "failed"
        if not self._wanted:
            return "stopped"
        return "running" if self._source is not None or self.log.n else "waiting"

    def start(self) -> None:
        """Read on, after a stop or a failure."""
        if self.state in ("stopped", "failed"):
            self._wanted = True
            self.say("")
            if self._source is not None:
                self.work(self._source.restart, self._restarted)
            else:
                self.draw()

    def stop(self) -> None:
        """Stop reading; what is shown stays."""
        if self._wanted:
            self._wanted = False
            if self._source is not None:
                self._source.stop()
            self.say("Stopped watching.")
            self.draw()

    def release(self) -> None:
        """Stop reading."""
        self.stop()

    def stop_scorer(self) -> None:
        """Stop the scorer; the scores that are written already are still read."""
        self.scorer.stop()
        self.say("The scorer is stopped.")
        self.draw()

    def _stop(self) -> None:
        self._wanted = False
        if self._source is not None:
            self.slowly(self.stop_button, self._source.stop, "Stopped watching.")
        else:
            self.say("Stopped watching.")
            self.draw()

    def _stop_scorer(self) -> None:
        self.slowly(self.stop_scorer_button, self.scorer.stop, "The scorer is stopped.")

    def draw(self) -> None:
        """Show the latest scores."""
        if self.state == "waiting":
            self._try()
        self._draw_facts()
        for part in (self._source, self.scorer):
            error = getattr(part, "error", None)
            if error is not None and error is not self.error:
                self.fail(error)
        if self.log.n != self._drawn:
            view = self.log.view()
            if view.n:
                self._draw_scores(view)
            self._drawn = view.n

    def _try(self) -> None:
        """Begin to read, as soon as the topic is there; a scorer makes it with its first record."""
        if not self._trying and time.monotonic() - self._tried_at >= RETRY:
            self._trying = True
            self.work(self._make_source, self._begun)

    def _begun(self, result: Callable[[], Any]) -> None:
        self._trying = False
        self._tried_at = time.monotonic()
        try:
            self._source = result()
        except TopicError:
            self.say(f"Waiting for the topic {self.topic!r}: it appears with the first score.")
            return
        except SmlnbError:
            self._wanted = False
            raise
        self.say("")
        weakref.finalize(self, publisher.call, self._source.stop).atexit = False
        if not self._wanted or self.closed:
            self.work(self._source.stop, lambda stopped: stopped())

    def _restarted(self, result: Callable[[], Any]) -> None:
        result()
        self.draw()

    def _draw_facts(self) -> None:
        read = self.log.n
        rate = self._rate.of(read)
        shown: list[str | tuple[str, str]] = [(whole(read), "records")]
        if self.state == "running":
            shown.append((whole(rate), "records/s"))
        shown.append(_STATES[self.state])
        if self.scorer is not None:
            shown.append(f"scorer {self.scorer.state}")
            self.enable(self.stop_scorer_button, self.scorer.state not in ("stopped", "failed"))
        self._facts.value = facts(f"Scores in {self.topic}", *shown)
        self.enable(self.stop_button, self.state in ("running", "waiting"))
        self.enable(self.start_button, self.state in ("stopped", "failed") and self.stop_button not in self._busy)

    def _draw_scores(self, view: View) -> None:
        truth = any(view.groups)  # a group without a name has records that carry no true value
        if truth is not self._charted:
            self._charted = truth
            self.time_line.replace([score_charts.time_line(truth=truth)])
            lanes = [score_charts.lanes()] if truth else []
            self.figures.replace([score_charts.scores_by_truth(truth=truth), *lanes])
        state = score_charts.snapshot(view)
        self.time_line.push({k: v for k, v in state.items() if k.startswith("time")})
        self.figures.push({k: v for k, v in state.items() if not k.startswith("time")})
        of = f" of {view.model}" if view.model else ""
        self._thresholds.value = table(
            ["quantile", "score", "at least", "at most"],
            [[name, number(v), *map(number, view.bounds[name])] for name, v in view.quantiles.items()],
            f"Quantiles of all scores{of}",
        )
        self._truth.value = _truth(view, self.log.truth)
        self._last.value = _last(view)


def _truth(view: View, truth: str | None) -> str:
    """Return how many records of each true value are above each threshold."""
    if not any(view.groups):
        missing = f"The records carry no field {truth!r}: let the scorer keep it, keep=[{truth!r}]." if truth else ""
        return f'<span class="smlnb-note">{escape(missing)}</span>' if missing else ""
    rows = [
        [
            (name or "unknown") + (" (anomaly)" if group.strange else ""),
            whole(group.n),
            number(view.medians[name]),
            *(f"{group.flags[f] / group.judged:.1%}" if group.judged else "\N{EN DASH}" for f in FLAGS),
        ]
        for name, group in view.groups.items()
    ]
    return table(
        [f"true {truth}", "records", "median score", *(f"above {f}" for f in FLAGS)], rows, "True value against score"
    )


def _last(view: View) -> str:
    if not view.last:
        return ""
    has_truth = any(f.truth for f in view.last)
    rows = [
        [
            whole(f.number),
            number(f.score),
            f.flag,
            *([f.truth] if has_truth else []),
            ",  ".join(f"{name} {number(share, 3)}" for name, share in f.top),
            f"{f.partition} / {f.offset}",
        ]
        for f in view.last
    ]
    columns = ["record", "score", "above", *(["true value"] if has_truth else []), "because of", "partition / offset"]
    return table(columns, rows, "Last flagged records, newest first", text=range(2, len(columns) - 1))


def anomalies(
    scorer: Any = None,
    *,
    topic: str | None = None,
    bootstrap_servers: str | None = None,
    config: Any = None,
    truth: str | None = "class",
    normal: Sequence[Any] = (0,),
    window: int = 1000,
    start: Literal["earliest", "latest"] = "earliest",
    format: Literal["auto", "json", "avro"] = "auto",  # noqa: A002 - the word that users know
) -> Anomalies:
    """Show anomaly scores while they are written, with their quantiles and the true anomalies.

    The scores are read from the sink topic, so it does not matter which process writes them.

    Parameters
    ----------
    scorer : Scorer, optional
        Watch the topic that it writes.
    topic, bootstrap_servers, config
        Watch this topic, in place of a scorer's.
    truth : str or None
        The field that holds the true value, if the records carry one.
    normal : sequence
        The true values of records that are no anomalies.
    window : int
        How many of the last records are drawn one by one.
    start : {"earliest", "latest"}
        Where to begin.
    format : {"auto", "json", "avro"}
        How the records are written.

    Returns
    -------
    Anomalies
        To be displayed. ``.stop()`` and ``.start()`` do what the buttons do; ``.close()`` takes it off the page.

    Raises
    ------
    ConfigError
        If neither a scorer nor a topic is given, or both.
    """
    from smlnb.ingest.kafka import from_kafka_arrow

    if (scorer is None) == (topic is None):
        raise ConfigError(
            "Give a scorer, anomalies(scorer), or the topic of scores, anomalies(topic=...): one of the two."
        )
    name = str(scorer.sink if scorer is not None else topic)
    where = (
        {"config": scorer.config} if scorer is not None else {"bootstrap_servers": bootstrap_servers, "config": config}
    )
    log = ScoreLog(truth, normal, window)

    def make_source() -> Any:
        source = from_kafka_arrow(name, start=start, format=format, on_malformed="skip", **where)
        source.sink(log.absorb)
        source.start()
        return source

    return Anomalies(name, scorer, log, make_source)
