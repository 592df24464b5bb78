"""What the command line shows: tables, bars and small histograms, in colours that suit light and dark terminals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Final, Protocol

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smlnb.connector.connector import Connector
from smlnb.demo import Demo, Outcome, Progress
from smlnb.errors import NotEnoughDataError, SmlnbError
from smlnb.ingest.metrics import Metrics
from smlnb.project import Project
from smlnb.schema import Schema
from smlnb.score.scorer import Scorer

__all__ = [
    "connect_view",
    "connector_view",
    "demo_display",
    "demo_view",
    "follow",
    "numbers_view",
    "outcome_view",
    "records_view",
    "schema_view",
    "score_view",
    "sparkline",
    "univariate_table",
]

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_EVERY = 0.25  # seconds between two looks
_WIDE = 120  # columns of a terminal that shows everything
_ALWAYS: Final = ("count", "mean", "std", "min", "median", "max")
_IF_WIDE: Final = ("count", "missing", "mean", "std", "skewness", "min", "q25", "median", "q75", "max")


def sparkline(heights: Sequence[float]) -> str:
    """Draw heights as blocks; by their square roots, so that small ones are seen beside large ones.

    Examples
    --------
    >>> sparkline([0, 1, 4, 16, 64])
    ' ▁▂▄█'
    """
    values = np.sqrt(np.nan_to_num(np.asarray(heights, dtype=float)))
    top = values.max(initial=0.0)
    if top <= 0:
        return " " * len(values)
    steps = np.ceil(values / top * len(_BLOCKS)).astype(int)
    return "".join(" " if step == 0 else _BLOCKS[step - 1] for step in steps.tolist())


def univariate_table(project: Project, width: int = _WIDE, *, unicode: bool = True) -> RenderableType:
    """Return the univariate statistics as they are now, one row per attribute."""
    if project.n == 0:
        return Text("nothing learned yet", style="dim")
    wide = width >= _WIDE
    columns = _IF_WIDE if wide else _ALWAYS
    statistics = project.univariate()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1 if wide else 0), header_style="bold")
    table.add_column("attribute", style="cyan", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    drawn = unicode and project.options.histogram and project.options.quantiles
    if drawn:
        table.add_column("1 to 99 %", style="magenta", no_wrap=True)
    for attribute, row in statistics.iterrows():
        cells = [f"{int(row[n]):,}" if n in ("count", "missing") else _number(float(row[n])) for n in columns]
        table.add_row(
            Text(str(attribute)), *cells, *([_shape(project, str(attribute), 16 if wide else 12)] if drawn else [])
        )
    return table


def _shape(project: Project, attribute: str, bins: int) -> str:
    try:
        low, high = project.quantile(attribute, [0.01, 0.99])
        if not high > low:
            return _BLOCKS[-1]
        return sparkline(project.histogram(attribute, bins=bins, range=(float(low), float(high))).counts.tolist())
    except NotEnoughDataError:
        return ""


def _number(value: float) -> str:
    """Write a number in at most nine characters.

    Examples
    --------
    >>> [_number(v) for v in (0.0, 3.14159, -1234.5, 12345678.0, 1e-9, float("nan"))]
    ['0', '3.142', '-1,234', '1.235e+07', '1e-09', '-']
    """
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e6 or size < 1e-3:
        return f"{value:.4g}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _bars(total: int, steps: Sequence[tuple[str, int]], seconds: float) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, min_width=16)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for name, rows in steps:
        bar = ProgressBar(total=max(total, 1), completed=rows, complete_style="cyan", finished_style="green")
        grid.add_row(name, bar, f"{rows:,} of {total:,}", f"{rows / max(seconds, 0.01):,.0f} rows/s")
    return grid


def _quantiles(quantiles: dict[str, float]) -> Text:
    text = Text()
    for name, value in quantiles.items():
        text.append(f"{name} ", style="bold")
        text.append(f"{value:.2f}   ")
    return text


def records_view(frame: pd.DataFrame, console: Console) -> RenderableType:
    """Return records as a table, or one below the other where the table would be too wide."""
    table = Table(box=None, pad_edge=False, header_style="bold cyan")
    for name in frame.columns:
        table.add_column(Text(str(name)), no_wrap=True)
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if Measurement.get(console, console.options.update(max_width=100_000), table).maximum <= console.width:
        return table
    parts: list[RenderableType] = []
    for row in rows:
        record = Table.grid(padding=(0, 2))
        record.add_column(style="cyan", no_wrap=True)
        record.add_column(overflow="fold")
        for name, cell in zip(frame.columns, row, strict=True):
            record.add_row(Text(str(name)), Text(cell))
        parts += [record, Text()]
    return Group(*parts[:-1])


def numbers_view(frame: pd.DataFrame) -> RenderableType:
    """Return a frame as a table: texts to the left, numbers to the right, with their thousands apart."""
    table = Table(box=None, pad_edge=False, header_style="bold cyan")
    for name, kind in frame.dtypes.items():
        table.add_column(Text(str(name)), justify="right" if pd.api.types.is_numeric_dtype(kind) else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_figure(value)) for value in row))
    return table


def schema_view(schema: Schema) -> RenderableType:
    """Return the names and letters of columns, one below the other, and the letters as options take them."""
    table = Table(box=None, pad_edge=False, header_style="bold cyan")
    for name in ("column", "type", ""):
        table.add_column(name, no_wrap=True)
    for attribute in schema:
        table.add_row(Text(attribute.name), attribute.kind, Text(attribute.kind.name.lower(), "dim"))
    return Group(table, Text(), Text.assemble(("--types ", "dim"), schema.letters))


def _figure(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload] # one cell
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def _cell(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "-"
    return f"{value:.7g}" if isinstance(value, float) else str(value)


@contextmanager
def demo_display(demo: Demo, console: Console) -> Iterator[Callable[[Progress], None]]:
    """Give what shows the progress: a live picture on a terminal, else one line per stage."""
    name = "Statlog (Shuttle)" if demo.data == "shuttle" else "SYNTHETIC data of the shape of Statlog (Shuttle)"
    what = f"{demo.total:,} rows of {name}"
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda progress: _draw(live, demo_view(demo.project, progress, what, console))
        return
    told: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.doing not in told:
            told.add(progress.doing)
            line = f"smlnb demo: {progress.doing}; {what}, broker {demo.broker}"
            console.print(Text(line), highlight=False, soft_wrap=True)

    yield tell


def _draw(live: Live, view: RenderableType) -> None:
    """Show a picture, with the cursor on an empty line below, where the ``^C`` of Ctrl-C moves nothing."""
    live.update(Group(view, Text()), refresh=True)


class Followed(Protocol):
    """A feed or a scorer."""

    @property
    def error(self) -> BaseException | None:
        """Why it failed."""

    def wait(self) -> None:
        """Wait until all that is there now is done."""


def follow(
    running: Followed,
    stop: threading.Event,
    *,
    show: Callable[[Console], RenderableType],
    until_caught_up: bool,
) -> None:
    """Show what runs, on a terminal, until ``stop`` is set, it fails, or has caught up."""
    console = Console()
    done = _in_background(running.wait) if until_caught_up else threading.Event()
    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
        while not stop.wait(_EVERY):
            if live is not None:
                _draw(live, show(console))
            if running.error is not None:
                raise running.error
            if done.is_set():
                return


def _in_background(wait: Callable[[], None]) -> threading.Event:
    """Return an event that is set when ``wait`` returns; its errors are also those of what is waited for."""
    done = threading.Event()

    def body() -> None:
        with suppress(SmlnbError):
            wait()
            done.set()

    threading.Thread(target=body, daemon=True, name="smlnb-wait").start()
    return done


def demo_view(project: Project, progress: Progress, what: str, console: Console) -> RenderableType:
    """Return the demonstration as it stands."""
    steps = (
        ("produced", progress.produced),
        ("learned", progress.learned),
        ("scored", progress.scored),
        ("read back", progress.read),
    )
    if progress.quantiles:
        scores = _quantiles(dict(progress.quantiles))
        scores.append(f"{progress.flagged:,} above their q99", style="red" if progress.flagged else "dim")
    else:
        scores = Text("none yet", style="dim")
    line = Text("scores  ", style="bold").append_text(scores)
    body = Group(
        _bars(progress.total, steps, progress.seconds),
        univariate_table(project, console.width - 4, unicode=_unicode(console)),
        line,
    )
    return Panel(
        body, title=f"[bold]smlnb demo[/]: {escape(what)}", subtitle=progress.doing, box=_box(console), expand=True
    )


def outcome_view(outcome: Outcome, console: Console) -> RenderableType:
    """Return what the demonstration found."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    facts.add_row("data", _described(outcome))
    facts.add_row("broker", f"{outcome.broker}, {outcome.partitions} partitions")
    complete = outcome.rows_scored >= outcome.rows
    facts.add_row(
        "rows",
        Text(
            f"{outcome.rows:,} produced, {outcome.rows_scored:,} scored and read back", "green" if complete else "red"
        ),
    )
    facts.add_row("rate", f"{outcome.rate:,.0f} rows/s through the whole loop, in {outcome.seconds:.1f} s")
    facts.add_row("score quantiles", _quantiles(outcome.quantiles))
    if outcome.ranking is not None:
        found = outcome.ranking
        facts.add_row("ROC-AUC", f"[bold green]{found.roc_auc:.4f}[/]  of the scores against the true label")
        facts.add_row(
            "average precision",
            f"[bold green]{found.average_precision:.4f}[/]  with {found.positives:,} true anomalies",
        )
    parts: list[RenderableType] = [facts]
    if outcome.strangest:
        parts += [Text(), Text("The strangest records", style="bold"), _strangest(outcome)]
    return Panel(Group(*parts), title="[bold]result[/]", box=_box(console), expand=True)


def _described(outcome: Outcome) -> Text:
    if outcome.data == "shuttle":
        return Text("Statlog (Shuttle)")
    return Text("SYNTHETIC, of the shape of Statlog (Shuttle)", style="bold magenta")


def _strangest(outcome: Outcome) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("score", justify="right")
    table.add_column("at", no_wrap=True)
    table.add_column("in truth", no_wrap=True)
    table.add_column("because of")
    for record in outcome.strangest:
        reasons = ", ".join(f"{t['feature']} ({t['contribution']:.1f})" for t in json.loads(record.top or "[]"))
        truth = Text("anomaly", "red") if record.anomaly else Text("normal", "dim")
        at = Text(f"[{record.partition}] offset {record.offset:,}")
        table.add_row(f"{record.score:.2f}", at, truth, Text(reasons))
    return table


def connect_view(project: Project, metrics: Metrics, saved: str, console: Console) -> RenderableType:
    """Return a project that is being fed."""
    line = Text()
    line.append(f"{project.n:,}", style="bold").append(" learned   ")
    line.append(f"{metrics.rate:,.0f}", style="bold").append(" rows/s   ")
    line.append("to go: ").append(metrics.lag_text(), style="bold").append("   ")
    refused = project.counts.refused
    line.append(f"{refused:,}", style="bold red" if refused else "bold").append(" refused   ")
    if metrics.broker_error:
        line.append(f"broker: {metrics.broker_error}", style="red")
    body = Group(line, univariate_table(project, console.width - 4, unicode=_unicode(console)))
    title = f"[bold]project {escape(project.name)}[/]: {metrics.state}"
    return Panel(body, title=title, subtitle=saved, box=_box(console), expand=True)


def connector_view(connector: Connector, saved: str, console: Console) -> RenderableType:
    """Return a connector at work: its numbers, and the statistics of each project."""
    metrics = connector.metrics
    views = [connect_view(project, metrics, saved, console) for project in connector.projects.values()]
    return views[0] if len(views) == 1 else Group(*views)


def score_view(scorer: Scorer, console: Console) -> RenderableType:
    """Return a scorer at work."""
    metrics = scorer.metrics
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    facts.add_row(
        "topics", Text(f"{scorer.source} → {scorer.sink}" if _unicode(console) else f"{scorer.source} > {scorer.sink}")
    )
    facts.add_row("model", Text(f"{scorer.model.name}, version {scorer.model.version}"))
    facts.add_row("scores", f"{metrics.rows:,} written, {metrics.rate:,.0f} rows/s, to go: {metrics.lag_text()}")
    facts.add_row("refused", Text(f"{metrics.refused:,}", "red" if metrics.refused else ""))
    facts.add_row("quantiles", _quantiles(scorer.quantiles) if scorer.quantiles else Text("none yet", "dim"))
    if metrics.broker_error:
        facts.add_row("broker", Text(metrics.broker_error, "red"))
    return Panel(
        facts, title=f"[bold]scorer[/]: {metrics.state}", subtitle="Ctrl-C ends", box=_box(console), expand=True
    )


def _unicode(console: Console) -> bool:
    return (console.encoding or "").lower().startswith("utf")


def _box(console: Console) -> box.Box:
    return box.ROUNDED if _unicode(console) else box.ASCII
