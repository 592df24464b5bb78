"""Waiting on progress, never on time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["eventually"]

T = TypeVar("T")


def eventually(
    predicate: Callable[[], T], timeout: float = 30.0, what: str = "the condition", every: float = 0.02
) -> T:
    """Return the first true value of ``predicate``; it is asked every ``every`` seconds for at most ``timeout``.

    Raises
    ------
    AssertionError
        After ``timeout`` seconds, with ``what`` was waited for and the last value seen.
    """
    pause = threading.Event()
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            message = f"{what} did not come true within {timeout:g} s; the last value was {value!r}"
            raise AssertionError(message)
        pause.wait(every)
