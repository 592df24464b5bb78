from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats.payloads import Payloads
from smlnb.ingest.records import NO_RECORDS, Records
from tests.stats.laws import law_settings

values = st.lists(st.none() | st.binary(max_size=5), max_size=8)


def records(begin, values, *, packed, headers):
    pack = Payloads.of if packed else list
    own = [[("n", v)] if v else None for v in values] if headers and any(values) else None
    at = np.arange(begin, begin + len(values))
    return Records(at, at * 10, pack(values), pack(values[::-1]), own)


def plain(found):
    headers = list(found.headers) if found.headers is not None else [None] * len(found)
    columns = found.offsets.tolist(), found.times.tolist(), list(found.values), list(found.keys), headers
    return list(zip(*columns, strict=True))


@law_settings
@given(st.lists(st.tuples(values, st.booleans(), st.booleans()), max_size=5))
def test_joined_they_are_what_they_were_in_their_order(parts):
    made, begin = [], 0
    for held, packed, headers in parts:
        made.append(records(begin, held, packed=packed, headers=headers))
        begin += len(held)
    both = Records.joined(made)
    assert plain(both) == [row for one in made for row in plain(one)]
    assert len(both) == begin


@law_settings
@given(values, st.booleans(), st.booleans(), st.integers(0, 9), st.integers(0, 9))
def test_a_part_is_a_slice_of_everything(held, packed, headers, start, stop):
    whole = records(0, held, packed=packed, headers=headers)
    assert plain(whole.part(slice(start, stop))) == plain(whole)[start:stop]
    assert plain(whole.part(slice(start, None))) == plain(whole)[start:]


@law_settings
@given(values, st.integers(0, 9), st.booleans())
def test_cut_and_joined_they_are_the_same(held, at, packed):
    whole = records(5, held, packed=packed, headers=True)
    assert plain(Records.joined([whole.part(slice(0, at)), whole.part(slice(at, None))])) == plain(whole)


def test_none_are_none():
    assert len(NO_RECORDS) == 0
    assert Records.joined([]) is NO_RECORDS
    assert Records.joined([NO_RECORDS, NO_RECORDS]) is NO_RECORDS
