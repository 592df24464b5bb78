from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.decoded import TOMBSTONE
from smlnb.formats.json_decode import JsonDecoder
from smlnb.formats.json_envelope import EnvelopeDecoder

SCHEMA = {"type": "struct", "optional": False, "fields": [{"field": "x", "type": "double", "optional": True}]}


def wrapped(payload):
    return json.dumps({"schema": SCHEMA, "payload": payload}).encode()


@given(st.lists(st.fixed_dictionaries({"x": st.integers(-999, 999), "text": st.text(max_size=5)}), min_size=1))
def test_payloads_are_decoded_as_if_there_were_no_envelope(records):
    bare = JsonDecoder().decode([json.dumps(r).encode() for r in records])
    got = EnvelopeDecoder().decode([wrapped(r) for r in records])
    assert got.data.equals(bare.data)
    assert got.rows.tolist() == bare.rows.tolist()


def test_a_payload_of_null_is_a_tombstone_and_what_is_no_envelope_is_taken_as_it_is():
    values = [wrapped({"x": 1.5}), wrapped(None), None, b'{"x": 2.5}', b'{"payload": "no"', b"poison"]
    decoded = EnvelopeDecoder().decode(values)
    assert decoded.data.to_pydict() == {"x": [1.5, 2.5]}
    assert decoded.rows.tolist() == [0, 3]
    reasons = dict(decoded.refused)
    assert (reasons[1], reasons[2]) == (TOMBSTONE, TOMBSTONE)
    assert {4, 5} <= set(reasons)


def test_a_record_with_a_field_of_that_name_keeps_it():
    decoded = EnvelopeDecoder().decode([b'{"payload": 1, "weight": 2}'])
    assert decoded.data.to_pydict() == {"payload": [1], "weight": [2]}
