from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smlnb import clock
from smlnb.errors import SchemaError
from smlnb.shards.stamps import stamps_of

PARIS = pd.date_range("2024-01-01", periods=3, tz="Europe/Paris")
MIDNIGHTS = [1_704_067_200_000 + day * 86_400_000 for day in range(3)]


@pytest.fixture
def berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.parametrize(
    "given",
    [
        MIDNIGHTS,
        np.array(MIDNIGHTS, float) + 0.25,
        pa.array(MIDNIGHTS),
        pa.chunked_array([MIDNIGHTS[:1], MIDNIGHTS[1:]]),
        np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[D]"),
        pd.Series(pd.date_range("2024-01-01", periods=3)),
        pd.Series(PARIS + pd.Timedelta("1h")),
        list(PARIS + pd.Timedelta("1h")),
        PARIS + pd.Timedelta("1h"),
        [dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3)],
        [dt.date(2024, 1, day) for day in (1, 2, 3)],
        ["2024-01-01", "2024-01-02T00:00:00Z", "2024-01-03T01:00:00+01:00"],
        pd.Series(["2024-01-01", "2024-01-02", "2024-01-03"]),
        pd.Series(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="category"),
    ],
)
def test_times_are_read_in_every_form(given: Any) -> None:
    assert stamps_of(given, 3).tolist() == MIDNIGHTS


def test_a_datetime_of_python_without_a_zone_is_local_as_everywhere(berlin: None) -> None:
    assert stamps_of([dt.datetime(2024, 1, 1, 1), None], 2)[0] == MIDNIGHTS[0]  # noqa: DTZ001
    assert stamps_of([dt.datetime(2024, 7, 1, 2)], 1)[0] == clock.milliseconds("2024-07-01T00:00Z")  # noqa: DTZ001


@pytest.mark.parametrize(
    "given",
    [
        [0.0, np.nan, 2.0],
        [0, np.inf, 2],
        [0, None, 2],
        np.array([0, 2, 3], "datetime64[ms]") + np.array([0, "NaT", 0], "timedelta64[ms]"),
        pd.array([0, None, 2], dtype="Int64"),
        ["1970-01-01", None, "1970-01-02"],
        [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None, pd.NaT],
    ],
)
def test_a_record_without_a_time_counts_as_of_now(given: Any) -> None:
    before = clock.now()
    read = stamps_of(given, 3)
    assert read[0] == 0
    assert before <= read[1] <= clock.now()


def test_times_beyond_the_calendar_are_moved_to_its_ends() -> None:
    for given in ([-(2**63), 2**62], [-1e300, 1e300]):
        assert stamps_of(given, 2).tolist() == [clock.CALENDAR[0], clock.CALENDAR[1] - 1]


@pytest.mark.parametrize(
    "given",
    [
        ["a", "b"],
        [1],
        [[1], [2]],
        5,
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        [{}, {}],
        [True, False],
        ["2024-13-01", ""],
    ],
)
def test_what_holds_no_times_is_refused_in_words(given: Any) -> None:
    with pytest.raises(SchemaError, match=r"times of the records can't be read: .* 1970, one for each record"):
        stamps_of(given, 2)
