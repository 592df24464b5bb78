from __future__ import annotations

import csv
import io

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlnb.errors import ConfigError
from smlnb.formats.csv_decode import CsvDecoder
from smlnb.formats.decode import decoder
from smlnb.formats.decoded import EMPTY, TOMBSTONE


def line(*fields, delimiter=","):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerow(fields)
    return out.getvalue().removesuffix("\r\n").encode()


def test_fields_become_columns_of_one_type():
    decoded = CsvDecoder("i,f,b,s").decode([b"1,0.5,true,a", b"2,3,false,b"])
    assert decoded.data.schema.types == [pa.int64(), pa.float64(), pa.bool_(), pa.string()]
    assert decoded.data.to_pydict() == {"i": [1, 2], "f": [0.5, 3.0], "b": [True, False], "s": ["a", "b"]}


@pytest.mark.parametrize("columns", ["a;b c;d", ["a", "b c", "d"], '"a";"b c";d'])
def test_names_are_given_as_a_list_or_as_the_line_of_names(columns):
    decoded = decoder("csv", columns=columns, delimiter=";").decode([b"1;2;3"])
    assert decoded.data.to_pydict() == {"a": [1], "b c": [2], "d": [3]}


BAD = {
    "tombstone": (None, TOMBSTONE),
    "empty": (b"", EMPTY),
    "blank": (b" \r\n", EMPTY),
    "too few": (b"1", "the line has 1 fields instead of 3"),
    "too many": (b"1,2,3,4", "the line has 4 fields instead of 3"),
    "text among numbers": (b"x,0.5,a", "'i': 'x' is no number"),
    "1e400": (b"1e400,0.5,a", "beyond the numbers"),
    "2^64 among decimals": (b"1,18446744073709551617,a", "no decimal number of 64 bits equals"),
    "open quotation mark": (b'1,0.5,"a', "a quotation mark is not closed"),
    "text after a quotation mark": (b'1,0.5,"a"b', "malformed CSV"),
    "two lines": (b"1,0.5,a\n2,0.5,b", "2 lines in one record"),
    "two lines, carriage return": (b"1,0.5,a\r2,0.5,b", "malformed CSV"),
    "utf8": (b"1,0.5,\xff", "invalid UTF-8 at byte 6"),
    "names": (b"i,x,s", "the line holds the names of the columns"),
    "names, quoted": (b'"i","x","s"', "the line holds the names of the columns"),
    "other delimiter": (b"1;0.5;a", "the line has 1 fields"),
    "json": (b'{"i": 1}', "the line has 1 fields"),
    "bom": (b"\xef\xbb\xbf1,0.5,a", "is no number"),
    "nul": (b"1\0,0.5,a", "is no number"),
    "many fields": (b"," * 1_000_000, "the line has 1000001 fields"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("warm", [False, True], ids=["first batch", "later batch"])
def test_one_bad_record_among_a_thousand_is_refused_by_itself_with_a_reason(name, warm):
    value, reason = BAD[name]
    good = [f"{i},{i}.5,t".encode() for i in range(999)]
    one = CsvDecoder("i,x,s")
    if warm:
        one.decode(good)
    decoded = one.decode([*good[:500], value, *good[500:]])
    ((index, said),) = decoded.refused
    assert index == 500
    assert reason in said
    assert len(said) < 200
    assert decoded.data["i"].to_pylist() == list(range(999))
    assert decoded.data["x"].to_pylist() == [i + 0.5 for i in range(999)]
    assert decoded.rows.tolist() == [i for i in range(1_000) if i != 500]


GOOD = {
    "quoted delimiter": (b'1,0.5,"a,b"', (1, 0.5, "a,b")),
    "quoted break": (b'1,0.5,"a\nb\r\nc"', (1, 0.5, "a\nb\r\nc")),
    "quoted quotation mark": (b'1,0.5,"a""b"', (1, 0.5, 'a"b')),
    "quoted number": (b'"1","0.5",a', (1, 0.5, "a")),
    "line feed at the end": (b"1,0.5,a\n", (1, 0.5, "a")),
    "line feed of Windows": (b"1,0.5,a\r\n", (1, 0.5, "a")),
    "blanks": (b" 1 , 0.5 , a ", (1, 0.5, " a ")),
    "empty fields": (b",,", (None, None, None)),
    "missing numbers": (b"NA,NaN,NA", (None, None, "NA")),
    "emoji": ("1,0.5,😀".encode(), (1, 0.5, "😀")),
    "ten megabytes": (b"1,0.5," + b"x" * 10_000_000, (1, 0.5, "x" * 10_000_000)),
    "a part of the names": (b"1,0.5,i", (1, 0.5, "i")),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_unusual_and_right_is_kept(name):
    value, expected = GOOD[name]
    one = CsvDecoder("i,x,s")
    one.decode([b"1,0.5,a"])
    decoded = one.decode([b"2,1.5,b", value, b"3,2.5,c"])
    assert decoded.refused == ()
    assert tuple(decoded.data.to_pylist()[1].values()) == expected


def test_broken_lines_that_make_up_for_each_other_spoil_no_neighbour():
    values = [b'1,"a', b'b"', b"3,c\n4,d", b"5,e"]
    decoded = CsvDecoder("i,s").decode(values)
    assert decoded.data.to_pylist() == [{"i": 5, "s": "e"}]
    assert [i for i, _ in decoded.refused] == [0, 1, 2]


def test_one_strange_record_at_the_begin_does_not_make_strangers_of_all_others():
    one = CsvDecoder("x,b")
    decoded = one.decode([b"text,7", b"1,true", b"2,false"])
    assert [i for i, _ in decoded.refused] == [0]
    assert one.decode([b"3,true"]).data.to_pydict() == {"x": [3], "b": [True]}


def test_whole_numbers_become_decimal_ones_and_stay_so():
    one = CsvDecoder("x")
    assert one.decode([b"1"]).data["x"].type == pa.int64()
    assert one.decode([b"9007199254740993", b"1"]).data["x"].to_pylist() == [2**53 + 1, 1]
    assert one.decode([b"1.5", b"2"]).data["x"].to_pylist() == [1.5, 2.0]
    assert one.decode([b"2"]).data["x"].type == pa.float64()


def test_a_column_without_values_takes_its_type_from_the_first():
    one = CsvDecoder("a,b")
    assert one.decode([b"1,"]).data.schema.types == [pa.int64(), pa.null()]
    assert one.decode([b",x"]).data.to_pydict() == {"a": [None], "b": ["x"]}


@pytest.mark.parametrize("columns", ["", [], ["", ""], "a,a"])
def test_names_must_be_given_each_once(columns):
    with pytest.raises(ConfigError, match="columns"):
        decoder("csv", columns=columns)


def test_a_missing_line_of_names_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigError, match=r"needs the format option 'columns'.*'time,x'"):
        decoder("csv")


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "é"])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ConfigError, match="delimiter"):
        CsvDecoder("a", delimiter)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map("t{}".format)  # no numbers


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), texts)))
def test_what_comes_out_is_what_the_standard_library_wrote(rows):
    decoded = CsvDecoder("i,x,s").decode([line(i, repr(x), s) for i, x, s in rows])
    kept = [rows[i] for i in decoded.rows.tolist()]
    assert len(kept) + len(decoded.refused) == len(rows)
    assert all("no decimal" in reason for _, reason in decoded.refused)
    for row, (i, x, s) in zip(decoded.data.to_pylist(), kept, strict=True):
        assert row["i"] == i
        assert (row["x"], row["s"] or "") == (x, s)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-1000, 1000), st.text("ab ,;\"'", max_size=6).map("t{}".format)), min_size=1))
def test_what_comes_out_is_what_polars_reads(rows):
    values = [line(i, s) for i, s in rows]
    expected = pl.read_csv(b"\n".join(values), has_header=False, schema={"i": pl.Int64, "s": pl.String})
    found = CsvDecoder("i,s").decode(values)
    assert found.refused == ()
    assert found.data["i"].to_pylist() == expected["i"].to_list()
    assert [s or "" for s in found.data["s"].to_pylist()] == [s or "" for s in expected["s"].to_list()]


@settings(deadline=None)
@given(st.lists(st.none() | st.binary(max_size=20) | st.text('1,2."\n\r;tf', max_size=12).map(str.encode)))
def test_no_bytes_raise_and_each_value_is_a_row_or_refused(values):
    decoded = CsvDecoder("a,b").decode(values)
    assert sorted([*decoded.rows.tolist(), *(i for i, _ in decoded.refused)]) == list(range(len(values)))
    assert decoded.data.num_rows == len(decoded.rows)


@pytest.mark.parametrize("columns", ["time;x", "time,x", "time, x", ["time", "x"]])
def test_names_of_columns_may_be_given_with_commas_whatever_the_delimiter_is(columns):
    assert CsvDecoder(columns, delimiter=";").decode([b"noon;0.5"]).data.to_pylist() == [{"time": "noon", "x": 0.5}]
