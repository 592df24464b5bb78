from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from smlnb.errors import MergeError
from smlnb.stats.checks import check_accumulator
from smlnb.stats.distinct import Distinct
from tests.stats.laws import law_settings
from tests.strategies import text_blocks


def counted(*columns: pa.Array, lg_k: int = 11) -> Distinct:
    distinct = Distinct(1, lg_k)
    for column in columns:
        distinct.update([column])
    return distinct


@law_settings
@given(text_blocks(2))
def test_every_law_holds_for_any_texts(given_blocks: Any) -> None:
    check_accumulator(lambda: Distinct(2), given_blocks)


@pytest.mark.parametrize("different", [0, 1, 50, 1000, 30_000])
def test_the_same_values_give_the_same_bits_in_any_order_cut_and_grouping(different: int) -> None:
    rng = np.random.default_rng(different)
    values = np.arange(different) * 0.37
    expected = counted(pa.array(values), pa.array(values)).state()["payload"]["sketches"]
    for _ in range(10):
        parts = [counted(pa.array(p)) for p in np.array_split(rng.permutation(np.tile(values, 2)), rng.integers(1, 9))]
        total = Distinct(1)
        for i in rng.permutation(len(parts)):
            total.merge(parts[i])
        assert total.state()["payload"]["sketches"] == expected
        assert total.result() == counted(pa.array(values), pa.array([], pa.float64())).result()


def test_up_to_some_fifty_values_the_count_is_right_when_rounded() -> None:
    for n in range(50):
        assert round(counted(pa.array([f"v{i}" for i in range(n)], pa.string())).result()[0].estimate) == n


def test_equal_numbers_of_any_type_are_one_value() -> None:
    one = [
        pa.array([1], pa.int8()),
        pa.array([1], pa.uint64()),
        pa.array([1.0], pa.float32()),
        pa.array([1.0]),
        pa.array([True]),
        pa.array([Decimal("1.0")]),
        pa.array([1]).dictionary_encode(),
    ]
    assert round(counted(*one).result()[0].estimate) == 1
    assert round(counted(pa.array([0.0, -0.0])).result()[0].estimate) == 1
    assert round(counted(pa.array([2**60]), pa.array([2.0**60])).result()[0].estimate) == 1


def test_integers_that_no_float_holds_are_told_apart() -> None:
    assert round(counted(pa.array([2**53, 2**53 + 1, 2**63 - 1, -(2**63)])).result()[0].estimate) == 4
    assert round(counted(pa.array([2**64 - 1, 2**64 - 2], pa.uint64())).result()[0].estimate) == 2


def test_null_and_nan_are_missing_while_empty_texts_and_infinities_are_values() -> None:
    floats = counted(pa.array([None, np.nan, np.inf, -np.inf, 1.0])).result()[0]
    assert (round(floats.estimate), floats.missing) == (3, 2)
    texts = counted(pa.array(["", None, "a"])).result()[0]
    assert (round(texts.estimate), texts.missing) == (2, 1)


@pytest.mark.parametrize(
    ("column", "different"),
    [
        (pa.nulls(3), 0),
        (pa.array([dt.datetime(2020, 1, d + 1, tzinfo=dt.UTC) for d in range(3)]), 3),
        (pa.array([dt.timedelta(1), dt.timedelta(2)]), 2),
        (pa.array([[1, 2], [1, 2], [2, 1]]), 2),
        (pa.array([{"a": 1}, {"a": 2}]), 2),
        (pa.array([b"\xff", b"a", b"a"]), 2),
        (pa.array(["a", "b"], pa.large_string()), 2),
        (pa.array(["a", "b"], pa.string_view()), 2),
        (pa.array([1, 2], pa.float16()), 2),
        (pa.chunked_array([["a"], ["a", "b"]]), 2),
        (pa.chunked_array([], pa.string()), 0),
    ],
    ids=lambda v: str(getattr(v, "type", "")),
)
def test_values_of_any_arrow_type_are_counted(column: Any, different: int) -> None:
    assert round(counted(column).result()[0].estimate) == different


def test_another_process_gives_the_same_bits() -> None:
    code = (
        "import pyarrow as pa; from smlnb.stats.distinct import Distinct; d = Distinct(1);"
        "d.update([pa.array([f'v{i}' for i in range(5000)])]); print(d.state()['sha256'])"
    )
    own = counted(pa.array([f"v{i}" for i in range(5000)])).state()["sha256"]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        assert done.stdout.strip() == own


def test_bounds_widen_with_the_confidence() -> None:
    distinct = counted(pa.array(np.arange(20_000.0)))
    widths = [c.high - c.low for c in (distinct.result(p)[0] for p in (0.68, 0.95, 0.997))]
    assert widths == sorted(widths)
    assert len(distinct.state()["payload"]["sketches"][0]) < 1500


def test_attributes_added_later_were_missing_before() -> None:
    distinct = counted(pa.array(["a", "b"]))
    distinct.widen(2)
    distinct.update([pa.array(["c"]), pa.array([1.0])])
    assert [c.missing for c in distinct.result()] == [0, 2]


def test_other_sizes_are_refused_by_name() -> None:
    with pytest.raises(MergeError, match="lg_k"):
        Distinct(1, 11).merge(Distinct(1, 12))
