"""Summaries of frames, and frames to make them of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smlnb.batch import as_record_batch
from smlnb.schema import Schema
from smlnb.stats.table import Table, TableSummary

RTOL = 1e-9


def summary_of(frame: pd.DataFrame, types: str, parts: int = 3, **options: bool) -> TableSummary:
    """Learn a frame in parts, each by a table of its own, and merge them."""
    schema = Schema.of([str(c) for c in frame.columns], types)
    whole = Table(schema, **options)
    for rows in np.array_split(np.arange(len(frame)), parts):
        part = Table(schema, **options)
        if len(rows):
            part.update(as_record_batch(frame.iloc[rows]))
        whole.merge(part)
    return whole.result()


def random_frame(seed: int = 0, rows: int = 300, missing: float = 0.1) -> pd.DataFrame:
    """Columns x, y, z (correlated numbers), flag and sign (0 and 1), kind and size (categories), all with gaps."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])
    flag = (rng.random(rows) < np.where(kind == "a", 0.7, 0.3)).astype(float)
    x = rng.normal(10.0, 2.0, rows) + flag + (kind == "b")
    y = 0.5 * x + rng.normal(3.0, 1.0, rows)
    z = rng.exponential(2.0, rows) - 0.3 * y
    sign = (x + rng.normal(0, 2, rows) > 10).astype(float)
    size = np.where(z > 0, "big", np.where(kind == "a", "small", "tiny"))
    frame = pd.DataFrame({"x": x, "y": y, "z": z, "flag": flag, "sign": sign, "kind": kind, "size": size})
    frame = frame.astype({"kind": object, "size": object})
    return frame.mask(rng.random(frame.shape) < missing)


TYPES = "C,C,C,B,B,T,T"


def random_summary(seed: int = 0, **kwargs: object) -> tuple[pd.DataFrame, TableSummary]:
    """Return a random frame and its summary."""
    frame = random_frame(seed, **kwargs)
    return frame, summary_of(frame, TYPES)


def iris() -> pd.DataFrame:
    """Return the ancestor's table: Iris as UCI has it, with its binary columns and indicators."""
    from sklearn.datasets import load_iris

    data = load_iris()
    values = data.data.copy()
    values[[34, 37]] = (4.9, 3.1, 1.5, 0.1)
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    frame = pd.DataFrame(values, columns=names)
    assert frame.mean().round(4).tolist() == [5.8433, 3.0540, 3.7587, 1.1987]
    for name, limit in zip(["sepal_lengt", *names[1:]], [6, 3, 4, 1], strict=True):
        column = name.replace("sepal_lengt", "sepal_length") if name == "sepal_lengt" else name
        frame[f"{name}_b1"] = (frame[column] < limit).astype(float)
        frame[f"{name}_b2"] = 1 - frame[f"{name}_b1"]
    for code, name in enumerate(["setosa", "versicolor", "virginica"]):
        frame[f"Iris_{name}"] = (data.target == code).astype(float)
    frame["species"] = [f"Iris_{data.target_names[c]}" for c in data.target]
    return frame


IRIS_TYPES = ",".join(["C"] * 4 + ["B"] * 11 + ["T"])
