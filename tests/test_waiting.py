from __future__ import annotations

import pytest

from tests.waiting import eventually


def test_the_first_true_value_is_returned():
    values = iter([0, None, "", "there"])
    assert eventually(lambda: next(values), 5, "a value") == "there"


def test_giving_up_names_what_was_waited_for_and_the_last_value():
    with pytest.raises(AssertionError, match=r"the rows did not come true within 0.05 s; the last value was \[\]"):
        eventually(list, 0.05, "the rows")
