"""The compiled JSON parser: the columns of the Python path, bit by bit, or nothing."""

from __future__ import annotations

import itertools
import json as standard
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

from smlnb.formats import json_compiled
from smlnb.formats.json_compiled import CompiledRecords
from smlnb.formats.json_decode import JsonDecoder
from smlnb.formats.json_types import Type, leaves
from smlnb.formats.payloads import Payloads

json = pytest.importorskip("smlnb.native.json", reason="smlnb was installed without a compiler")
pytestmark = pytest.mark.skipif(not json_compiled.AVAILABLE, reason="the compiled modules are switched off")


def compiled(shape):
    return CompiledRecords.of(shape, dict(leaves(shape)))


def one(shape, value):
    """Decode one value; by name the column's only item, or None."""
    data = compiled(shape).decode([value])
    return None if data is None else data.to_pylist()[0]


# -- records ------------------------------------------------------------------

XYS = {"x": Type.WHOLE, "y": {"d": Type.DECIMAL, "b": Type.BOOLEAN}, "s": Type.TEXT}
GOOD = b'{"x": 1, "y": {"d": 2.5, "b": true}, "s": "a"}'


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        b'{"x":1,"y":{"d":2.5,"b":true},"s":"a"}',
        b' \t\r\n{ "x"\n:\t1 ,\r"y" : {"d" : 2.5 , "b" : true } , "s" : "a" } \t\r\n',
        b'{"s": "a", "y": {"b": true, "d": 2.5}, "x": 1}',
        b'{"y": {"b": true, "d": 25e-1}, "s": "a", "x": 1}',
    ],
)
def test_keys_come_in_any_order_with_any_white_space(value):
    assert one(XYS, value) == {"x": 1, "y.d": 2.5, "y.b": True, "s": "a"}


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (GOOD.replace(b'"x": 1, ', b""), ["x"]),
        (GOOD.replace(b"1", b"null"), ["x"]),
        (GOOD.replace(b"2.5", b"null"), ["y.d"]),
        (GOOD.replace(b"true", b"null"), ["y.b"]),
        (GOOD.replace(b'"a"', b"null"), ["s"]),
        (GOOD.replace(b', "s": "a"', b""), ["s"]),
        (GOOD.replace(b'"d": 2.5, ', b""), ["y.d"]),
        (GOOD.replace(b', "b": true', b""), ["y.b"]),
        (GOOD.replace(b'{"d": 2.5, "b": true}', b"{}"), ["y.d", "y.b"]),
        (GOOD.replace(b'{"d": 2.5, "b": true}', b"null"), ["y.d", "y.b"]),
        (GOOD.replace(b'"y": {"d": 2.5, "b": true}, ', b""), ["y.d", "y.b"]),
        (b"{}", ["x", "y.d", "y.b", "s"]),
        (b' { "y" : { } } ', ["x", "y.d", "y.b", "s"]),
        (b'{"y":null}', ["x", "y.d", "y.b", "s"]),
    ],
)
def test_what_is_missing_is_null(value, missing):
    complete = {"x": 1, "y.d": 2.5, "y.b": True, "s": "a"}
    expected = complete | dict.fromkeys(missing)
    assert compiled(XYS).decode([GOOD, value, GOOD]).to_pylist() == [complete, expected, complete]
    assert compiled(XYS).decode([value, GOOD, value]).to_pylist() == [expected, complete, expected]


def test_all_of_an_object_that_is_missing_is_null_however_deep():
    shape = {"a": {"b": {"c": Type.WHOLE, "d": {"e": Type.TEXT}}, "f": Type.TEXT}, "g": {}, "h": Type.BOOLEAN}
    nothing = {"a.b.c": None, "a.b.d.e": None, "a.f": None, "h": None}
    decoder = compiled(shape)
    for value, expected in [
        (b"{}", {}),
        (b'{"h": true, "g": null}', {"h": True}),
        (b'{"g": {}, "a": null}', {}),
        (b'{"a": {"f": "x"}}', {"a.f": "x"}),
        (b'{"a": {"b": null, "f": "x"}}', {"a.f": "x"}),
        (b'{"a": {"b": {"d": null, "c": 1}}}', {"a.b.c": 1}),
        (b'{"a": {"b": {"d": {"e": "y"}}}, "h": false}', {"a.b.d.e": "y", "h": False}),
    ]:
        assert decoder.decode([value]).to_pylist() == [nothing | expected]


def test_a_column_of_nulls_keeps_its_type():
    data = compiled(XYS).decode([b"{}"] * 9)
    assert data.equals(compiled(XYS).decode([GOOD, *[b"{}"] * 9]).slice(1))
    assert [column.null_count for column in data.columns] == [9, 9, 9, 9]
    assert [column.null_count for column in compiled(XYS).decode([GOOD] * 9).columns] == [0, 0, 0, 0]


def test_any_order_of_any_keys_is_followed_and_a_key_twice_is_not():
    shape = {f"x{i}": Type.WHOLE for i in range(8)} | {"a key of more than eight bytes": Type.WHOLE, "x": Type.WHOLE}
    decoder, draw = compiled(shape), random.Random(5)  # noqa: S311 - any order will do
    for _ in range(2_000):
        keys = draw.sample(sorted(shape), draw.randrange(len(shape) + 1))
        record = {key: draw.randrange(100) for key in keys}
        value = standard.dumps(record).encode()
        assert decoder.decode([value]).to_pylist() == [dict.fromkeys(shape) | record]
        if keys:
            again = f', "{draw.choice(keys)}": {draw.choice(["1", "null"])}}}'.encode()
            assert decoder._decode([value[:-1] + again]) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"{},",
        b"{{}}",
        b"{null}",
        b'{"x"}',
        b'{"x":}',
        b"null",
        b"[1]",
        GOOD[:-1],
        GOOD[1:],
        GOOD + b"}",
        GOOD + GOOD,
        GOOD + b",",
        GOOD + b"\0",
        b"\xef\xbb\xbf" + GOOD,
        b"\x0b" + GOOD,
        GOOD.replace(b"}", b",}"),
        GOOD.replace(b"{", b"{,"),
        GOOD.replace(b", ", b" "),
        GOOD.replace(b", ", b",, "),
        GOOD.replace(b":", b""),
        GOOD.replace(b":", b"::"),
        GOOD.replace(b'"x": 1', b'"x": 1, "x": 1'),
        GOOD.replace(b'"x": 1', b'"z": 1'),
        GOOD.replace(b'"x": 1', b'"x": 1, "z": 2'),
        GOOD.replace(b'"x": 1', b'"x": null, "x": 1'),
        GOOD.replace(b'"x": 1', b'"x": 1, "x": null'),
        GOOD.replace(b'"x": 1', b'"x": nul'),
        GOOD.replace(b'"x": 1', b'"x": nullnull'),
        GOOD.replace(b'"x": 1', b'"x": Null'),
        GOOD.replace(b'"x": 1', b'"x": n'),
        GOOD.replace(b'"x": 1', b'"y": null'),
        GOOD.replace(b'"x": 1', b'"y": {}'),
        GOOD.replace(b'"x": 1', b'"s": "b", "s": "a"'),
        GOOD.replace(b'"x"', b'"\\u0078"'),
        GOOD.replace(b'"x"', b"x"),
        GOOD.replace(b'"x"', b"'x'"),
        GOOD.replace(b'"x"', b'"X"'),
        GOOD.replace(b'"x"', b'"xx"'),
        GOOD.replace(b'"x"', b'""'),
        GOOD.replace(b'"d": 2.5', b'"d": 2.5, "d": 2.5'),
        GOOD.replace(b"true", b"tru"),
        GOOD.replace(b"true", b"True"),
        GOOD.replace(b"true", b"truefalse"),
        GOOD.replace(b"true", b"1"),
        GOOD.replace(b"true", b""),
        GOOD.replace(b"true", b"fals"),
        GOOD.replace(b'"a"', b'"a'),
        GOOD.replace(b'"a"', b'a"'),
        GOOD.replace(b'"a"', b'"a""'),
        GOOD.replace(b'"a"', b"1"),
        GOOD.replace(b'"a"', b'"a\\'),
        GOOD.replace(b'"a"', b'"a\\"'),
        GOOD.replace(b'"a"', b'"\\u"'),
        GOOD.replace(b'"a"', b'"\\n'),
        GOOD.replace(b'"a"', b'"\\n\n"'),
        GOOD.replace(b'"a"', b'"\\n\xff"'),
        GOOD.replace(b'"a"', b'"a\n"'),
        GOOD.replace(b'"a"', b'"\0"'),
        GOOD.replace(b'{"d": 2.5, "b": true}', b"1"),
        GOOD.replace(b'{"d": 2.5, "b": true}', b"nul"),
        GOOD.replace(b'{"d": 2.5, "b": true}', b"null}"),
        GOOD.replace(b'{"d": 2.5, "b": true}', b"[]"),
        GOOD.replace(b'{"d": 2.5, "b": true}', b"{null}"),
        GOOD.replace(b'{"d": 2.5, "b": true}', b'{"y": ' * 100_000),
        b'{"y": {"d": 1.5, "b": true}, "x": 1, "s": "a", "y": {"d": 1.5, "b": true}}',
    ],
)
def test_a_batch_with_anything_unusual_in_it_is_given_up_as_a_whole(value):
    assert compiled(XYS).decode([GOOD, GOOD]) is not None
    assert compiled(XYS).decode([GOOD, value, GOOD]) is None
    assert compiled(XYS).decode([GOOD, GOOD, value]) is None


def test_every_text_of_one_to_four_bytes_is_utf_8_or_given_up():
    edges = [0x00, 0x20, 0x21, 0x5B, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1]
    edges += [0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    records = json.Records({"s": json.TEXT})
    accepted = 0
    for size in (1, 2, 3, 4):
        for text in map(bytes, itertools.product(edges, repeat=size) if size < 4 else _quadruples(edges)):
            try:
                good = text.decode() if min(text) >= 0x20 else None
            except UnicodeDecodeError:
                good = None
            payloads = Payloads.of([b'{"s":"%b"}' % text])
            found = records.decode(payloads.data, payloads.bounds)
            assert (found is not None) == (good is not None), text
            if found is not None:
                accepted += 1
                assert found[1]["s"][1].tobytes() == text
    assert accepted > 700


def _quadruples(edges):
    return itertools.product([e for e in edges if e >= 0xE0], edges, edges, [0x7F, 0x80, 0xBF, 0xC2])


@pytest.mark.parametrize("before", ["", "a", "\u00e9\U0001f600"])
@pytest.mark.parametrize("after", ["", "z", "\u00e9\U0001f600"])
def test_every_escape_is_what_msgspec_reads_or_given_up(before, after):
    edges = [0x0, 0x1F, 0x22, 0x5C, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF]
    units = [f"\\u{unit:04x}" for unit in edges]
    escapes = ["\\" + chr(c) for c in range(0x100)] + [a + b for a in ["", "\\n", *units] for b in units]
    escapes += [r"\uABCD", r"\uabcD", r"\u00g0", r"\u 123", r"\u+123", r"\u12", r"\U0041", r"\u@123", r"\u`123"]
    escapes += [r"\u:123", r"\u/123", r"\ud83d\n", r"\ud83dx", "\\ud83d\\", r"\ud83d\ude0", r"\ud83d\\ude00"]
    escapes += [r"\ud83d\u0041", r"\ud83dude00", r"\ud83d/ude00"]
    accepted = 0
    for escape in escapes:
        value = f'{{"s":"{before}{escape}{after}","t":"\\t"}}'.encode()
        try:
            expected = msgspec.json.decode(value)
        except msgspec.DecodeError:
            expected = None
        assert one({"s": Type.TEXT, "t": Type.TEXT}, value) == expected, value
        accepted += expected is not None
    assert accepted > 150


def test_an_empty_object_has_no_keys():
    shape = {"x": Type.WHOLE, "o": {}}
    assert one(shape, b'{"x": 1, "o": {}}') == {"x": 1}
    assert one(shape, b'{"o": { } , "x": 1}') == {"x": 1}
    assert one(shape, b'{"x": 1, "o": {"x": 1}}') is None
    assert one(shape, b'{"x": 1, "o": {"o": {}}}') is None


def test_keys_that_would_be_written_with_escapes_are_refused():
    for key in ('"', "\\", "\n", "a\0"):
        with pytest.raises(ValueError, match="escape"):
            json.Records({key: json.WHOLE})


@pytest.mark.parametrize("shape", [{}, {"o": {}}, {"x": Type.WHOLE, "l": Type.NUMBERS}, {"x": Type.NOTHING}])
def test_shapes_of_other_things_are_left_to_others(shape):
    assert compiled(shape) is None


@pytest.mark.parametrize(
    "text", ["9223372036854775807", "-9223372036854775808", "0", "-0", "-1", "1000000000000000000"]
)
def test_whole_numbers_have_64_bits(text):
    assert one({"x": Type.WHOLE}, f'{{"x":{text}}}'.encode()) == {"x": int(text)}


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551617",
        "1.0",
        "1e3",
        "01",
        "-",
        "+1",
        "nul",
        "true",
        "[1]",
        "{}",
        "-01",
        "9" * 30,
        "",
        '"1"',
        "- 1",
    ],
)
def test_other_whole_numbers_are_given_up(text):
    assert one({"x": Type.WHOLE}, f'{{"x":{text}}}'.encode()) is None


# -- memory -------------------------------------------------------------------


def test_values_end_where_their_bounds_are_whatever_comes_after():
    value = (
        b'{"s": "\xc3\xa9", "x": -12.5e10, "b": false, "t": "\\u00e9\\ud83d\\ude00\\n", "n": null, "o": {"n": null}}'
    )
    kinds = {"s": json.TEXT, "x": json.DECIMAL, "b": json.BOOLEAN, "t": json.TEXT, "n": json.TEXT}
    data = np.frombuffer(b"}0" + value + value, np.uint8)
    records = json.Records({**kinds, "o": {"n": json.TEXT}})
    for a, b in itertools.combinations_with_replacement(range(len(data) + 1), 2):
        found = records.decode(data, np.array([a, b], np.int64))
        assert (found is not None) == (data[a:b].tobytes().strip() in (value, b'{"n": null}'))


@pytest.mark.parametrize(
    "bounds", [[], [0], [-1, 8], [8, 0], [0, 9], [0, 2**62], [0, 8, 0, 8], [0, 16, 8], [-(2**63), 8]]
)
def test_bounds_beyond_the_data_are_given_up(bounds):
    data = np.frombuffer(b'{"x": 1}', np.uint8)
    records = json.Records({"x": json.WHOLE})
    assert records.decode(data, np.array([0, 8])) is not None
    assert records.decode(data, np.array(bounds, np.int64)) is None


def test_a_value_that_ends_behind_the_last_one_is_given_up_with_all_its_escapes():
    value = b'{"s": "' + b"\\n" * 100_000 + b'"}'
    records, data = json.Records({"s": json.TEXT}), np.frombuffer(value, np.uint8)
    assert records.decode(data, np.array([0, len(value)])) is not None
    assert records.decode(data, np.array([0, len(value), 16])) is None


@pytest.mark.parametrize("value", [b"\0", b"{}", b'{"x1":null}'])
def test_many_small_values_take_no_memory_for_many_columns(value):
    records = json.Records({f"x{i}": json.WHOLE for i in range(4_096)})
    data, bounds = np.frombuffer(value * 100_000, np.uint8), np.arange(100_001) * len(value)
    tracemalloc.start()
    try:
        assert records.decode(data, bounds) is None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_several_threads_may_decode_at_once():
    shape = {f"x{i}": Type.WHOLE for i in range(20)}
    records = json.Records(dict.fromkeys(shape, json.WHOLE))

    def decode(seed):
        keys = list(shape)
        random.Random(seed).shuffle(keys)  # noqa: S311 - any order will do
        payloads = Payloads.of([standard.dumps({k: int(k[1:]) + seed for k in keys}).encode()] * 500)
        for _ in range(20):
            numbers, *_ = records.decode(payloads.data, payloads.bounds)
            assert all((numbers[k] == int(k[1:]) + seed).all() for k in shape)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(decode, range(8)))


# -- where a decoder gives up often -------------------------------------------


def test_after_some_batches_given_up_few_are_tried_until_one_succeeds():
    good, damaged = [b'{"x": 1, "s": "a"}'], [b'{"x": 1, "s": "a"']
    decoder = compiled({"x": Type.WHOLE, "s": Type.TEXT})
    tried = 0

    class Counting:
        def __init__(self, records):
            self.decode_really = records.decode

        def decode(self, data, bounds):
            nonlocal tried
            tried += 1
            return self.decode_really(data, bounds)

    decoder._records = Counting(decoder._records)
    for _ in range(1_000):
        assert decoder.decode(damaged) is None
    assert tried < 25
    assert any(decoder.decode(good) is not None for _ in range(100))
    tried = 0
    assert all(decoder.decode(good) is not None for _ in range(100))
    assert tried == 100


def test_a_batch_given_up_now_and_then_changes_nothing():
    decoder = compiled({"x": Type.WHOLE})
    for _ in range(100):
        assert decoder.decode([b'{"x": 1.0}']) is None
        assert decoder.decode([b'{"x": 1}']) is not None


def test_nulls_in_every_batch_are_no_reason_to_look_at_records_one_by_one(monkeypatch):
    decoder = JsonDecoder()
    decoder.decode([GOOD, b"{}"])
    monkeypatch.delattr(JsonDecoder, "_decode_carefully")
    for _ in range(10):
        assert decoder.decode([GOOD, b'{"s": "\\n"}']).data["s"].to_pylist() == ["a", "\n"]
