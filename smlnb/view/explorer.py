"""Live statistics of a project: a table with one row per attribute, and histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as w
import numpy as np

from smlnb.clock import now
from smlnb.errors import NotEnoughDataError
from smlnb.exploration.univariate import univariate
from smlnb.schema import Kind
from smlnb.stats.table import TableSummary
from smlnb.view import charts
from smlnb.view.figures import Chart, Figures
from smlnb.view.panel import Panel, button, row
from smlnb.view.rate import Rate
from smlnb.view.tables import facts, number, table, whole
from smlnb.view.ticks import Ticks

__all__ = ["Explorer", "explore"]

ALL: Final = "all attributes"
EVER: Final = "all records"
PERIODS: Final = {
    "the last minute": "-1min",
    "the last 10 minutes": "-10min",
    "the last hour": "-1h",
    "the last day": "-1D",
}
WINDOW: Final = "the latest records"
EVERY: Final = 2_000  # milliseconds between looks at a period, which are dearer than looks at everything
MOST: Final = 12
TOP: Final = 10
_COLUMNS: Final = {
    "count": "count",
    "missing": "missing",
    "mean": "mean",
    "std": "std",
    "min": "min",
    "q25": "25 %",
    "median": "median",
    "q75": "75 %",
    "max": "max",
    "skewness": "skewness",
    "kurtosis": "kurtosis",
}
_ZERO_ONE: Final = np.array([-0.5, 0.5, 1.5])
_CHARTS: Final[dict[str, Callable[[str, str, int], Chart]]] = {
    "bars": charts.bars,
    "numbers": charts.histogram,
    "powers": partial(charts.histogram, powers=True),
}
_KIND: Final = {Kind.CONTINUOUS: "continuous", Kind.BINARY: "binary", Kind.CATEGORY: "category"}


class Explorer(Panel):
    """The live view of a project, with the buttons of its feed.

    Parameters
    ----------
    project : Project
    feed : Feed, optional
        What ``smlnb.connect`` returned; its state is shown, and it gets buttons.
    attribute : str, optional
        Show the histogram of this attribute, larger; otherwise those of all, up to 12.
    bins : int
        Bins of a histogram.
    """

    def __init__(self, project: Any, feed: Any = None, *, attribute: str | None = None, bins: int = 40) -> None:
        super().__init__(project.name)
        self.project = project
        self.feed = feed
        self.bins = bins
        self._rate = Rate()
        self._drawn: tuple[Any, ...] = ()
        self._charted: tuple[Any, ...] = ()
        self._facts = w.HTML()
        self._table = w.HTML()
        self._note = w.HTML()
        self.figures = Figures(narrowest="210px")
        self.chosen = w.Dropdown(
            options=[ALL],
            description="Histogram of",
            style={"description_width": "initial"},
            tooltip="One attribute, larger, or all side by side",
            layout=w.Layout(width="auto"),
        )
        self.tails = w.Checkbox(
            value=False,
            description="with the outermost 1 %",
            indent=False,
            tooltip="Histograms show the middle 99 % of the values, unless this is ticked",
            layout=w.Layout(width="auto"),
        )
        self.period = w.Dropdown(
            options=[EVER, *self._periods()],
            description="Statistics of",
            style={"description_width": "initial"},
            tooltip="Of all records, or of those of some time: the project must keep a history or a window",
            layout=w.Layout(width="auto"),
        )
        self.pause_button = button("Pause", "Stop reading for a while; nothing is lost")
        self.resume_button = button("Resume", "Read on from where the pause, or the stop, began")
        self.stop_button = button("Stop", "Stop reading the topic; the statistics stay", "warning")
        self.on(self.pause_button, self.pause)
        self.on(self.resume_button, self.resume)
        self.on(self.stop_button, self._stop)
        self.observe(self.chosen, self.refresh)
        self.observe(self.tails, self.refresh)
        self.observe(self.period, self.refresh)
        if attribute is not None:
            self.chosen.options = [ALL, attribute]
            self.chosen.value = attribute
        buttons = [row(self.pause_button, self.resume_button, self.stop_button)] if feed is not None else []
        self.fill(
            [
                row(self._facts),
                *buttons,
                *([row(self.period)] if len(self.period.options) > 1 else []),
                self._table,
                row(self.chosen, self.tails, grid_gap="4px 18px"),
                self._note,
                self.figures,
            ]
        )

    def pause(self) -> None:
        """Pause the feed."""
        if self.feed is not None:
            self.feed.pause()
            self.say("Paused: nothing is lost, the topic keeps the records.")
            self.draw()

    def resume(self) -> None:
        """Resume the feed; one that was stopped, or has failed, goes on where it stopped."""
        if self.feed is None:
            return
        self.say("")
        if self.feed.state == "paused":
            self.feed.resume()
            self.draw()
        else:
            self.work(self.feed.restart, self._restarted)

    def _restarted(self, result: Callable[[], Any]) -> None:
        result()
        self.draw()

    def stop(self) -> None:
        """Stop the feed."""
        if self.feed is not None and self.feed.state != "stopped":
            self.feed.stop()
            self.say("Stopped: the statistics stay as they are.")
            self.draw()

    def _stop(self) -> None:
        self.slowly(self.stop_button, self.feed.stop, "Stopped: the statistics stay as they are.")

    def draw(self) -> None:
        """Show the latest statistics."""
        self._draw_facts()
        if self._state() == self._drawn:
            return
        state, summary = self._state(), self._summary()
        if summary is not None and summary.n:
            self._offer(_drawable(summary))
            self._draw_table(summary)
            self._draw_histograms(summary)
        else:
            empty = "No rows yet: statistics appear with the first ones."
            if self.project.n:
                empty = f"No rows in {self.period.value}."
            self._table.value = f'<span class="smlnb-note">{empty}</span>'
        self._drawn = state

    def _periods(self) -> list[str]:
        options = self.project.options
        return [*(PERIODS if options.history else ()), *([WINDOW] if options.window else [])]

    def _state(self) -> tuple[Any, ...]:
        """Return what the drawing depends on: for a period, it changes with time, too."""
        changes = self.project.version if self.period.value == EVER else now() // EVERY
        return (changes, self.period.value, self.chosen.value, self.tails.value)

    def _summary(self) -> TableSummary | None:
        """Return the statistics of the chosen period; None if it has no rows."""
        period = str(self.period.value)
        if period == EVER:
            summary: TableSummary = self.project.summary()
            return summary
        try:
            part = self.project.window() if period == WINDOW else self.project.between(PERIODS[period])
        except NotEnoughDataError:
            return None
        return part.summary()  # type: ignore[no-any-return]

    def _draw_facts(self) -> None:
        learned = self.project.n
        rate = self._rate.of(learned)
        shown: list[str | tuple[str, str]] = [(whole(learned), "rows learned")]
        if self.feed is None or self.feed.state == "running":
            shown.append((whole(rate), "rows/s"))
        refused = self.project.counts.refused
        if refused:
            shown.append((whole(refused), "refused"))
        if self.feed is not None:
            state = self.feed.state
            waiting = "waiting in the topic" if state == "running" else "waiting when the topic was last seen"
            shown += [(whole(self.feed.metrics.lag), waiting), state]
            stopping = self.stop_button in self._busy
            self.enable(self.pause_button, state == "running" and not stopping)
            self.enable(self.resume_button, state in ("paused", "stopped", "done", "failed") and not stopping)
            self.enable(self.stop_button, state not in ("stopped", "done", "failed", "created"))
            if self.feed.error is not None and self.feed.error is not self.error:
                self.fail(self.feed.error)
        self._facts.value = facts(f"Project {self.project.name}", *shown)

    def _offer(self, names: Sequence[str]) -> None:
        options = (ALL, *names)
        if tuple(self.chosen.options) != options and names:
            chosen = self.chosen.value
            self.chosen.options = options
            self.chosen.value = chosen if chosen in options else ALL

    def _draw_table(self, summary: TableSummary) -> None:
        statistics = univariate(summary)
        rows = [
            [str(name), _KIND[summary.schema[str(name)].kind], *map(_cell, _COLUMNS, line)]
            for name, line in zip(statistics.index, statistics[list(_COLUMNS)].to_numpy(dtype=float), strict=True)
        ]
        ignored = [a.name for a in summary.schema if a.kind not in _KIND]
        which = "all rows so far" if self.period.value == EVER else self.period.value
        caption = f"Statistics of {which}" + (f"; left out: {', '.join(ignored)}" if ignored else "")
        shown = table(["attribute", "kind", *_COLUMNS.values()], rows, caption, text=[1]) if rows else ""
        self._table.value = shown + "".join(
            _categories_table(summary, i) for i in range(len(summary.schema.categories))
        )

    def _draw_histograms(self, summary: TableSummary) -> None:
        names = _drawable(summary)
        chosen = [str(self.chosen.value)] if self.chosen.value != ALL else names[:MOST]
        large = len(chosen) == 1
        self._note.value = _note(summary, len(names), large=large)
        state: dict[str, dict[str, Any]] = {}
        kinds: list[tuple[str, str]] = []
        for i, name in enumerate(chosen):
            kind, drawn = self._drawing(f"h{i}", summary, name)
            kinds.append((name, kind))
            state |= drawn
        if (kinds, large) != self._charted:
            self._charted = (kinds, large)
            height = 300 if large else 150
            self.figures.replace([_CHARTS[kind](f"h{i}", name, height) for i, (name, kind) in enumerate(kinds)])
        self.figures.push(state)

    def _drawing(self, key: str, summary: TableSummary, name: str) -> tuple[str, dict[str, dict[str, Any]]]:
        """Return which kind of chart shows an attribute, and what is in it."""
        kind = summary.schema[name].kind
        if kind is Kind.CATEGORY:
            found = summary.categories[summary.schema.categories.index(name)].counts
            return "bars", _bars(key, [str(v) for v in found][:TOP], list(found.values())[:TOP])
        cells = summary.cells[summary.schema.numeric.index(name)] if summary.cells is not None else None
        if cells is None or not cells.total:
            return "numbers", {key: {"data": charts.histogram_data([], [])}}
        if kind is Kind.BINARY:
            return "bars", _bars(key, ["0", "1"], cells.counts_between(_ZERO_ONE).tolist())
        edges = charts.bin_edges(cells, self.bins, middle=1.0 if self.tails.value else 0.99)
        counts = cells.counts_between(edges)
        low, high = float(edges[0]), float(edges[-1])
        ticks = Ticks.between(low, high)
        return "numbers" if ticks.form else "powers", {
            key: {"data": charts.histogram_data(edges, counts)},
            f"{key}-x": {"start": low, "end": high},
            f"{key}-y": charts.headroom(counts),
            **ticks.state(key),
        }


def _cell(column: str, value: float) -> str:
    return whole(value) if column in ("count", "missing") else number(value)


def _drawable(summary: TableSummary) -> list[str]:
    """Return the attributes that have a histogram, in column order."""
    return [
        a.name for a in summary.schema if a.kind is Kind.CATEGORY or (a.kind.is_numeric and summary.cells is not None)
    ]


def _note(summary: TableSummary, drawable: int, *, large: bool) -> str:
    text = ""
    if summary.cells is None:
        text = "This project keeps no histograms: create it with histogram=True to see them."
    elif drawable > MOST and not large:
        text = f"The first {MOST} of {drawable} attributes; choose any other by its name."
    return f'<span class="smlnb-note">{text}</span>' if text else ""


def _categories_table(summary: TableSummary, i: int) -> str:
    name = summary.schema.categories[i]
    counts = list(summary.categories[i].counts.items())[:TOP]
    rows = [[str(value), whole(count), f"{count / max(summary.n, 1):.1%}"] for value, count in counts]
    return table(["value", "count", "share"], rows, f"Most frequent values of {name}")


def _bars(key: str, values: Sequence[str], heights: Sequence[float]) -> dict[str, dict[str, Any]]:
    return {
        key: {"data": charts.bars_data(values, heights)},
        f"{key}-x": {"factors": values},
        f"{key}-y": charts.headroom(heights),
    }


def explore(project: Any, feed: Any = None, *, attribute: str | None = None, bins: int = 40) -> Explorer:
    """Show the statistics of a project while they change.

    Parameters
    ----------
    project : Project
    feed : Feed, optional
        What ``smlnb.connect`` returned: adds rate, lag and the buttons Pause, Resume, Stop.
    attribute : str, optional
        Show the histogram of this one, larger.
    bins : int
        Bins of a histogram.

    Returns
    -------
    Explorer
        To be displayed: put it on the last line of a cell. ``.stop()`` stops the feed, ``.close()`` removes the view.
    """
    return Explorer(project, feed, attribute=attribute, bins=bins)
