from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.stats.grid import LAST_LEVEL, coarsen, keys_of
from smlnb.stats.histogram import Histogram
from smlnb.stats.shared_grid import SharedGrid, _keys_of
from tests.stats.laws import law_settings

FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-8, 8).map(lambda v: v * 2.0**-1020),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.7e308]),
)


def located(grid: SharedGrid, blocks: list[np.ndarray]) -> None:
    """Check that every value lies in its cell, and that moves tell where the cells of before have gone."""
    for block in blocks:
        before = list(grid.keys), grid.levels.copy()
        present = np.isfinite(block)
        places, moves = grid.locate(block, None if present.all() else present)
        for i, row in enumerate(block):
            keys = keys_of(row[present[i]], grid.levels[i])
            np.testing.assert_array_equal(grid.keys[i][places[i, present[i]]], keys)
            old = coarsen(before[0][i], int(before[1][i]), int(grid.levels[i]))
            np.testing.assert_array_equal(grid.keys[i][moves.get(i, np.arange(len(old)))], old)


@law_settings
@given(st.lists(FLOATS, min_size=1), st.integers(0, LAST_LEVEL))
def test_the_short_cut_gives_the_keys_of_the_grid(values: list[float], level: int) -> None:
    x, levels = np.array([values]), np.array([[level]])
    np.testing.assert_array_equal(_keys_of(x, levels).copy(), keys_of(x, levels))


@pytest.mark.parametrize("flush", [1, 3, 4, 5, 1023, 1024, 1070, 2045, 2046])
def test_the_short_cut_holds_at_the_edges_of_flushed_ranges(flush: int) -> None:
    rng = np.random.default_rng(flush)
    scale = np.clip(flush - 1022 + rng.integers(-7, 2, 5000), -1074, 1023)
    x = np.ldexp(rng.uniform(-1, 1, 5000), scale)[None]
    x = np.concatenate([x, np.nextafter(np.ldexp(1.0, scale), 0.0)[None], np.ldexp(1.0, scale)[None]], axis=1)
    levels = np.array([[47 + flush]])
    np.testing.assert_array_equal(_keys_of(x, levels).copy(), keys_of(x, levels))


@law_settings
@given(st.lists(st.lists(st.one_of(FLOATS, st.sampled_from([np.nan, np.inf])), min_size=2, max_size=60), max_size=6))
def test_every_value_is_found_in_its_cell(rows: list[list[float]]) -> None:
    grid = SharedGrid(2, 8)
    located(grid, [np.array(values[: len(values) // 2 * 2]).reshape(2, -1) for values in rows])
    assert all(len(keys) <= 8 for keys in grid.keys)


def test_cells_are_those_of_a_histogram_of_as_many() -> None:
    rng = np.random.default_rng(3)
    shapes = [rng.normal(size=9000), rng.standard_cauchy(9000), 1e9 + rng.normal(size=9000), rng.integers(0, 9, 9000)]
    values = np.array(shapes, float)
    grid, histogram = SharedGrid(4, 128), Histogram(4, 128)
    for part in np.array_split(values, 30, axis=1):
        located(grid, [part])
        histogram.update(part)
    assert (grid.levels == histogram.state()["payload"]["levels"]).all()
    for i, cells in enumerate(histogram._settled()):
        np.testing.assert_array_equal(grid.keys[i], cells.keys)


def test_keys_that_meet_in_a_slot_go_on_to_the_next() -> None:
    # powers of two that fill their table: neighbours in value, far apart and close in their hashes
    values = np.ldexp(1.0, np.arange(-1000, 1000, 2))
    grid = SharedGrid(1, 1024)
    located(grid, [values[None], values[None, ::-1], values[None, 300:500]])
    assert len(grid.keys[0]) == 1000
