"""Anomaly detection, test-then-train on Shuttle: ours, river's HalfSpaceTrees and PyOD's HBOS.

Run as ``python -m benchmarks.anomaly``; needs the extra ``bench``. Every detector scores a row before it has learned
it. The first 1,000 rows are learned, not counted. Rows/s are those of scoring and learning together, per second
of processor time in one thread: the others of the machine do not count.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyod.models.hbos import HBOS
from river.anomaly import HalfSpaceTrees
from river.preprocessing import MinMaxScaler

from smlnb import datasets
from smlnb.errors import DataError
from smlnb.evaluate import ranking
from smlnb.project import Project

BLOCK = 1000
Scores = NDArray[np.float64]


def blocks(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Cut the rows after the first block into blocks."""
    for start in range(BLOCK, len(frame), BLOCK):
        yield frame[start : start + BLOCK]


def ours(frame: pd.DataFrame) -> Scores:
    """hba, live: it reads the statistics as they are before each block."""
    project = Project("benchmark", types="C," * (frame.shape[1] - 1) + "C")
    project.learn(frame[:BLOCK])
    model = project.build("hba", live=True)
    return np.concatenate([project.score_then_learn(model, block) for block in blocks(frame)])


def half_space_trees(frame: pd.DataFrame) -> Scores:
    """Half-space trees of river on values scaled to [0, 1] as they come, row by row."""
    scaler, trees = MinMaxScaler(), HalfSpaceTrees(seed=0)
    scores = []
    for row in frame.to_dict("records"):
        scaler.learn_one(row)
        scaled = scaler.transform_one(row)
        scores.append(trees.score_one(scaled))
        trees.learn_one(scaled)
    return np.array(scores[BLOCK:])


def hbos(bins: int | str) -> Callable[[pd.DataFrame], Scores]:
    """PyOD's histograms, fitted anew on all rows so far before each block."""

    def run(frame: pd.DataFrame) -> Scores:
        X = frame.to_numpy()
        starts = range(BLOCK, len(X), BLOCK)
        fits = (HBOS(n_bins=bins).fit(X[:start]) for start in starts)
        return np.concatenate([fit.decision_function(X[i : i + BLOCK]) for i, fit in zip(starts, fits, strict=True)])

    return run


DETECTORS: dict[str, Callable[[pd.DataFrame], Scores]] = {
    "smlnb hba, live": ours,
    "PyOD HBOS(10), refitted every 1,000 rows": hbos(10),
    "PyOD HBOS(auto), refitted every 1,000 rows": hbos("auto"),
    "river MinMaxScaler + HalfSpaceTrees": half_space_trees,
}


def main() -> None:
    """Run every detector and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, help="the first N rows only")
    parser.add_argument("--repeat", type=int, default=3, help="take the median time of N runs (default 3)")
    options = parser.parse_args()
    try:
        frame, name = datasets.shuttle(), "Shuttle"
    except DataError as error:
        frame, name = datasets.shuttle_like(), "synthetic, shuttle_like()"
        print(error)
    frame = frame[: options.rows]
    labels = frame.pop("class").to_numpy()[BLOCK:]
    print(f"{name}: {len(frame):,} rows, {frame.shape[1]} inputs, test-then-train in order\n")
    print("| detector | ROC-AUC | average precision | rows/s | times slower than ours |")
    print("|---|---|---|---|---|")
    base = 0.0
    for detector, run in DETECTORS.items():
        seconds = []
        for _ in range(options.repeat if run is ours else 1):
            started = time.process_time()
            scores = run(frame)
            seconds.append(time.process_time() - started)
        rate = len(frame) / float(np.median(seconds))
        base = base or rate
        quality = ranking(scores, labels)
        figures = f"{quality.roc_auc:.3f} | {quality.average_precision:.3f} | {rate:,.0f} | {base / rate:,.1f}"
        print(f"| {detector} | {figures} |")


if __name__ == "__main__":
    main()
