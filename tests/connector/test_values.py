from __future__ import annotations

import pytest

from smlnb.connector.values import Values
from smlnb.errors import ConfigError


def values(**given):
    found = Values()
    for name, value in given.items():
        found.put(name, f"older.{name}", value)
    return found


def test_what_is_not_there_has_its_default():
    assert (Values().text("x"), Values().number("x", 7), Values().flag("x"), Values().parts("x")) == (
        None,
        7,
        False,
        (),
    )


def test_lists_are_split_at_commas_and_hold_each_part_once():
    assert values(x=" a, b,,a ").parts("x") == ("a", "b")


@pytest.mark.parametrize("wrong", ["", "-1", "1.5", "1e3", "x", "٣", "0"])
def test_a_number_that_is_none_is_refused_by_the_name_that_was_written(wrong):
    with pytest.raises(ConfigError, match=r"older\.x is .*whole number from 1"):
        values(x=wrong).number("x", 1, least=1)


@pytest.mark.parametrize("wrong", ["yes", "1", "on"])
def test_a_flag_is_true_or_false(wrong):
    with pytest.raises(ConfigError, match="use one of true, false"):
        values(x=wrong).flag("x")
    assert values(x="TRUE").flag("x")


def test_two_spellings_of_one_key_must_agree_unless_one_wins():
    found = values(x="1")
    found.put("x", "x", "1")
    with pytest.raises(ConfigError, match="two spellings"):
        found.put("x", "x.other", "2")
    found.put("x", "consumer.x", "2", wins=True)
    assert found.text("x") == "2"
