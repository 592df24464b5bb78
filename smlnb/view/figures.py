"""Bokeh figures as one widget whose data is a trait: whatever shows it, and whenever, shows the latest snapshot.

``jupyter_bokeh.BokehModel`` keeps the state in the browser: a view that is made later, or again after a reload, shows
the first state; BokehJS must be on the page before it; one change is three messages. Here the figures and the snapshot
of their data are traits, the browser applies the snapshot as a whole, and BokehJS (1.2 MB, packed 0.35) comes out of
the kernel as a trait as well: without a network and without a trace in the saved notebook.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import anywidget
import bokeh
import traitlets
from bokeh.embed import json_item
from bokeh.plotting import figure
from bokeh.resources import Resources

__all__ = ["BokehJS", "Chart", "Figures", "Snapshot", "bokehjs"]

Snapshot = Mapping[str, Mapping[str, Any]]
"""Attributes to set, by the name of the Bokeh model: ``{"source": {"data": {"x": [1.0]}}, "y": {"end": 3.0}}``."""


def _text(name: str) -> str:
    return resources.files("smlnb.view").joinpath(name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Chart:
    """A figure and what it shows, in words for those who don't see it."""

    figure: figure
    label: str


class BokehJS(anywidget.AnyWidget):
    """The library, packed; it loads itself into the page that the kernel is connected to."""

    _esm = _text("bokehjs.js")
    _css = _text("panel.css")
    packed = traitlets.Bytes().tag(sync=True)
    version = traitlets.Unicode(bokeh.__version__).tag(sync=True)


@cache
def bokehjs() -> BokehJS:
    """Return the library's widget, one for the whole kernel."""
    [script] = Resources(mode="inline", components=["bokeh"]).js_raw[:1]
    return BokehJS(packed=gzip.compress(script.encode(), mtime=0))


class Figures(anywidget.AnyWidget):
    """Some figures side by side.

    Attributes
    ----------
    items : list
        The figures as Bokeh serialises them, each with its label.
    state : dict
        The latest snapshot.
    narrowest : str
        The least width of a figure; they wrap into as many columns as there is room for.
    """

    _esm = _text("figures.js")
    items = traitlets.List().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    narrowest = traitlets.Unicode("240px").tag(sync=True)

    def __init__(self, charts: Sequence[Chart] = (), narrowest: str = "240px") -> None:
        self.library = bokehjs()
        super().__init__(items=_items(charts), narrowest=narrowest)

    def replace(self, charts: Sequence[Chart]) -> None:
        """Show other figures."""
        with self.hold_sync():
            self.state = {}
            self.items = _items(charts)

    def push(self, snapshot: Snapshot) -> None:
        """Show ``snapshot``; nothing is sent if it is what is shown already."""
        self.state = {name: dict(attributes) for name, attributes in snapshot.items()}


def _items(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    return [{"item": json_item(chart.figure), "label": chart.label} for chart in charts]
