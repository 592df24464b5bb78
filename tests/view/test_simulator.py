"""The simulator panel shows how far a replay is, and stops it."""

from __future__ import annotations

import pytest

from smlnb.cluster.broker import LocalBroker
from smlnb.ingest.replay import replay
from smlnb.view.simulator import simulator
from tests.view.kafka import readings
from tests.waiting import eventually


def test_it_shows_how_much_is_written(local_broker: LocalBroker, topic_name: str) -> None:
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    running = replay(readings(1000), topic_name, progress=False, block=True, **where)
    panel = simulator(running)
    assert "<b>1,000</b> of 1,000 rows written" in panel._facts.value
    assert panel.bar.value == panel.bar.max == 1000
    assert panel.bar.bar_style == "success"
    assert panel.stop_button.disabled


def test_its_button_stops_the_replay(local_broker: LocalBroker, topic_name: str) -> None:
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    running = replay(readings(100_000), topic_name, rate=500, progress=False, **where)
    panel = simulator(running)
    eventually(lambda: running.produced, what="something is written")
    panel.refresh()
    assert "running" in panel._facts.value
    panel.stop_button.click()
    assert running.state == "stopped"
    assert panel.stop_button.disabled
    assert panel.error is None


def test_closing_the_view_lets_the_replay_go_on(local_broker: LocalBroker, topic_name: str) -> None:
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    with replay(readings(100_000), topic_name, rate=500, progress=False, **where) as running:
        simulator(running).close()
        assert running.state == "running"


@pytest.mark.parametrize("control", ["bar", "stop_button"])
def test_every_control_has_a_tooltip(local_broker: LocalBroker, topic_name: str, control: str) -> None:
    where = {"bootstrap_servers": local_broker.bootstrap_servers}
    running = replay(readings(1), topic_name, progress=False, block=True, **where)
    assert getattr(simulator(running), control).tooltip
