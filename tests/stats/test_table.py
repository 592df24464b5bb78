from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.errors import ForgetError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.table import Table
from tests.reference import Rows
from tests.stats.laws import law_settings
from tests.strategies import numbers, record_blocks

SCHEMA = Schema.of(["x", "flag", "kind", "note", "tags", "id"], "C,B,T,S,L,X")
# values that are sums of few bits, so that the slow reference has the same numbers to work with
tame = st.one_of(numbers.filter(lambda v: abs(v) <= 1e6), st.sampled_from([math.nan, math.inf, -math.inf]))


def learned(blocks: list[pa.RecordBatch], *, apart: bool = False) -> Table:
    table = Table(SCHEMA)
    for block in blocks:
        part = Table(SCHEMA) if apart else table
        part.update(block)
        if apart:
            table.merge(part)
    return table


def close(ours: float, exact: Fraction, scale: float) -> bool:
    """Within a few last digits of the numbers that the sum is a difference of."""
    return math.isclose(ours, float(exact), rel_tol=1e-9, abs_tol=1e-11 * scale + 1e-300)


@law_settings
@given(blocks=record_blocks(tame), apart=st.booleans())
def test_every_figure_is_that_of_the_slow_reference(blocks: list[pa.RecordBatch], apart: bool) -> None:
    summary, rows = learned(blocks, apart=apart).result(), Rows([row for b in blocks for row in b.to_pylist()])
    assert summary.n == len(rows.rows)
    moments, largest = summary.moments, {}
    for i, name in enumerate(summary.schema.numeric):
        for figure, exact in rows.count(name).items():
            assert getattr(moments, figure)[i] == exact, figure
        values = rows.values(name)
        largest[name] = max((abs(float(v)) for v in values), default=0.0)
        if values:
            assert (moments.minimum[i], moments.maximum[i]) == (min(values), max(values))
            for power, (figure, exact) in enumerate(rows.moments(name).items(), start=1):
                scale = largest[name] ** power * (len(values) if power > 1 else 1)
                assert close(getattr(moments, figure)[i], exact, scale), figure
        assert summary.cells is not None
        for low, high, count in zip(*(getattr(summary.cells[i], f) for f in ("low", "high", "counts")), strict=True):
            assert rows.between(name, low, high) == count
    assert summary.categories[0].counts == dict(rows.frequencies("kind"))
    assert summary.categories[0].missing == sum(row["kind"] is None for row in rows.rows)
    check_pairs(summary, rows, largest)


def check_pairs(summary: Any, rows: Rows, largest: dict[str, float]) -> None:
    """Compare all pairs of columns but those of the shared one, which stands for no value."""
    names = [name for name in summary.pair_names if name != "kind$(other)"]
    orders = {"count": (0, 0), "mean": (1, 0), "m2": (2, 0), "comoment": (1, 1), "m21": (2, 1), "m22": (2, 2)}
    for x in names:
        for y in names:
            i, j = summary.pair_index(x), summary.pair_index(y)
            for figure, exact in rows.pair(x, y).items():
                powers = zip((x, y), orders[figure], strict=True)
                scale = math.prod(max(largest.get(name, 1.0), 1e-9) ** power for name, power in powers)
                assert close(getattr(summary.pairs, figure)[i, j], exact, scale * (len(rows.rows) + 1)), (x, y, figure)


def test_columns_that_a_batch_lacks_are_missing_and_strange_ones_are_left_alone() -> None:
    table = Table(SCHEMA)
    table.update(pa.record_batch({"x": [1.0, 2.0], "strange": ["a", "b"]}))
    summary = table.result()
    assert summary.moments.missing.tolist() == [0, 2]
    assert summary.categories[0].missing == 2
    assert summary.n == 2


def test_attributes_of_every_kind_may_come_later() -> None:
    table = Table(Schema.of(["x"], "C"))
    table.update(pa.record_batch({"x": [1.0, 2.0]}))
    kinds = [("y", Kind.CONTINUOUS), ("b", Kind.BINARY), ("c", Kind.CATEGORY), ("s", Kind.TEXT), ("l", Kind.LIST)]
    table.grow([Attribute(name, kind) for name, kind in kinds])
    late = {"x": [3.0], "y": [5.0], "b": [1.0], "c": ["u"], "s": ["text"], "l": [["a", "b"]]}
    table.update(pa.record_batch(late))
    summary = table.result()
    assert summary.moments.count.tolist() == [3, 1, 1]
    assert summary.moments.missing.tolist() == [0, 2, 2]
    assert summary.categories[0].counts == {"u": 1}
    assert summary.profile is not None
    assert (summary.profile.distinct["s"].missing, summary.profile.lists.lengths.missing.tolist()) == (2, [2])
    again = Table.from_state(table.state())
    again.update(pa.record_batch(late))
    assert again.result().moments.count.tolist() == [4, 2, 2]


def test_the_first_category_was_missing_before_it_came() -> None:
    table = Table(Schema.of(["x"], "C"))
    table.update(pa.record_batch({"x": [1.0, 2.0]}))
    table.grow([Attribute("c", Kind.CATEGORY)])
    assert table.result().categories[0].missing == 2


def test_forgetting_is_all_or_nothing() -> None:
    table = Table(SCHEMA)
    rows = {"x": np.arange(20.0), "flag": [0.0, 1.0] * 10, "kind": ["a", "b"] * 10}
    table.update(pa.record_batch(rows))
    before = table.state()["sha256"]
    with pytest.raises(ForgetError):
        table.forget(pa.record_batch({"x": [3.0], "flag": [1.0], "kind": ["never seen"]}))
    assert table.state()["sha256"] == before
    table.forget(pa.record_batch({name: column[:5] for name, column in rows.items()}))
    summary = table.result()
    assert (summary.n, summary.forgotten, summary.quantiles, summary.profile) == (15, 5, None, None)
    assert summary.categories[0].counts == {"b": 8, "a": 7}
    assert summary.moments.mean[0] == pytest.approx(12.0)
