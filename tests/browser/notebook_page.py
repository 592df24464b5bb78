"""What a person does and sees in a notebook, as a test drives it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import LabServer
from tests.waiting import eventually

ARTIFACTS = Path(__file__).parents[2] / "artifacts"

FIND = """name => {
  for (const document of globalThis.Bokeh?.documents ?? []) {
    const model = document.get_model_by_name(name);
    if (model != null) return model.data ?? null;
  }
  return null;
}"""


CONNECTED = """() => {
  const kernel = globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""

SAVE = "() => jupyterapp.commands.execute('docmanager:save')"


class NotebookPage:
    """A notebook in JupyterLab."""

    def __init__(self, page: Page, lab: LabServer, name: str) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._note)
        page.goto(f"{lab.url}lab/tree/{name}?reset&token={lab.token}")
        self.ready()

    def _note(self, message: Any) -> None:
        if message.type == "error" and re.search("widget|view|bokeh|smlnb", message.text, re.IGNORECASE):
            self.problems.append(message.text)

    def ready(self) -> None:
        """Wait until the notebook is there and its kernel idle."""
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=60_000)
        self.page.wait_for_function(CONNECTED, timeout=60_000)

    def menu(self, *names: str) -> None:
        """Click through the menus."""
        for name in names:
            self.page.get_by_role("menuitem", name=name, exact=True).click()

    def theme(self, name: str) -> None:
        """Change the theme: ``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", name)

    def save(self) -> None:
        """Save the notebook, and wait until that is done."""
        self.page.evaluate(SAVE)

    def run_all(self) -> None:
        """Run all cells, as the menu does."""
        self.menu("Run", "Run All Cells")

    def run_next(self, times: int) -> None:
        """Run the cells one after another, as Shift+Enter does; text cells count. Wait for each."""
        for _ in range(times):
            self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell-and-select-next')")

    def go_down(self) -> None:
        """Select the next cell; a click into an output has selected the cell above it."""
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:move-cursor-down')")

    def panel(self, title: str | re.Pattern[str]) -> Locator:
        """The panel with that title."""
        return self.page.locator(".smlnb-panel").filter(has=self.page.locator(".smlnb-title", has_text=title)).last

    def click(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        """Click a button."""
        (within or self.page).get_by_role("button", name=name).last.click()

    def number(self, within: Locator, after: str) -> int:
        """The number that stands before a word among the facts of a panel; -1 if there is none."""
        text = within.inner_text() if within.count() else ""
        found = re.search(rf"([\d,]+)\s+{after}", text)
        return int(found[1].replace(",", "")) if found else -1

    def data(self, source: str) -> dict[str, list[Any]]:
        """The data of a plot, as the page has it."""
        found = self.page.evaluate(FIND, source)
        return {} if found is None else found

    def grows(self, read: Any, what: str, timeout: float = 60) -> None:
        """Wait until a number is above zero, and then until it is larger."""
        first = eventually(lambda: max(read(), 0), timeout, f"{what} is above zero")
        eventually(lambda: read() > first, timeout, f"{what} grows beyond {first}")

    def picture(self, name: str, first: Locator, last: Locator) -> Path:
        """Keep a picture of all from the top of one panel to the end of another."""
        above, below = first.bounding_box(), last.bounding_box()
        assert above is not None
        assert below is not None
        clip = {k: above[k] for k in ("x", "y", "width")} | {"height": below["y"] + below["height"] - above["y"]}
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path, clip=clip)
        return path

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """Keep a picture among the artefacts."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        (of or self.page).screenshot(path=path)
        return path
