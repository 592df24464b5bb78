from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.stats.grid import LAST_LEVEL, coarsen, edges, keys_of
from smlnb.stats.histogram import Histogram
from tests.stats.laws import law_settings

RNG = np.random.default_rng(2026)
N = 50_000
SHAPES = {
    "normal": RNG.normal(size=N),
    "sorted": np.sort(RNG.normal(size=N)),
    "reversed": np.sort(RNG.normal(size=N))[::-1],
    "bimodal": np.where(RNG.random(N) < 0.3, RNG.normal(-5, 1, N), RNG.normal(20, 3, N)),
    "heavy tails": RNG.standard_cauchy(N),
    "one outlier": np.append(RNG.normal(size=N - 1), 1e9),
    "integers": RNG.integers(0, 40, N).astype(float),
    "constant": np.full(N, 3.3),
    "far from zero": 1e9 + RNG.normal(size=N),
    "far from zero, tiny spread": 1e6 + 1e-6 * RNG.normal(size=N),
    "growing range": np.cumsum(RNG.exponential(size=N)),
    "tiny": RNG.normal(size=N) * 1e-300,
}
ALL_FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def learned(values: np.ndarray, parts: int = 20, cells: int = 1024) -> Histogram:
    histogram = Histogram(1, cells)
    for part in np.array_split(values, parts):
        histogram.update(part[None, :])
    return histogram


@law_settings
@given(st.lists(ALL_FLOATS, min_size=1), st.integers(0, LAST_LEVEL), st.integers(0, LAST_LEVEL))
def test_every_level_is_a_coarsening_of_every_finer_one(values: list[float], a: int, b: int) -> None:
    x, (fine, coarse) = np.array(values), sorted((a, b))
    assert (coarsen(keys_of(x, fine), fine, coarse) == keys_of(x, coarse)).all()


@law_settings
@given(st.lists(ALL_FLOATS, min_size=1), st.integers(0, LAST_LEVEL))
def test_cells_hold_their_values_and_keys_rise_with_them(values: list[float], level: int) -> None:
    x = np.sort(np.array(values))
    keys = keys_of(x, level)
    low, high = edges(keys, level)
    assert (keys[1:] >= keys[:-1]).all()
    assert ((low <= x) & (x < high)).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_merging_64_parts_in_any_order_gives_the_cells_of_one_pass(shape: str) -> None:
    whole = learned(SHAPES[shape]).result()[0]
    parts = [learned(p, parts=2) for p in np.array_split(RNG.permutation(SHAPES[shape]), 64)]
    total = Histogram(1)
    for i in RNG.permutation(64):
        total.merge(parts[i])
    for name in ("low", "high", "counts"):
        np.testing.assert_array_equal(getattr(total.result()[0], name), getattr(whole, name))


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_bounded_and_every_value_is_in_one(shape: str) -> None:
    cells = learned(SHAPES[shape]).result()[0]
    assert len(cells.counts) <= 1024
    assert cells.total == N


@pytest.mark.parametrize("shape", SHAPES)
def test_quantiles_are_within_half_a_percent_of_the_true_ranks(shape: str) -> None:
    values, q = np.sort(SHAPES[shape]), np.linspace(0.01, 0.99, 99)
    estimate = learned(values).result()[0].quantile(q)
    # a value that occurs often covers an interval of ranks
    below = np.searchsorted(values, estimate - 1e-9 * np.abs(estimate), side="left") / N
    upto = np.searchsorted(values, estimate + 1e-9 * np.abs(estimate), side="right") / N
    assert (np.maximum(below - q, q - upto) <= 0.005).all()


def grids(values: np.ndarray) -> list[np.ndarray]:
    """Bins that people ask for: between the extremes, and of the body."""
    limits = [(values.min(), values.max(), 20), *((*np.quantile(values, [q, 1 - q]), 40) for q in (0.01, 0.05, 0.25))]
    return [np.linspace(*((a, b) if a < b else (a - 0.5, b + 0.5)), bins + 1) for a, b, bins in limits]


@pytest.mark.parametrize("shape", SHAPES)
def test_any_bins_are_within_a_fifth_of_a_percent_of_the_exact_ones(shape: str) -> None:
    cells = learned(SHAPES[shape]).result()[0]
    for bounds in grids(SHAPES[shape]):
        exact = np.histogram(SHAPES[shape], bounds)[0]
        assert np.abs(cells.counts_between(bounds) - exact).max() <= 0.002 * N


@pytest.mark.parametrize("cells", [128, 1024])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_bin_is_wrong_by_no_more_than_the_cells_across_its_edges_hold(shape: str, cells: int) -> None:
    found = learned(SHAPES[shape], cells=cells).result()[0]
    for bounds in grids(SHAPES[shape]):
        exact = np.histogram(SHAPES[shape], bounds)[0]
        last = np.append(bounds[:-1], np.nextafter(bounds[-1], np.inf))  # the last bin holds its upper edge
        across = np.array([found.counts[(found.low < edge) & (edge < found.high)].sum() for edge in last])
        assert (np.abs(found.counts_between(bounds) - exact) <= across[:-1] + across[1:] + 1e-6).all()


def test_sorted_reversed_and_shuffled_the_cells_are_the_same() -> None:
    values = SHAPES["normal"]
    orders = [learned(v).state()["sha256"] for v in (values, np.sort(values), np.sort(values)[::-1])]
    assert len(set(orders)) == 1


@pytest.mark.parametrize("shape", ["integers", "constant"])
def test_few_values_are_counted_exactly_in_any_bins(shape: str) -> None:
    cells = learned(SHAPES[shape]).result()[0]
    for bins in (7, 20, 40):
        counts, bounds = np.histogram(SHAPES[shape], bins)
        np.testing.assert_allclose(cells.counts_between(bounds), counts)


def test_one_outlier_costs_one_cell() -> None:
    plain, spoilt = learned(SHAPES["one outlier"][:-1]), learned(SHAPES["one outlier"])
    assert len(spoilt.result()[0].counts) <= len(plain.result()[0].counts) + 1
    assert spoilt.result()[0].quantile([0.5])[0] == pytest.approx(plain.result()[0].quantile([0.5])[0], abs=0.01)


def test_constant_data_are_one_cell_of_no_width() -> None:
    cells = learned(np.full(1000, 3.3)).result()[0]
    assert cells.counts.tolist() == [1000]
    assert cells.quantile([0.0, 0.5, 1.0]) == pytest.approx(3.3)


@law_settings
@given(st.lists(ALL_FLOATS, min_size=1, max_size=300))
def test_any_finite_numbers_are_counted_within_128_cells(values: list[float]) -> None:
    cells = learned(np.array(values), parts=3, cells=128).result()[0]
    assert cells.total == len(values)
    assert len(cells.counts) <= 128
    assert cells.low[0] == min(values)


def test_what_is_not_finite_is_left_out() -> None:
    histogram = learned(np.array([1.0, np.nan, np.inf, -np.inf, 2.0]), parts=1)
    assert histogram.result()[0].total == 2
    assert histogram.n == 5


def test_the_order_of_zeros_of_either_sign_can_not_be_seen() -> None:
    assert learned(np.array([0.0, -0.0]), 2).state()["sha256"] == learned(np.array([-0.0, 0.0]), 2).state()["sha256"]


def test_wide_tables_with_small_batches_count_as_exactly_as_narrow_ones() -> None:
    values = RNG.normal(size=(60, 400))
    wide = Histogram(60)
    for part in np.array_split(values, 40, axis=1):
        wide.update(part)
    for i in (0, 30, 59):
        np.testing.assert_array_equal(wide.result()[i].counts, learned(values[i]).result()[0].counts)


@pytest.mark.parametrize("rows", [1, 7, 100, 5000])
def test_cells_do_not_depend_on_how_rows_are_cut_nor_on_being_read_on_the_way(rows: int) -> None:
    values = np.stack([RNG.normal(size=20_000), RNG.standard_cauchy(20_000), RNG.integers(0, 9, 20_000)])
    values[1, RNG.random(20_000) < 0.1] = np.nan
    values = values[:, : 20_000 if rows > 1 else 3000]
    one, cut = Histogram(3), Histogram(3)
    one.update(values)
    for start in range(0, values.shape[1], rows):
        cut.update(values[:, start : start + rows])
        if start // rows % 50 == 0:
            cut.result()
    assert cut.state()["sha256"] == one.state()["sha256"]
    cut.merge(one)
    cut.forget(values)
    assert cut.state()["sha256"] == one.state()["sha256"]
