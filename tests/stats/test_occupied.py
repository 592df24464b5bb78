from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smlnb.stats.grid import coarsen, fitting_level, keys_of
from smlnb.stats.occupied import Occupied
from tests.stats.laws import law_settings

MOST = 8
NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60)


def occupied(values: list[float]) -> Occupied:
    return Occupied.of(np.sort(keys_of(np.array(values), 0)), 0, MOST)


@law_settings
@given(NUMBERS)
def test_the_level_is_the_finest_at_which_the_cells_fit(values: list[float]) -> None:
    keys = np.sort(keys_of(np.array(values), 0))
    level = fitting_level(keys, 0, MOST)
    assert len(set(coarsen(keys, 0, level).tolist())) <= MOST
    assert level == 0 or len(set(coarsen(keys, 0, level - 1).tolist())) > MOST


@law_settings
@given(NUMBERS)
def test_each_cell_holds_the_values_that_have_its_key(values: list[float]) -> None:
    cells = occupied(values)
    counted = Counter(keys_of(np.array(values), cells.level).tolist())
    assert dict(zip(cells.keys.tolist(), cells.counts.tolist(), strict=True)) == counted
    assert (cells.keys[1:] > cells.keys[:-1]).all()


@law_settings
@given(NUMBERS, NUMBERS)
def test_two_sets_of_cells_add_up_to_those_of_all_values(one: list[float], two: list[float]) -> None:
    total, whole = occupied(one).plus(occupied(two), MOST), occupied(one + two)
    assert total.level == whole.level
    np.testing.assert_array_equal(total.keys, whole.keys)
    np.testing.assert_array_equal(total.counts, whole.counts)
