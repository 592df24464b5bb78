from __future__ import annotations

import json
import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.formats import json_compiled
from smlnb.formats.decoded import EMPTY, NO_FIELDS, TOMBSTONE
from smlnb.formats.json_decode import MAX_COLUMNS, JsonDecoder
from smlnb.formats.json_types import MAX_DEPTH


@pytest.fixture(scope="module", autouse=True, params=[True, False] if json_compiled.AVAILABLE else [False])
def _compiled(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_compiled, "AVAILABLE", request.param)
        yield


def lines(*records):
    return [json.dumps(r).encode() for r in records]


def test_records_become_columns_of_one_type():
    data = (
        JsonDecoder()
        .decode(lines({"i": 1, "f": 0.5, "b": True, "s": "a"}, {"i": 2, "f": 1, "b": False, "s": "b"}))
        .data
    )
    assert data.schema.types == [pa.int64(), pa.float64(), pa.bool_(), pa.string()]
    assert data.to_pydict() == {"i": [1, 2], "f": [0.5, 1.0], "b": [True, False], "s": ["a", "b"]}


BAD = {
    "tombstone": (None, TOMBSTONE),
    "empty": (b"", EMPTY),
    "blank": (b" \n", EMPTY),
    "text": (b"poison", "malformed JSON"),
    "cut": (b'{"x": 1', "malformed JSON"),
    "trailing": (b'{"x": 1} {"x": 2}', "trailing"),
    "utf8": (b'{"x": "\xff"}', "invalid UTF-8 at byte 7"),
    "overlong": (b'{"x": "\xc0\xaf"}', "invalid UTF-8"),
    "surrogate": (b'{"s": "\\ud800"}', "malformed JSON"),
    "bom": (b'\xef\xbb\xbf{"x": 1}', "byte order mark"),
    "array": (b"[1, 2]", "no object"),
    "number": (b"5", "no object"),
    "null": (b"null", "no object"),
    "string": (b'"x"', "no object"),
    "nan": (b'{"x": NaN}', "NaN is no JSON value"),
    "infinity": (b'{"x": -Infinity}', "Infinity is no JSON value"),
    "twice": (b'{"x": 1, "x": 1}', "'x' appears twice"),
    "twice with null": (b'{"x": null, "x": 1}', "'x' appears twice"),
    "twice with another missing": (b'{"s": "a", "s": "b"}', "'s' appears twice"),
    "twice, within": (b'{"o": {"k": 1, "k": 2}}', "'o.k' appears twice"),
    "twice, the object": (b'{"o": {"k": 1}, "o": {"k": 2}}', "'o' appears twice"),
    "one column twice": (b'{"o.k": 1}', "one column 'o.k'"),
    "twice, escaped": (b'{"x": 1, "\\u0078": 1}', "'x' appears twice"),
    "2^63": (b'{"x": 9223372036854775808}', "'x' is a whole number beyond 64 bits"),
    "many digits": (b'{"x": ' + b"9" * 6_000 + b"}", "out of range"),
    "1e400": (b'{"x": 1e400}', "out of range"),
    "changed to text": (b'{"x": "1"}', "'x' holds text, but held whole numbers before"),
    "changed to boolean": (b'{"x": true}', "'x' holds booleans, but held whole numbers before"),
    "changed to number": (b'{"s": 1}', "'s' holds whole numbers, but held text before"),
    "changed to list": (b'{"x": [1]}', "'x' holds lists of numbers, but held whole numbers before"),
    "changed to object": (b'{"x": {}}', "'x' holds objects"),
    "changed from object": (b'{"o": 5}', "'o' holds whole numbers, but held objects before"),
    "changed within": (b'{"o": {"k": "text"}}', "'o.k' holds text, but held whole numbers before"),
    "deep": (b'{"o": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", "too deeply"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deeply"),
    "avro": (b"\0\0\0\0\1\2\3", "zero byte"),
    "control character in a name": (b'{"a\\nb": 1}', "control character"),
    "quotation mark in a name": (b'{"a\\"b": 1}', "quotation mark"),
    "raw control character": (b'{"s": "a\nb"}', "malformed JSON"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("warm", [False, True], ids=["first batch", "later batch"])
def test_one_bad_record_among_a_thousand_is_refused_by_itself_with_a_reason(name, warm):
    value, reason = BAD[name]
    good = lines(*({"x": i, "s": "t", "o": {"k": i}} for i in range(999)))
    decoder = JsonDecoder()
    if warm:
        decoder.decode(good)
    decoded = decoder.decode([*good[:500], value, *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert decoded.data.num_rows == 999
    assert decoded.data["x"].to_pylist() == list(range(999))
    assert decoded.rows.tolist() == [i for i in range(1_000) if i != 500]


GOOD = {
    "emoji in a name": (b'{"\xf0\x9f\x98\x80": 1}', {"😀": 1}),
    "no name": (b'{"": 1}', {"": 1}),
    "markup in a name": (b'{"<img onerror=x>": 1}', {"<img onerror=x>": 1}),
    "right to left": ('{"שם": "ערך"}'.encode(), {"שם": "ערך"}),
    "NUL in text": (b'{"s": "a\\u0000b"}', {"s": "a\0b"}),
    "escaped quotation mark": (b'{"s": "\\u0022"}', {"s": '"'}),
    "NaN as text": (b'{"s": "NaN"}', {"s": "NaN"}),
    "null as text": (b'{"s": "null"}', {"s": "null"}),
    "smallest whole number": (b'{"x": -9223372036854775808}', {"x": -(2**63)}),
    "beyond 2^53": (b'{"x": 9007199254740993}', {"x": 2**53 + 1}),
    "numbers": (b'{"l": [1, 2.5, null]}', {"l": [1.0, 2.5, None]}),
    "texts": (b'{"l": ["a", null]}', {"l": ["a", None]}),
    "mixed list": (b'{"l": [1, "a"]}', {"l": '[1, "a"]'}),
    "object": (b'{"o": {"a": [1]}}', {"o.a": [1.0]}),
    "list of objects": (b'{"l": [{"a": 1}]}', {"l": '[{"a": 1}]'}),
    "a key twice within a list, kept as it is": (b'{"l": [{"a": 1, "a": 2}]}', {"l": '[{"a": 1, "a": 2}]'}),
    "dots in a name": (b'{"a.b": 1, "a": {"c": 2}}', {"a.b": 1, "a.c": 2}),
    "no names": (b'{"": {"": 1}}', {".": 1}),
    "blanks": (b' { "x" : 1 } \n', {"x": 1}),
    "ten megabytes": (b'{"s": "' + b"x" * 10_000_000 + b'"}', {"s": "x" * 10_000_000}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_unusual_and_right_is_kept(name):
    value, expected = GOOD[name]
    decoded = JsonDecoder().decode([value, value])
    assert decoded.refused == ()
    assert decoded.data.to_pylist() == [expected, expected]


@pytest.mark.parametrize(
    ("strange", "usual"),
    [
        ("text", 1),
        ("text", 0.5),
        (7, "a"),
        (False, 1),
        (1, True),
        (["t"], [1.5]),
        ([1, "a"], ["t"]),
        ("text", {"k": 1}),
        ({"k": 1}, "text"),
        ({"k": "text"}, {"k": 1}),
    ],
    ids=str,
)
def test_one_strange_record_at_the_begin_does_not_make_strangers_of_all_others(strange, usual):
    decoder = JsonDecoder()
    decoded = decoder.decode(lines({"x": strange, "only here": 1}, *({"x": usual, "y": 1} for _ in range(3))))
    ((index, reason),) = decoded.refused
    assert (index, "in most records" in reason) == (0, True)
    assert decoded.data.schema.names == ["x.k" if isinstance(usual, dict) else "x", "y"]
    assert decoder.decode(lines({"x": usual, "y": 2})).refused == ()


@pytest.mark.parametrize("first", [[], [None], None], ids=str)
@pytest.mark.parametrize("later", [["a"], [1.5], [1, "a"], [[1]]], ids=str)
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_an_empty_list_says_nothing_yet_about_what_a_column_of_lists_holds(first, later, together):
    decoder = JsonDecoder()
    values = lines({"x": 1, "l": first}, {"x": 2, "l": later}, {"x": 3, "l": []})
    for part in [values] if together else [[v] for v in values]:
        decoded = decoder.decode(part)
        assert decoded.refused == ()
    plain = later in (["a"], [1.5])
    assert decoded.data["l"].to_pylist()[-1] == ([] if plain else "[]")


def test_a_column_of_empty_lists_does_not_become_one_of_numbers():
    (_, reason) = JsonDecoder().decode(lines({"l": []}, {"l": 1})).refused[0]
    assert reason == "'l' holds whole numbers, but held empty lists before"


def test_minus_zero_keeps_its_sign():
    data = JsonDecoder().decode([b'{"x": -0.0}']).data
    assert math.copysign(1, data["x"][0].as_py()) == -1


def test_new_columns_grow_and_vanished_ones_are_null():
    decoder = JsonDecoder()
    decoder.decode(lines({"a": 1}))
    second = decoder.decode(lines({"a": 2, "b": "x"}, {"b": "y"})).data
    assert second.to_pydict() == {"a": [2, None], "b": ["x", "y"]}
    third = decoder.decode(lines({"a": 3})).data
    assert third.to_pydict() == {"a": [3], "b": [None]}


def test_a_column_that_was_null_takes_its_first_type():
    decoder = JsonDecoder()
    assert decoder.decode(lines({"a": None})).data.schema.types == [pa.null()]
    assert decoder.decode(lines({"a": None}, {"a": "x"})).data.to_pydict() == {"a": [None, "x"]}


def test_whole_numbers_become_decimal_ones_and_stay_so():
    decoder = JsonDecoder()
    assert decoder.decode(lines({"a": 1})).data.schema.types == [pa.int64()]
    assert decoder.decode(lines({"a": 1}, {"a": 0.5})).data.to_pydict() == {"a": [1.0, 0.5]}
    assert decoder.decode(lines({"a": 2})).data.schema.types == [pa.float64()]


def test_a_whole_number_that_a_decimal_column_would_round_is_refused():
    decoded = JsonDecoder().decode([b'{"a": 0.5}', b'{"a": 9007199254740993}', b'{"a": 9007199254740992}'])
    ((index, reason),) = decoded.refused
    assert index == 1
    assert "exactly" in reason
    assert decoded.data["a"].to_pylist() == [0.5, 2.0**53]


def test_whole_numbers_beyond_2_to_the_53_are_not_rounded():
    assert JsonDecoder().decode([b'{"a": 9007199254740993}', b'{"a": 1}']).data["a"].to_pylist() == [2**53 + 1, 1]


def test_columns_are_bounded_in_number():
    decoded = JsonDecoder().decode([b'{"x": 1}', json.dumps({f"c{i}": i for i in range(MAX_COLUMNS)}).encode()])
    assert decoded.data.num_columns == 1
    assert "number of columns" in decoded.refused[0][1]


def test_a_refused_record_teaches_nothing():
    decoder = JsonDecoder()
    decoder.decode(lines({"a": 1}))
    decoded = decoder.decode(lines({"b": 1, "a": "text"}, {"a": 2}))
    assert decoded.data.schema.names == ["a"]


def test_an_empty_object_is_a_row_of_nulls_once_there_are_columns():
    decoder = JsonDecoder()
    assert decoder.decode([b"{}"]).refused == ((0, NO_FIELDS),)
    assert decoder.decode([b"{}", b'{"x": 1}']).data.to_pydict() == {"x": [None, 1]}


def test_no_values_are_no_rows():
    assert JsonDecoder().decode([]).data.num_rows == 0


def test_objects_within_objects_are_columns_named_by_their_path():
    decoder = JsonDecoder()
    first = decoder.decode(lines({"id": 1, "at": {"x": 0.5, "in": {"k": "a"}}}))
    assert first.data.to_pydict() == {"id": [1], "at.x": [0.5], "at.in.k": ["a"]}
    later = decoder.decode(lines({"id": 2, "at": {"x": 1.5, "in": {"k": "b"}, "y": True}}, {"id": 3, "at": {}}))
    assert later.refused == ()
    assert later.data.to_pydict() == {"id": [2, 3], "at.x": [1.5, None], "at.in.k": ["b", None], "at.y": [True, None]}


def test_an_object_that_is_missing_or_null_leaves_its_columns_null():
    decoder = JsonDecoder()
    decoder.decode(lines({"id": 1, "at": {"x": 0.5}}, {"id": 2, "at": {"x": 0.5}}))
    decoded = decoder.decode(lines({"id": 1}, {"id": 2, "at": None}, {"id": 3, "at": {}}, {"id": 4, "at": {"x": 1.0}}))
    assert decoded.refused == ()
    assert decoded.data.to_pydict() == {"id": [1, 2, 3, 4], "at.x": [None, None, None, 1.0]}


@pytest.mark.parametrize("first", [{}, None], ids=str)
def test_an_object_that_was_empty_or_null_gets_columns_when_it_has_fields(first):
    decoder = JsonDecoder()
    decoder.decode(lines({"id": 1, "at": first}))
    assert decoder.decode(lines({"id": 2, "at": {"x": 1}})).data.to_pydict() == {"id": [2], "at.x": [1]}


def test_objects_nested_deeper_than_the_limit_are_kept_as_text():
    record = {"end": 1}
    for _ in range(MAX_DEPTH):
        record = {"o": record}
    decoder = JsonDecoder()
    for _ in range(2):
        assert decoder.decode(lines(record)).data.to_pylist() == [{".".join("o" * MAX_DEPTH): '{"end": 1}'}]


def test_a_million_levels_in_a_place_that_is_kept_as_text_are_refused():
    decoder = JsonDecoder()
    decoder.decode(lines({"l": [1, "a"]}, {"l": [1, "a"]}))
    ((index, reason),) = decoder.decode([b'{"l": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"]).refused
    assert (index, reason) == (0, "nested too deeply")


def flattened(record, path=""):
    flat = {}
    for key, value in record.items():
        flat |= flattened(value, f"{path}{key}.") if isinstance(value, dict) else {path + key: value}
    return flat


scalars = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "decimal": st.floats(allow_nan=False, allow_infinity=False).map(lambda f: f + 0.5 if f.is_integer() else f),
    "flag": st.booleans(),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
}
fields = st.fixed_dictionaries({}, optional={k: st.none() | v for k, v in scalars.items()})
within = st.fixed_dictionaries({}, optional={**{k: st.none() | v for k, v in scalars.items()}, "o": st.none() | fields})
nested = st.fixed_dictionaries(
    {}, optional={**{k: st.none() | v for k, v in scalars.items()}, "o": st.none() | within, "p": fields}
)
records = st.lists(nested, min_size=1, max_size=30)


@settings(deadline=None)
@given(batches=st.lists(records, min_size=1, max_size=3), ascii_only=st.booleans())
def test_what_comes_out_is_what_the_standard_library_reads(batches, ascii_only):
    decoder = JsonDecoder()
    for batch in batches:
        values = [json.dumps(r, ensure_ascii=ascii_only).encode() for r in batch]
        decoded = decoder.decode(values)
        assert all(reason == NO_FIELDS and flattened(json.loads(values[i])) == {} for i, reason in decoded.refused)
        kept = [values[i] for i in decoded.rows.tolist()]
        assert len(kept) + len(decoded.refused) == len(values)
        for row, value in zip(decoded.data.to_pylist(), kept, strict=True):
            reference = flattened(json.loads(value))
            assert {k: v for k, v in row.items() if v is not None} == {
                k: v for k, v in reference.items() if v is not None
            }


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.text(max_size=20).map(lambda t: f'{{"x": {t}}}'.encode()), max_size=20))
def test_no_bytes_raise_and_each_value_is_a_row_or_refused(values):
    decoded = JsonDecoder().decode(values)
    seen = sorted([*decoded.rows.tolist(), *(i for i, _ in decoded.refused)])
    assert seen == list(range(len(values)))
    assert decoded.data.num_rows == len(decoded.rows)


@pytest.mark.parametrize("after", [b'{"a": 1152921504606846976}', b'{"a": -1152921504606846976}'])
def test_a_whole_number_that_a_column_of_decimals_holds_exactly_is_taken_however_large(after):
    decoded = JsonDecoder().decode([b'{"a": 0.5}', after])
    assert (decoded.data["a"].to_pylist(), decoded.refused) == ([0.5, json.loads(after)["a"]], ())
    lists = JsonDecoder().decode([b'{"a": [0.5]}', after.replace(b": ", b": [").replace(b"}", b"]}")])
    assert (lists.data["a"].to_pylist(), lists.refused) == ([[0.5], [json.loads(after)["a"]]], ())
