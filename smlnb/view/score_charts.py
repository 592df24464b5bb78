"""The plots of anomaly scores, and what a snapshot of the scores puts into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from bokeh.core.properties import value as literal
from bokeh.models import ColumnDataSource, HoverTool, NoOverlap, NumeralTickFormatter
from bokeh.plotting import figure

from smlnb.view.charts import (
    BLUE,
    FONT,
    INK,
    ORANGE,
    RED,
    Data,
    add_legend,
    headroom,
    named_range,
    plain_figure,
    rounded,
)
from smlnb.view.figures import Chart, Snapshot
from smlnb.view.scores import View
from smlnb.view.tables import number

__all__ = ["lanes", "scores_by_truth", "snapshot", "spread_labels", "time_line"]

DASHES: Final = {"q50": "dotted", "q95": "dashed", "q98": "dotdash", "q99": "solid"}
BINS: Final = 60
_LABELS: Final = 78  # pixels right of the data, for the labels of the thresholds
_JITTER: Final = 0.382  # of a golden section: spreads successive records evenly


def time_line(height: int = 320, *, truth: bool = True) -> Chart:
    """Return the scores in order of arrival, with the quantiles of all scores and the marked records.

    Without ``truth``, what is known of true values is left out.
    """
    plot = plain_figure(height, x_range=named_range("time-x"), y_range=named_range("time-y"))
    plot.xaxis.axis_label = "record, in order of arrival"
    plot.yaxis.axis_label = "anomaly score"
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0")
    plot.xaxis.ticker.desired_num_ticks = 8
    plot.xaxis.major_label_policy = NoOverlap(min_distance=8)  # on a narrow page
    dots = plot.scatter("x", "y", source=_source("time", "x", "y"), size=4, color=BLUE, alpha=0.55, line_color=None)
    flagged = plot.scatter(
        "x",
        "y",
        source=_source("time-flagged", "x", "y", "truth"),
        marker="triangle",
        size=9,
        fill_color=ORANGE,
        fill_alpha=0.85,
        line_color=ORANGE,
    )
    strange = plot.scatter(
        "x",
        "y",
        source=_source("time-strange", "x", "y", "truth"),
        marker="diamond",
        size=13,
        fill_color=None,
        line_color=RED,
        line_width=1.5,
    )
    _thresholds(plot, "time", vertical=False)
    plot.min_border_right = _LABELS
    legend = {"record": [dots], "flagged: above q99 of its time": [flagged]}
    add_legend(plot, {**legend, "true anomaly": [strange]} if truth else legend)
    score = "record @x{0,0}: score <b>@y{0.00}</b>"
    _hover(plot, [dots], score)
    _hover(plot, [flagged, strange], f"{score}, true value @truth" if truth else score)
    return Chart(plot, "Anomaly scores of the last records in order of arrival; the tables below say it in numbers")


def scores_by_truth(height: int = 240, *, truth: bool = True) -> Chart:
    """Return the histograms of all scores, with the thresholds; with ``truth`` of normal and of strange records."""
    plot = plain_figure(height, "All scores", x_range=named_range("all-x"), y_range=named_range("all-y"))
    plot.xaxis.axis_label = "anomaly score"
    plot.yaxis.axis_label = "share of its records"
    plot.yaxis.formatter = NumeralTickFormatter(format="0%")
    box = {"left": "left", "right": "right", "top": "share", "bottom": 0}
    columns = ("left", "right", "share", "count")
    normal = plot.quad(**box, source=_source("all-normal", *columns), fill_color=BLUE, fill_alpha=0.55, line_color=None)
    strange = plot.quad(
        **box,
        source=_source("all-strange", *columns),
        fill_color=None,
        line_color=RED,
        line_width=1.2,
        hatch_pattern="right_diagonal_line",
        hatch_color=RED,
        hatch_alpha=0.5,
        hatch_scale=6,
        hatch_weight=0.7,
    )
    _thresholds(plot, "all", vertical=True)
    if truth:
        add_legend(plot, {"normal": [normal], "true anomaly": [strange]})
    for renderer, who in ((normal, "normal " if truth else ""), (strange, "anomalous ")):
        _hover(plot, [renderer], f"<b>@count{{0,0}}</b> {who}records score @left to @right")
    return Chart(plot, "Histogram of all scores, of normal and of truly anomalous records, with the thresholds")


def lanes(height: int = 240) -> Chart:
    """Return the true value of the last records against their score."""
    plot = plain_figure(height, "True value against score", x_range=named_range("lanes-x"), y_range=[])
    plot.y_range.name = "lanes-y"
    plot.xaxis.axis_label = "anomaly score"
    plot.yaxis.axis_label = "true value"
    columns = ("score", "truth", "lane")
    at = {"x": "score", "y": "lane"}
    normal = plot.scatter(
        **at, source=_source("lanes-normal", *columns), size=4, color=BLUE, alpha=0.5, line_color=None
    )
    strange = plot.scatter(
        **at,
        source=_source("lanes-strange", *columns),
        marker="diamond",
        size=9,
        fill_color=None,
        line_color=RED,
        line_alpha=0.8,
    )
    _thresholds(plot, "lanes", vertical=True)
    _hover(plot, [normal, strange], "true value @truth, score <b>@score{0.00}</b>")
    return Chart(plot, "True value of the last records against their score; the table below says it in numbers")


def snapshot(view: View) -> Snapshot:
    """Return what the three plots show of a view."""
    return {**_time_line(view), **_all_scores(view), **_lanes(view)}


def _time_line(view: View) -> dict[str, Any]:
    finite = np.isfinite(view.scores)
    numbers = np.array(view.numbers, dtype=int)
    top = max(float(np.max(view.scores[finite], initial=0.0)), *view.quantiles.values(), 1e-9) * 1.06
    low = min(float(np.min(view.scores[finite], initial=0.0)), 0.0)
    first, last = (int(numbers[0]), int(numbers[-1])) if len(numbers) else (0, 1)
    right = last + max(0.005 * (last - first), 0.5)
    named = {"flagged": view.flagged & finite, "strange": view.strange & finite}
    marked = {
        f"time-{name}": {
            "data": {
                "x": numbers[rows].tolist(),
                "y": rounded(view.scores[rows], 4),
                "truth": [t or "unknown" for t, row in zip(view.truth, rows, strict=True) if row],
            },
        }
        for name, rows in named.items()
    }
    plain = finite & ~view.flagged
    levels = view.quantiles
    return {
        "time": {"data": {"x": numbers[plain].tolist(), "y": rounded(view.scores[plain], 4)}},
        **marked,
        "time-thresholds": {
            "data": {
                "name": [f"{k} {number(v)}" for k, v in levels.items()],
                "value": rounded(list(levels.values()), 4),
                "dash": [DASHES[k] for k in levels],
                "begin": [first] * len(levels),
                "end": [right] * len(levels),
                "label": rounded(spread_labels(list(levels.values()), 0.055 * (top - low)), 4),
            },
        },
        "time-x": {"start": first, "end": right},
        "time-y": {"start": low, "end": float(f"{top:.4g}")},
    }


def _all_scores(view: View) -> dict[str, Any]:
    known = [cells for cells in view.cells.values() if cells.total]
    low = min((float(c.low[0]) for c in known), default=0.0)
    high = max((float(c.high[-1]) for c in known), default=1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    counts = {False: np.zeros(BINS), True: np.zeros(BINS)}
    for name, cells in view.cells.items():
        if cells.total:
            counts[view.groups[name].strange] += cells.counts_between(edges)
    shares = {strange: found / max(found.sum(), 1.0) for strange, found in counts.items()}
    top = max(float(s.max()) for s in shares.values())
    result: dict[str, Any] = {
        f"all-{'strange' if strange else 'normal'}": {"data": _boxes(edges, found, shares[strange])}
        for strange, found in counts.items()
    }
    room = headroom([top * 1.12])
    result["all-thresholds"] = {"data": _vertical(view, 0.0, room["end"])}
    result["all-x"] = {"start": float(edges[0]), "end": float(edges[-1])}
    result["all-y"] = room
    return result


def _boxes(edges: Any, counts: Any, shares: Any) -> Data:
    filled = counts > 0
    return {
        "left": rounded(edges[:-1][filled], 4),
        "right": rounded(edges[1:][filled], 4),
        "share": rounded(shares[filled], 4),
        "count": rounded(counts[filled]),
    }


def _lanes(view: View) -> dict[str, Any]:
    finite = np.isfinite(view.scores)
    names = sorted(view.groups)[:8]
    rows = {False: finite & ~view.strange, True: finite & view.strange}
    result: dict[str, Any] = {}
    for strange, chosen in rows.items():
        truth = [t for t, row in zip(view.truth, chosen, strict=True) if row and t in names]
        kept = np.array([bool(row) and t in names for t, row in zip(view.truth, chosen, strict=True)], dtype=bool)
        shift = [round(((n * _JITTER) % 1.0 - 0.5) * 0.6, 2) for n, row in zip(view.numbers, kept, strict=True) if row]
        result[f"lanes-{'strange' if strange else 'normal'}"] = {
            "data": {
                "score": rounded(view.scores[kept], 4),
                "truth": [t or "unknown" for t in truth],
                "lane": [[t or "unknown", s] for t, s in zip(truth, shift, strict=True)],
            },
        }
    top = max(float(np.max(view.scores[finite], initial=0.0)), *view.quantiles.values(), 1e-9)
    result["lanes-x"] = {
        "start": min(float(np.min(view.scores[finite], initial=0.0)), 0.0),
        "end": float(f"{top * 1.04:.4g}"),
    }
    result["lanes-y"] = {"factors": [n or "unknown" for n in names] or ["unknown"]}
    first, last = (names[0] or "unknown", names[-1] or "unknown") if names else ("unknown", "unknown")
    result["lanes-thresholds"] = {"data": _vertical(view, [first, -0.5], [last, 0.5])}
    return result


def _vertical(view: View, begin: Any, end: Any) -> Data:
    levels = {k: v for k, v in view.quantiles.items() if k != "q50"}
    return {
        "name": list(levels),
        "value": rounded(list(levels.values()), 4),
        "dash": [DASHES[k] for k in levels],
        "begin": [begin] * len(levels),
        "end": [end] * len(levels),
    }


def spread_labels(values: list[float], gap: float) -> list[float]:
    """Move ascending values apart so that none is nearer than ``gap`` to the one below it.

    Examples
    --------
    >>> spread_labels([1.0, 5.0, 5.2, 9.0], 1.0)
    [1.0, 5.0, 6.0, 9.0]
    """
    placed: list[float] = []
    for value in values:
        placed.append(max(value, placed[-1] + gap) if placed else value)
    return placed


def _source(name: str, *columns: str) -> ColumnDataSource:
    return ColumnDataSource({column: [] for column in columns}, name=name)


def _thresholds(plot: figure, name: str, *, vertical: bool) -> None:
    columns: Mapping[str, list[Any]] = {c: [] for c in ("name", "value", "dash", "begin", "end", "label")}
    source = ColumnDataSource(dict(columns), name=f"{name}-thresholds")
    line = {"line_color": INK, "line_dash": "dash", "line_width": 1.1, "line_alpha": 0.9, "source": source}
    if vertical:
        plot.segment(x0="value", x1="value", y0="begin", y1="end", **line)
        return
    plot.segment(x0="begin", x1="end", y0="value", y1="value", **line)
    plot.text(
        x="end",
        y="label",
        text="name",
        source=source,
        level="annotation",  # which may stand outside the frame
        x_offset=6,
        text_baseline="middle",
        text_color=INK,
        text_font=literal(FONT),
        text_font_size="11px",
    )


def _hover(plot: figure, renderers: list[Any], text: str) -> None:
    plot.add_tools(
        HoverTool(renderers=renderers, tooltips=f"<span style='color:#222'>{text}</span>", point_policy="snap_to_data")
    )
