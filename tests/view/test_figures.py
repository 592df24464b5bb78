"""Figures carry their data as a trait, and BokehJS out of the kernel."""

from __future__ import annotations

import gzip
import json

import bokeh

from smlnb.view import charts
from smlnb.view.figures import Figures, bokehjs


def test_the_library_is_one_widget_for_the_whole_kernel() -> None:
    assert bokehjs() is bokehjs()


def test_the_library_is_bokeh_itself_and_small_enough_for_one_message() -> None:
    script = gzip.decompress(bokehjs().packed).decode()
    assert bokeh.__version__ in script
    assert len(bokehjs().packed) < 600_000


def test_nothing_is_fetched_from_the_network() -> None:
    assert "cdn." not in bokehjs()._esm
    assert "http" not in Figures([])._esm
    assert "http" not in json.dumps(Figures([charts.histogram("h", "s1")]).items)


def test_a_snapshot_that_shows_nothing_new_is_not_sent() -> None:
    figures = Figures([charts.histogram("h", "s1")])
    sent: list[object] = []
    figures.observe(sent.append, "state")
    for _ in range(3):
        figures.push({"h": {"data": charts.histogram_data([0, 1], [2])}})
    assert len(sent) == 1


def test_the_latest_snapshot_is_part_of_the_state_that_a_new_view_gets() -> None:
    figures = Figures([charts.histogram("h", "s1")])
    figures.push({"h": {"data": charts.histogram_data([0, 1], [2])}})
    assert figures.get_state("state")["state"]["h"]["data"]["count"] == [2.0]


def test_other_figures_begin_with_an_empty_snapshot() -> None:
    figures = Figures([charts.histogram("h", "s1")])
    figures.push({"h": {"data": charts.histogram_data([0, 1], [2])}})
    figures.replace([charts.bars("b", "colour")])
    assert figures.state == {}
    assert len(figures.items) == 1
