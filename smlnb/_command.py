"""How a command runs and ends: by Ctrl-C, with exit codes, and with errors as one red line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from smlnb.errors import BrokerUnavailableError, ConfigError, KafkaError, SchemaError, SmlnbError, TopicError

__all__ = ["FAILED", "MISTAKE", "Commands", "RunFailedError", "running", "stopped_by_signals"]

FAILED, MISTAKE = 1, 2  # exit codes

_MISTAKES: Final = (SchemaError, ConfigError, BrokerUnavailableError, TopicError)


class RunFailedError(SmlnbError):
    """Something failed while it ran, through no mistake in the call."""

    def __init__(self, reason: SmlnbError | str) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Commands(TyperGroup):
    """Shows an error of ours as one red line, not as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RunFailedError as error:
            shown = error.reason if isinstance(error.reason, SmlnbError) else KafkaError(str(error))
            code = MISTAKE if isinstance(shown, _MISTAKES) else FAILED
        except SmlnbError as error:
            shown, code = error, MISTAKE
        text = " ".join(str(shown).split())
        Console(stderr=True).print(Text.assemble((f"error {shown.code} ", "bold red"), (text, "red")), soft_wrap=True)
        raise typer.Exit(code)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, or SIGTERM, sets; a second Ctrl-C interrupts.

    For what runs already: while a command connects, Ctrl-C ends it at once, as nothing has to be brought to an end.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: Any) -> None:
        if stop.is_set():
            signal.default_int_handler(number, frame)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def running() -> Iterator[None]:
    """Mark errors in here as failures of the run."""
    try:
        yield
    except SmlnbError as error:
        raise RunFailedError(error) from error
