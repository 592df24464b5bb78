from __future__ import annotations

import io
import threading

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from smlnb.connector.connector import Connector
from smlnb.demo import Outcome, Progress, Strange
from smlnb.errors import TopicError
from smlnb.evaluate import Ranking
from smlnb.project import Project
from smlnb.schema import Schema
from smlnb.terminal import (
    connector_view,
    demo_view,
    follow,
    numbers_view,
    outcome_view,
    records_view,
    schema_view,
    sparkline,
    univariate_table,
)


def rendered(view, width: int = 140, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, force_terminal=False, legacy_windows=False)
    console.print(view(console) if callable(view) else view)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.fixture
def project() -> Project:
    project = Project("plant [red]", types="C,C,C")
    values = np.random.default_rng(0).normal(size=1500)
    project.learn({"[bold]s1": values, "steady": np.full(1500, 2.0), "empty": np.full(1500, np.nan)})
    return project


PROGRESS = Progress("learning", 2000, 1500, 1500, 1000, 500, 2.0, {"q50": 1.0, "q99": 9.5}, 7)


@pytest.mark.parametrize("heights", [[], [0, 0], [1, 2, 3], [float("nan"), 1]])
def test_a_sparkline_has_one_character_per_height(heights):
    assert len(sparkline(heights)) == len(heights)


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_no_number_is_cut_and_no_line_is_too_long(project, width):
    text = rendered(lambda console: demo_view(project, PROGRESS, "rows", console), width)
    assert max(map(len, text.splitlines())) <= width
    if width >= 80:
        assert "1,500" in text
        assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_names_from_data_are_shown_as_they_are(project):
    assert "[bold]s1" in rendered(univariate_table(project))
    assert "plant [red]" in rendered(lambda console: demo_view(project, PROGRESS, project.name, console))


def test_a_connector_shows_each_of_its_projects_and_why_the_broker_is_out_of_reach():
    config = {"topics": "t", "sml.project.1": "one", "sml.project.2": "two"}
    with Connector.from_config(config, bootstrap_servers="h:1") as connector:
        connector._trouble = "No broker answered."
        text = rendered(lambda console: connector_view(connector, "saved to w.db", console))
    assert all(part in text for part in ("project one", "project two", "No broker answered.", "saved to w.db"))


def test_a_terminal_without_unicode_is_written_to_in_ascii(project):
    assert rendered(lambda console: demo_view(project, PROGRESS, "rows", console), encoding="ascii").isascii()


def test_an_empty_project_says_so():
    assert "nothing learned yet" in rendered(univariate_table(Project("p")))


def test_the_result_names_synthetic_data_missing_rows_and_reasons(project):
    outcome = Outcome(
        data="shuttle_like",
        broker="embedded",
        rows=10,
        rows_scored=9,
        partitions=8,
        seconds=1.0,
        univariate=project.univariate(),
        quantiles={"q50": 1.0},
        ranking=Ranking(0.99, 0.95, 9, 3),
        strangest=(Strange(50.0, 3, 1234, True, '[{"feature": "s1", "contribution": 40.0}]'),),
    )
    text = rendered(lambda console: outcome_view(outcome, console))
    for part in ("SYNTHETIC", "10 produced, 9 scored", "0.9900", "0.9500", "[3] offset 1,234", "anomaly", "s1 (40.0)"):
        assert part in text


def test_records_stand_in_a_table_or_below_each_other():
    frame = pd.DataFrame({"x": [1.5, None], "name": ["a", None]})
    table = rendered(lambda console: records_view(frame, console)).splitlines()
    assert [line.split() for line in table] == [["x", "name"], ["1.5", "a"], ["-", "-"]]
    wide = pd.DataFrame({f"column{i}": ["v" * 30] for i in range(10)})
    listed = rendered(lambda console: records_view(wide, console)).splitlines()
    assert len(listed) == 10


class Running:
    """Something that runs: it fails, ends, or does neither."""

    def __init__(self, error=None, ends=False):
        self.error = error
        self.ends = ends

    def wait(self) -> None:
        if not self.ends:
            raise TopicError("never")


def test_following_ends_when_it_has_caught_up():
    follow(Running(ends=True), threading.Event(), show=lambda _: "", until_caught_up=True)


def test_following_raises_what_made_it_fail():
    with pytest.raises(TopicError, match="gone"):
        follow(Running(TopicError("gone")), threading.Event(), show=lambda _: "", until_caught_up=False)


def test_following_ends_when_it_is_told_to():
    stop = threading.Event()
    stop.set()
    follow(Running(), stop, show=lambda _: "", until_caught_up=False)


def test_numbers_are_shown_with_their_thousands_apart_and_what_is_missing_as_a_dash():
    frame = pd.DataFrame(
        {"topic": ["[red]t", "u"], "lag": pd.array([12_345, None], "Int64"), "rate": [1234.56, np.nan]}
    )
    lines = rendered(numbers_view(frame)).splitlines()
    assert lines[1].split() == ["[red]t", "12,345", "1,234.6"]
    assert lines[2].split() == ["u", "-", "-"]


def test_a_schema_is_shown_with_the_letters_as_options_take_them():
    text = rendered(schema_view(Schema.of(["[red]x", "y"], "C,T")))
    assert "[red]x" in text
    assert "category" in text
    assert "--types C,T" in text
