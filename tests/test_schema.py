from __future__ import annotations

import pyarrow as pa
import pytest

from smlnb.errors import SchemaError, UnknownAttributeError
from smlnb.schema import Attribute, Kind, Schema, guess_kind, parse_kinds


def test_wrong_letters_are_named_with_their_place_and_the_right_ones() -> None:
    with pytest.raises(SchemaError, match=r"Type 2 of 3 is 'Q'.*C continuous, B binary"):
        parse_kinds("C,Q,X")


@pytest.mark.parametrize("letters", ["C", "C,C,C"])
def test_another_number_of_letters_than_columns_names_both(letters: str) -> None:
    with pytest.raises(SchemaError, match=rf"{len(letters.split(','))} type letters for 2 columns \(a, b\)"):
        Schema.of(["a", "b"], letters)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownAttributeError, match="Did you mean 'temperature'"):
        Schema.of(["temperature"], "C")["temprature"]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaError, match="'a' appears twice"):
        Schema.of(["a", "a"], "C,C")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, None], Kind.BINARY),
        ([0, 1, 1, 0], Kind.BINARY),
        ([0.0, 1.0], Kind.BINARY),
        ([0, 1, 2], Kind.CONTINUOUS),
        ([0, 0, 0], Kind.CONTINUOUS),  # what else may come?
        ([0.5], Kind.CONTINUOUS),
        (["a", "b"] * 4, Kind.CATEGORY),
        (["a", "b", "c"], Kind.TEXT),
        ([["a"], ["b", "c"]], Kind.LIST),
        ([None, None], Kind.IGNORED),
        ([b"raw"], Kind.IGNORED),
    ],
)
def test_kinds_are_guessed_from_values(values: list[object], kind: Kind) -> None:
    assert guess_kind(pa.array(values)) is kind


def test_known_letters_win_over_guesses_and_must_name_columns() -> None:
    data = pa.record_batch({"s1": [1.5], "class": [2]})
    assert Schema.guess(data, {"class": "X"}).letters == "C,X"
    with pytest.raises(UnknownAttributeError, match="Did you mean 'class'"):
        Schema.guess(data, {"clas": "X"})


def test_a_schema_survives_its_state_and_grows_at_the_end() -> None:
    schema = Schema.of(["a", "b"], "C,T").with_attributes([Attribute("c", Kind.BINARY)])
    assert Schema.from_state(schema.state()) == schema
    assert schema.numeric == ("a", "c")
    assert schema.categories == ("b",)
