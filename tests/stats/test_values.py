from __future__ import annotations

import pyarrow as pa

from smlnb.stats.values import as_numbers_or_texts, as_text_column, bounded_text, plain_column


def test_encodings_are_taken_off() -> None:
    for column in (
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.chunked_array([["a"], ["b", "a"]]),
        pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["a"]).dictionary_encode()]),
        pa.RunEndEncodedArray.from_arrays([1, 2, 3], ["a", "b", "a"]),
    ):
        assert plain_column(column).to_pylist() == ["a", "b", "a"]


def test_numbers_have_one_spelling() -> None:
    for column in (pa.array([1]), pa.array([1.0]), pa.array([1.0], pa.float16()), pa.array([True]), pa.array(["1"])):
        assert as_text_column(column).to_pylist() == ["1"]
    assert as_text_column(pa.array([0.0, -0.0, None])).to_pylist() == ["0", "0", None]
    assert as_text_column(pa.array([0.1], pa.float32())).to_pylist() == ["0.1"]


def test_long_texts_are_shortened_so_that_different_ones_stay_different() -> None:
    long = ["a" * 500 + c for c in "xyz"]
    assert len({bounded_text(text) for text in long}) == 3
    assert bounded_text("a" * 256) == "a" * 256


def test_infinities_of_both_signs_and_sums_beyond_all_numbers_are_values_without_a_warning() -> None:
    inf = float("inf")
    assert as_numbers_or_texts(pa.array([inf, -inf, inf])) == ([inf, -inf], 0)
    assert as_numbers_or_texts(pa.array([1e308, 1e308, float("nan")])) == ([1e308], 1)
    assert as_numbers_or_texts(pa.array([], pa.float64())) == ([], 0)
