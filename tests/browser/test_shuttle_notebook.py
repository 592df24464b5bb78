"""The notebook moves in a real browser, by itself and by clicks, and its stop buttons stop."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.notebook_page import NotebookPage
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

Open = Callable[[str], NotebookPage]


def last_record(notebook: NotebookPage) -> int:
    """The number of the last record in the plot of the scores."""
    return max(notebook.data("time").get("x") or [0])


def counts(notebook: NotebookPage) -> float:
    """The height of the histogram of the first attribute."""
    return sum(notebook.data("h0").get("count") or [0])


def says(panel: Locator, text: str | re.Pattern[str], timeout: float = 60_000) -> None:
    expect(panel).to_contain_text(text, timeout=timeout)


def test_run_all_sets_everything_in_motion_and_the_stop_button_stops_it(open_notebook: Open) -> None:
    notebook = open_notebook("01_shuttle.ipynb")
    notebook.run_all()

    explorer = notebook.panel("Project shuttle")
    scores = notebook.panel("Scores in shuttle-scores")
    notebook.grows(lambda: notebook.number(explorer, "rows learned"), "the count of rows learned")
    notebook.grows(lambda: counts(notebook), "the histogram of s1")
    notebook.grows(lambda: last_record(notebook), "the plot of the scores")
    eventually(lambda: notebook.data("time-strange").get("x"), 60, "a true anomaly is marked")
    eventually(lambda: notebook.data("time-flagged").get("x"), 60, "a record is flagged")
    says(scores, "Last flagged records")

    notebook.click("Build model", notebook.panel("New model"))
    says(notebook.panel("New model"), "The model 'hba2' is built")
    form = notebook.panel("New project")
    notebook.click(re.compile("Create another project"), form)
    says(form, "The project 'shuttle-2' is there")
    notebook.grows(lambda: notebook.number(form, "rows learned"), "the count of the second project")
    notebook.screenshot("notebook-light")
    for name, panel in {"explorer": explorer, "scores": scores, "project-form": form}.items():
        notebook.screenshot(f"{name}-light", panel)

    notebook.picture("form-and-explorer", form, explorer)

    notebook.theme("JupyterLab Dark")
    dark = "() => document.body.dataset.jpThemeLight === 'false'"
    notebook.page.wait_for_function(dark)
    expect(notebook.page.locator(".smlnb-figure").first).to_have_css("filter", re.compile("invert"))
    notebook.screenshot("notebook-dark")
    notebook.screenshot("scores-dark", scores)
    notebook.screenshot("project-form-dark", form)

    notebook.click("Stop everything")
    says(explorer, "stopped")
    says(scores, "scorer stopped")
    says(notebook.panel("Topic shuttle-sensor"), "stopped")
    assert notebook.problems == []


def test_a_page_that_is_loaded_again_shows_what_is_true_now(open_notebook: Open) -> None:
    notebook = open_notebook("01_shuttle.ipynb")
    notebook.run_all()
    notebook.grows(lambda: last_record(notebook), "the plot of the scores")
    notebook.click("Stop everything")
    explorer, scores = notebook.panel("Project shuttle"), notebook.panel("Scores in shuttle-scores")
    says(explorer, "stopped")
    says(scores, "scorer stopped")
    rows = notebook.number(explorer, "rows learned")
    eventually(lambda: round(counts(notebook)) > 0.98 * rows, 30, "the histogram shows all rows")
    notebook.save()
    notebook.page.reload()
    notebook.ready()
    eventually(lambda: round(counts(notebook)) > 0.98 * rows, 60, "the histogram is there again")
    eventually(lambda: last_record(notebook) > 0, 60, "the scores are there again")
    assert notebook.number(notebook.panel("Project shuttle"), "rows learned") == rows
    assert notebook.problems == []


def test_by_clicks_it_is_the_project_and_the_model_that_the_person_made(open_notebook: Open) -> None:
    notebook = open_notebook("01_shuttle.ipynb")
    page = notebook.page
    page.locator(".jp-Notebook .jp-Cell").first.click()
    notebook.run_next(7)  # up to and with the project form
    form = notebook.panel("New project")
    says(form, "10 columns found")

    letters = form.get_by_role("textbox", name="Types")
    letters.fill("C,C,Q")
    letters.press("Tab")
    expect(form.locator(".smlnb-error")).to_contain_text("'Q', which is no type letter")
    notebook.screenshot("project-form-error", form)
    letters.fill("C,C,C,C,C,C,C,C,C,X")
    letters.press("Tab")
    expect(form.locator(".smlnb-error")).to_have_count(0)

    name = form.get_by_role("textbox", name="Name")
    name.fill("mine")
    name.press("Tab")
    notebook.click("Create project and connect", form)
    says(form, "The project 'mine' is there")
    notebook.grows(lambda: notebook.number(form, "rows learned"), "the count of rows learned")

    notebook.go_down()
    notebook.run_next(4)  # the explorer, two texts, the model form
    explorer = notebook.panel("Project mine")
    notebook.grows(lambda: notebook.number(explorer, "rows learned"), "the explorer's count")
    models = notebook.panel("New model")
    field = models.get_by_role("textbox", name="Name")
    field.fill("by-hand")
    field.press("Tab")
    notebook.click("Build model", models)
    says(models, "The model 'by-hand' is built")

    notebook.go_down()
    notebook.run_next(5)  # the model, a text, the scorer, a text, the anomalies
    notebook.grows(lambda: last_record(notebook), "the plot of the scores")
    says(notebook.panel("Scores in"), "by-hand version")

    notebook.click("Pause", explorer)
    says(explorer, "paused")
    notebook.click("Resume", explorer)
    says(explorer, "running")
    notebook.click("Stop", explorer)
    says(explorer, "stopped")
    notebook.click("Stop scoring")
    says(notebook.panel("Scores in"), "scorer stopped")
    notebook.click("Stop simulator")
    says(notebook.panel("Topic shuttle-sensor"), re.compile("stopped|done"))
    assert notebook.problems == []


def test_on_a_small_screen_the_plots_are_there_when_they_are_scrolled_to(open_notebook: Open) -> None:
    notebook = open_notebook("01_shuttle.ipynb")
    notebook.page.set_viewport_size({"width": 900, "height": 700})
    notebook.run_all()
    for title in ("Scores in shuttle-scores", "Project shuttle"):
        notebook.panel(title).scroll_into_view_if_needed(timeout=60_000)
        expect(notebook.panel(title).locator(".smlnb-figure").first).to_be_visible(timeout=60_000)
    notebook.grows(lambda: last_record(notebook), "the plot of the scores")
    notebook.grows(lambda: counts(notebook), "the histogram of s1")
    notebook.screenshot("small-screen")
    notebook.click("Stop everything")
    says(notebook.panel("Project shuttle"), "stopped")
    assert notebook.problems == []
