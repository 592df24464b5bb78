"""The compiled counting of values gives what NumPy's does, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from smlnb import native
from smlnb.stats.grid import LAST_LEVEL, keys_of
from smlnb.stats.histogram import Histogram
from smlnb.stats.lookup import Lookup
from tests.stats.laws import law_settings

if not native.AVAILABLE:
    pytest.skip("the compiled modules are not there", allow_module_level=True)

from smlnb.native.histogram import sift

FEW = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1.5, 5e-324, -5e-324, 1.7e308, np.nan, np.inf, -np.inf])
VALUES = st.one_of(st.floats(), FEW, st.integers(-20, 20).map(float))
LEVELS = st.one_of(st.integers(0, 60), st.integers(0, LAST_LEVEL))
BLOCKS = st.tuples(st.integers(1, 3), st.integers(0, 40)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=VALUES)
)


def sifted(lookup: Lookup, block: NDArray[np.float64], levels: NDArray[np.int64], *, compiled: bool) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "AVAILABLE", compiled)
        keys, bounds = lookup.sift(block, levels, first=1)
        return [keys.copy(), bounds, lookup._slots.copy()]


@law_settings
@given(BLOCKS, st.data())
def test_it_counts_what_numpy_counts_and_leaves_what_numpy_leaves(
    block: NDArray[np.float64], data: st.DataObject
) -> None:
    width = len(block)
    levels = np.array([data.draw(LEVELS) for _ in range(width)], np.int64)
    lookups = [Lookup(width + 1, 64) for _ in range(2)]
    for i, (row, level) in enumerate(zip(block, levels, strict=True), 1):
        known = np.unique(keys_of(row[np.isfinite(row)], level))[:: data.draw(st.integers(1, 3))]
        for lookup in lookups:
            lookup.learn(i, known, np.ones_like(known))
    for one, other in zip(
        *(sifted(lookup, block, levels, compiled=c) for lookup, c in zip(lookups, (True, False), strict=True)),
        strict=True,
    ):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


@law_settings
@given(
    st.lists(BLOCKS.filter(lambda block: len(block) == 2), max_size=4),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 1e-300, 1e9]),
)
def test_a_histogram_has_the_same_state(blocks: list[NDArray[np.float64]], seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(size=(2, 3000)) * scale, scale * rng.integers(0, 50, (2, 3000)).astype(float), *blocks]
    states = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "AVAILABLE", compiled)
            histogram = Histogram(2, 128)
            for block in [*blocks, blocks[0][:, ::2], *reversed(blocks)]:
                histogram.update(block)
            assert histogram._lookup is not None
            states.append(histogram.state()["sha256"])
    assert states[0] == states[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": np.zeros(1, np.int64)},
        {"levels": np.array([0, -1])},
        {"slots": np.zeros((1, 256, 2), np.int64)},
        {"slots": np.zeros((2, 128, 2), np.int64)},
        {"shifts": np.array([56, 55])},
        {"shifts": np.array([56, 0])},
        {"shifts": np.array([64, 56])},
        {"keys": np.zeros(5, np.int64)},
        {"bounds": np.zeros(2, np.int64)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_tables_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    right = {
        "values": np.zeros((2, 3), np.int64),
        "levels": np.zeros(2, np.int64),
        "slots": np.zeros((2, 256, 2), np.int64),
        "shifts": np.array([56, 56]),
        "keys": np.zeros(6, np.int64),
        "bounds": np.zeros(3, np.int64),
    }
    sift(**right)
    with pytest.raises(ValueError, match="there is"):
        sift(**{**right, **wrong})
