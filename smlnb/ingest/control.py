"""The states of something that works in threads of its own: running, paused, stopped, done or failed."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from smlnb.errors import StateMachineError

__all__ = ["Controlled"]

ACTIVE: Final = ("running", "paused")


class Controlled(ABC):
    """The part of a source that is asked what it does, waited for, paused and resumed.

    Attributes
    ----------
    error : Exception or None
        Why it failed.
    progress : threading.Condition
        Notified after each batch and each change of state.
    """

    error: BaseException | None

    def _begin_control(self) -> None:
        self.error = None
        self.progress = threading.Condition()
        self._state = "created"

    @property
    @abstractmethod
    def named(self) -> str:
        """What is read, for messages."""

    @abstractmethod
    def _say(self, state: str) -> None:
        """Log that the state has changed."""

    @property
    def state(self) -> str:
        """``created``, ``running``, ``paused``, ``stopped``, ``done`` or ``failed``."""
        return self._state

    def pause(self) -> None:
        """Emit nothing more until :meth:`resume`; the connection is kept. A batch that is being worked on is finished.

        Raises
        ------
        StateMachineError
            If it is not running.
        """
        self._switch("paused", "pause")

    def resume(self) -> None:
        """Go on after :meth:`pause`; nothing happens if it is running.

        Raises
        ------
        StateMachineError
            If it is stopped.
        """
        self._switch("running", "resume")

    def wait_until(self, done: Callable[[], bool], timeout: float | None, whose: object) -> None:
        """Wait until ``done()``, which is asked after each batch; errors name ``whose`` waiting it is.

        Raises
        ------
        SmlnbError
            What made the source fail.
        StateMachineError
            If it is paused or stopped before.
        TimeoutError
            After ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.progress:
            while not done():
                if self.error is not None:
                    raise self.error
                if self._state != "running":
                    raise StateMachineError(f"Nothing to wait for: {whose!r}. Start or resume it.")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{whose!r} was not done after {timeout:g} s.")
                self.progress.wait(0.5 if left is None else min(left, 0.5))

    def _switch(self, state: str, what: str) -> None:
        with self.progress:
            if self._state not in ACTIVE:
                why = f" ({self.error})" if self.error else ""
                raise StateMachineError(
                    f"Can't {what}: the source of {self.named} is {self._state}{why}. Use restart().",
                )
            changed, self._state = self._state != state, state
            self.progress.notify_all()
        if changed:
            self._say(state)

    def _set(self, state: str) -> None:
        with self.progress:
            before, self._state = self._state, state
            self.progress.notify_all()
        if (before, state) != ("created", "stopped"):  # else nothing has happened
            self._say(state)
