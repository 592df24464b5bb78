"""What all panels have in common: a title, a status line where errors show, callbacks that lose nothing, an end."""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Self, TypeVar

import ipywidgets as w

from smlnb.errors import SmlnbError
from smlnb.view.figures import bokehjs
from smlnb.view.publish import publisher

__all__ = ["Panel", "button", "error_html", "row"]

T = TypeVar("T")


def error_html(error: BaseException) -> str:
    """Return an error as people read it: our own by their message, others with where they came from.

    Examples
    --------
    >>> error_html(SmlnbError("There is no topic <b>."))
    '<span class="smlnb-error" role="alert">There is no topic &lt;b&gt;.</span>'
    """
    if isinstance(error, SmlnbError):
        return f'<span class="smlnb-error" role="alert">{escape(str(error))}</span>'
    trace = escape("".join(traceback.format_exception(error)))
    return (
        f'<div class="smlnb-error" role="alert">{type(error).__name__}: {escape(str(error))}'
        f"<details><summary>where it came from</summary><pre>{trace}</pre></details></div>"
    )


def button(text: str, tooltip: str, style: str = "") -> w.Button:
    """Return a button that says what it does."""
    return w.Button(description=text, tooltip=tooltip, button_style=style, layout=w.Layout(width="auto"))


def row(*children: w.Widget, **layout: Any) -> w.HBox:
    """Return ``children`` side by side, wrapping on narrow pages."""
    return w.HBox(list(children), layout=w.Layout(**{"flex_flow": "row wrap", "align_items": "center", **layout}))


class Panel:
    """Something live in a notebook.

    It is displayed like any object; ``widget`` is the ipywidget, to be put into other widgets. A subclass fills the
    body, draws in :meth:`draw`, stops what it controls in :meth:`stop`, and what it runs itself in :meth:`release`.

    Attributes
    ----------
    widget : ipywidgets.VBox
    error : Exception or None
        What last went wrong, as shown in the status line.
    """

    def __init__(self, label: str) -> None:
        self.error: Exception | None = None
        self.closed = False
        self._undrawn = False
        self._busy: set[w.Button] = set()
        self.status = w.HTML()
        self.body = w.VBox()
        library = bokehjs()
        library.add_class("smlnb-hidden")
        self.widget = w.VBox([library, self.body, self.status])
        self.widget.add_class("smlnb-panel")
        self.widget.layout.width = "100%"
        self.label = label
        self._follow_views()
        weakref.finalize(self, publisher.call, _close_all, self.widget).atexit = False

    def fill(self, children: Sequence[w.Widget]) -> None:
        """Put ``children`` into the panel and begin to refresh it."""
        self.body.children = tuple(children)
        self.refresh()
        publisher.watch(self)

    def draw(self) -> None:
        """Show the latest snapshot."""

    def stop(self) -> None:
        """Stop what the panel controls; what it shows stays."""

    def release(self) -> None:
        """End what the panel itself runs, when it is closed; what it controls goes on."""

    def refresh(self) -> None:
        """Show the latest snapshot now; an error becomes red text."""
        if self.closed:
            return
        try:
            self.draw()
        except Exception as error:  # noqa: BLE001 - a tick has no caller: it is shown instead
            self._undrawn = True
            self.fail(error)
        else:
            if self._undrawn:
                self._undrawn = False
                self.say("")

    def guard(self, action: Callable[[], Any]) -> None:
        """Run ``action``; whatever goes wrong is shown in the status line, not lost."""
        try:
            with publisher.lock:
                action()
        except Exception as error:  # noqa: BLE001 - ipywidgets would swallow it: it is shown instead
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Show ``error`` in red."""
        self.error = error
        self.status.value = error_html(error)

    def say(self, text: str, kind: str = "note") -> None:
        """Show ``text`` in the status line, in place of an earlier error."""
        self.error = None
        self.status.value = f'<span class="smlnb-{kind}" role="status">{escape(text)}</span>' if text else ""

    def on(self, clicked: w.Button, action: Callable[[], Any]) -> None:
        """Let a click on a button call ``action``, a method of this panel or of a part of it."""
        run = self._callback(action)
        clicked.on_click(lambda _button: run())

    def observe(self, control: w.Widget, action: Callable[[], Any], trait: str = "value") -> None:
        """Let a change of a control call ``action``, a method of this panel or of a part of it."""
        run = self._callback(action)
        control.observe(lambda _change: run(), trait)

    def work(self, task: Callable[[], T], done: Callable[[Callable[[], T]], Any]) -> None:
        """Run a slow ``task`` beside the main thread, then ``done(result)`` in it; see :meth:`Publisher.work`."""
        publisher.work(task, lambda result: self.guard(lambda: done(result)))

    def slowly(self, clicked: w.Button, task: Callable[[], Any], text: str) -> None:
        """Run a slow ``task`` beside the main thread, the button disabled meanwhile; then say ``text``, and draw."""

        def done(result: Callable[[], Any]) -> None:
            try:
                result()
            finally:
                self._busy.discard(clicked)
                self.enable(clicked, True)
            self.say(text)
            self.draw()

        self._busy.add(clicked)
        self.enable(clicked, False)
        self.work(task, done)

    def enable(self, clicked: w.Button, on: bool) -> None:
        """Let a button be clicked, or not; never while what it began last still runs."""
        clicked.disabled = not on or clicked in self._busy

    def close(self) -> None:
        """Take the panel off the page; what it controls goes on."""
        if not self.closed:
            self.release()
            self.closed = True
            publisher.forget(self)
            publisher.call(_close_all, self.widget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        publisher.shown(self, on_page=True)
        self.refresh()
        bundle = self.widget._repr_mimebundle_(**options)
        if isinstance(bundle, dict):
            bundle["text/plain"] = repr(self)
        return bundle

    def _callback(self, action: Callable[[], Any]) -> Callable[[], None]:
        me, method = weakref.ref(self), weakref.WeakMethod(action)  # widgets live until closed: they hold nobody

        def run() -> None:
            panel, bound = me(), method()
            if panel is not None and bound is not None:
                publisher.call(panel.guard, bound)

        return run

    def _follow_views(self) -> None:
        me = weakref.ref(self)

        def count(change: Any) -> None:
            panel = me()
            if panel is not None:
                publisher.shown(panel, on_page=bool(change["new"]))

        self.widget._view_count = 0
        self.widget.observe(count, "_view_count")


def _close_all(widget: w.Widget) -> None:
    for child in getattr(widget, "children", ()):
        if child is not bokehjs():
            _close_all(child)
    widget.close()
