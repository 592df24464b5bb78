"""One button stops everything, and one failure does not keep the rest running."""

from __future__ import annotations

from smlnb.errors import KafkaError
from smlnb.view.stopping import stop_button


class Part:
    """Something that can be stopped."""

    def __init__(self, error: Exception | None = None) -> None:
        self.stopped = 0
        self.error = error

    def stop(self) -> None:
        self.stopped += 1
        if self.error is not None:
            raise self.error


def test_a_click_stops_each_part_once() -> None:
    parts = [Part(), Part()]
    panel = stop_button(parts[0], None, parts[1])
    panel.stop_button.click()
    assert [part.stopped for part in parts] == [1, 1]
    assert "Everything is stopped" in panel.status.value
    assert panel.stop_button.disabled


def test_a_part_that_fails_is_named_and_the_others_are_stopped() -> None:
    parts = [Part(KafkaError("no answer from <broker>")), Part()]
    panel = stop_button(*parts)
    panel.stop_button.click()
    assert [part.stopped for part in parts] == [1, 1]
    assert "no answer from &lt;broker&gt;" in panel.status.value
