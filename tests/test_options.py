from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from smlnb.errors import SchemaError, StatisticsError
from smlnb.options import Extent, Options
from smlnb.project import Project
from smlnb.stats.history import TIERS


def test_extents_are_read_in_every_form() -> None:
    assert Extent.of(np.int64(5)) == Extent.of(5) == Extent(5, "rows")
    assert Extent.of(np.timedelta64(1, "m")) == Extent.of("1min") == Extent.of(60.0) == Extent(60_000, "time")


def test_tiers_are_read_in_every_form() -> None:
    assert Options.of(history=None).history == Options.of(history=()).history == ()
    assert Options.of(history=True).history == TIERS
    assert Options.of(history=[("1min", 5), ("1d", np.int64(2))]).history == ((60_000, 5), (86_400_000, 2))


@pytest.mark.parametrize(
    "history",
    ["1min", 5, [1, 2], [("1min",)], [("1min", "x")], [("1min", 2.7)], {"1min": 60}, [("1min", 0)], [("soon", 1)],
     [("1min", 9), ("90s", 9)], [(0, 5)]],
)  # fmt: skip
def test_a_history_that_can_not_be_kept_is_refused_at_once(history: Any) -> None:
    with pytest.raises((SchemaError, StatisticsError)):
        Options.of(history=history)


@pytest.mark.parametrize("extent", [0, -1, True, 10**30, "", "-5min", (1, 2), [], 1e300])
def test_an_extent_that_is_none_is_refused_at_once(extent: Any) -> None:
    with pytest.raises((SchemaError, StatisticsError), match="length of time"):
        Extent.of(extent)


def test_the_shortest_window_works() -> None:
    project = Project("p", types="C", window="1ms")
    project.learn({"x": [1.0, 2.0, 3.0]}, times=[1, 2, 2])
    assert project.window().n == 2
