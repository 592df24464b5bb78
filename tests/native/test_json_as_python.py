"""The compiled JSON parser and the Python path: the same columns, bit by bit, of any records and of damaged ones."""

from __future__ import annotations

import json as standard
import random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.formats import json_compiled
from smlnb.formats.json_decode import JsonDecoder
from smlnb.formats.json_types import Type
from smlnb.formats.payloads import Payloads
from tests.formats.test_json_packed import SHAPES, VALUES, records_of
from tests.native.test_json import compiled
from tests.stats.laws import law_settings

pytestmark = pytest.mark.skipif(not json_compiled.AVAILABLE, reason="the compiled modules are switched off")

LETTERS = {"q": Type.WHOLE, "d": Type.DECIMAL, "?": Type.BOOLEAN, "s": Type.TEXT}


def by_python(decoder, values):
    with patch.object(json_compiled, "AVAILABLE", new=False):
        return decoder.decode(values)


def assert_same(found, expected):
    assert found.data.schema.equals(expected.data.schema)
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.refused == expected.refused
    assert_same_bits(found.data, expected.data)


def assert_same_bits(found, expected):
    assert found.equals(expected)
    for a, b in zip(found.columns, expected.columns, strict=True):
        if a.type == "double":
            assert a.fill_null(0).to_numpy().tobytes() == b.fill_null(0).to_numpy().tobytes()


def sparse(shape):
    """Return a strategy for objects of a shape that lack some of its keys, and have nulls."""
    kinds = {key: sparse(kind) if isinstance(kind, dict) else VALUES[kind] for key, kind in shape.items()}
    return st.fixed_dictionaries({}, optional={key: st.none() | values for key, values in kinds.items()})


def dumped(value, spaces, escaped):
    """Write JSON; a text has an escape in place of each character for which ``escaped()`` is true."""
    comma, colon = spaces
    if isinstance(value, dict):
        fields = (standard.dumps(k, ensure_ascii=False) + colon + dumped(v, spaces, escaped) for k, v in value.items())
        return "{" + comma.join(fields) + "}"
    if isinstance(value, str):
        return '"' + "".join(standard.dumps(c, ensure_ascii=escaped())[1:-1] for c in value) + '"'
    return standard.dumps(value)


@st.composite
def written(draw):
    """Draw batches of records of one shape as bytes, with keys in the orders of two producers; the first teach it."""
    shape = draw(SHAPES)
    drawn = [draw(st.lists(records_of(shape), min_size=1, max_size=3))]
    drawn += draw(st.lists(st.lists(records_of(shape) | sparse(shape), min_size=1, max_size=8), min_size=1, max_size=3))
    spaces = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")]))
    escaped = draw(st.sampled_from([lambda: False, lambda: True, lambda: draw(st.booleans())]))
    return [
        [
            dumped(dict(reversed(record.items())) if draw(st.booleans()) else record, spaces, escaped).encode()
            for record in batch
        ]
        for batch in drawn
    ]


@law_settings
@given(written())
def test_every_batch_is_decoded_as_by_python(batches):
    fast, slow = JsonDecoder(), JsonDecoder()
    for values in batches:
        assert_same(fast.decode(Payloads.of(values)), by_python(slow, values))


@law_settings
@given(written(), st.randoms(use_true_random=False))
def test_every_damaged_batch_is_decoded_and_refused_as_by_python(batches, draw):
    fast, slow = JsonDecoder(), JsonDecoder()
    for values in batches:
        damaged = [*values, mutated(draw.choice(values), draw), draw.choice([None, b"", draw.choice(values)])]
        assert_same(fast.decode(damaged), by_python(slow, damaged))
        assert_same(fast.decode(Payloads.of(values)), by_python(slow, values))


INSERTED = [b" ", b"\n", b"\t", b"\0", b'"', b"\\", b",", b":", b"{", b"}", b"0", b"1", b"-", b"+", b".", b"e", b"E"]
INSERTED += [b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\x0b", b"null", b"\xef\xbb\xbf", b"\\u0041"]
INSERTED += [
    b"\\n",
    b'\\"',
    b"\\\\",
    b"\\/",
    b"\\x",
    b"\\u0022",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b"\\uDE00",
    b"\\u",
    b"nul",
]


def mutated(value, draw):
    """Damage a record in one or two of some ways; many of them leave it right."""
    for _ in range(draw.choice([1, 1, 2])):
        a, b, c = sorted(draw.randrange(len(value) + 1) for _ in range(3))
        way = draw.randrange(9)
        if way == 0 and value:  # flip a bit
            value = value[: a - 1] + bytes([value[a - 1] ^ 1 << draw.randrange(8)]) + value[a:] if a else value
        elif way == 1:  # cut
            value = value[:a] + value[b:]
        elif way == 2:  # end early
            value = value[:b]
        elif way == 3:  # insert
            value = value[:a] + draw.choice(INSERTED) + value[a:]
        elif way == 4:  # insert white space or a digit beside punctuation
            places = [i for i, byte in enumerate(value) if byte in b'{}:,".']
            at = draw.choice(places) + draw.randrange(2) if places else 0
            value = value[:at] + draw.choice([b" ", b"\r\n", b"\t ", b"0", b"12", b"e3"]) + value[at:]
        elif way == 5:  # exchange
            value = value[:a] + value[b:c] + value[a:b] + value[c:]
        elif way == 6:  # a field twice, or two exchanged
            parts = value.split(b",")
            parts.insert(draw.randrange(len(parts) + 1), draw.choice(parts))
            if draw.random() < 0.5:
                draw.shuffle(parts)
            value = b",".join(parts)
        elif way == 7:  # fields in another order
            parts = value[1:-1].split(b",")
            draw.shuffle(parts)
            value = b"{" + b",".join(parts) + b"}"
        else:  # another value
            value = value.replace(
                draw.choice([b"1", b"5", b"true", b'"a"', b"0"]),
                draw.choice(
                    [b"9007199254740993", b"1e5", b"-0", b"null", b"false", b'"', b"1.0", b'"\xc3\xa9"', b"01"]
                ),
                1,
            )
    return value


MUTATED = {
    b'{"x":1,"y":-0.5,"b":true,"s":"a"}': "qd?s",
    b'{"x": 105, "y": 5, "b": false, "s": "h\xc3\xa9llo"}': "qd?s",
    b'{"x": null, "y": 1.5, "b": null, "s": "a\\n\\u00e9\\ud83d\\ude00\\""}': "qd?s",
    b'{"s": "\\\\", "t": null, "u": "1\\/2", "v": "\\u0022,\\u0022"}': "ssss",
    b'{"k": 1, "kk": 15, "kkk": 1.5e10}': "qqd",
    b'{"x": 1.25, "y": 12345678.90123456789}': "dd",
    b'{"o":{"x":1,"o":{"x":0.25}},"s":""}': None,
    b'{"o":{"x":1,"o":null},"s":null}': None,
    b'{"o":null,"s":"\\u0041"}': None,
}
SAMPLES = {Type.WHOLE: 1, Type.DECIMAL: 0.5, Type.BOOLEAN: True, Type.TEXT: "a"}


def shape_of(value, letters):
    if letters is None:
        return {"o": {"x": Type.WHOLE, "o": {"x": Type.DECIMAL}}, "s": Type.TEXT}
    return {key: LETTERS[letter] for key, letter in zip(standard.loads(value), letters, strict=True)}


def sample(shape):
    return {key: sample(kind) if isinstance(kind, dict) else SAMPLES[kind] for key, kind in shape.items()}


def test_nothing_is_accepted_of_damaged_records_that_python_would_refuse_or_read_otherwise():
    draw = random.Random(7)  # noqa: S311 - it only corrupts bytes
    accepted = 0
    for value, letters in MUTATED.items():
        shape = shape_of(value, letters)
        decoder, python = compiled(shape), JsonDecoder()
        by_python(python, [standard.dumps(sample(shape)).encode()])
        for _ in range(4_000):
            damaged = mutated(value, draw)
            data = decoder._decode([damaged])
            if data is not None:
                accepted += 1
                expected = by_python(python, [damaged])
                assert expected.refused == (), damaged
                assert_same_bits(data, expected.data)
    assert accepted > 6_000
