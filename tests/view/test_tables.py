"""Tables are for people: escaped, aligned, with a head that screen readers find."""

from __future__ import annotations

from smlnb.view.tables import facts, number, table

NASTY = "<script>alert(1)</script>"


def test_text_from_data_is_escaped_everywhere() -> None:
    shown = table([NASTY, NASTY], [[NASTY, NASTY]], NASTY) + facts(NASTY, NASTY, (NASTY, NASTY))
    assert "<script" not in shown


def test_heads_say_what_they_are_heads_of() -> None:
    shown = table(["attribute", "mean"], [["s1", "1"]])
    assert '<th scope="col"' in shown
    assert '<th scope="row"' in shown


def test_numbers_that_are_missing_or_infinite_are_shown_as_such() -> None:
    assert number(None) == number(float("nan")) == "\N{EN DASH}"
    assert number(float("inf")) == "\N{INFINITY}"


def test_numbers_have_separators_and_as_many_digits_as_their_neighbours() -> None:
    assert [number(v) for v in (5.6, 25.2, 181.96, 999.96, -4624.0)] == ["5.600", "25.20", "182.0", "1,000", "-4,624"]


def test_whole_numbers_have_no_decimals() -> None:
    assert [number(v) for v in (0.0, -0.0, 12.0, 1e6)] == ["0", "0", "12", "1,000,000"]


def test_no_number_is_long() -> None:
    assert max(len(number(s * m * 10.0**e)) for s in (1, -1) for m in (1, 1.2345678) for e in range(-300, 300)) <= 16
