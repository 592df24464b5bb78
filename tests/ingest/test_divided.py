from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb import Batch, Project
from smlnb.errors import BadRecordsError
from smlnb.ingest.divided import Divided


def batch(topic, partition, values, start=0):
    data = pa.record_batch({"x": pa.array(values)})
    return Batch(data, topic, partition, start, start + len(values), np.arange(start, start + len(values)))


@given(st.integers(1, 4), st.integers(1, 9))
def test_every_partition_is_learned_by_one_project_and_together_they_are_one(count, partitions):
    parts, whole = [Project(f"p{i}", types="C") for i in range(count)], Project("whole", types="C")
    divided = Divided(parts)
    for partition in range(partitions):
        divided.learn(batch("t", partition, [float(partition), 1.0]))
        whole.learn(batch("t", partition, [float(partition), 1.0]))
    assert divided.positions == whole.positions
    assert sum(p.n for p in parts) == whole.n
    assert all(place[1] % count == i for i, p in enumerate(parts) for place in p.positions)
    assert divided.strangers() == {}


def test_a_project_that_has_learned_a_partition_of_another_is_named():
    one, two = Project("one", types="C"), Project("two", types="C")
    Divided([one]).learn(batch("t", 1, [1.0]))
    assert Divided([one, two]).strangers() == {"one": [("t", 1)]}
    assert Divided([one, one]).strangers() == {}


def test_bad_records_are_treated_as_the_project_would():
    divided = Divided([Project("one", types={"x": "C"})])
    assert divided.name == "one"
    with pytest.raises(BadRecordsError):
        divided.learn(batch("t", 0, ["text"]))
    assert len(divided.learn(batch("t", 0, ["text"]), on_bad="refuse").refused) == 1
