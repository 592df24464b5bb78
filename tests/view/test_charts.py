"""Plots say what the data says, and no name breaks them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bokeh.models import HoverTool

from smlnb.stats.histogram import Cells, Histogram
from smlnb.view import charts
from smlnb.view.figures import Figures

NASTY = "<img src=x onerror=alert(1)>"


def cells_of(values: np.ndarray) -> Cells:
    histogram = Histogram(1)
    histogram.update(np.asarray(values, dtype=float)[None, :])
    return histogram.result()[0]


def test_whole_numbers_get_bins_with_equally_many_of_them() -> None:
    values = np.random.default_rng(0).integers(-60, 60, size=10_000)
    edges = charts.bin_edges(cells_of(values), 40)
    assert set(np.diff(edges)) == {3.0}
    assert set(edges % 1) == {0.5}


def test_bins_hold_every_value_when_the_tails_are_wanted() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=10_000), [1e6]])
    cells = cells_of(values)
    assert cells.counts_between(charts.bin_edges(cells, 40)).sum() == pytest.approx(10_001)


def test_one_outlier_does_not_ruin_the_middle() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=10_000), [1e6]])
    edges = charts.bin_edges(cells_of(values), 40, middle=0.99)
    assert -4 < edges[0] < edges[-1] < 4


def test_a_constant_still_has_a_bar() -> None:
    cells = cells_of(np.full(100, 0.1))
    edges = charts.bin_edges(cells, 40)
    assert (np.diff(edges) > 0).all()
    assert cells.counts_between(edges).sum() == pytest.approx(100)


@pytest.mark.parametrize("make", [charts.histogram, charts.bars])
def test_a_name_from_the_data_is_escaped_where_html_is_read(make) -> None:
    chart = make("h", NASTY)
    for tool in chart.figure.select(HoverTool):
        assert "<img" not in tool.tooltips


@pytest.mark.parametrize("make", [charts.histogram, charts.bars])
def test_a_chart_has_words_for_those_who_do_not_see_it(make) -> None:
    assert "s1" in make("h", "s1").label


def test_figures_are_plain_json() -> None:
    figures = Figures([charts.histogram("h", "s1"), charts.bars("b", "colour")])
    assert json.loads(json.dumps(figures.items, allow_nan=False))


def test_figures_have_their_height_given_and_no_toolbar() -> None:
    plot = charts.histogram("h", "s1").figure
    assert plot.height == 150
    assert plot.toolbar_location is None


def test_a_constant_stands_in_the_middle() -> None:
    cells = cells_of(np.full(100, 7.0))
    counts = cells.counts_between(charts.bin_edges(cells, 40))
    assert counts[len(counts) // 2] == pytest.approx(100)
