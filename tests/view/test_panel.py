"""What goes wrong is shown where the person looks."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import ipywidgets as w
import pytest

from smlnb.errors import SmlnbError
from smlnb.view.panel import Panel, button, error_html
from smlnb.view.publish import publisher


class Example(Panel):
    """A button that fails, and a drawing that can."""

    def __init__(self) -> None:
        super().__init__("example")
        self.broken = False
        self.button = button("Break", "Break it")
        self.field = w.Text()
        self.on(self.button, self.break_it)
        self.observe(self.field, self.break_it)
        self.fill([self.button, self.field])

    def break_it(self) -> None:
        message = "There is no <topic> of that name."
        raise SmlnbError(message)

    def draw(self) -> None:
        if self.broken:
            message = "can't draw"
            raise RuntimeError(message)


def test_an_error_in_a_click_is_shown_in_red_and_escaped() -> None:
    panel = Example()
    panel.button.click()
    assert 'class="smlnb-error"' in panel.status.value
    assert "There is no &lt;topic&gt; of that name." in panel.status.value
    assert "Traceback" not in panel.status.value
    assert isinstance(panel.error, SmlnbError)


def test_an_error_in_a_change_is_shown_as_well() -> None:
    panel = Example()
    panel.field.value = "x"
    assert "There is no &lt;topic&gt;" in panel.status.value


def test_an_error_that_is_not_ours_says_where_it_came_from() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("boom <b>")
    shown = error_html(caught.value)
    assert "RuntimeError: boom &lt;b&gt;" in shown
    assert "test_panel.py" in shown


def test_an_error_while_drawing_is_shown_and_goes_when_drawing_works_again() -> None:
    panel = Example()
    panel.broken = True
    panel.refresh()
    assert "can&#x27;t draw" in panel.status.value
    panel.broken = False
    panel.refresh()
    assert panel.status.value == ""
    assert panel.error is None


def test_a_later_message_replaces_an_error() -> None:
    panel = Example()
    panel.button.click()
    panel.say("All is well.")
    assert panel.error is None
    assert "smlnb-error" not in panel.status.value


def test_a_closed_panel_closes_its_widgets_but_not_the_library() -> None:
    panel = Example()
    library = panel.widget.children[0]
    panel.close()
    panel.close()
    assert panel.button.comm is None
    assert panel.widget.comm is None
    assert library.comm is not None


def test_a_panel_that_is_dropped_stops_ticking_and_closes_its_widgets() -> None:
    panel = Example()
    widget, gone = panel.widget, weakref.ref(panel)
    del panel
    gc.collect()
    assert gone() is None
    assert widget.comm is None


def test_a_panel_on_a_page_outlives_its_name_and_ends_with_its_last_view() -> None:
    panel = Example()
    widget, gone = panel.widget, weakref.ref(panel)
    panel._repr_mimebundle_()
    del panel
    gc.collect()
    assert gone() is not None
    widget._view_count = 1
    widget._view_count = 0
    gc.collect()
    assert gone() is None


def test_a_panel_shows_itself_as_a_widget_with_a_text_beside() -> None:
    bundle = Example()._repr_mimebundle_()
    assert bundle["text/plain"] == "<Example example>"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_panel_is_a_context_manager() -> None:
    with Example() as panel:
        assert not panel.closed
    assert panel.closed


def test_a_slow_click_leaves_the_main_thread_free_and_its_button_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    release, threads = threading.Event(), []

    def task() -> None:
        threads.append(threading.current_thread())
        release.wait(10)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(publisher, "_find_loop", lambda: loop)
        panel = Example()
        panel.slowly(panel.button, task, "Done.")
        panel.enable(panel.button, True)  # as a drawing in between would
        assert panel.button.disabled
        assert panel.status.value == ""
        release.set()
        async with asyncio.timeout(10):
            while "Done." not in panel.status.value:  # noqa: ASYNC110 - a widget has no event
                await asyncio.sleep(0.001)
        assert not panel.button.disabled

    asyncio.run(main())
    assert threads != [threading.main_thread()]


def test_a_slow_click_that_fails_says_so_and_frees_its_button() -> None:
    panel = Example()
    panel.slowly(panel.button, panel.break_it, "Done.")
    assert "There is no &lt;topic&gt;" in panel.status.value
    assert not panel.button.disabled


def test_the_publisher_refreshes_panels() -> None:
    panel = Example()
    panel.broken = True
    publisher.tick()
    assert "can&#x27;t draw" in panel.status.value


@pytest.mark.parametrize("text", ["Break"])
def test_buttons_have_words_and_a_tooltip(text: str) -> None:
    made = button(text, "why")
    assert made.description == text
    assert made.tooltip == "why"
