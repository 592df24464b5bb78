from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb import clock
from smlnb.batch import Batch
from smlnb.errors import ForgetError, MergeError, NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.univariate import COLUMNS
from smlnb.project import Project

MINUTE = 60_000
RNG = np.random.default_rng(3)
ROWS = 6_000
START = clock.now() // MINUTE * MINUTE - 50 * MINUTE
TIMES = START + np.sort(RNG.integers(0, 50 * MINUTE, ROWS))
FRAME = pd.DataFrame(
    {
        "x": np.where(TIMES < START + 30 * MINUTE, RNG.normal(0, 1, ROWS), RNG.normal(5, 1, ROWS)),
        "y": RNG.gamma(2, size=ROWS),
        "kind": RNG.choice(["a", "b"], ROWS),
    }
)
EXACT = ["count", "missing", "min", "max", "first", "last"]
CLOSE = ["mean", "variance", "skewness", "kurtosis"]


def partitioned(**options: Any) -> Project:
    """A project that has read two partitions, one twice as fast, in batches."""
    project = Project("plant", types="C,C,T", **options)
    for partition, rows in ((0, np.arange(0, ROWS, 2)), (1, np.arange(1, ROWS, 2))):
        for start in range(0, len(rows), 700 + 700 * partition):
            part = rows[start : start + 700 + 700 * partition]
            data = pa.RecordBatch.from_pandas(FRAME.iloc[part], preserve_index=False)
            offsets = np.arange(start, start + len(part))
            project.learn(Batch(data, "t", partition, start, start + len(part), offsets, times=TIMES[part]))
    return project


def expected(rows: Any) -> Project:
    project = Project("q", types="C,C,T")
    project.learn(FRAME.iloc[rows], times=TIMES[rows])
    return project


PROJECT = partitioned(history=True)


@given(st.integers(0, 49), st.integers(1, 50))
@settings(deadline=None, max_examples=40)
def test_an_interval_of_the_past_is_as_if_only_its_records_had_been_learned(first: int, length: int) -> None:
    start, stop = START + first * MINUTE, START + min(50, first + length) * MINUTE
    past = PROJECT.between(start, stop)
    assert (past.start, past.stop) == (
        pd.Timestamp(start, unit="ms", tz="UTC"),
        pd.Timestamp(stop, unit="ms", tz="UTC"),
    )
    only = expected((start <= TIMES) & (stop > TIMES))
    pd.testing.assert_frame_equal(past.univariate()[EXACT], only.univariate()[EXACT])
    np.testing.assert_allclose(past.univariate()[CLOSE], only.univariate()[CLOSE], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(past.histogram("x").counts, only.histogram("x").counts)
    assert past.categories("kind").equals(only.categories("kind"))


def test_times_are_written_as_people_write_them() -> None:
    local = dt.datetime.fromtimestamp(START / 1000).astimezone()
    words = [(local + dt.timedelta(minutes=m)).strftime("%Y-%m-%d %H:%M") for m in (10, 20)]
    assert PROJECT.between(*words).n == int(((TIMES >= START + 10 * MINUTE) & (TIMES < START + 20 * MINUTE)).sum())
    assert (
        PROJECT.between(local + dt.timedelta(minutes=10), local + dt.timedelta(minutes=20)).n
        == PROJECT.between(*words).n
    )
    assert PROJECT.between("-24h").n == PROJECT.between().n == ROWS


def test_all_questions_can_be_put_to_an_interval_and_models_built_from_it() -> None:
    past = PROJECT.between(START, START + 30 * MINUTE)
    assert tuple(past.univariate().columns) == COLUMNS
    assert abs(past.ttest("x", "y").statistic) > 10
    assert past.by_category("x", "kind") is not None
    model = past.build("hba", inputs=["x"])
    later = FRAME[TIMES >= START + 30 * MINUTE]
    assert model.score_samples(later).mean() > model.score_samples(FRAME[TIMES < START + 30 * MINUTE]).mean() + 1
    assert "<b>plant, past</b>" in past._repr_html_()
    assert f"{past.n:,} records" in repr(past)


def test_two_intervals_are_compared_without_reading_anything_again() -> None:
    found = PROJECT.compare((START, START + 30 * MINUTE), (START + 30 * MINUTE, START + 50 * MINUTE))
    assert found.table["drifts"].to_dict() == {"x": True, "y": False, "kind": False}
    calm = PROJECT.compare((START, START + 15 * MINUTE), PROJECT.between(START + 15 * MINUTE, START + 30 * MINUTE))
    assert not calm.drifts
    assert PROJECT.compare((START + 30 * MINUTE, None)).table.loc["x", "drifts"]


def test_what_the_history_does_not_know_is_said() -> None:
    with pytest.raises(NotEnoughDataError, match="The history reaches from"):
        PROJECT.between(START - 99 * MINUTE, START - 90 * MINUTE)
    with pytest.raises(StatisticsError, match="holds no time"):
        PROJECT.between(START + 5, START + 5)
    with pytest.raises(StatisticsError, match="is no time"):
        PROJECT.between("noon")
    with pytest.raises(StatisticsError, match="history=True"):
        Project("p").between()
    with pytest.raises(NotEnoughDataError, match="no past"):
        Project("p", history=True).between()


def test_the_history_lists_its_panes_and_their_records() -> None:
    table = PROJECT.history()
    assert list(table.columns) == ["start", "stop", "records"]
    assert table["start"].is_monotonic_increasing
    stored = Project.from_state(PROJECT.state())
    assert stored.between(START, START + 20 * MINUTE).n == PROJECT.between(START, START + 20 * MINUTE).n


def test_a_forgotten_interval_has_left_no_trace() -> None:
    project = partitioned(history=True)
    gone = project.forget_between(START + 10 * MINUTE, START + 20 * MINUTE)
    kept = (TIMES < START + 10 * MINUTE) | (TIMES >= START + 20 * MINUTE)
    assert gone == int((~kept).sum()) == project.counts.forgotten
    only = expected(kept)
    assert project.n == only.n
    pd.testing.assert_frame_equal(project.univariate()[EXACT], only.univariate()[EXACT])
    np.testing.assert_allclose(project.univariate()[CLOSE], only.univariate()[CLOSE], rtol=1e-9, atol=1e-9)
    assert project.positions == PROJECT.positions
    assert project.log().set_index("action").loc["forgotten", "rows"].sum() == gone


def test_forgotten_records_leave_the_past_too_and_their_times_are_asked_for() -> None:
    project = Project("p", types="C,C,T", history=True)
    project.learn(FRAME, times=TIMES)
    bad = FRAME[2000:2600]
    with pytest.raises(ForgetError, match=r"times=\.\.\."):
        project.forget(bad)
    before = project.state()["sha256"]
    with pytest.raises(ForgetError, match="not learned here"):
        project.forget(bad, times=np.full(600, START))
    assert project.state()["sha256"] == before
    assert project.forget(bad, times=TIMES[2000:2600]) == 600
    start = TIMES[2000] // MINUTE * MINUTE
    kept = np.r_[0:2000, 2600:ROWS]
    kept = kept[(TIMES[kept] >= start) & (TIMES[kept] < start + 10 * MINUTE)]
    past = project.between(int(start), int(start + 10 * MINUTE))
    assert past.n == len(kept)
    np.testing.assert_allclose(past.univariate()["mean"], expected(kept).univariate()["mean"], rtol=1e-9)


@pytest.mark.parametrize(("window", "least"), [(1_000, 950), ("10min", None)])
def test_a_window_holds_the_latest_records(window: Any, least: int | None) -> None:
    project = Project("p", types="C,C,T", window=window)
    for start in range(0, ROWS, 311):
        project.learn(FRAME[start : start + 311], times=TIMES[start : start + 311])
    latest = project.window()
    if least is not None:
        assert least <= latest.n <= 1_000
    else:
        assert latest.start is not None
        first = latest.start.value // 1_000_000
        assert latest.n == int((first <= TIMES).sum())
        assert 9 * MINUTE <= TIMES[-1] - first <= 10 * MINUTE
    assert latest.univariate().loc["x", "last"] == FRAME["x"].iloc[-1]
    assert project.compare(latest).table.loc["x", "drifts"]
    again = Project.from_state(project.state())
    assert again.window().n == latest.n


def test_a_window_by_time_is_the_same_however_fast_its_partitions_are_read() -> None:
    project = partitioned(window="10min")
    latest = project.window()
    assert latest.start is not None
    assert latest.n == int((latest.start.value // 1_000_000 <= TIMES).sum())


@pytest.mark.parametrize("decay", [500, "5min"])
def test_fading_figures_follow_the_latest_records(decay: Any) -> None:
    project = partitioned(decay=decay) if decay == "5min" else Project("p", types="C,C,T", decay=decay)
    if decay == 500:
        project.learn(FRAME, times=TIMES)
    age = (TIMES[-1] - TIMES) / (5 * MINUTE) if decay == "5min" else (ROWS - 1 - np.arange(ROWS)) / 500
    weights = 0.5**age
    fading = project.fading()
    np.testing.assert_allclose(fading.univariate().loc["x", "mean"], np.average(FRAME["x"], weights=weights), rtol=1e-9)
    covariance = np.cov(FRAME["x"], FRAME["y"], aweights=weights)
    np.testing.assert_allclose(fading.covariance(), covariance, rtol=1e-9)
    assert fading.correlation().loc["x", "x"] == pytest.approx(1)
    assert "effective_count" in fading._repr_html_()
    stored = Project.from_state(project.state()).fading()
    np.testing.assert_allclose(stored.univariate()["mean"], fading.univariate()["mean"], rtol=1e-12)


def test_what_was_not_asked_for_says_how_to_ask() -> None:
    with pytest.raises(StatisticsError, match="window='10min'"):
        Project("p").window()
    with pytest.raises(StatisticsError, match="decay='1h'"):
        Project("p").fading()


def test_the_time_of_a_record_can_stand_in_a_column() -> None:
    stamps = [dt.datetime.fromtimestamp(t / 1000, dt.UTC) for t in TIMES[:100].tolist()]
    for column in (TIMES[:100], stamps, [s.isoformat() for s in stamps], np.array(TIMES[:100], "datetime64[ms]")):
        project = Project("p", types={"x": "C", "when": "X"}, history=True, time="when")
        project.learn({"x": FRAME["x"][:100].to_numpy(), "when": column})
        assert project.univariate().loc["x", "last"] == FRAME["x"].iloc[99]
        assert project.between(int(TIMES[0]), int(TIMES[99]) + 1).n == 100
    with pytest.raises(SchemaError, match="ISO 8601"):
        Project("p", time="when").learn({"x": [1.0], "when": ["soon"]})


@pytest.mark.parametrize(
    "options", [{"window": 0}, {"window": "soon"}, {"decay": "-1h"}, {"history": [("1min", 0)]}, {"decay": True}]
)
def test_options_that_make_no_sense_are_refused(options: Any) -> None:
    with pytest.raises((SchemaError, StatisticsError)):
        Project("p", **options)


def test_projects_of_other_options_are_not_merged() -> None:
    with pytest.raises(MergeError, match="history"):
        partitioned(history=True).merge(Project("p"))


def test_merged_projects_have_one_past() -> None:
    left, right = (Project(n, types="C,C,T", history=True) for n in ("l", "r"))
    left.learn(FRAME[:3000], times=TIMES[:3000])
    right.learn(FRAME[3000:], times=TIMES[3000:])
    total = left + right
    assert total.between().n == ROWS
    assert total.between(START, START + 10 * MINUTE).n == PROJECT.between(START, START + 10 * MINUTE).n


def test_one_time_far_ahead_spoils_neither_the_past_nor_the_latest_figures() -> None:
    project = Project("p", types="C", history=True, window="10min", decay="5min")
    project.learn({"x": [1.0, 3.0, 9.0]}, times=[clock.now(), clock.now(), 2**60])
    assert project.n == 3
    assert project.between().n == project.window().n == 2
    assert project.fading().univariate().loc["x", "mean"] == pytest.approx(2.0)
    data = pa.RecordBatch.from_pydict({"x": [1.0, 9.0]})
    project.learn(Batch(data, "t", 0, 0, 2, np.arange(2), times=np.array([clock.now(), 2**60])))  # in a tail
    assert project.between().n == 3
    assert project.between().stop < pd.Timestamp.now("UTC") + pd.Timedelta("2min")


def test_a_record_that_has_no_time_in_kafka_counts_as_of_now() -> None:
    project = Project("p", types="C", history=True, window="10min", decay="5min")
    before = clock.now()
    data = pa.RecordBatch.from_pydict({"x": [9.0, 1.0, 3.0]})
    project.learn(Batch(data, "t", 0, 0, 3, np.arange(3), times=np.array([before - 30 * MINUTE, -1, -1])))
    assert project.n == project.between().n == 3
    assert project.between().start >= pd.Timestamp(before - 31 * MINUTE, unit="ms", tz="UTC")
    assert project.between("-1min").n == project.window().n == 2
    assert project.fading().univariate().loc["x", "mean"] == pytest.approx(2.0, abs=0.1)


def test_a_past_that_has_only_times_ahead_of_the_clock_says_so() -> None:
    project = Project("p", types="C", history=True)
    with pytest.raises(NotEnoughDataError, match="holds no records"):
        project.between()
    project.learn({"x": [1.0]}, times=[2**60])
    with pytest.raises(NotEnoughDataError, match=r"none of the 1 records of 'p' .* ahead of the clock"):
        project.between()


@pytest.mark.parametrize("ahead", [0, 3 * 60])
def test_an_interval_is_whole_where_one_partition_is_known_in_coarser_panes(ahead: int) -> None:
    start = START // (30 * MINUTE) * (30 * MINUTE) - 6 * 60 * MINUTE
    project = Project("p", types="C", history=True)
    for partition, minutes in ((0, 60 + ahead), (1, 60)):
        times = start + np.arange(minutes) * MINUTE
        data = pa.RecordBatch.from_pydict({"x": np.ones(minutes)})
        project.learn(Batch(data, "t", partition, 4_999, 5_000, np.arange(5_000 - minutes, 5_000), times=times))
    past = project.between(start + 10 * MINUTE, start + 20 * MINUTE)
    minutes = (past.stop - past.start) // pd.Timedelta("1min")
    assert (minutes, past.n) == ((30, 60) if ahead else (10, 20))


def test_what_was_forgotten_is_no_longer_known() -> None:
    project = Project("p", types="C", history=True)
    project.learn({"x": [1.0, 2.0]}, times=[0, 1])
    project.forget({"x": [1.0, 2.0]}, times=[0, 1])
    with pytest.raises(NotEnoughDataError, match="holds no records"):
        project.between()
    assert project.history().empty


def test_an_interval_is_forgotten_once() -> None:
    project = Project("p", types="C", history=True)
    project.learn({"x": [1.0, 2.0, 3.0]}, times=[0, 5 * MINUTE, 9 * MINUTE])
    assert project.forget_between(4 * MINUTE, 6 * MINUTE) == 1
    with pytest.raises(NotEnoughDataError, match="Nothing was learned of"):
        project.forget_between(4 * MINUTE, 6 * MINUTE)
    assert (project.n, project.counts.forgotten) == (2, 1)


def test_what_was_never_learned_is_passed_over_when_its_data_are_forgotten() -> None:
    project = Project("p", types="C,C", row_filter="y > 1")
    data = pd.DataFrame({"x": ["1.0", "2.0", "bad", "4.0"], "y": [1, 2, 3, 4]})
    assert project.learn(data, on_bad="refuse").rows == 2
    assert project.forget(data) == 2
    assert project.n == 0


@pytest.mark.parametrize(
    ("data", "place", "told"),
    [
        ({"x": [1.0], "y": [1.0]}, None, "has no 'y'"),
        ({"y": [1.0]}, None, "has no 'y'"),
        ({"x": [1.0]}, "t", r"A place is \(topic, partition\), not 't'.*t\[0\]"),
        ({"x": [1.0]}, ("u", 0), "Nothing was learned from"),
    ],
)
def test_records_that_do_not_fit_are_not_forgotten(data: Any, place: Any, told: str) -> None:
    project = Project("p", types="C")
    project.learn({"x": [1.0]})
    project.learn(Batch(pa.RecordBatch.from_pydict({"x": [1.0]}), "t", 0, 0, 1, np.arange(1)))
    with pytest.raises(ForgetError, match=told):
        project.forget(data, place=place)
    assert project.n == 2


@pytest.mark.parametrize("part", ["-1h", None, ("-1h",), (1, 2, 3), 5])
def test_what_is_no_part_of_the_past_is_not_compared(part: Any) -> None:
    with pytest.raises(StatisticsError, match=r"an interval \(start, stop\) was wanted"):
        PROJECT.compare(PROJECT, part) if part is not None else PROJECT.compare(part)


def test_a_window_by_rows_survives_a_merge_with_nothing_and_two_are_not_merged() -> None:
    parts = [Project(name, types="C", window=100, decay=10) for name in "abc"]
    rng = np.random.default_rng(1)
    for project in parts[:2]:
        project.learn({"x": rng.normal(size=300)})
    total = parts[0] + parts[2]
    assert total.window().univariate().equals(parts[0].window().univariate())
    assert total.fading().univariate().equals(parts[0].fading().univariate())
    for into, other in ((parts[0], parts[1]), (parts[1], parts[0])):
        before = into.n
        with pytest.raises(MergeError, match="by rows"):
            into.merge(other)
        assert into.n == before
    with pytest.raises(MergeError, match="by rows"):
        _ = parts[0] + parts[1]


def test_a_sum_keeps_the_filter_that_both_have_and_refuses_what_is_no_project() -> None:
    one, two = (Project(name, types="C", row_filter="x > 1") for name in "ab")
    total = one + two
    total.learn({"x": [1.0, 2.0]})
    assert (total.n, total.counts.filtered) == (1, 1)
    with pytest.raises(MergeError, match="A project was wanted, not a Slice"):
        PROJECT.merge(PROJECT.between())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = one + 5  # type: ignore[operator]
