"""What must be the same after everything that happened: counts, bits, and the ranks of sketches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.chaos.topics import TYPES, Truth
from smlnb import Project
from smlnb.stats.base import digest_of

__all__ = ["digest", "problems"]

SKETCHES = {"Quantiles", "FrequentItems"}  # randomised
NUMBERS = [name for name, letter in TYPES.items() if letter == "C"]
RANKS = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
BOUND = 0.0133  # of KLL with k = 200, at 99 % confidence
CERTAIN = 2.0  # bounds that no rank is allowed to be off by, of some hundred that are looked at


def digest(project: Project) -> str:
    """Return the digest over all sealed statistics but sketches, and over all counts, of each partition."""
    shards = [[*place, {k: v for k, v in shard.items() if k != "tail"}] for *place, shard in project.state()["shards"]]
    return digest_of(_without_sketches(shards))


def _without_sketches(value: Any) -> Any:
    """Leave out randomised states, and the digests of what they are in."""
    if isinstance(value, dict):
        if value.get("kind") in SKETCHES:
            return {"kind": value["kind"], "n": value["payload"]["n"]}
        return {k: _without_sketches(v) for k, v in value.items() if k != "sha256"}
    if isinstance(value, list | tuple):
        return [_without_sketches(each) for each in value]
    return value


def problems(project: Project, undisturbed: Project, truth: Truth, topic: str) -> list[str]:
    """Return what is wrong with a project that was disturbed; nothing, if all is well."""
    return list(_problems(project, undisturbed, truth, topic))


def _problems(project: Project, undisturbed: Project, truth: Truth, topic: str) -> Iterator[str]:
    for name, one in (("disturbed", project), ("undisturbed", undisturbed)):
        counts = one.counts
        for partition, end in truth.ends.items():
            wanted = (truth.learned.get(partition, 0), truth.refused.get(partition, 0))
            found = counts.by_partition.get((topic, partition), (0, 0))
            if found != wanted:
                yield f"{name}: partition {partition} has (learned, refused) = {found}; the topic has {wanted}"
            if one.positions.get((topic, partition), 0) != end:
                yield f"{name}: partition {partition} ends at {end}, not {one.positions.get((topic, partition))}"
    if digest(project) != digest(undisturbed):
        yield "the sealed statistics differ in their bits"
    ours, theirs = project.univariate(), undisturbed.univariate()
    exact = ["count", "missing", "min", "max"]
    if not ours[exact].equals(theirs[exact]):
        yield f"counts, minima or maxima differ: {ours[exact].compare(theirs[exact]).to_dict()}"
    numeric = ours[["mean", "variance"]].to_numpy(float), theirs[["mean", "variance"]].to_numpy(float)
    if not np.allclose(*numeric, rtol=1e-9, equal_nan=True):
        yield "means or variances differ by more than rounding"
    yield from _wrong_ranks(ours, project, undisturbed)


def _wrong_ranks(table: pd.DataFrame, project: Project, undisturbed: Project) -> Iterator[str]:
    """Compare the quantiles of a disturbed sketch with ranks in the exact histogram of the other."""
    for name in NUMBERS:
        if not undisturbed.options.quantiles or not table.loc[name, "count"]:
            continue
        values = np.asarray(project.quantile(name, RANKS), float)
        ends = table.loc[name, ["min", "max"]].to_numpy(float)
        if not ((values >= ends[0]) & (values <= ends[1])).all():
            yield f"quantiles of {name!r} lie beyond its extremes"
        off = np.abs(_ranks(undisturbed, name, values) - RANKS).max()
        if off > CERTAIN * BOUND:
            yield f"a quantile of {name!r} is off by {off:.2%} of the ranks"


def _ranks(project: Project, name: str, values: np.ndarray) -> np.ndarray:
    histogram = project.histogram(name, bins=1_000)
    counts, edges = np.asarray(histogram.counts, float), np.asarray(histogram.edges, float)
    below = np.concatenate([[0.0], np.cumsum(counts)])
    return np.interp(values, edges, below / below[-1])
