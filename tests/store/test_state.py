"""What a checkpoint holds is of one moment, though it is packed and written while the project goes on learning."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from smlnb.batch import Batch
from smlnb.packing import pack
from smlnb.project import Project

OPTIONS = (
    {"history": True, "window": "10min", "decay": "1h", "distinct": True},
    {"window": 1_000, "decay": 500},
    {"history": [("1min", 2), ("5min", 2)]},
)


def learn(project: Project, seed: int, rows: int = 1_300) -> None:
    rng = np.random.default_rng(seed)
    columns = {
        "x": rng.normal(size=rows) * 10.0**seed,
        "b": rng.integers(0, 2, rows),
        "t": rng.choice(["a", "b", f"c{seed}"], rows),
        "s": rng.choice(["lorem", "ipsum"], rows),
        "l": [["u", f"v{seed}"]] * rows,
    }
    for partition in range(2):
        start = project.positions.get(("t", partition), 0)
        offsets = np.arange(start, start + rows)
        times = offsets * 20
        project.learn(Batch(pa.record_batch(columns), "t", partition, start, start + rows, offsets, times=times))
    project.learn(columns, times=np.full(rows, seed * 30_000))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_state_stays_as_it_was_taken_while_the_project_goes_on(options) -> None:
    project = Project("p", types="C,B,T,S,L", **options)
    for seed in range(2):
        learn(project, seed)
        state = project.state()
        packed = pack(state)
        learn(project, seed + 10)
        learn(project, seed + 20, rows=5_000)
        project.univariate()
        assert pack(state) == packed
        Project.from_state(state)
