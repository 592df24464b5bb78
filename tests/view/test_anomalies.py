"""The anomaly panel shows the topic of scores, whoever writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from smlnb.cluster.broker import LocalBroker
from smlnb.errors import ConfigError
from smlnb.view.anomalies import Anomalies, anomalies
from tests.view.kafka import produce, readings, scores
from tests.waiting import eventually


@pytest.fixture
def panel(local_broker: LocalBroker, topic_name: str) -> Iterator[Anomalies]:
    produce(local_broker.bootstrap_servers, topic_name, scores(1000))
    with anomalies(topic=topic_name, bootstrap_servers=local_broker.bootstrap_servers) as made:
        eventually(lambda: made.log.n == 1000, what="all scores are read")
        made.refresh()
        yield made


def test_it_shows_scores_thresholds_true_values_and_reasons(panel: Anomalies) -> None:
    assert panel.error is None
    assert "<b>1,000</b> records" in panel._facts.value
    assert "Quantiles of all scores of hba1 version 1" in panel._thresholds.value
    assert "1 (anomaly)" in panel._truth.value
    assert "100.0%" in panel._truth.value
    assert "s2 " in panel._last.value


def test_the_plots_hold_what_the_tables_say(panel: Anomalies) -> None:
    state = {**panel.time_line.state, **panel.figures.state}
    assert json.dumps(state, allow_nan=False)
    assert len(state["time-flagged"]["data"]["x"]) == 18
    assert len(state["time-strange"]["data"]["x"]) == 20
    assert sum(state["all-strange"]["data"]["count"]) == pytest.approx(20)
    assert [name.split()[0] for name in state["time-thresholds"]["data"]["name"]] == ["q50", "q95", "q98", "q99"]


def test_what_is_written_later_appears(panel: Anomalies, local_broker: LocalBroker) -> None:
    produce(local_broker.bootstrap_servers, panel.topic, scores(500, begin=1000))
    eventually(lambda: panel.log.n == 1500, what="the new scores are read")
    panel.refresh()
    assert "<b>1,500</b> records" in panel._facts.value


def test_without_news_nothing_is_drawn(panel: Anomalies) -> None:
    sent: list[object] = []
    for part in (panel.time_line, panel.figures, panel._truth, panel._last):
        part.observe(sent.append)
    panel.refresh()
    assert sent == []


def test_it_can_be_stopped_and_goes_on_where_it_stopped(panel: Anomalies, local_broker: LocalBroker) -> None:
    panel.stop_button.click()
    panel.stop()
    assert panel.state == "stopped"
    assert (panel.stop_button.disabled, panel.start_button.disabled) == (True, False)
    produce(local_broker.bootstrap_servers, panel.topic, scores(10, begin=1000))
    panel.start_button.click()
    eventually(lambda: panel.log.n >= 1010, what="the scores written meanwhile are read")
    assert panel.log.n == 1010
    assert panel.state == "running"


def test_it_waits_for_a_topic_that_is_not_there_yet(local_broker: LocalBroker, topic_name: str) -> None:
    with anomalies(topic=topic_name, bootstrap_servers=local_broker.bootstrap_servers) as panel:
        assert panel.state == "waiting"
        assert "Waiting for the topic" in panel.status.value
        produce(local_broker.bootstrap_servers, topic_name, scores(10))

        def seen() -> bool:
            panel.refresh()
            return panel.log.n == 10

        eventually(seen, what="the topic is found and read")
        assert panel.state == "running"


def test_records_without_the_true_value_are_said_to_lack_it(local_broker: LocalBroker, topic_name: str) -> None:
    plain = [{k: v for k, v in record.items() if k != "class"} for record in scores(300)]
    produce(local_broker.bootstrap_servers, topic_name, plain)
    with anomalies(topic=topic_name, bootstrap_servers=local_broker.bootstrap_servers) as panel:
        eventually(lambda: panel.log.n == 300, what="all scores are read")
        panel.refresh()
        assert "no field &#x27;class&#x27;" in panel._truth.value
        assert panel.error is None


def test_a_topic_of_something_else_is_refused_in_red(local_broker: LocalBroker, topic_name: str) -> None:
    produce(local_broker.bootstrap_servers, topic_name, readings(10))
    with anomalies(topic=topic_name, bootstrap_servers=local_broker.bootstrap_servers) as panel:

        def failed() -> bool:
            panel.refresh()
            return panel.state == "failed"

        eventually(failed, what="the panel refuses the topic")
        assert "no field" in panel.status.value
        assert "smlnb-error" in panel.status.value


def test_a_scorer_is_watched_by_its_sink_and_can_be_stopped_here(panel: Anomalies) -> None:
    scorer = SimpleNamespace(sink=panel.topic, config=None, state="running", error=None)
    scorer.stop = lambda: setattr(scorer, "state", "stopped")
    watching = Anomalies(panel.topic, scorer, panel.log, panel._make_source)
    try:
        assert "scorer running" in watching._facts.value
        watching.stop_scorer_button.click()
        assert scorer.state == "stopped"
        assert watching.stop_scorer_button.disabled
    finally:
        watching.close()


def test_one_of_scorer_and_topic_is_needed() -> None:
    with pytest.raises(ConfigError, match="one of the two"):
        anomalies()
    with pytest.raises(ConfigError, match="one of the two"):
        anomalies(SimpleNamespace(), topic="t")


@pytest.mark.parametrize("control", ["stop_button", "start_button", "stop_scorer_button"])
def test_every_control_has_a_description_and_a_tooltip(panel: Anomalies, control: str) -> None:
    widget = getattr(panel, control)
    assert widget.description
    assert widget.tooltip


def test_before_the_first_score_there_is_nothing_to_draw(local_broker: LocalBroker, topic_name: str) -> None:
    with anomalies(topic=topic_name, bootstrap_servers=local_broker.bootstrap_servers) as panel:
        assert panel.time_line.items == panel.figures.items == []
        assert panel._thresholds.value == panel._truth.value == panel._last.value == ""


def test_without_true_values_there_is_no_plot_of_them(
    panel: Anomalies, local_broker: LocalBroker, topic_name: str
) -> None:
    assert len(panel.figures.items) == 2
    assert "true anomaly" in json.dumps(panel.time_line.items)
    plain = [{k: v for k, v in record.items() if k != "class"} for record in scores(300)]
    produce(local_broker.bootstrap_servers, f"{topic_name}-plain", plain)
    with anomalies(topic=f"{topic_name}-plain", bootstrap_servers=local_broker.bootstrap_servers) as other:
        eventually(lambda: other.log.n == 300, what="all scores are read")
        other.refresh()
        assert len(other.figures.items) == 1
        assert "true anomaly" not in json.dumps(other.time_line.items)
