"""The times of records, in whatever form they are given, as milliseconds since 1970."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.clock import CALENDAR, milliseconds, now
from smlnb.errors import SchemaError, SmlnbError
from smlnb.stats.values import plain_column

__all__ = ["broker_times", "stamps_of"]

Times = NDArray[np.int64]

_NONE = -1  # what Kafka says where there is no time


def stamps_of(times: Any, rows: int, what: str = "times") -> Times:
    """Return the times of records.

    Parameters
    ----------
    times : Arrow array, pandas Series or sequence, shape (rows,)
        Timestamps, ISO 8601 texts, or milliseconds since 1970. Without a zone they are in UTC, but for datetimes of
        Python, which are local. A record whose time is missing counts as of now.
    rows : int
    what : str
        How messages call them.

    Raises
    ------
    SchemaError
        If they can't be read, or are not as many as rows.

    Examples
    --------
    >>> stamps_of(["1970-01-01T00:00:01Z", "1970-01-01T01:00:02+01:00"], 2).tolist()
    [1000, 2000]
    """
    try:
        column = _column(times)
        if len(column) != rows:
            raise SchemaError(f"{rows} records need as many times; there are {len(column)}")
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _of_texts(column)
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = pc.cast(column, pa.timestamp("ms"), safe=False).cast(pa.int64())
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
            column = _whole(column)
        elif not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
            raise SchemaError(f"{what} holds {column.type}")
        stamps = pc.cast(column, pa.int64(), safe=False)
    except (SmlnbError, ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        reason = str(error).partition(chr(10))[0].rstrip(".:")
        raise SchemaError(
            f"The times of the records can't be read: {reason}. Give timestamps, ISO 8601 texts, or milliseconds since "
            "1970, one for each record.",
        ) from error
    return _within_calendar(np.asarray(stamps.fill_null(now()).to_numpy(zero_copy_only=False), np.int64))


def broker_times(times: Times) -> Times:
    """Return the times that records have in Kafka; one that has none (-1 there) counts as of now.

    Records have none if a client before Kafka 0.10 wrote them, or one that was told to.

    Examples
    --------
    >>> times = broker_times(np.array([0, -1]))
    >>> times[0].item(), bool(abs(times[1] - now()) < 60_000)
    (0, True)
    """
    missing = times == _NONE
    return _within_calendar(np.where(missing, now(), times) if missing.any() else times)


def _within_calendar(stamps: Times) -> Times:
    """Return times with those before the year 1000 or after 9999 moved there."""
    first, last = CALENDAR[0], CALENDAR[1] - 1
    if stamps.min(initial=last) >= first and stamps.max(initial=first) <= last:  # nearly always, in half the time
        return stamps
    return np.clip(stamps, first, last)


def _column(times: Any) -> pa.Array:
    if isinstance(times, pa.Array | pa.ChunkedArray):
        return plain_column(times)
    if isinstance(times, np.ndarray) and times.dtype.kind == "M":
        return pa.array(times.astype("datetime64[ms]"))
    if isinstance(times, pd.Series | pd.Index):
        return plain_column(pa.array(times, from_pandas=True))
    if np.ndim(times) != 1:
        raise SchemaError("one time for each record was wanted")
    if any(isinstance(value, dt.datetime) for value in times):
        return pa.array([None if pd.isna(value) else milliseconds(value) for value in times], pa.int64())
    return pa.array(times, from_pandas=True)


def _whole(column: pa.Array) -> pa.Array:
    """Return numbers as whole ones of the calendar; what is none, or infinite, is missing."""
    column = pc.if_else(pc.is_finite(column), pc.floor(column), pa.scalar(None, column.type))
    low, high = (pa.scalar(float(end), column.type) for end in CALENDAR)
    return pc.if_else(pc.less(column, low), low, pc.if_else(pc.greater(column, high), high, column))


def _of_texts(column: pa.Array) -> pa.Array:
    """Read ISO 8601 texts, with zones or without."""
    try:
        return pc.cast(column, pa.timestamp("us"))
    except pa.ArrowInvalid:
        read = pd.to_datetime(pd.Series(column.to_pylist(), dtype=object), utc=True, format="ISO8601")
        return pa.array(read, from_pandas=True)
