"""JupyterLab and a browser for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.lab import LabServer
from tests.browser.notebook_page import NotebookPage

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium: str) -> Iterator[LabServer]:
    """JupyterLab on a copy of the notebooks, with the real data where it is; without a browser it is not even started."""
    data = Path(os.environ.get("SMLNB_DATA") or NOTEBOOKS.parents[1] / "shared" / "data")
    monkeypatch.setenv("SMLNB_DATA", str(data if data.is_dir() else tmp_path))
    monkeypatch.delenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    folder, scratch = tmp_path / "notebooks", tmp_path / "scratch"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    scratch.mkdir()
    with LabServer(folder, scratch) as server:
        yield server


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A page so tall that all of a notebook is on it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 5200})
        finally:
            browser.close()


@pytest.fixture
def open_notebook(lab: LabServer, page: Page) -> Callable[[str], NotebookPage]:
    """Open a notebook of the folder."""
    return lambda name: NotebookPage(page, lab, name)
