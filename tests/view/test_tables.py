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
