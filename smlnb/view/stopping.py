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
        self.on(self.stop_button, self.stop_all)
        self.fill([row(self.stop_button)])

    def stop_all(self) -> None:
        """Stop everything, in the order given; what one of them raises does not keep the others running."""
        errors = []
        for thing in self.things:
            self.guard(thing.stop)
            if self.error is not None:
                errors.append(self.error)
                self.error = None
        self.stop_button.disabled = True
        if errors:
            raise errors[0]
        self.say("Everything is stopped.", "good")


def stop_button(*things: Any) -> StopButton:
    """Show a button that calls ``stop()`` of each of ``things``, in order.

    Things that are None are left out.

    Returns
    -------
    StopButton
        To be displayed. ``.stop_all()`` is what the button does.
    """
    return StopButton(tuple(t for t in things if t is not None))
