from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given

from smlnb.stats.checks import check_accumulator
from smlnb.stats.texts import TextLengths
from tests.stats.laws import law_settings
from tests.strategies import text_blocks


@law_settings
@given(text_blocks(2))
def test_every_law_holds_for_any_texts(given_blocks: Any) -> None:
    check_accumulator(lambda: TextLengths(2), given_blocks)


def test_lengths_are_those_of_python() -> None:
    values = ["", "a", "Ünïcode", "\U0001f600\U0001f600", None, "x" * 1000]
    texts = TextLengths(1)
    texts.update([pa.array(values[:3])])
    texts.update([pa.array(values[3:]).dictionary_encode()])
    lengths, summary = [len(v) for v in values if v is not None], texts.result()
    assert (summary.minimum[0], summary.maximum[0]) == (0, 1000)
    np.testing.assert_allclose([summary.mean[0], summary.std()[0]], [np.mean(lengths), np.std(lengths, ddof=1)])
    assert (summary.zeros[0], summary.missing[0], summary.count[0], texts.n) == (1, 1, 5, 6)


def test_attributes_added_later_were_missing_before() -> None:
    texts = TextLengths(1)
    texts.update([pa.array(["a", "b"])])
    texts.widen(2)
    assert texts.result().missing.tolist() == [0, 2]


def test_no_attributes_are_no_trouble() -> None:
    texts = TextLengths(0)
    texts.update([])
    assert texts.result().mean.tolist() == []
