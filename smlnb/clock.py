"""Times and durations as people write them, in milliseconds since 1970 as Kafka counts them."""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import Any

import numpy as np
import pandas as pd

from smlnb.errors import StatisticsError

__all__ = ["Time", "duration", "interval", "milliseconds", "now", "written"]

Time = str | dt.datetime | dt.timedelta | int | float
"""A time as a person gives it; see :func:`milliseconds`."""

TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
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
        without a zone are local.
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
    if isinstance(when, int | float | np.number) and not isinstance(when, bool):
        if not np.isfinite(when):
            raise StatisticsError(f"{when!r} is no time.")
        return int(when)
    try:
        if isinstance(when, dt.timedelta | np.timedelta64):
            return at - abs(int(pd.Timedelta(when) // pd.Timedelta(milliseconds=1)))
        if isinstance(when, str) and when.strip()[:1] in {"-", "+"}:
            return at + int(pd.Timedelta(when.strip()) // pd.Timedelta(milliseconds=1))
        stamp = _local(pd.Timestamp(when))
    except (ValueError, TypeError, OverflowError) as error:
        raise StatisticsError(
            f"{when!r} is no time. Write '10:30', '2026-11-22 10:30', '-15min', or give a datetime."
        ) from error
    if isinstance(when, str) and TIME_OF_DAY.fullmatch(when.strip()):
        today = _local(pd.Timestamp(at, unit="ms", tz="UTC").tz_convert(_zone()).tz_localize(None).normalize())
        stamp = today + (stamp - stamp.normalize())
        if _milliseconds(stamp) > at:
            stamp -= pd.Timedelta(milliseconds=DAY)
    return _milliseconds(stamp)


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
        raise StatisticsError(f"The interval from {written(first)} to {written(last)} holds no time.")
    return first, last


def _local(stamp: Any) -> Any:
    if stamp is pd.NaT:
        raise ValueError("no time")
    return stamp.tz_localize(_zone(), ambiguous=False, nonexistent="shift_forward") if stamp.tz is None else stamp


def _zone() -> dt.tzinfo:
    return dt.datetime.now().astimezone().tzinfo or dt.UTC


def _milliseconds(stamp: Any) -> int:
    return int(stamp.value // 1_000_000)


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
    seconds = isinstance(length, int | float) and not isinstance(length, bool)
    try:
        given = pd.Timedelta(length, unit="s") if seconds else pd.Timedelta(length)
    except (ValueError, TypeError, OverflowError) as error:
        raise StatisticsError(f"{length!r} is no length of time. Write '10min', '1h' or '30s'.") from error
    found = 0 if pd.isna(given) else int(given // pd.Timedelta(milliseconds=1))
    if found < 1:
        raise StatisticsError(f"{length!r} is no length of time above zero. Write '10min', '1h' or '30s'.")
    return found


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
