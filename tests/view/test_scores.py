"""What is remembered of scored records adds up."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from smlnb.batch import Batch
from smlnb.errors import SchemaError
from smlnb.view.figures import Figures
from smlnb.view.score_charts import lanes, scores_by_truth, snapshot, spread_labels, time_line
from smlnb.view.scores import ScoreLog


def batch(scores, flags=None, truth=None, *, offset: int = 0, **more) -> Batch:
    columns = {"score": pa.array(scores, pa.float64())}
    flags = flags if flags is not None else [s > 9 for s in scores]
    columns |= {name: pa.array(flags, pa.bool_()) for name in ("q95", "q98", "q99")}
    if truth is not None:
        columns["class"] = truth
    data = pa.record_batch({**columns, **more})
    return Batch(data, "scores", 3, offset, offset + len(scores), np.arange(offset, offset + len(scores)))


def test_every_record_is_counted_once_in_its_group() -> None:
    log = ScoreLog("class")
    rng = np.random.default_rng(0)
    for begin in range(0, 5000, 500):
        log.absorb(batch(rng.exponential(size=500), truth=rng.integers(0, 2, 500), offset=begin))
    view = log.view()
    assert view.n == log.n == 5000
    assert sum(group.n for group in view.groups.values()) == 5000
    assert sum(cells.total for cells in view.cells.values()) == 5000
    assert {name: group.strange for name, group in view.groups.items()} == {"0": False, "1": True}


def test_only_the_window_is_kept_one_by_one() -> None:
    log = ScoreLog("class", window=100)
    log.absorb(batch(np.arange(1000.0), truth=np.zeros(1000, int)))
    view = log.view()
    assert view.numbers == list(range(901, 1001))
    assert view.scores.tolist() == list(range(900, 1000))


def test_quantiles_are_those_of_all_scores() -> None:
    log = ScoreLog()
    log.absorb(batch(np.arange(1000.0)))
    quantiles = log.view().quantiles
    assert quantiles["q50"] == pytest.approx(500, abs=5)
    assert quantiles["q99"] == pytest.approx(990, abs=5)


def test_the_last_flagged_records_come_newest_first_with_place_and_reasons() -> None:
    log = ScoreLog("class", recent=2)
    top = [json.dumps([{"feature": f"s{i}", "contribution": float(i)}]) for i in range(4)]
    log.absorb(batch([10.0, 1.0, 11.0, 12.0], truth=[1, 0, 1, 0], offset=40, top=top))
    last = log.view().last
    assert [(f.score, f.partition, f.offset, f.truth) for f in last] == [(12.0, 3, 43, "0"), (11.0, 3, 42, "1")]
    assert last[0].top == (("s3", 3.0),)


def test_records_before_the_thresholds_are_not_counted_as_judged() -> None:
    log = ScoreLog("class")
    log.absorb(batch([1.0, 2.0], flags=[None, None], truth=[0, 0]))
    log.absorb(batch([10.0], truth=[0]))
    group = log.view().groups["0"]
    assert (group.n, group.judged, group.flags["q95"]) == (3, 1, 1)


def test_warm_up_records_of_unknown_type_are_no_error() -> None:
    log = ScoreLog("class")
    data = pa.record_batch({"score": [1, 2], "q95": pa.nulls(2), "q98": pa.nulls(2), "q99": pa.nulls(2)})
    log.absorb(Batch(data, "scores", 0, 0, 2, np.arange(2)))
    assert log.n == 2


def test_records_without_a_score_are_refused_by_name() -> None:
    data = pa.record_batch({"s1": [1.0]})
    with pytest.raises(SchemaError, match="no field 'score', but s1"):
        ScoreLog().absorb(Batch(data, "shuttle-sensor", 0, 0, 1, np.arange(1)))


def test_scores_that_are_missing_do_no_harm() -> None:
    log = ScoreLog("class")
    log.absorb(batch([1.0, None, 3.0], flags=[False, None, False], truth=[0, 0, 1]))
    assert json.dumps(snapshot(log.view()), allow_nan=False)


@pytest.mark.parametrize("values", [["normal", "odd"], [1.0, 4.0], [True, False], [None, 2]])
def test_true_values_may_be_anything(values) -> None:
    log = ScoreLog("class", normal=[values[0]])
    log.absorb(batch([1.0, 2.0], truth=values))
    view = log.view()
    assert sorted(g.strange for g in view.groups.values()) == [False, True]
    assert json.dumps(snapshot(view), allow_nan=False)


def test_too_many_true_values_are_put_together() -> None:
    log = ScoreLog("class")
    log.absorb(batch(np.arange(50.0), truth=np.arange(50)))
    assert len(log.view().groups) <= 9
    assert sum(g.n for g in log.view().groups.values()) == 50


def test_the_normal_value_is_never_among_those_put_together() -> None:
    log = ScoreLog("class", normal=["zero"])
    log.absorb(batch(np.arange(50.0), truth=[f"odd {i}" for i in range(50)]))
    log.absorb(batch([1.0, 2.0, 3.0], truth=["zero", "odd 51", "zero"], offset=50))
    groups = log.view().groups
    assert (groups["zero"].n, groups["zero"].strange) == (2, False)
    assert (groups["other"].n, groups["other"].strange) == (43, True)
    assert len(groups) == 10


def test_a_contribution_that_is_missing_does_no_harm() -> None:
    log = ScoreLog("class")
    log.absorb(batch([10.0], truth=[1], top=['[{"feature": "s1", "contribution": null}]']))
    ((name, share),) = log.view().last[0].top
    assert name == "s1"
    assert np.isnan(share)


@pytest.mark.parametrize("rows", [0, 1, 3, 700])
def test_a_snapshot_names_only_what_the_plots_have(rows: int) -> None:
    log = ScoreLog("class")
    rng = np.random.default_rng(0)
    log.absorb(batch(rng.exponential(5, size=rows), truth=rng.integers(0, 2, rows)))
    charts = [time_line(), scores_by_truth(), lanes()]
    items = json.dumps(Figures(charts).items)
    for name, attributes in snapshot(log.view()).items():
        assert f'"name": "{name}"' in items
        lengths = {len(column) for column in attributes.get("data", {}).values()}
        assert len(lengths) <= 1


def test_flagged_and_true_anomalies_have_shapes_of_their_own() -> None:
    log = ScoreLog("class")
    log.absorb(batch([1.0, 10.0, 2.0], truth=[0, 0, 1]))
    state = snapshot(log.view())
    assert state["time-flagged"]["data"]["x"] == [2]
    assert state["time-strange"]["data"]["x"] == [3]
    assert state["time"]["data"]["x"] == [1, 3]


def test_labels_never_overlap() -> None:
    placed = spread_labels([1.0, 1.01, 1.02, 5.0], 0.3)
    assert (np.diff(placed) >= 0.3 - 1e-12).all()
