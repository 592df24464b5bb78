from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.batch import Batch, Refusal
from smlnb.errors import (
    BadRecordsError,
    DuplicateBatchError,
    ForgetError,
    GapError,
    MergeError,
    ModelError,
    NotEnoughDataError,
    SchemaError,
    StateError,
    StateMachineError,
    UnknownAttributeError,
)
from smlnb.exploration.univariate import COLUMNS
from smlnb.project import Project

RNG = np.random.default_rng(5)
FRAME = pd.DataFrame({"x": RNG.normal(size=600), "y": RNG.gamma(2, size=600), "kind": RNG.choice(["a", "b"], 600)})


def batch(
    data: Any, start: int, stop: int | None = None, *, partition: int = 0, refused: tuple[Refusal, ...] = ()
) -> Batch:
    records = pa.RecordBatch.from_pydict(data)
    rows = records.num_rows
    return Batch(
        records, "t", partition, start, start + rows if stop is None else stop, start + np.arange(rows), refused
    )


def test_univariate_has_one_row_per_numeric_attribute_and_agrees_with_pandas() -> None:
    project = Project("p", types="C,C,T")
    project.learn(FRAME)
    table = project.univariate()
    assert tuple(table.columns) == COLUMNS
    assert list(table.index) == ["x", "y"]
    described = FRAME[["x", "y"]].describe().T
    np.testing.assert_allclose(
        table[["mean", "std", "min", "max"]], described[["mean", "std", "min", "max"]], rtol=1e-12
    )
    np.testing.assert_allclose(project.univariate(ddof=0)["variance"], FRAME[["x", "y"]].var(ddof=0), rtol=1e-12)


def test_correlation_histogram_quantiles_and_categories_come_from_one_pass() -> None:
    project = Project("p", types="C,C,T")
    project.learn(FRAME)
    np.testing.assert_allclose(project.correlation(), FRAME[["x", "y"]].corr(), rtol=1e-9)
    assert project.histogram("x", bins=10).counts.sum() == pytest.approx(600)
    assert project.quantile("x", 0.5) == pytest.approx(FRAME["x"].median(), abs=0.1)
    assert project.categories("kind").set_index("value")["count"].to_dict() == FRAME["kind"].value_counts().to_dict()


@given(st.lists(st.integers(0, 600), max_size=6), st.lists(st.integers(0, 3), min_size=7, max_size=7))
@settings(deadline=None, max_examples=25)
def test_partitions_and_cuts_change_no_figure(cuts: list[int], partitions: list[int]) -> None:
    whole, split = Project("p", types="C,C,T"), Project("p", types="C,C,T")
    whole.learn(FRAME)
    for part, partition in zip(np.split(np.arange(600), sorted(cuts)), partitions, strict=False):
        start = split.positions.get(("t", partition), 0)
        split.learn(batch(FRAME.iloc[part].to_dict("list"), start, partition=partition))
    exact = ["count", "missing", "min", "max"]
    assert split.univariate()[exact].equals(whole.univariate()[exact])
    moments = ["mean", "variance", "skewness", "kurtosis"]
    np.testing.assert_allclose(split.univariate()[moments], whole.univariate()[moments], rtol=1e-9)
    np.testing.assert_array_equal(split.histogram("x").counts, whole.histogram("x").counts)


def test_reading_order_of_partitions_does_not_change_a_bit() -> None:
    batches = [batch(FRAME.iloc[i * 100 : i * 100 + 100].to_dict("list"), 0, partition=i) for i in range(6)]
    first, second = Project("p"), Project("p")
    for b in batches:
        first.learn(b)
    for b in reversed(batches):
        second.learn(b)
    pd.testing.assert_frame_equal(
        first.univariate()[["mean", "variance", "kurtosis"]],
        second.univariate()[["mean", "variance", "kurtosis"]],
        check_exact=True,
    )


def test_a_batch_covers_positions_and_holes_in_it_are_no_gaps() -> None:
    project = Project("p")
    project.learn(batch({"x": [1.0, 2.0]}, 10, 15))
    assert project.positions == {("t", 0): 15}
    assert project.has_reached("t", 0, 15)
    assert not project.has_reached("t", 0, 16)
    assert not project.has_reached("t", 1, 0)
    project.learn(batch({"x": [3.0]}, 15, 16))
    assert project.n == 3


def test_a_batch_absorbed_before_is_refused_wholly_and_in_part() -> None:
    project = Project("p")
    project.learn(batch({"x": [1.0, 2.0]}, 10))
    for again in (batch({"x": [1.0, 2.0]}, 10), batch({"x": [2.0, 3.0]}, 11)):
        with pytest.raises(DuplicateBatchError, match=r"t\[0\].* to 11 were already absorbed; the position is 12"):
            project.learn(again)
    assert project.n == 2


def test_a_batch_beyond_the_position_is_a_gap_that_names_the_offsets() -> None:
    project = Project("p")
    project.learn(batch({"x": [1.0, 2.0]}, 10))
    with pytest.raises(GapError, match=r"offsets 12 to 19 were never seen"):
        project.learn(batch({"x": [1.0]}, 20))
    assert project.positions == {("t", 0): 12}


def test_refused_records_move_the_position_and_are_counted() -> None:
    project = Project("p")
    poison = Refusal("t", 0, 1, "decode", "broken")
    project.learn(Batch(pa.record_batch({"x": [1.0]}), "t", 0, 0, 2, np.array([0]), refused=(poison,)))
    project.learn(Batch(pa.RecordBatch.from_pydict({}), "t", 0, 2, 3, np.array([], np.int64), refused=(poison,)))
    assert (project.counts.learned, project.counts.refused) == (1, 2)
    assert project.counts.by_partition == {("t", 0): (1, 2)}
    assert project.positions == {("t", 0): 3}


def test_a_bad_record_teaches_nothing_or_is_refused_alone() -> None:
    project = Project("p", types={"x": "C"})
    with pytest.raises(SchemaError, match=r"t\[0\] offset 1: 'x' is 'up'.*Nothing was learned"):
        project.learn(batch({"x": ["1", "up", "3"]}, 0))
    assert (project.n, project.positions) == (0, {})
    learned = project.learn(batch({"x": ["1", "up", "3"]}, 0), on_bad="refuse")
    assert (learned.rows, [r.offset for r in learned.refused]) == (2, [1])
    assert project.univariate().loc["x", "mean"] == 2.0


def test_what_does_not_fit_is_counted_by_attribute_and_pointed_at() -> None:
    project = Project("p", types={"x": "C", "b": "B", "c": "T"})
    project.learn(batch({"x": [1.0] * 8, "b": [1] * 8, "c": ["a"] * 8}, 0))
    project.learn(batch({"x": ["up", "2", "down"], "b": [1, 7, 0], "c": ["a"] * 3}, 8), on_bad="refuse")
    poison = Refusal("t", 0, 11, "decode", "broken")
    project.learn(Batch(pa.record_batch({"x": [1.0]}), "t", 0, 11, 13, np.array([12]), refused=(poison,)))
    assert project.refused_by_attribute == {"x": 2, "b": 1, "": 1}
    alerts = project.alerts()
    assert set(alerts.loc[alerts["alert"] == "refused", "attribute"]) >= {"x", "b"}
    assert Project.from_state(project.state()).refused_by_attribute == project.refused_by_attribute
    with pytest.raises(BadRecordsError, match="'b' is 3, which is no 0 or 1, true or false"):
        project.learn({"b": [3]})


def test_binary_attributes_take_only_zero_and_one() -> None:
    project = Project("p", types="B")
    with pytest.raises(SchemaError, match=r"'b' is 2.0"):
        project.learn({"b": [0.0, 1.0, 2.0]})


def test_new_columns_grow_the_state_and_vanished_ones_count_as_missing() -> None:
    project = Project("p", types="C")
    project.learn({"x": [1.0, 2.0]})
    project.learn({"x": [3.0], "y": [7.5], "kind": ["a"]})
    project.learn({"y": [8.5]})
    table = project.univariate()
    assert table["count"].to_dict() == {"x": 3, "y": 2}
    assert table["missing"].to_dict() == {"x": 1, "y": 2}
    assert project.schema.letters == "C,C,S"


def test_ignored_columns_may_hold_anything() -> None:
    project = Project("p", types="C,X")
    project.learn({"x": [1.0, 2.0], "id": ["a", "b"]})
    project.learn({"x": [1.0], "id": [[1, 2]]})
    assert project.n == 3


def test_arrays_take_the_names_of_the_project() -> None:
    project = Project("p", types="C,C", columns=["a", "b"])
    project.learn(np.eye(2))
    assert project.univariate()["mean"].to_dict() == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: p.histogram("z"), UnknownAttributeError, "no attribute 'z'"),
        (lambda p: p.quantile("x", 2), SchemaError, "between 0 and 1"),
        (lambda p: p.histogram("x", bins=0), SchemaError, "at least one bin"),
        (lambda p: p.histogram("x", range=(2, 1)), SchemaError, "no range"),
        (lambda p: p.univariate(["x", "q"]), UnknownAttributeError, "no attribute 'q'"),
        (lambda p: p.build("hbb"), ModelError, "Did you mean 'hba'"),
        (lambda p: p.build("hba", inputs=["nope"]), UnknownAttributeError, "no attribute 'nope'"),
        (lambda p: p.build("hba", inputs=[]), ModelError, "no inputs"),
    ],
)
def test_wrong_questions_get_clear_answers(call: Any, error: type[Exception], message: str) -> None:
    project = Project("p", types="C")
    project.learn({"x": [1.0, 2.0]})
    with pytest.raises(error, match=message):
        call(project)


def test_before_any_data_there_is_no_model_and_no_histogram_but_an_empty_table() -> None:
    project = Project("p", types="C", columns=["x"])
    with pytest.raises(NotEnoughDataError, match="has learned nothing yet"):
        project.build("hba")
    with pytest.raises(NotEnoughDataError, match="no values yet"):
        project.histogram("x")
    assert project.univariate().loc["x", "count"] == 0
    assert Project("q").univariate().empty


def test_a_model_name_is_used_once() -> None:
    project = Project("p", types="C")
    project.learn({"x": [1.0, 2.0]})
    assert project.build("hba").name == "hba1"
    assert project.build("hba").name == "hba2"
    with pytest.raises(ModelError, match="already has a model 'hba1'"):
        project.build("hba", name="hba1")


def test_merged_projects_have_learned_both() -> None:
    left, right, whole = (Project(n, types="C,C,T") for n in ("l", "r", "w"))
    left.learn(FRAME[:200])
    right.learn(batch(FRAME[200:].to_dict("list"), 40))
    whole.learn(FRAME)
    left.merge(right)
    assert left.positions == {("t", 0): 440}
    np.testing.assert_allclose(left.univariate()["variance"], whole.univariate()["variance"], rtol=1e-12)
    assert right.n == 400
    with pytest.raises(MergeError, match=r"both read t\[0\]"):
        left.merge(right)
    with pytest.raises(MergeError, match="histogram=True"):
        left.merge(Project("x", histogram=False))


def test_a_project_comes_back_from_its_state_and_goes_on_where_it_was() -> None:
    project = Project("p", types="C,C,T")
    project.learn(batch(FRAME[:300].to_dict("list"), 5))
    again = Project.from_state(project.state())
    pd.testing.assert_frame_equal(again.univariate(), project.univariate(), check_exact=True)
    assert (again.positions, again.id) == (project.positions, project.id)
    for p in (project, again):
        p.learn(batch(FRAME[300:].to_dict("list"), 305))
    exact = ["count", "mean", "variance", "skewness", "kurtosis", "min", "max"]
    pd.testing.assert_frame_equal(again.univariate()[exact], project.univariate()[exact], check_exact=True)


def test_a_changed_state_is_refused() -> None:
    project = Project("p", types="C")
    project.learn({"x": [1.0]})
    with pytest.raises(StateError, match="damaged"):
        Project.from_state({**project.state(), "name": "q"})
    with pytest.raises(StateError, match="no stored project"):
        Project.from_state({"kind": "Other"})


def test_reading_while_another_thread_learns_sees_whole_batches_only() -> None:
    project = Project("p", types="C")
    seen: list[int] = []
    done = threading.Event()

    def learn() -> None:
        for i in range(200):
            project.learn(batch({"x": [1.0] * 50}, i * 50))
        done.set()

    thread = threading.Thread(target=learn)
    thread.start()
    while not done.is_set():
        table = project.univariate()
        seen.append(int(table["count"].sum()) if len(table) else 0)
    thread.join()
    assert all(count % 50 == 0 for count in seen)
    assert seen == sorted(seen)
    assert project.n == 10_000


def test_names_from_data_are_escaped_in_html() -> None:
    project = Project("<b>", types="C")
    project.learn({"<img src=x onerror=alert(1)>": [1.0]})
    assert "<img" not in project._repr_html_()
    assert "<b><b>" not in project._repr_html_()
    assert "<img" not in project.build("hba", name="<i>")._repr_html_()


def test_a_row_filter_leaves_records_out_and_counts_them() -> None:
    project = Project("p", types={"x": "C"}, row_filter="x >= 1 and kind == 'a'")
    learned = project.learn(batch({"x": [0.5, 1.0, 2.0, 3.0], "kind": ["a", "a", "b", "a"]}, 7))
    assert (learned.rows, learned.filtered) == (2, 2)
    assert project.univariate().loc["x", "mean"] == 2.0
    assert (project.counts.learned, project.counts.filtered) == (2, 2)
    assert project.positions == {("t", 0): 11}
    with pytest.raises(UnknownAttributeError, match="Did you mean 'kind'"):
        Project("q", row_filter="kimd == 'a'").learn({"kind": ["a"]})


def test_a_bad_record_behind_a_filter_is_named_by_its_own_offset() -> None:
    project = Project("p", types={"x": "C", "k": "X"}, row_filter="k == 'a'")
    learned = project.learn(batch({"x": ["1", "2", "up"], "k": ["a", "b", "a"]}, 5), on_bad="refuse")
    assert [r.offset for r in learned.refused] == [7]
    assert (learned.rows, learned.filtered) == (1, 1)


def test_learning_that_fails_leaves_nothing_behind() -> None:
    project = Project("p", types={"x": "C", "y": "C"}, columns=None)
    project.learn({"x": [1.0], "y": [1.0]})
    before = project.state()["sha256"]
    with pytest.raises(SchemaError, match="'x' is 'up'"):
        project.learn({"x": ["up"], "new": [1.0]})
    assert project.state()["sha256"] == before


def test_a_frozen_project_learns_nothing_until_it_is_unfrozen() -> None:
    project = Project("p")
    project.freeze()
    with pytest.raises(StateMachineError, match="frozen: nothing was learned"):
        project.learn({"x": [1.0]})
    with pytest.raises(StateMachineError, match="frozen: nothing was merged"):
        project.merge(Project("q"))
    assert Project.from_state(project.state()).frozen
    project.unfreeze()
    assert project.learn({"x": [1.0]}).rows == 1


def test_the_sum_of_projects_is_a_new_one_that_has_learned_both() -> None:
    left, right = Project("l", types="C,C,T"), Project("r", types="C,C,T")
    left.learn(FRAME[:100])
    right.learn(FRAME[100:])
    total = left + right
    assert (total.name, total.n, left.n, right.n) == ("l+r", 600, 100, 500)
    np.testing.assert_allclose(total.univariate()["mean"], FRAME[["x", "y"]].mean())


def test_the_log_tells_what_came_from_where() -> None:
    project = Project("p", row_filter="x > 0")
    project.learn({"x": [1.0, -1.0]})
    project.learn(batch({"x": [1.0, 2.0]}, 0))
    project.learn(batch({"x": [3.0]}, 2))
    log = project.log().set_index(["source", "action"])
    assert log["rows"].to_dict() == {("direct", "learned"): 1, ("direct", "filtered"): 1, ("t[0]", "learned"): 3}
    assert log["times"]["t[0]", "learned"] == 2


def test_an_exported_file_comes_back_to_the_bit_and_damage_is_refused(tmp_path: Path) -> None:
    project = Project("p", types="C,C,T")
    project.learn(FRAME)
    file = tmp_path / "p.smlnb"
    project.export(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Project.load(file).state()["sha256"] == project.state()["sha256"]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(StateError, match="damaged"):
        Project.load(file)
    file.write_bytes(b"something else")
    with pytest.raises(StateError, match="no file that smlnb has exported"):
        Project.load(file)


def test_forgotten_records_are_as_if_they_had_never_been_learned_but_for_what_can_not_know() -> None:
    project, expected = Project("p", types="C,C,T"), Project("q", types="C,C,T")
    for p in (project, expected):
        p.learn(FRAME[:400])
    project.learn(batch(FRAME[400:].to_dict("list"), 0))
    assert project.forget(FRAME[400:], place=("t", 0)) == 200
    ours, theirs = project.univariate(), expected.univariate()
    close = ["count", "missing", "mean", "variance", "skewness", "kurtosis"]
    np.testing.assert_allclose(ours[close], theirs[close], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(project.correlation(), expected.correlation(), rtol=1e-9)
    assert ours["median"].to_numpy() == pytest.approx(theirs["median"].to_numpy(), abs=0.1)
    assert project.positions == {("t", 0): 200}
    assert (project.n, project.counts.forgotten) == (400, 200)
    assert project.categories("kind").equals(expected.categories("kind"))
    assert Project.from_state(project.state()).counts.forgotten == 200


def test_what_was_not_learned_can_not_be_forgotten_and_nothing_changes() -> None:
    project = Project("p", types="C,C,T")
    project.learn(FRAME[:400])
    before = project.state()["sha256"]
    with pytest.raises(ForgetError, match="not learned here"):
        project.forget(FRAME[390:410])
    with pytest.raises(ForgetError, match=r"from t\[0\].*none"):
        project.forget(FRAME[:10], place=("t", 0))
    assert project.state()["sha256"] == before


@pytest.mark.parametrize(
    ("letter", "strange"),
    [("T", [["a"], ["b"]]), ("T", [{"k": 1}, {"k": 2}]), ("S", [[1], [2]]), ("L", ["a", "b"]), ("T", [b"\xff", b"a"])],
)
def test_values_of_another_kind_are_refused_before_any_statistic_has_seen_them(letter: str, strange: list[Any]) -> None:
    project = Project("p", types={"x": "C", "c": letter})
    good = ["p", "q"] if letter != "L" else [["p"], ["q"]]
    project.learn(batch({"x": [1.0, 2.0], "c": good}, 0))
    before = project.state()["sha256"]
    with pytest.raises(BadRecordsError, match=r"t\[0\] offset 2: 'c' is"):
        project.learn(batch({"x": [3.0, 4.0], "c": strange}, 2))
    assert project.state()["sha256"] == before
    learned = project.learn(batch({"x": [3.0, 4.0], "c": strange}, 2), on_bad="refuse")
    assert (learned.rows, len(learned.refused), project.positions["t", 0]) == (0, 2, 4)


def test_merging_with_a_project_that_has_only_refused_records_keeps_both_readable() -> None:
    poison = Refusal("u", 0, 0, "decode", "broken")
    refused = Project("r")
    refused.learn(Batch(pa.RecordBatch.from_pydict({}), "u", 0, 0, 1, np.array([], np.int64), refused=(poison,)))
    for left, right in [(Project("a"), refused), (refused + Project("n"), Project("b"))]:
        data = left if left.name == "a" else right
        data.learn(batch({"x": [1.0, 2.0]}, 0))
        left.merge(right)
        assert left.univariate().loc["x", "count"] == 2
        assert left.counts.refused == 1


def test_a_project_can_not_be_merged_with_itself() -> None:
    project = Project("p")
    with pytest.raises(MergeError, match="count twice"):
        project.merge(project)


@pytest.mark.parametrize("data", [{"x": 3.0}, {"x": [2**63 + 1]}, {"x": [object()]}])
def test_what_makes_no_column_is_refused_in_words(data: Any) -> None:
    with pytest.raises(SchemaError):
        Project("p", types={"x": "C"}).learn(data)


def test_models_refresh_while_another_thread_scores_and_learns_and_belong_to_their_positions() -> None:
    project = Project("p", types="C")
    project.learn(batch({"x": [0.0, 1.0]}, 0))
    model = project.build("hba", live=True)
    failures: list[str] = []

    def score() -> None:
        for _ in range(300):
            model.score_samples({"x": [0.5]})
            model.rebuild()

    def learn() -> None:
        for i in range(150):
            project.score_then_learn(model, batch({"x": [0.0, 1.0]}, 2 + 2 * i))

    threads = [threading.Thread(target=target, daemon=True) for target in (score, learn)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            failures.append("two threads wait for each other")
    assert failures == []
    with project.reading():
        model.rebuild()
        assert model.positions == {("t", 0): model.n}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonsense": 1}, "no option 'nonsense'. Its options are: bins, tail"),
        ({"bins": "a"}, "at least 2 bins"),
        ({"inputs": "x"}, "give a list"),
    ],
)
def test_options_that_an_algorithm_does_not_have_are_named(options: dict[str, Any], message: str) -> None:
    project = Project("p", types="C")
    project.learn({"x": [1.0, 2.0]})
    with pytest.raises(ModelError, match=message):
        project.build("hba", **options)


def test_letters_can_be_taken_back_until_there_are_attributes() -> None:
    project = Project("p", types="C,C,X")
    with pytest.raises(SchemaError):
        project.learn({"x": [1.0], "y": [2.0]})
    project.guess_types()
    project.learn({"x": [0.5, 1.5], "y": ["a", "a"]})
    letters = project.schema.letters
    project.guess_types()
    assert (project.n, project.schema.letters) == (2, letters)
