"""Times and durations as people write them, in milliseconds since 1970 as Kafka counts them."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from smlnb.errors import StatisticsError

__all__ = ["CALENDAR", "Time", "duration", "hull", "interval", "milliseconds", "now", "written"]

Time = str | dt.datetime | dt.timedelta | int | float
"""A time as a person gives it; see :func:`milliseconds`."""

CALENDAR = (-30_610_224_000_000, 253_402_300_800_000)
"""From the year 1000 up to the end of 9999, in milliseconds: times that every library can write."""

TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
UNITS = {"d": "D", "H": "h", "S": "s"}  # as people write them, and as pandas wants them
LONGEST = 100 * 366 * 24 * 60 * 60 * 1000
DAY = 24 * 60 * 60 * 1000


def now() -> int:
    """Return the clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def milliseconds(when: Time, *, at: int | None = None) -> int:
    """Return a time in milliseconds since 1970.

    Parameters
    ----------
    when
        ``"10:30"`` is the latest half past ten, of today or yesterday; ``"2026-11-22 10:30"`` and other dates are taken
        as pandas reads them; ``"-15min"``, or a timedelta, counts from now; a number is milliseconds since 1970. Times
        without a zone are local, but for those of NumPy, which are in UTC.
    at : int, optional
        What counts as now.

    Raises
    ------
    StatisticsError
        If it is no time.

    Examples
    --------
    >>> milliseconds("2026-11-22T10:30Z")
    1795343400000
    >>> milliseconds("-15min", at=1_000_000)
    100000
    """
    at = now() if at is None else at
    try:
        found = _read(when, at)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise StatisticsError(
            f"{when!r} is no time. Write '10:30', '2026-11-22 10:30', '-15min', or give a datetime."
        ) from error
    if not CALENDAR[0] <= found < CALENDAR[1]:
        raise StatisticsError(
            f"{when!r} lies beyond the years 1000 to 9999. A number is milliseconds since 1970: 1000 * time.time()."
        )
    return found


def _read(when: Any, at: int) -> int:
    if isinstance(when, dt.timedelta | np.timedelta64):
        return at - abs(_length(when))
    if isinstance(when, int | float | np.number) and not isinstance(when, bool):
        return math.floor(when)
    if not isinstance(when, str):
        stamp = pd.Timestamp(when)
        return _milliseconds(stamp.tz_localize("UTC") if isinstance(when, np.datetime64) else stamp)
    text = when.strip()
    if text[:1] in {"-", "+"}:
        return at + _length(text)
    if text == "24:00":
        text = "00:00"  # where the day ends, or began
    if not TIME_OF_DAY.fullmatch(text):
        if re.fullmatch(r"\d{1,2}:.*", text) and not re.match(r"\d{1,2}:\d\d", text):
            raise ValueError("minutes have two digits")
        return _milliseconds(pd.Timestamp(text))
    day = dt.datetime.fromtimestamp(at / 1000, dt.UTC).astimezone().replace(tzinfo=None)
    clock = pd.Timestamp(text).time()
    found = _milliseconds(pd.Timestamp(dt.datetime.combine(day, clock)))
    return found if found <= at else _milliseconds(pd.Timestamp(dt.datetime.combine(day - dt.timedelta(days=1), clock)))


def _milliseconds(stamp: Any) -> int:
    """Return a time; without a zone it is local, by the rules of its own date."""
    if stamp is pd.NaT:
        raise ValueError("no time")
    if stamp.tz is None:
        stamp = pd.Timestamp(stamp.to_pydatetime(warn=False).astimezone(dt.UTC))
    return int((stamp - pd.Timestamp(0, tz="UTC").as_unit("ms")) // pd.Timedelta(milliseconds=1))


def _length(length: Any) -> int:
    """Return a length of time in milliseconds, as pandas reads it."""
    if isinstance(length, str):
        if re.fullmatch(r"[-+]?[\d\s.]+", length):
            raise ValueError("a unit is missing")
        length = re.sub(r"(?<=\d)(\s*)([dHS])(?![A-Za-z])", lambda m: m[1] + UNITS[m[2]], length)
    found = pd.Timedelta(length)
    if pd.isna(found):
        raise ValueError("no length of time")
    return int(found // pd.Timedelta(milliseconds=1))


def interval(start: Time | None, stop: Time | None, known: tuple[int, int]) -> tuple[int, int]:
    """Return an interval in milliseconds; what is not given is the end of what is ``known``, or now if that is later.

    Raises
    ------
    StatisticsError
        If a time is none, or the interval ends before it begins.

    Examples
    --------
    >>> interval(None, 500, (0, 1000))
    (0, 500)
    """
    at = now()
    first = known[0] if start is None else milliseconds(start, at=at)
    last = max(known[1], at if start is not None else 0) if stop is None else milliseconds(stop, at=at)
    if last <= first and isinstance(stop, str) and TIME_OF_DAY.fullmatch(stop.strip()) and at - first < DAY:
        last += DAY  # "10:00" to "10:30", asked at 10:15
    if first >= last:
        raise StatisticsError(
            f"An interval ends after it begins: from {written(first)} to {written(last)} holds no time."
        )
    return first, last


def duration(length: str | dt.timedelta | float) -> int:
    """Return a length of time in milliseconds: ``"10min"``, ``"1h"``, a timedelta, or a number of seconds.

    Raises
    ------
    StatisticsError
        If it is none, or not above zero.

    Examples
    --------
    >>> duration("10min"), duration(1.5)
    (600000, 1500)
    """
    number = isinstance(length, int | float | np.number) and not isinstance(length, bool | np.timedelta64)
    try:
        found = math.floor(1000 * float(length)) if number else _length(length)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError) as error:
        raise StatisticsError(f"{length!r} is no length of time. Write '10min', '1h' or '30s'.") from error
    if not 1 <= found <= LONGEST:
        raise StatisticsError(
            f"{length!r} is no length of time from a millisecond to a hundred years. Write '10min', '1h' or '30s'."
        )
    return found


def hull(spans: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the shortest interval that holds all of some; None if there are none.

    Examples
    --------
    >>> hull([(5, 9), (2, 3)]), hull([])
    ((2, 9), None)
    """
    every = list(spans)
    return (min(start for start, _ in every), max(stop for _, stop in every)) if every else None


def written(when: int) -> str:
    """Return a time in milliseconds as text, in UTC; where the calendar ends, the number.

    Examples
    --------
    >>> written(0)
    '1970-01-01T00:00:00+00:00'
    """
    try:
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=when)).isoformat(timespec="seconds")
    except OverflowError:
        return f"{when} ms"
