"""How far a replay is, with a button that stops it."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from smlnb.view.panel import Panel, button, row
from smlnb.view.tables import facts, whole

__all__ = ["Simulator", "simulator"]


class Simulator(Panel):
    """The live view of a replay; see :func:`simulator`."""

    def __init__(self, replay: Any) -> None:
        super().__init__(f"into {replay.topic}")
        self.replay = replay
        self._facts = w.HTML()
        self.bar = w.IntProgress(
            max=replay.total or 1,
            tooltip="How much of the data is written",
            layout=w.Layout(width="min(100%, 420px)"),
        )
        self.bar.layout.display = "none" if replay.total is None else None
        self.stop_button = button("Stop simulator", "Write nothing more; what is written stays in the topic", "warning")
        self.on(self.stop_button, self._stop)
        self.fill([self._facts, row(self.bar, self.stop_button, grid_gap="4px 12px")])

    def stop(self) -> None:
        """Stop the replay."""
        self.replay.stop()
        self.draw()

    def _stop(self) -> None:
        self.slowly(self.stop_button, self.replay.stop, "")

    def draw(self) -> None:
        """Show how far it is."""
        now = self.replay.metrics
        of = "" if now.total is None else f"of {whole(now.total)} "
        rate = [(whole(now.rate), "rows/s")] if now.state == "running" else []
        self._facts.value = facts(
            f"Topic {self.replay.topic}", (whole(now.produced), f"{of}rows written"), *rate, now.state
        )
        self.bar.value = now.produced
        self.bar.bar_style = {"done": "success", "failed": "danger"}.get(now.state, "")
        self.enable(self.stop_button, now.state == "running")
        if self.replay.error is not None and self.replay.error is not self.error:
            self.fail(self.replay.error)


def simulator(replay: Any) -> Simulator:
    """Show how far a replay is, while it writes.

    Parameters
    ----------
    replay : Replay
        What ``smlnb.replay`` returned. Call it with ``progress=False``, so that its own bar stays away.

    Returns
    -------
    Simulator
        To be displayed. ``.stop()`` is what the button does.
    """
    return Simulator(replay)
