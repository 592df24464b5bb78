from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from smlnb.errors import ForgetError
from smlnb.stats.categories import Categories
from smlnb.stats.comoments import CoMoments
from smlnb.stats.histogram import Histogram
from smlnb.stats.moments import Moments
from smlnb.stats.pairs import AttributePairs
from smlnb.stats.quantiles import Quantiles

RNG = np.random.default_rng(9)


def rows(n: int, mean: float = 3.0) -> np.ndarray:
    values = RNG.normal(mean, 2, size=(2, n))
    values[RNG.random(values.shape) < 0.05] = np.nan
    return values


def absorbed(accumulator: Any, *blocks: Any) -> Any:
    for block in blocks:
        accumulator.update(block)
    return accumulator


@pytest.mark.parametrize("make", [lambda: Moments(2), lambda: CoMoments(2)], ids=["Moments", "CoMoments"])
def test_what_is_left_is_what_would_have_been_learned_without_the_rows(make: Any) -> None:
    stays, goes = rows(800), rows(300, mean=7.0)
    accumulator = absorbed(make(), stays, goes)
    accumulator.forget(goes)
    expected = absorbed(make(), stays)
    assert accumulator.n == 800
    for name, value in expected._payload().items():
        if name not in ("minimum", "maximum"):
            np.testing.assert_allclose(accumulator._payload()[name], value, rtol=1e-7, atol=1e-7, err_msg=name)


def test_counts_and_cells_are_exact_and_the_cells_stay_as_they_are() -> None:
    stays, goes = rows(3000), rows(3000)
    histogram = absorbed(Histogram(2, 128), stays, goes)
    level = histogram._levels.copy()
    histogram.forget(goes)
    expected = absorbed(Histogram(2, 128), stays)
    for i in range(2):
        cells = histogram.result()[i]
        assert cells.total == expected.result()[i].total
        edges = np.quantile(stays[i][~np.isnan(stays[i])], [0, 0.3, 0.7, 1])
        np.testing.assert_allclose(cells.counts_between(edges), expected.result()[i].counts_between(edges), atol=60)
    assert (histogram._levels == level).all()


def test_categories_and_their_columns_forget_exactly() -> None:
    first, second = [pa.array(["a", "b", "a", None])], [pa.array(["a", "c", None])]
    categories = absorbed(Categories(1), first, second)
    categories.forget(second)
    assert categories.result()[0].counts == {"a": 2, "b": 1}
    pairs = absorbed(
        AttributePairs(["x"], ["c"]), (np.array([[1.0, 2, 3, 4]]), first), (np.array([[9.0, 9, 8]]), second)
    )
    pairs.forget((np.array([[9.0, 9, 8]]), second))
    expected = absorbed(AttributePairs(["x"], ["c"]), (np.array([[1.0, 2, 3, 4]]), first))
    summary, at = pairs.result(), pairs.names.index
    assert summary.mean[at("x"), at("c$a")] == pytest.approx(expected.result().mean[0, 1])
    np.testing.assert_allclose(summary.comoment[:2, :2], expected.result().comoment[:2, :2], atol=1e-12)


def test_forgetting_everything_leaves_nothing() -> None:
    block = rows(50)
    for accumulator in (Moments(2), CoMoments(2), Histogram(2)):
        absorbed(accumulator, block).forget(block)
        assert accumulator.n == 0
    assert np.isnan(absorbed(Moments(2)).result().mean).all()


def test_extremes_are_unknown_after_forgetting() -> None:
    moments = absorbed(Moments(1), np.array([[1.0, 2.0, 3.0, 5.0]]))
    moments.forget(np.array([[1.0]]))
    assert np.isnan(moments.result().minimum[0])
    assert moments.result().mean[0] == pytest.approx(10 / 3)


@pytest.mark.parametrize("make", [lambda: Moments(1), lambda: CoMoments(1)], ids=["Moments", "CoMoments"])
def test_a_spike_that_took_the_digits_can_not_be_forgotten_and_nothing_changes(make: Any) -> None:
    accumulator = absorbed(make(), RNG.normal(size=(1, 100)), np.array([[1e9]]))
    before = accumulator.state()["sha256"]
    with pytest.raises(ForgetError, match="digits would be left"):
        accumulator.forget(np.array([[1e9]]))
    assert accumulator.state()["sha256"] == before


@pytest.mark.parametrize("make", [lambda: Moments(1), lambda: CoMoments(1), lambda: Histogram(1)])
def test_more_rows_than_were_learned_are_refused(make: Any) -> None:
    accumulator = absorbed(make(), np.array([[1.0, 2.0]]))
    with pytest.raises(ForgetError, match="were not learned here"):
        accumulator.forget(np.array([[1.0, 2.0, 2.0]]))
    assert accumulator.n == 2


def test_a_sketch_says_that_it_can_not_forget() -> None:
    with pytest.raises(ForgetError, match="Quantiles can't forget"):
        Quantiles(1).forget(np.array([[1.0]]))
