from __future__ import annotations

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.preprocessing import TargetEncoder as Judge

from smlnb.batch import Batch
from smlnb.encoders.hashed import HashEncoder
from smlnb.encoders.onehot import OneHotEncoder
from smlnb.encoders.target import TargetEncoder
from smlnb.errors import ForgetError, MergeError, SchemaError, StateMachineError, UnknownAttributeError
from smlnb.project import Project
from smlnb.shards.shard import BLOCK

RNG = np.random.default_rng(1)
ROWS = 2 * BLOCK
CITY = RNG.choice(["rome", "oslo", "graz"], ROWS)
PRICE = np.where(CITY == "rome", 1.0, 5.0) + RNG.normal(0, 0.1, ROWS)
TYPES = {"city": "S", "price": "C", "tags": "L"}


def batch(start: int, stop: int) -> Batch:
    data = {"city": CITY[start:stop], "price": PRICE[start:stop], "tags": [[c] for c in CITY[start:stop]]}
    return Batch(pa.RecordBatch.from_pydict(data), "t", 0, start, stop, np.arange(start, stop))


def test_each_block_is_encoded_by_those_before_it_and_the_tail_by_all_sealed_ones() -> None:
    project = Project("p", types=TYPES, encoders=[TargetEncoder("city", "price", smoothing=3.0)])
    for start in range(0, ROWS - 500, 500):
        project.learn(batch(start, start + 500))
    judge = Judge(target_type="continuous", smooth=3.0).fit(CITY[:BLOCK, None], PRICE[:BLOCK])
    expected = judge.transform(CITY[BLOCK : ROWS - 500, None])
    table = project.univariate()
    assert table.loc["city~price", "missing"] == BLOCK  # the first block has nothing before it
    assert table.loc["city~price", "count"] == len(expected)
    # scikit-learn smooths with the variance of the target as well
    assert table.loc["city~price", "mean"] == pytest.approx(expected.mean(), rel=1e-3)
    assert project.correlation().loc["price", "city~price"] > 0.99
    assert project.encoders[0].n == BLOCK
    assert project.encoders[0].table()["count"].iloc[:3].sum() == BLOCK


@pytest.mark.parametrize("cuts", [(3, 4_000), (BLOCK - 1, BLOCK + 1), (1, 2)])
def test_cuts_and_crashes_change_no_encoded_bit(cuts: tuple[int, int]) -> None:
    whole, cut = (Project("p", types=TYPES, encoders=[TargetEncoder("city", "price")], quantiles=False) for _ in "ab")
    whole.learn(batch(0, ROWS))
    for stop in (*cuts, ROWS):
        cut = Project.from_state(cut.state())
        cut.rewind({("t", 0): 0})
        cut.learn(batch(cut.positions.get(("t", 0), 0), stop))
    times = ["first_time", "last_time"]  # of the clock, in this test
    pd.testing.assert_frame_equal(
        cut.univariate().drop(columns=times), whole.univariate().drop(columns=times), check_exact=True
    )
    assert cut.encoders[0].state()["sha256"] == whole.encoders[0].state()["sha256"]


def test_a_model_takes_the_encoders_with_it() -> None:
    project = Project("p", types=TYPES, encoders=[OneHotEncoder("tags", ["rome"]), HashEncoder("city", 4)])
    project.learn(batch(0, ROWS))
    model = project.build("hba")
    assert "tags=rome" in model.inputs
    raw = {"city": ["rome", "graz"], "price": [1.0, 5.0], "tags": [["rome"], []]}
    scores = model.score_samples(raw)
    assert np.isfinite(scores).all()
    assert "city#0" in model.contributions(raw).columns
    again = type(model).from_state(model.state())
    np.testing.assert_array_equal(again.score_samples(raw), scores)


def test_an_encoder_can_come_while_data_flow_and_what_was_before_is_missing() -> None:
    project = Project("p", types=TYPES)
    project.learn(batch(0, BLOCK + 100))
    assert project.univariate().loc["price", "count"] == BLOCK + 100
    project.attach(OneHotEncoder("city", ["rome", "oslo"]))
    project.learn(batch(BLOCK + 100, BLOCK + 300))
    table = project.univariate()
    assert table.loc["city=rome", "missing"] == BLOCK
    assert table.loc["city=rome", "mean"] == pytest.approx((CITY[BLOCK : BLOCK + 300] == "rome").mean())
    stored = Project.from_state(project.state())
    stored.learn(batch(BLOCK + 300, BLOCK + 400))
    assert stored.univariate().loc["city=rome", "count"] == 400


def test_raw_attributes_that_come_later_do_not_move_the_encoded_ones() -> None:
    project = Project("p", types={"c": "S"}, encoders=[OneHotEncoder("c", ["a"])])
    project.learn({"c": ["a", "b"]})
    project.learn({"c": ["a", "a"], "x": [10.0, 20.0]})
    table = project.univariate()
    assert table["mean"].to_dict() == {"c=a": 0.75, "x": 15.0}


@pytest.mark.parametrize(
    ("encoder", "error", "match"),
    [
        (HashEncoder("town"), UnknownAttributeError, "town"),
        (TargetEncoder("city", "prise"), UnknownAttributeError, "Did you mean 'price'"),
        (TargetEncoder("id", "price"), SchemaError, "ignores"),
        (HashEncoder("tags", 2), SchemaError, "already"),
    ],
)
def test_what_can_not_be_attached_is_said_and_nothing_changes(encoder: Any, error: Any, match: str) -> None:
    project = Project("p", types={**TYPES, "id": "X"}, encoders=[HashEncoder("tags", 2)])
    project.learn({"city": ["a"], "price": [1.0], "tags": [["a"]], "id": [1]})
    before = project.state()["sha256"]
    with pytest.raises(error, match=match):
        project.attach(encoder)
    assert project.state()["sha256"] == before


def test_data_may_not_bring_what_an_encoder_makes() -> None:
    project = Project("p", types=TYPES, encoders=[HashEncoder("city", 1)])
    with pytest.raises(SchemaError, match="which an encoder makes"):
        project.learn({"city": ["a"], "city#0": [1.0]})


def test_what_a_learning_encoder_made_of_records_can_not_be_told_again() -> None:
    project = Project("p", types=TYPES, encoders=[TargetEncoder("city", "price")])
    project.learn(batch(0, 100))
    with pytest.raises(ForgetError, match="encoders that learn"):
        project.forget({"city": ["rome"], "price": [1.0]})
    fixed = Project("q", types=TYPES, encoders=[OneHotEncoder("city", ["rome"])])
    data = {"city": ["rome", "oslo", "oslo", "rome", "graz"], "price": [1.0, 2.0, 3.0, 4.0, 2.0], "tags": [["a"]] * 5}
    fixed.learn(data)
    fixed.forget({"city": ["rome"], "price": [1.0], "tags": [["a"]]})
    assert fixed.univariate().loc["city=rome", "mean"] == pytest.approx(0.25)


def test_merged_projects_have_merged_encoders() -> None:
    left, right = (Project(n, types=TYPES, encoders=[TargetEncoder("city", "price")]) for n in ("l", "r"))
    left.learn({"city": CITY[:50], "price": PRICE[:50], "tags": [["a"]] * 50})
    right.learn({"city": CITY[50:80], "price": PRICE[50:80], "tags": [[]] * 30})
    total = left + right
    assert (total.encoders[0].n, left.encoders[0].n) == (80, 50)
    with pytest.raises(MergeError, match="encoders make"):
        total.merge(Project("n", types=TYPES))


def test_an_encoder_belongs_to_one_project() -> None:
    kinds = {"city": "S", "price": "C"}
    encoder = TargetEncoder("city", "price")
    project = Project("p", types=kinds, encoders=[encoder])
    for attach in (lambda: Project("q", types=kinds, encoders=[encoder]), lambda: Project("q").attach(encoder)):
        with pytest.raises(SchemaError, match="belongs to another project"):
            attach()
    project.learn({"city": ["rome"], "price": [1.0]})
    other = Project("q", types=kinds, encoders=[encoder.copy()])
    other.learn({"city": ["rome"], "price": [3.0]})
    assert (encoder.n, other.encoders[0].n, (project + Project("r", encoders=[encoder.empty()])).encoders[0].n) == (
        1,
        2,
        1,
    )
    project = Project("p", types=TYPES)  # the first one is gone, as when a cell of a notebook runs again
    gc.collect()
    project.attach(encoder)


@pytest.mark.parametrize("wrong", ["city", None, TargetEncoder, 5])
def test_what_is_no_encoder_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(SchemaError, match="An encoder was wanted"):
        Project("p").attach(wrong)
    with pytest.raises(SchemaError, match="A list of encoders was wanted"):
        Project("p", encoders=HashEncoder("city"))  # type: ignore[arg-type]


def test_a_frozen_project_takes_no_encoder() -> None:
    project = Project("p", types=TYPES)
    project.freeze()
    with pytest.raises(StateMachineError, match="nothing was attached"):
        project.attach(HashEncoder("city"))


def test_a_table_can_be_read_and_edited_while_a_project_learns() -> None:
    encoder = TargetEncoder("city", "price", smoothing=1.0)
    project = Project("p", types={"city": "S", "price": "C"}, encoders=[encoder], quantiles=False, histogram=False)
    values, done = [f"v{i}" for i in range(500)], threading.Event()
    before, failed = sys.getswitchinterval(), []

    def edit() -> None:
        rng = np.random.default_rng(2)
        while not done.is_set():
            value = str(rng.choice(values))
            encoder.edit(value, count=3, mean=1.0)
            encoder.discard(value)

    def look() -> None:
        while not done.is_set():
            table = encoder.table()
            if table["count"].iloc[:-1].sum() != table["count"].iloc[-1]:
                failed.append(table)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor() as pool:
            others = [pool.submit(edit), pool.submit(look)]
            try:
                for _ in range(60):
                    project.learn({"city": RNG.choice(values, 300), "price": RNG.normal(size=300)})
            finally:
                done.set()
            for other in others:
                other.result()
    finally:
        sys.setswitchinterval(before)
    assert not failed
    assert encoder.n == project.n == 18_000
