"""The one place from which widgets are changed.

Widgets talk to the browser in several messages a change, and two threads that do so at once lose data without an error.
So everything that changes a widget passes through the :data:`publisher`:

- it runs in the kernel's main thread, between cells, under one lock; a thread that has news hands them over;
- at most four times a second each panel is asked to show its *latest* snapshot; what happened in between is never sent;
- a panel that is neither on a page nor referred to is let go, and with it its work;
- without a kernel (in a script or a test) nothing ticks: ``panel.refresh()`` shows the present state.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from IPython.core.getipython import get_ipython

__all__ = ["Publisher", "Watched", "publisher"]

T = TypeVar("T")

SLOWEST_SHARE = 4
"""Drawing takes at most one part in so many of the main thread's time, plus one."""


class Watched(Protocol):
    """What the publisher knows of a panel."""

    def refresh(self) -> None:
        """Show the latest snapshot; never raises."""


def kernel_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop of the kernel's main thread, or None outside a kernel."""
    kernel = getattr(get_ipython(), "kernel", None)
    return getattr(getattr(kernel, "io_loop", None), "asyncio_loop", None)


class Publisher:
    """Refreshes panels in the kernel's main thread, at most every ``every`` seconds.

    Attributes
    ----------
    lock : threading.RLock
        Held while a widget is changed.
    every : float
        Seconds between two refreshes, at least.

    Examples
    --------
    >>> Publisher().call(print, "there is no kernel here, so it runs at once")
    there is no kernel here, so it runs at once
    """

    def __init__(
        self, every: float = 0.25, find_loop: Callable[[], asyncio.AbstractEventLoop | None] = kernel_loop
    ) -> None:
        self.every = every
        self.lock = threading.RLock()
        self._find_loop = find_loop
        self._panels: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._shown: set[Watched] = set()
        self._scheduled = False
        self._workers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="smlnb-view")

    def watch(self, panel: Watched) -> None:
        """Refresh ``panel`` from now on, for as long as somebody refers to it or it is on a page."""
        self._panels.add(panel)
        self._schedule(0.0)

    def forget(self, panel: Watched) -> None:
        """Stop refreshing ``panel``."""
        self._panels.discard(panel)
        self._shown.discard(panel)

    def shown(self, panel: Watched, on_page: bool) -> None:
        """Take note that ``panel`` came onto a page, or left the last one."""
        if on_page:
            self._shown.add(panel)
        else:
            self._shown.discard(panel)

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Run ``function`` where widgets may be changed: at once, or as soon as the main thread is free."""
        loop = self._find_loop()
        if loop is None or threading.current_thread() is threading.main_thread():
            with self.lock:
                function(*args)
        else:
            loop.call_soon_threadsafe(self._locked, function, *args)

    def work(self, task: Callable[[], T], done: Callable[[Callable[[], T]], None]) -> None:
        """Run a slow ``task`` beside the main thread, then ``done(result)`` where widgets may be changed.

        ``result()`` returns what the task returned, or raises what it raised. Without a kernel it happens at once.
        """
        if self._find_loop() is None:
            self.call(done, task)
        else:
            self._workers.submit(task).add_done_callback(lambda future: self.call(done, future.result))

    def tick(self) -> None:
        """Refresh every panel once."""
        for panel in list(self._panels):
            with self.lock:
                panel.refresh()

    def _locked(self, function: Callable[..., Any], *args: Any) -> None:
        with self.lock:
            function(*args)

    def _schedule(self, delay: float) -> None:
        loop = self._find_loop()
        if loop is not None and not self._scheduled:
            self._scheduled = True
            loop.call_soon_threadsafe(loop.call_later, delay, self._run)

    def _run(self) -> None:
        self._scheduled = False
        begun = time.monotonic()
        self.tick()
        if self._panels:
            self._schedule(max(self.every, SLOWEST_SHARE * (time.monotonic() - begun)))


publisher = Publisher()
"""The publisher of this process."""
