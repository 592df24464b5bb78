from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from smlnb.errors import NotEnoughDataError, UnknownAttributeError
from smlnb.exploration.values import distinct, frequent
from smlnb.project import Project
from smlnb.schema import Schema
from smlnb.stats.table import Table

FRAME = pd.DataFrame(
    {
        "x": [1.5, 2.5, 3.5, 4.5],
        "b": [True, False, True, None],
        "kind": ["a", "b", "a", "a"],
        "note": ["one", "", "three", None],
        "tags": [["p", "q"], [], ["p"], None],
    }
)


@pytest.fixture
def project() -> Project:
    made = Project("p", types={"x": "C", "b": "B", "kind": "T", "note": "S", "tags": "L"})
    made.learn(FRAME[:2])
    made.learn(FRAME[2:])
    return made


def test_distinct_counts_are_exact_while_values_are_few(project: Project) -> None:
    table = project.distinct()
    assert table["distinct"].to_dict() == {"b": 2, "kind": 2, "note": 3}
    assert table["missing"].to_dict() == {"b": 1, "kind": 0, "note": 1}
    assert (table.loc["kind", "top"], table.loc["kind", "top_count"]) == ("a", 3)


def test_frequent_values_come_with_bounds(project: Project) -> None:
    assert project.frequent("kind").values.tolist() == [["a", 3, 3], ["b", 1, 1]]
    with pytest.raises(UnknownAttributeError, match="Did you mean 'kind'"):
        project.frequent("kin")


def test_lengths_of_texts_and_lists_are_described(project: Project) -> None:
    table = project.lengths()
    assert table["max"].to_dict() == {"note": 5.0, "tags": 2.0}
    assert table["empty"].to_dict() == {"note": 1, "tags": 1}


def test_it_comes_back_from_the_state_and_ends_with_forgetting(project: Project) -> None:
    again = Project.from_state(project.state())
    pd.testing.assert_frame_equal(again.distinct(), project.distinct())
    other = Project("q", types={"kind": "T"})
    other.learn({"kind": ["a", "b"]})
    other.forget({"kind": ["a"]})
    with pytest.raises(NotEnoughDataError, match="can't forget"):
        other.distinct()


def test_continuous_attributes_are_counted_where_asked_for_and_otherwise_it_is_said_how(project: Project) -> None:
    assert project.distinct(["note"]).index.tolist() == ["note"]
    for ask in (lambda: project.frequent("x"), lambda: project.distinct(["x"])):
        with pytest.raises(NotEnoughDataError, match=r"'x' are not counted.*distinct=True"):
            ask()
    assert project.frequent("tags").values.tolist() == [["p", 2, 2], ["q", 1, 1]]
    with pytest.raises(UnknownAttributeError, match="Did you mean 'tags'"):
        project.frequent("tag")
    counting = Table(Schema.of(["x"], "C"), distinct=True)
    counting.update(pa.record_batch({"x": [1.5, 2.5, 2.5]}))
    assert distinct(counting.result()).loc["x", ["distinct", "top", "top_count"]].tolist() == [2, "2.5", 2]
    assert frequent(counting.result(), "x").values.tolist() == [["2.5", 2, 2], ["1.5", 1, 1]]
