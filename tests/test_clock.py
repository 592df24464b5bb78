from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator

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
