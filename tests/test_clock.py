from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from smlnb.clock import duration, interval, milliseconds, now
from smlnb.errors import StatisticsError


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/St_Johns"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def test_a_time_of_day_is_the_latest_one(zone: str) -> None:
    at = int(pd.Timestamp("2026-11-22 10:20", tz=zone).value // 1_000_000)
    assert milliseconds("10:00", at=at) == at - 20 * 60_000
    assert milliseconds("10:30", at=at) == at - (24 * 60 - 10) * 60_000
    assert milliseconds("10:00:30.5", at=at) == at - 20 * 60_000 + 30_500


def test_times_without_a_zone_are_local_and_others_are_their_own(zone: str) -> None:
    noon = int(pd.Timestamp("2026-11-22 12:00", tz=zone).value // 1_000_000)
    assert milliseconds("2026-11-22 12:00") == noon
    assert milliseconds(pd.Timestamp(2026, 11, 22, 12)) == noon
    assert milliseconds("2026-11-22T12:00+00:00") == milliseconds(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC))


def test_spans_count_from_now() -> None:
    assert milliseconds("-15min", at=10**9) == 10**9 - 900_000
    assert milliseconds(dt.timedelta(minutes=15), at=10**9) == 10**9 - 900_000
    assert milliseconds(123.9) == 123


def test_an_interval_of_the_day_may_end_later_than_now() -> None:
    local = dt.datetime.now().astimezone()
    start, stop = (local - dt.timedelta(minutes=5)), (local + dt.timedelta(minutes=5))
    if start.date() == stop.date():
        first, last = interval(f"{start:%H:%M}", f"{stop:%H:%M}", (0, 1))
        assert last - first == 10 * 60_000
        assert first < now() <= last + 60_000


@pytest.mark.parametrize("wrong", ["noon", "", "-soon", None, "nat", object(), True, float("nan")])
def test_what_is_no_time_is_refused_in_words(wrong: object) -> None:
    with pytest.raises(StatisticsError, match="is no time"):
        milliseconds(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["soon", "0s", -1, float("nan"), "nat", None, True])
def test_what_is_no_length_of_time_is_refused_in_words(wrong: object) -> None:
    with pytest.raises(StatisticsError, match="no length of time"):
        duration(wrong)  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_local_by_the_rules_of_its_own_date(zone: str) -> None:
    for month in (1, 7):  # one of the two is daylight saving time, whatever is now
        there = pd.Timestamp(2026, month, 15, 12, tz=zone)
        assert milliseconds(f"2026-{month:02}-15 12:00") == there.timestamp() * 1000
        assert milliseconds(there.tz_localize(None).to_pydatetime()) == there.timestamp() * 1000
        assert milliseconds("9:00", at=int(there.timestamp() * 1000)) == (there.timestamp() - 3 * 3600) * 1000


def test_a_time_of_numpy_is_in_utc_as_the_times_of_records_are(zone: str) -> None:
    assert zone
    assert milliseconds(np.datetime64("2026-11-22T12:00")) == milliseconds("2026-11-22T12:00Z")


def test_the_day_ends_at_24_00(zone: str) -> None:
    at = int(pd.Timestamp("2026-11-22 23:30", tz=zone).timestamp() * 1000)
    assert milliseconds("24:00", at=at) == milliseconds("0:00", at=at)


@pytest.mark.parametrize(
    ("given", "length"),
    [("-1d", -86_400_000), ("-2H", -7_200_000), ("-3S", -3000), ("-1 d", -86_400_000), ("+5min", 300_000)],
)
def test_spans_are_read_as_people_write_them(given: str, length: int) -> None:
    assert milliseconds(given, at=10**9) == 10**9 + length


def test_numpy_lengths_count_from_now() -> None:
    assert milliseconds(np.timedelta64(15, "m"), at=10**9) == 10**9 - 900_000
    assert duration(np.timedelta64(15, "m")) == 900_000
    assert duration("1d") == 86_400_000


@pytest.mark.parametrize("given", ["9:5", "-15", "+3", 10**30, -(10**30), time.time_ns(), "9999999-01-01", b"10:30"])
def test_what_could_be_taken_for_another_time_is_refused_in_words(given: Any) -> None:
    with pytest.raises(StatisticsError, match="time"):
        milliseconds(given)


@pytest.mark.parametrize("given", ["15", 1e300, "1000000D", "-5min"])
def test_what_is_too_long_or_without_a_unit_is_refused_in_words(given: Any) -> None:
    with pytest.raises(StatisticsError, match="length of time"):
        duration(given)
