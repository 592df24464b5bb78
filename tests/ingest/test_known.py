from __future__ import annotations

from smlnb import Project
from smlnb.ingest.divided import Divided
from smlnb.ingest.known import Known


def test_the_names_are_those_that_there_are_when_somebody_looks():
    one, two = Project("one"), Project("two")
    alone, both = Known(one), Known(Divided([one, two, one]))
    assert (list(alone), list(both), len(both), "x" in both) == ([], [], 0, False)
    one.learn({"x": [1.0], "y": [1.0]})
    two.learn({"x": [1.0], "z": [1.0]})
    assert list(alone) == ["x", "y"]
    assert (list(both), len(both), "z" in both, "z" in alone) == (["x", "y", "z"], 3, True, False)
