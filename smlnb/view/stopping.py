"""One button that ends everything that a notebook has started."""

from __future__ import annotations

from typing import Any

from smlnb.view.panel import Panel, button, row

__all__ = ["StopButton", "stop_button"]


class StopButton(Panel):
    """The button; see :func:`stop_button`."""

    def __init__(self, things: tuple[Any, ...]) -> None:
        super().__init__(f"for {len(things)} things")
        self.things = things
        self.stop_button = button("Stop everything", "Stop all that this notebook has started", "danger")
        self.on(self.stop_button, self._stop_all)
        self.fill([row(self.stop_button)])

    def stop_all(self) -> None:
        """Stop everything, in the order given; what one of them raises does not keep the others running."""
        self._stopped(_stop_each(self.things))

    def _stop_all(self) -> None:
        self.stop_button.disabled = True
        self.say("Stopping \N{HORIZONTAL ELLIPSIS}")
        self.work(lambda: _stop_each(self.things), lambda result: self._stopped(result()))

    def _stopped(self, errors: list[Exception]) -> None:
        self.stop_button.disabled = True
        if errors:
            raise errors[0]
        self.say("Everything is stopped.", "good")


def _stop_each(things: tuple[Any, ...]) -> list[Exception]:
    """Stop all of them, and return what they have raised."""
    errors: list[Exception] = []
    for thing in things:
        try:
            thing.stop()
        except Exception as error:  # noqa: BLE001 - the others have to be stopped first; it is shown then
            errors.append(error)
    return errors


def stop_button(*things: Any) -> StopButton:
    """Show a button that calls ``stop()`` of each of ``things``, in order.

    Things that are None are left out.

    Returns
    -------
    StopButton
        To be displayed. ``.stop_all()`` is what the button does.
    """
    return StopButton(tuple(t for t in things if t is not None))
