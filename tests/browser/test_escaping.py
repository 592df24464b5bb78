"""Text from data stays text, also where BokehJS makes a tooltip of it."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
import pytest

from tests.browser.lab import LabServer
from tests.browser.notebook_page import NotebookPage
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

CELL = """
from smlnb.project import Project
from smlnb.view.explorer import Explorer

nasty = "<img src=x onerror='globalThis.broken = true'>"
project = Project(nasty)
project.learn({nasty: [nasty] * 50})
Explorer(project, attribute=nasty)
"""


def test_a_value_that_looks_like_html_is_shown_as_it_is(
    lab: LabServer, open_notebook: Callable[[str], NotebookPage]
) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.folder / "nasty.ipynb")
    shown = open_notebook("nasty.ipynb")
    shown.run_all()
    eventually(lambda: shown.data("h0").get("count"), 60, "the bars are drawn")
    bars = shown.page.locator(".smlnb-figure").first
    tooltip = shown.page.locator(".bk-tooltip-content")

    def pointed_at() -> bool:
        box = bars.bounding_box()
        assert box is not None
        shown.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
        return "50" in " ".join(tooltip.all_inner_texts())

    eventually(pointed_at, 30, "the tooltip appears")
    assert "<img src=x" in " ".join(tooltip.all_inner_texts())
    assert shown.page.evaluate("globalThis.broken") is None
    assert shown.page.locator(".smlnb-panel img").count() == 0
    assert shown.problems == []
