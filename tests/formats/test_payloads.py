from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.payloads import Payloads

VALUES = st.lists(st.none() | st.binary(max_size=5), max_size=8)


@given(values=VALUES)
def test_payloads_are_the_sequence_they_were_made_of(values: list[bytes | None]) -> None:
    payloads = Payloads.of(values)
    assert len(payloads) == len(values)
    assert list(payloads) == [payloads[i] for i in range(len(values))] == values
    assert payloads.nbytes == sum(len(v or b"") for v in values)


@given(values=VALUES, cuts=st.lists(st.integers(-9, 9), min_size=2, max_size=2))
def test_slices_are_those_of_a_list(values: list[bytes | None], cuts: list[int]) -> None:
    payloads = Payloads.of(values)
    assert list(payloads[slice(*cuts)]) == values[slice(*cuts)]
    assert payloads[slice(*cuts)].nbytes == sum(len(v or b"") for v in values[slice(*cuts)])


@given(parts=st.lists(VALUES, max_size=4), cut=st.integers(0, 3))
def test_parts_are_joined_in_their_order(parts: list[list[bytes | None]], cut: int) -> None:
    joined = Payloads.joined([Payloads.of(part)[cut:] for part in parts])
    assert list(joined) == [v for part in parts for v in part[cut:]]


def test_an_index_beyond_the_end_is_an_error() -> None:
    payloads = Payloads.of([b"a"])
    assert payloads[-1] == b"a"
    with pytest.raises(IndexError):
        payloads[1]
    with pytest.raises(ValueError, match="step"):
        payloads[::2]
