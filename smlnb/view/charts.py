"""What the plots look like.

All data stands in named sources that are replaced as a whole, and all that moves (ranges, lines, labels) is data or a
named range: so a snapshot is everything there is to know. One palette serves light and dark pages: the style sheet
turns lightness around on dark ones and keeps the hues. Colour never says something alone: shapes and dashes say it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Legend, LegendItem, NoOverlap, NumeralTickFormatter, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from smlnb.stats.histogram import Cells
from smlnb.view.figures import Chart
from smlnb.view.ticks import name_ticks

__all__ = [
    "BLUE",
    "FONT",
    "INK",
    "ORANGE",
    "RED",
    "Data",
    "add_legend",
    "bars",
    "bars_data",
    "headroom",
    "histogram",
    "histogram_data",
    "named_range",
    "plain_figure",
    "rounded",
]

INK: Final = "#4a4a4a"
FAINT: Final = "#e4e4e4"
BLUE: Final = "#3a72b0"
RED: Final = "#c03a2b"
ORANGE: Final = "#cf7a13"
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

_CONSTANT: Final = 9  # bins around a constant

Data = dict[str, list[Any]]


def rounded(values: Any, digits: int = 5) -> list[float]:
    """Return finite values as plain floats of a few significant digits: short messages.

    Examples
    --------
    >>> rounded([1 / 3, 12345.678, 0.0])
    [0.33333, 12346.0, 0.0]
    """
    return [float(f"{v:.{digits}g}") for v in np.asarray(values, dtype=float).tolist()]


def plain_figure(height: int, title: str = "", **options: Any) -> figure:
    """Return a figure without clutter: transparent, no toolbar, light grid."""
    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        title=title or None,
        **options,
    )
    if plot.title is not None:
        plot.title.update(text_color=INK, text_font=FONT, text_font_size="12px", text_font_style="bold")
    for axis in plot.axis:
        axis.update(
            axis_line_color=FAINT,
            major_tick_line_color=FAINT,
            minor_tick_line_color=None,
            major_label_text_color=INK,
            major_label_text_font=FONT,
            major_label_text_font_size="11px",
            axis_label_text_color=INK,
            axis_label_text_font=FONT,
            axis_label_text_font_size="11px",
            axis_label_text_font_style="normal",
        )
    plot.xgrid.grid_line_color = None
    plot.ygrid.grid_line_color = FAINT
    plot.min_border_left, plot.min_border_right = 4, 14  # a label at the end of an axis is centred on it
    return plot


def named_range(name: str, start: float = 0.0, end: float = 1.0) -> Range1d:
    """Return a range that snapshots can move."""
    return Range1d(start=start, end=end, name=name)


def add_legend(plot: figure, items: Mapping[str, Sequence[Any]]) -> None:
    """Put a legend in one line above the plot."""
    legend = Legend(
        items=[LegendItem(label=label, renderers=list(renderers)) for label, renderers in items.items()],
        orientation="horizontal",
        location="left",
        border_line_color=None,
        background_fill_color=None,
        label_text_color=INK,
        label_text_font=FONT,
        label_text_font_size="11px",
        label_standoff=4,
        glyph_height=14,
        glyph_width=16,
        spacing=14,
        padding=0,
        margin=2,
    )
    plot.add_layout(legend, "above")


# -- an attribute -----------------------------------------------------------------------------------------------------


def histogram(name: str, attribute: str, height: int = 150, *, powers: bool = False) -> Chart:
    """Return the histogram of an attribute; its source has the name ``name``; with ``powers``, of ten, on its axis."""
    source = ColumnDataSource(histogram_data([], []), name=name)
    plot = plain_figure(height, attribute, x_range=named_range(f"{name}-x"), y_range=named_range(f"{name}-y"))
    boxes = plot.quad(
        left="left",
        right="right",
        top="count",
        bottom=0,
        source=source,
        fill_color=BLUE,
        fill_alpha=0.75,
        line_color=BLUE,
        line_width=0.5,
    )
    tooltip = f"{escape(attribute)} @left to @right: <b>@count{{0,0}}</b> values"
    plot.add_tools(HoverTool(renderers=[boxes], tooltips=f"<span style='color:#222'>{tooltip}</span>"))
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0[.]0a")
    plot.yaxis.ticker.desired_num_ticks = 3
    name_ticks(plot.xaxis, name, powers=powers)
    return Chart(plot, f"Histogram of {attribute}; the table above says the same in numbers")


def histogram_data(edges: Any, counts: Any) -> Data:
    """Return the source of a histogram.

    Examples
    --------
    >>> histogram_data([0, 1, 2], [3, 4])
    {'left': [0.0, 1.0], 'right': [1.0, 2.0], 'count': [3.0, 4.0]}
    """
    sides = rounded(edges)
    return {"left": sides[:-1], "right": sides[1:], "count": rounded(counts)}


def bin_edges(cells: Cells, bins: int, middle: float = 1.0) -> NDArray[np.float64]:
    """Return the edges of at most ``bins`` equal bins over the middle part of the values.

    Whole numbers get bins that hold equally many of them, so that no comb appears; a constant stands in the middle.

    Examples
    --------
    >>> cells = Cells(np.array([0.0, 3.0, 9.0]), np.array([1.0, 4.0, 10.0]), np.array([1, 1, 1]))
    >>> bin_edges(cells, 5).tolist()
    [-0.5, 1.5, 3.5, 5.5, 7.5, 9.5]
    """
    low, high = (float(v) for v in cells.quantile([(1 - middle) / 2, (1 + middle) / 2]))
    at_low = cells.low == np.round(cells.low)
    points = np.where(at_low, cells.low, cells.high)  # a negative whole number is the upper end of its cell
    inside = points[(points >= low) & (points <= high)]
    if len(inside) > 1 and bool((at_low | (cells.high == np.round(cells.high))).all()):
        width = max(1.0, float(np.ceil((inside[-1] - inside[0] + 1) / bins)))
        return np.asarray(np.arange(inside[0] - 0.5, inside[-1] + 0.5 + width, width), dtype=float)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1.0):
        room = 0.5 * (abs(low) or 1.0)
        return np.linspace(low - room, high + room, _CONSTANT + 1)
    return np.linspace(low, high, bins + 1)


def headroom(counts: Any) -> dict[str, float]:
    """Return the attributes of a y range in which ``counts`` fit with some air."""
    top = float(np.max(counts, initial=0.0))
    return {"start": 0.0, "end": float(f"{1.08 * top or 1.0:.4g}")}


def bars(name: str, attribute: str, height: int = 150) -> Chart:
    """Return the most frequent values of a category; factors are the range ``name-x``."""
    source = ColumnDataSource(bars_data([], []), name=name)
    plot = plain_figure(height, attribute, x_range=[], y_range=named_range(f"{name}-y"))
    plot.x_range.name = f"{name}-x"
    plot.xaxis.major_label_policy = NoOverlap(min_distance=16)
    boxes = plot.vbar(
        x="value", top="count", width=0.8, source=source, fill_color=BLUE, fill_alpha=0.75, line_color=BLUE
    )
    tooltip = f"{escape(attribute)} @value: <b>@count{{0,0}}</b> records"
    plot.add_tools(HoverTool(renderers=[boxes], tooltips=f"<span style='color:#222'>{tooltip}</span>"))
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0[.]0a")
    plot.yaxis.ticker.desired_num_ticks = 3
    return Chart(plot, f"The most frequent values of {attribute}; the table above says the same in numbers")


def bars_data(values: Sequence[str], counts: NDArray[Any] | Sequence[float]) -> Data:
    """Return the source of :func:`bars`."""
    return {"value": [str(v) for v in values], "count": rounded(counts)}
