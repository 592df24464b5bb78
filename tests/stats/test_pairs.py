from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.stats.base import digest_of
from smlnb.stats.checks import close
from smlnb.stats.comoments import CoMoments
from smlnb.stats.pairs import AttributePairs
from tests.stats.laws import law_settings

LETTERS = st.one_of(st.none(), st.sampled_from("abcdefg"))
NUMBERS = st.one_of(st.just(np.nan), st.floats(-100, 100))


def rows(size: int, rng: np.random.Generator, letters: str = "abc") -> tuple[np.ndarray, list[pa.Array]]:
    floats = rng.normal(size=(2, size))
    floats[rng.random(floats.shape) < 0.1] = np.nan
    columns = [[None if rng.random() < 0.1 else str(v) for v in rng.choice(list(letters), size)] for _ in range(2)]
    return floats, [pa.array(c, pa.string()) for c in columns]


def learned(blocks: list[Any], limit: int = 64) -> AttributePairs:
    pairs = AttributePairs(["x", "y"], ["c", "d"], limit)
    for block in blocks:
        pairs.update(block)
    return pairs


def one_hot(blocks: list[Any], names: tuple[str, ...]) -> np.ndarray:
    """Return the columns that the matrices are about, in full: the slow reference."""
    floats = np.concatenate([b[0] for b in blocks], axis=1)
    out = []
    for name in names:
        if "$" not in name:
            out.append(floats[["x", "y"].index(name)])
            continue
        attribute, value = name.split("$")
        cells = [v for b in blocks for v in b[1][["c", "d"].index(attribute)].to_pylist()]
        own = {n.split("$")[1] for n in names if n.startswith(attribute + "$")}
        hit = [(v not in own) if value == "(other)" else v == value for v in cells]
        out.append(np.where([v is None for v in cells], np.nan, np.array(hit, float)))
    return np.array(out)


@pytest.mark.parametrize("limit", [64, 2])
def test_the_matrices_are_those_of_one_column_per_value(limit: int) -> None:
    rng = np.random.default_rng(4)
    # values appear as the stream goes on, more than have columns of their own
    blocks = [rows(80, rng, letters) for letters in ("a", "ab", "abcd", "cdefg")]
    pairs = learned(blocks, limit)
    columns = one_hot(blocks, pairs.names)
    reference = CoMoments(len(columns))
    reference.update(columns)
    for name, matrix in reference._payload().items():
        np.testing.assert_allclose(getattr(pairs.result(), name, pairs.n), matrix, rtol=1e-9, atol=1e-8, err_msg=name)


def test_conditional_means_come_out_of_the_matrix() -> None:
    blocks = [rows(500, np.random.default_rng(5))]
    pairs = learned(blocks)
    frame = pd.DataFrame({"x": blocks[0][0][0], "c": blocks[0][1][0].to_pylist()}).dropna()
    i, j = pairs.names.index("x"), pairs.names.index("c$b")
    summary = pairs.result()
    n_b = summary.count[i, j] * summary.mean[j, i]
    mean_b = summary.mean[i, j] + summary.comoment[i, j] / n_b
    assert mean_b == pytest.approx(frame.loc[frame["c"] == "b", "x"].mean())


@law_settings
@given(st.data())
def test_any_order_and_grouping_gives_the_same_columns_and_sums(data: Any) -> None:
    blocks = []
    for _ in range(data.draw(st.integers(1, 4))):
        size = data.draw(st.integers(0, 6))
        floats = np.array(data.draw(st.lists(NUMBERS, min_size=2 * size, max_size=2 * size))).reshape(2, size)
        texts = [data.draw(st.lists(LETTERS, min_size=size, max_size=size)) for _ in range(2)]
        blocks.append((floats, [pa.array(t, pa.string()) for t in texts]))
    whole = learned(blocks, limit=3)
    total = whole.empty()
    for part in reversed([learned([b], limit=3) for b in blocks]):
        total.merge(part)
    assert total.names == whole.names
    assert total.n == whole.n
    assert close(total._comparable(), whole._comparable(), rtol=1e-8, atol=1e-8)
    again = AttributePairs.from_state(whole.state())
    assert digest_of(again.state()) == digest_of(whole.state())


def test_attributes_added_later_are_missing_before() -> None:
    pairs = AttributePairs(["x"], ["c"])
    pairs.update((np.array([[1.0, 2.0]]), [pa.array(["a", "b"])]))
    pairs.widen(["x", "y"], ["c", "d"])
    pairs.update((np.array([[3.0], [5.0]]), [pa.array(["a"]), pa.array(["z"])]))
    summary, at = pairs.result(), pairs.names.index
    assert pairs.names == ("x", "y", "c$a", "c$b", "c$(other)", "d$z", "d$(other)")
    assert summary.count[at("x"), at("c$a")] == 3
    assert summary.count[at("x"), at("d$z")] == summary.count[at("y"), at("c$b")] == 1
