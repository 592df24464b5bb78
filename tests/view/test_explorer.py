"""The explorer shows what the project knows."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from smlnb import clock
from smlnb.errors import KafkaError
from smlnb.project import Project
from smlnb.view.explorer import ALL, explore

RNG = np.random.default_rng(0)


class FakeFeed:
    """The states of a feed, without Kafka."""

    def __init__(self) -> None:
        self.state = "running"
        self.error: Exception | None = None
        self.metrics = SimpleNamespace(lag=5)

    def pause(self) -> None:
        self.state = "paused"

    def resume(self) -> None:
        self.state = "running"

    def stop(self) -> None:
        self.state = "stopped"

    def restart(self) -> None:
        self.state, self.error = "running", None


def learned(rows: int = 500) -> Project:
    project = Project("plant", types="C,B,T,X")
    colours = RNG.choice(["red", "<b>green</b>"], rows)
    project.learn({"x": RNG.normal(size=rows), "b": RNG.integers(0, 2, rows), "c": colours, "id": np.arange(rows)})
    return project


def test_before_any_row_it_says_so() -> None:
    panel = explore(Project("plant"))
    assert "No rows yet" in panel._table.value
    assert panel.error is None


def test_it_shows_a_row_per_attribute_and_a_histogram_each() -> None:
    panel = explore(learned())
    assert panel.error is None
    for name in ("x", "b", "Most frequent values of c", "left out: id"):
        assert name in panel._table.value
    assert len(panel.figures.items) == 3
    assert sum(panel.figures.state["h1"]["data"]["count"]) == 500
    assert set(panel.figures.state["h2"]["data"]["value"]) == {"red", "<b>green</b>"}
    assert "<b>green" not in panel._table.value


def test_what_is_learned_later_appears_at_the_next_refresh() -> None:
    project = learned()
    panel = explore(project)
    project.learn({"x": [1.0], "b": [1], "c": ["red"], "id": [1]})
    panel.refresh()
    assert "<b>501</b> rows learned" in panel._facts.value
    assert sum(panel.figures.state["h1"]["data"]["count"]) == 501


def test_how_many_records_wait_is_said_as_of_the_last_look() -> None:
    feed = FakeFeed()
    panel = explore(learned(), feed=feed)
    assert "<b>5</b> waiting in the topic" in panel._facts.value
    feed.pause()
    panel.refresh()
    assert "<b>5</b> waiting when the topic was last seen" in panel._facts.value


def test_without_news_nothing_is_drawn() -> None:
    panel = explore(learned())
    sent: list[object] = []
    panel.figures.observe(sent.append)
    panel._table.observe(sent.append)
    panel.refresh()
    assert sent == []


def test_one_attribute_can_be_chosen_and_is_larger() -> None:
    panel = explore(learned())
    panel.chosen.value = "x"
    assert len(panel.figures.items) == 1
    assert '"height": 300' in json.dumps(panel.figures.items)
    panel.chosen.value = ALL
    assert len(panel.figures.items) == 3


def test_an_attribute_can_be_named_in_the_call() -> None:
    assert len(explore(learned(), attribute="x").figures.items) == 1


def test_new_columns_appear_by_themselves() -> None:
    project = learned()
    panel = explore(project)
    project.learn({"x": [1.0], "b": [1], "c": ["red"], "id": [1], "y": [2.5]})
    panel.refresh()
    assert "y" in panel.chosen.options
    assert len(panel.figures.items) == 4


def test_the_tails_come_when_they_are_wanted() -> None:
    project = Project("p")
    project.learn({"x": [*RNG.normal(size=5000), 1e6]})
    panel = explore(project)
    assert panel.figures.state["h0-x"]["end"] < 10
    panel.tails.value = True
    assert panel.figures.state["h0-x"]["end"] >= 1e6


def test_a_project_without_histograms_still_has_its_table() -> None:
    project = Project("p", histogram=False)
    project.learn({"x": [1.0, 2.0]})
    panel = explore(project)
    assert panel.error is None
    assert "keeps no histograms" in panel._note.value


def test_the_statistics_of_a_period_are_shown_where_the_past_is_kept() -> None:
    project = Project("p", types="C", columns=["x"], history=True, window=100)
    rows = np.arange(1000.0)
    project.learn({"x": rows}, times=clock.now() - 3_600_000 * (rows < 900))
    panel = explore(project)
    assert "Statistics of all rows so far" in panel._table.value
    panel.period.value = "the last 10 minutes"
    assert "Statistics of the last 10 minutes" in panel._table.value
    assert ">100<" in panel._table.value
    panel.period.value = "the latest records"
    assert ">100<" in panel._table.value
    quiet = Project("q", types="C", columns=["x"], history=True)
    quiet.learn({"x": [1.0]}, times=[clock.now() - 7_200_000])
    panel = explore(quiet)
    panel.period.value = "the last minute"
    assert "No rows in the last minute" in panel._table.value
    assert panel.error is None
    assert any(panel.period in getattr(child, "children", ()) for child in panel.body.children)
    plain = explore(learned())
    assert not any(plain.period in getattr(child, "children", ()) for child in plain.body.children)


def test_the_buttons_do_what_the_feed_does() -> None:
    feed = FakeFeed()
    panel = explore(learned(), feed)
    assert (panel.pause_button.disabled, panel.resume_button.disabled) == (False, True)
    panel.pause_button.click()
    assert feed.state == "paused"
    assert (panel.pause_button.disabled, panel.resume_button.disabled) == (True, False)
    panel.resume_button.click()
    assert feed.state == "running"
    panel.stop_button.click()
    assert feed.state == "stopped"
    assert panel.stop_button.disabled
    panel.stop()
    assert panel.error is None


def test_a_feed_that_failed_says_why_in_red() -> None:
    feed = FakeFeed()
    panel = explore(learned(), feed)
    feed.state, feed.error = "failed", KafkaError("poison in <topic>[3] at offset 7")
    panel.refresh()
    assert "poison in &lt;topic&gt;[3]" in panel.status.value
    assert "smlnb-error" in panel.status.value


def test_a_feed_that_failed_or_was_stopped_can_be_resumed() -> None:
    feed = FakeFeed()
    panel = explore(learned(), feed)
    feed.state, feed.error = "failed", KafkaError("the broker went away")
    panel.refresh()
    panel.resume_button.click()
    assert feed.state == "running"
    assert panel.status.value == ""
    panel.stop_button.click()
    panel.resume_button.click()
    assert feed.state == "running"


def test_closing_the_view_leaves_the_feed_running() -> None:
    feed = FakeFeed()
    explore(learned(), feed).close()
    assert feed.state == "running"


@pytest.mark.parametrize("control", ["chosen", "tails", "pause_button", "resume_button", "stop_button"])
def test_every_control_has_a_description_and_a_tooltip(control: str) -> None:
    widget = getattr(explore(learned(), FakeFeed()), control)
    assert widget.description
    assert widget.tooltip


def test_a_binary_attribute_has_a_bar_for_each_of_its_values() -> None:
    state = explore(learned()).figures.state
    assert state["h1-x"] == {"factors": ["0", "1"]}
    assert state["h1"]["data"]["value"] == ["0", "1"]


def test_the_axis_of_tiny_numbers_has_powers_of_ten() -> None:
    project = Project("lab")
    project.learn({"current": RNG.normal(0, 1e-9, 200), "load": RNG.normal(0, 1e6, 200)})
    panel = explore(project)
    assert "precision" in panel.figures.state["h0-form"]
    assert panel.figures.state["h1-form"]["format"].endswith("a")


def test_a_rate_is_said_only_while_something_is_read() -> None:
    feed = FakeFeed()
    panel = explore(learned(), feed=feed)
    assert "rows/s" in panel._facts.value
    feed.stop()
    panel.refresh()
    assert "rows/s" not in panel._facts.value
