"""Values without a frame make the same rows, in a list and in one piece of memory."""

from __future__ import annotations

import pyarrow as pa
import pytest

from smlnb.formats.decoded import EMPTY, TOMBSTONE
from smlnb.formats.payloads import Payloads
from smlnb.formats.plain_decode import PlainDecoder


class Lengths:
    """Makes of each body its length, but refuses ``bad``; remembers what it was given."""

    def decode(self, bodies):
        self.given = bodies
        bad = {i: "it is bad" for i, body in enumerate(bodies) if body == b"bad"}
        return pa.record_batch({"n": [len(b) for i, b in enumerate(bodies) if i not in bad]}), bad


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("values", [[], [b"a"], [b"a", b"bad", b"abc"], [b"", b"a"], [b"a", None], [None, b"", b"bad"]])
def test_values_in_one_piece_of_memory_are_decoded_as_a_list_of_them_is(values, empty):
    expected, found = (PlainDecoder(Lengths(), empty=empty).decode(v) for v in (values, Payloads.of(values)))
    assert found.data.equals(expected.data)
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.refused == expected.refused
    reasons = {None: TOMBSTONE, b"bad": "it is bad"} | ({} if empty else {b"": EMPTY})
    assert found.refused == tuple((i, reasons[v]) for i, v in enumerate(values) if v in reasons)


@pytest.mark.parametrize("cut", [0, 1])
def test_values_of_which_none_is_missing_or_empty_are_handed_on_as_they_are(cut):
    values = Payloads.of([None, b"a", b"bc"])[1 + cut :]
    writer = Lengths()
    PlainDecoder(writer).decode(values)
    assert writer.given is values
