"""Digits on the NIST StRD sets, however the values are divided and merged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from smlnb.stats.comoments import CoMoments
from smlnb.stats.moments import Moments
from tests.stats import nist

# The bars: worst over random partitions of a batch-and-merge prototype, rounded down; float64 itself allows little more.
SD_BARS = {
    "Lew": 14.5,
    "Lottery": 14.5,
    "Mavro": 12.0,
    "Michelso": 12.0,
    "NumAcc1": 16.0,
    "NumAcc2": 14.5,
    "NumAcc3": 9.3,
    "NumAcc4": 8.1,
    "PiDigits": 14.5,
}
F_BARS = {
    "SiRstv": 11.7,
    **dict.fromkeys(["SmLs01", "SmLs02", "SmLs03"], 14.5),
    **dict.fromkeys(["SmLs04", "SmLs05", "SmLs06"], 8.8),
    **dict.fromkeys(["SmLs07", "SmLs08", "SmLs09"], 2.8),
    "AtmWtAg": 8.8,
}
ORDERS = int(os.environ.get("SMLNB_NIST_ORDERS", "20"))  # 200 for the full proof


def merged_at_random(values: list[float], rng: np.random.Generator) -> tuple[Moments, CoMoments]:
    """Cut shuffled values at random places and merge the parts as a random tree."""
    shuffled = rng.permutation(values)
    cuts = np.sort(rng.integers(0, len(values) + 1, size=rng.integers(0, 12)))
    moments, pairs = [], []
    for part in np.split(shuffled, cuts):
        moments.append(Moments(1))
        moments[-1].update(part[None, :])
        pairs.append(CoMoments(1))
        pairs[-1].update(part[None, :])
    while len(moments) > 1:
        i = int(rng.integers(len(moments) - 1))
        moments[i].merge(moments.pop(i + 1))
        pairs[i].merge(pairs.pop(i + 1))
    return moments[0], pairs[0]


def check_univariate(name: str, values: list[float], mean: float, sd: float) -> None:
    rng = np.random.default_rng(2026)
    for _ in range(ORDERS):
        moments, pairs = merged_at_random(values, rng)
        summary = moments.result()
        assert nist.correct_digits(summary.mean[0], mean) >= 15
        assert nist.correct_digits(summary.std()[0], sd) >= SD_BARS[name]
        assert nist.correct_digits(np.sqrt(pairs.result().covariance()[0, 0]), sd) >= SD_BARS[name]


def check_anova(name: str, groups: list[list[float]], certified_f: float) -> None:
    parts = []
    for group in groups:
        parts.append(Moments(1))
        parts[-1].update(np.array([group]))
    within = sum(p.result().m2[0] for p in parts)
    total = parts[0].empty()
    for part in parts:
        total.merge(part)
    between = total.result().m2[0] - within  # what the merges added
    n = sum(len(g) for g in groups)
    f = (between / (len(groups) - 1)) / (within / (n - len(groups)))
    assert nist.correct_digits(f, certified_f) >= F_BARS[name]


@pytest.mark.parametrize("name", nist.NUMACC)
def test_mean_and_sd_of_the_numacc_sets_keep_their_digits_in_any_order_of_merging(name: str) -> None:
    check_univariate(name, *nist.NUMACC[name])


def test_mean_and_sd_of_pi_digits_keep_their_digits_in_any_order_of_merging() -> None:
    check_univariate("PiDigits", *nist.pi_digits())


@pytest.mark.data
def test_mean_and_sd_of_the_measured_sets_keep_their_digits_in_any_order_of_merging(data_dir: Path) -> None:
    sets = nist.univariate(data_dir)
    assert {"Lew", "Lottery", "Mavro", "Michelso"} <= set(sets)
    for name, values in sets.items():
        check_univariate(name, *values)


@pytest.mark.parametrize("name", nist.smls())
def test_f_of_the_simulated_anova_sets_comes_from_merging_one_accumulator_per_treatment(name: str) -> None:
    check_anova(name, *nist.smls()[name])


@pytest.mark.data
def test_f_of_the_measured_anova_sets_comes_from_merging_one_accumulator_per_treatment(data_dir: Path) -> None:
    sets = nist.anova(data_dir)
    assert {"SiRstv", "AtmWtAg"} <= set(sets)
    for name, groups in sets.items():
        check_anova(name, *groups)
