"""Sketches keep their promised bounds: a share of seeded runs within them that a binomial test can't call less.

30 runs of each shape in an ordinary run; ``SMLNB_SKETCH_RUNS=1000`` makes 1,000, in about two minutes. The data are seeded,
the random choices of KLL and ReqSketch are their own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from smlnb.stats.base import Accumulator
from smlnb.stats.distinct import Distinct
from smlnb.stats.frequent import FrequentItems
from smlnb.stats.quantiles import Quantiles
from smlnb.stats.scores import ScoreQuantiles

RUNS = int(os.environ.get("SMLNB_SKETCH_RUNS", "30"))
ROWS = 20_000
RANKS = np.array([0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99])
PARTS = 16
Shape = Callable[[np.random.Generator], np.ndarray]


def zoom(rng: np.random.Generator) -> np.ndarray:
    """From both ends towards the middle, as the sketch sees ever finer detail."""
    ordered = np.sort(rng.normal(size=ROWS))
    return np.column_stack([ordered[: ROWS // 2], ordered[: ROWS // 2 - 1 : -1]]).ravel()


SHAPES: dict[str, Shape] = {
    "sorted": lambda rng: np.sort(rng.normal(size=ROWS)),
    "reversed": lambda rng: np.sort(rng.normal(size=ROWS))[::-1],
    "constant": lambda rng: np.full(ROWS, rng.normal()),
    "bimodal": lambda rng: np.where(rng.random(ROWS) < 0.3, rng.normal(-5, 1, ROWS), rng.normal(20, 3, ROWS)),
    "heavy tail": lambda rng: rng.standard_cauchy(ROWS),
    "zoom in": zoom,
    "zoom out": lambda rng: zoom(rng)[::-1],
}


def assert_share(hits: int, tries: int, promised: float, what: str) -> None:
    """Fail where so few hits have a probability below 1 in 10,000 if the promise is kept."""
    p = stats.binomtest(hits, tries, promised, alternative="less").pvalue
    assert p > 1e-4, f"{what}: {hits} of {tries} runs within the bound, {promised:.1%} promised (p = {p:.1g})"


def rank_errors(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """How far the asked ranks are outside of the interval of ranks that each value really has."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, quantiles, side="left") / len(values)
    upto = np.searchsorted(ordered, quantiles, side="right") / len(values)
    return np.maximum(np.maximum(below - RANKS, RANKS - upto), 0.0)


def absorbed(make: Callable[[], Any], values: np.ndarray, rng: np.random.Generator, way: str) -> Any:
    """Return a sketch of all values, or of parts, merged in a random tree."""
    forest: list[Accumulator] = []
    for part in np.array_split(values, 1 if way == "one pass" else PARTS):
        sketch = make()
        sketch.update(part[None, :])
        forest.append(sketch)
    while len(forest) > 1:
        one, other = sorted(rng.choice(len(forest), 2, replace=False))
        forest[one].merge(forest.pop(other))
    return forest[0]


@pytest.mark.parametrize("way", ["one pass", "merged in a random tree"])
@pytest.mark.parametrize("shape", SHAPES)
def test_ranks_of_kll_are_within_the_promised_error_in_99_percent_of_the_questions(shape: str, way: str) -> None:
    hits = bounded = 0
    for seed in range(RUNS):
        rng = np.random.default_rng([seed, 1])
        values = SHAPES[shape](rng)
        sketch = absorbed(lambda: Quantiles(1), values, rng, way)
        found = sketch.result()
        # the promise is for one rank; a run asks for one, chosen at random, so that runs are independent
        asked = int(rng.integers(len(RANKS)))
        hits += int(rank_errors(values, found.quantile(0, RANKS))[asked] <= found.rank_error(0))
        truth = np.quantile(values, RANKS[asked], method="inverted_cdf")
        (low,), (high,) = found.bounds(0, RANKS[asked])
        bounded += int(low <= truth <= high)
        (kept,) = sketch._sketches
        assert (kept.get_min_value(), kept.get_max_value(), kept.n) == (values.min(), values.max(), ROWS)
    assert_share(hits, RUNS, 0.99, f"KLL, {shape}, {way}")
    assert_share(bounded, RUNS, 0.99, f"bounds of KLL, {shape}, {way}")


@pytest.mark.parametrize(("k", "most_bytes"), [(12, 8_000), (50, 20_000)])
@pytest.mark.parametrize("way", ["one pass", "merged in a random tree"])
@pytest.mark.parametrize("shape", SHAPES)
def test_ranks_of_scores_are_within_three_deviations(shape: str, way: str, k: int, most_bytes: int) -> None:
    hits = 0
    for seed in range(RUNS):
        rng = np.random.default_rng([seed, 2])
        values = SHAPES[shape](rng).astype(np.float32).astype(float)
        scores = absorbed(lambda: ScoreQuantiles(k), values, rng, way)
        rank = float(rng.choice([0.5, 0.9, 0.95, 0.98, 0.99, 0.999]))
        found = scores.result([rank])
        truth = np.quantile(values, rank, method="inverted_cdf")
        hits += int(found.low[0] <= truth <= found.high[0])
        kept = scores._sketch
        assert (kept.get_min_value(), kept.get_max_value(), kept.n) == (values.min(), values.max(), ROWS)
        assert len(kept.serialize()) <= most_bytes
    assert_share(hits, RUNS, 0.99, f"ReqSketch, k={k}, {shape}, {way}")


@pytest.mark.parametrize("different", [10, 500, 5_000, 20_000])
@pytest.mark.parametrize(("confidence", "promised"), [(0.95, 0.95), (0.997, 0.99)])
def test_distinct_counts_are_within_their_bounds(different: int, confidence: float, promised: float) -> None:
    hits = 0
    for seed in range(RUNS):
        rng = np.random.default_rng([seed, 3])
        values = rng.random(different)
        distinct = Distinct(1)
        for part in np.array_split(values, 4):
            other = Distinct(1)
            other.update([pa.array(part)])
            distinct.merge(other)
        (found,) = distinct.result(confidence)
        hits += int(found.low <= different <= found.high)
    assert_share(hits, RUNS, promised, f"CPC, {different} values, {confidence:.1%}")


ITEMS: dict[str, Shape] = {
    "zipf": lambda rng: rng.zipf(1.2, ROWS).clip(max=10**6),
    "all different": lambda rng: rng.permutation(ROWS),
    "constant": lambda _: np.ones(ROWS),
    "sorted": lambda rng: np.sort(rng.zipf(1.2, ROWS).clip(max=10**6)),
    "frequent ones last": lambda rng: np.sort(rng.zipf(1.2, ROWS).clip(max=10**6))[::-1],
    "drifting": lambda rng: rng.integers(0, 50, ROWS) + np.arange(ROWS) // 100,
}


@pytest.mark.parametrize("shape", ITEMS)
def test_bounds_of_frequent_items_hold_always(shape: str) -> None:
    for seed in range(max(3, RUNS // 10)):
        rng = np.random.default_rng([seed, 4])
        texts = [str(int(v)) for v in ITEMS[shape](rng)]
        truth = Counter(texts)
        frequent = FrequentItems(1, lg_size=7)
        for part in np.array_split(np.arange(ROWS), PARTS):
            one = FrequentItems(1, lg_size=7)
            one.update([pa.array(texts[part[0] : part[-1] + 1])])
            frequent.merge(one)
        (found,) = frequent.result()
        assert found.error <= 3.5 / 2**7 * ROWS
        for value, low, high in zip(found.values, found.low, found.high, strict=True):
            assert low <= truth[value] <= high
        listed = set(found.values)
        assert all(value in listed for value, count in truth.items() if count > found.error)


def test_the_judge_finds_a_broken_promise() -> None:
    with pytest.raises(AssertionError, match="90 of 100 runs within the bound"):
        assert_share(90, 100, 0.99, "what")
    assert_share(97, 100, 0.99, "what")
