from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlnb import datasets, evaluate
from smlnb.anomaly.hba import HistogramAnomaly
from smlnb.errors import ModelError, StateError
from smlnb.project import Project

SENSORS = [f"s{i}" for i in range(1, 10)]
RNG = np.random.default_rng(11)


def project_of(data: object, types: str | None = None, **options: bool) -> Project:
    project = Project("p", types, **options)
    project.learn(data)
    return project


def prequential(frame: pd.DataFrame) -> evaluate.Ranking:
    """Score each block of 1,000 rows from the state before it, then learn it; the first block is only learned."""
    project = Project("shuttle", types="C,C,C,C,C,C,C,C,C,X")
    project.learn(frame[:1000])
    model = project.build("hba", live=True)
    scores = [project.score_then_learn(model, frame[i : i + 1000]) for i in range(1000, len(frame), 1000)]
    assert project.n == len(frame)
    return evaluate.ranking(np.concatenate(scores), frame["class"].to_numpy()[1000:])


@pytest.mark.data
def test_test_then_train_on_shuttle_in_file_order_finds_the_anomalies(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMLNB_DATA", str(data_dir))
    ranking = prequential(datasets.shuttle())
    assert ranking.n == 48_097
    assert ranking.roc_auc >= 0.985
    assert ranking.average_precision >= 0.93


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_test_then_train_on_generated_data_finds_the_anomalies(seed: int) -> None:
    ranking = prequential(datasets.shuttle_like(rows=10_000, seed=seed))
    assert ranking.roc_auc >= 0.95
    assert ranking.average_precision >= 0.80


def test_contributions_add_up_to_the_score() -> None:
    data = {"x": RNG.normal(size=500), "y": RNG.gamma(2, size=500), "k": RNG.choice(["a", "b"], 500)}
    model = project_of(data, "C,C,T").build("hba")
    contributions = model.contributions(data)
    assert list(contributions.columns) == ["x", "y", "k"]
    np.testing.assert_allclose(contributions.sum(axis=1), model.score_samples(data))
    assert (contributions.to_numpy() >= 0).all()


def test_without_tails_the_score_is_the_logarithm_of_heights() -> None:
    values = np.repeat(np.arange(20.0), [*range(1, 20), 0])  # value k occurs k + 1 times, 19 never
    values = np.append(values, 19.0)
    model = project_of({"x": values}, "C").build("hba", bins=20, tail=0)
    scores = model.score_samples({"x": np.arange(20.0)})
    heights = np.array([*range(1, 20), 1])
    np.testing.assert_allclose(scores, np.log((19 + 1) / (heights + 1)))


def test_farther_out_is_never_less_strange() -> None:
    model = project_of({"x": RNG.normal(size=5000)}, "C").build("hba")
    scores = model.score_samples({"x": np.array([0.0, 3.0, 6.0, 60.0, 1e300])})
    assert (np.diff(scores) >= 0).all()
    assert scores[2] > scores[0] + 4


def test_one_wild_value_in_the_past_does_not_blind_the_model() -> None:
    project = project_of({"x": np.append(RNG.normal(size=5000), 1e9)}, "C")
    scores = project.build("hba").score_samples({"x": [0.0, 8.0]})
    assert scores[1] > scores[0] + 3


def test_rare_and_unknown_categories_are_strange() -> None:
    model = project_of({"k": ["a"] * 90 + ["b"] * 9 + ["c"]}, "T").build("hba")
    scores = model.score_samples({"k": ["a", "b", "c", "never seen"]})
    assert (np.diff(scores) > 0).all()
    np.testing.assert_allclose(scores, np.log(91 / np.array([91, 10, 2, 1])))


def test_missing_inputs_contribute_nothing() -> None:
    model = project_of({"x": RNG.normal(size=100), "y": RNG.normal(size=100)}, "C,C").build("hba")
    full = model.contributions({"x": [5.0], "y": [0.1]})
    assert model.score_samples({"x": [5.0], "y": [None]})[0] == pytest.approx(full["x"][0])
    assert model.score_samples({"x": [5.0]})[0] == pytest.approx(full["x"][0])
    with pytest.raises(ModelError, match="none of the inputs"):
        model.score_samples({"z": [1.0]})


def test_a_snapshot_stays_and_a_live_model_follows() -> None:
    project = project_of({"x": RNG.normal(size=1000)}, "C")
    snapshot, live = project.build("hba"), project.build("hba", live=True)
    before = snapshot.score_samples({"x": [30.0]})[0]
    project.learn({"x": RNG.normal(30, 1, size=5000)})
    assert snapshot.score_samples({"x": [30.0]})[0] == before
    assert live.score_samples({"x": [30.0]})[0] < before / 2
    assert (snapshot.version, live.version, live.n) == (1, 2, 6000)
    assert snapshot.rebuild().score_samples({"x": [30.0]})[0] == live.score_samples({"x": [30.0]})[0]


def test_any_table_or_array_is_scored_alike() -> None:
    data = pd.DataFrame({"x": RNG.normal(size=100), "y": RNG.normal(size=100)})
    model = project_of(data).build("hba", inputs=["y", "x"])
    assert model.feature_names_in_.tolist() == ["y", "x"]
    expected = model.score_samples(data)
    np.testing.assert_array_equal(model.score_samples(data[["y", "x"]].to_numpy()), expected)
    np.testing.assert_array_equal(model.score_samples(data.to_dict("records")), expected)


def test_a_model_comes_back_from_its_state_to_the_bit() -> None:
    data = {"x": RNG.normal(size=300), "k": RNG.choice(["a", "b"], 300)}
    project = project_of(data, "C,T")
    model = project.build("hba", name="m", bins=10)
    again = HistogramAnomaly.from_state(model.state())
    np.testing.assert_array_equal(again.score_samples(data), model.score_samples(data))
    assert (again.version, again.n, again.bins, again.built_at) == (1, 300, 10, model.built_at)
    with pytest.raises(ModelError, match="without its project"):
        again.rebuild()
    assert HistogramAnomaly.from_state(model.state(), project).rebuild().version == 2
    with pytest.raises(StateError, match="damaged"):
        HistogramAnomaly.from_state({**model.state(), "n": 1})


@pytest.mark.parametrize("options", [{"bins": 1}, {"tail": -1}, {"tail": float("nan")}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="at least"):
        project_of({"x": [1.0]}, "C").build("hba", **options)


def test_without_histograms_the_error_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="histogram=True"):
        project_of({"x": [1.0]}, "C", histogram=False).build("hba")


def test_text_can_not_be_an_input_and_the_error_names_its_kind() -> None:
    project = project_of({"x": [1.0], "note": ["free"]}, "C,S")
    with pytest.raises(ModelError, match=r"can't use 'note', which is of kind S \(text\)"):
        project.build("hba", inputs=["note"])
