"""One row of statistics per attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from smlnb.errors import UnknownAttributeError
from smlnb.stats.ends import EndsSummary
from smlnb.stats.moments import MomentSummary
from smlnb.stats.table import TableSummary

__all__ = ["COLUMNS", "univariate"]

COLUMNS = (
    "count", "missing", "infinite", "mean", "variance", "std", "stderr", "ci95_low", "ci95_high",
    "skewness", "kurtosis", "min", "q25", "median", "q75", "max", "sum", "cv", "skewness_sayad",
    "first", "first_time", "last", "last_time",
)  # fmt: skip
QUARTILES = (0.25, 0.5, 0.75)


def univariate(summary: TableSummary, attributes: Sequence[str] | None = None, ddof: int = 1) -> pd.DataFrame:
    """Return the univariate statistics of the numeric attributes.

    Parameters
    ----------
    summary : TableSummary
    attributes : sequence of str, optional
        Those wanted; all numeric ones by default.
    ddof : int, default 1
        1 gives unbiased figures as in pandas, 0 the biased ones (of a population).

    Returns
    -------
    pandas.DataFrame
        Indexed by attribute, with the columns :data:`COLUMNS`. The 95 % interval of the mean is by Student's t with
        count - 1 degrees of freedom; the quartiles come from the quantile sketch, or else from the histogram.
        ``skewness`` and ``kurtosis`` are SciPy's (``bias=ddof == 0``); ``skewness_sayad`` is SymetryML's, whatever
        ``ddof`` is: n^2 / ((n - 1) (n - 2)) m3 / sigma^3 with the biased third moment and the biased sigma. ``cv`` is
        the coefficient of variation, std / |mean|. Figures that the values do not define are NaN.
        ``first`` and ``last`` are the values with the earliest and the latest time, and ``first_time`` and
        ``last_time`` these times, as ``datetime64[ms, UTC]``; NaN and NaT where no value came with a time, and after
        records were forgotten.

    Raises
    ------
    UnknownAttributeError
        If an attribute is not a numeric one of the project.
    """
    names = summary.schema.numeric
    wanted = list(names if attributes is None else attributes)
    for name in wanted:
        if name not in names:
            raise UnknownAttributeError.of(name, names)
    moments = summary.moments
    count = moments.count
    std = moments.std(ddof)
    with np.errstate(invalid="ignore", divide="ignore"):
        stderr = std / np.sqrt(count)
        margin = stats.t.ppf(0.975, np.where(count > 1, count - 1, np.nan)) * stderr
    quartiles = np.array([_quartiles(summary, i) for i in range(len(names))]).reshape(-1, len(QUARTILES))
    frame = pd.DataFrame(
        {
            "count": count,
            "missing": moments.missing,
            "infinite": moments.infinite,
            "mean": moments.mean,
            "variance": moments.variance(ddof),
            "std": std,
            "stderr": stderr,
            "ci95_low": moments.mean - margin,
            "ci95_high": moments.mean + margin,
            "skewness": moments.skewness(bias=ddof == 0),
            "kurtosis": moments.kurtosis(bias=ddof == 0),
            "min": moments.minimum,
            "q25": quartiles[:, 0],
            "median": quartiles[:, 1],
            "q75": quartiles[:, 2],
            "max": moments.maximum,
            "sum": moments.sum,
            "cv": moments.variation(ddof),
            "skewness_sayad": _skewness_sayad(moments),
            **_ends(summary),
        },
        index=pd.Index(names, name="attribute"),
    )
    return frame.loc[wanted, list(COLUMNS)]


def _skewness_sayad(moments: MomentSummary) -> NDArray[np.float64]:
    n = moments.count.astype(float)
    factor = np.full(n.shape, np.nan)
    np.divide(n * n, (n - 1) * (n - 2), out=factor, where=n > 2)
    return np.asarray(factor * moments.skewness(bias=True))


def _ends(summary: TableSummary) -> dict[str, Any]:
    ends = summary.ends
    if ends is None:
        width = len(summary.schema.numeric)
        value, time = np.full(width, np.nan), np.full(width, "NaT", "datetime64[ms]")
        ends = EndsSummary(value, time, value, time, untimed=0)
    return {
        "first": ends.first,
        "first_time": pd.DatetimeIndex(ends.first_time).tz_localize("UTC"),
        "last": ends.last,
        "last_time": pd.DatetimeIndex(ends.last_time).tz_localize("UTC"),
    }


def _quartiles(summary: TableSummary, i: int) -> list[float]:
    if summary.moments.count[i] == 0:
        return [np.nan] * len(QUARTILES)
    if summary.quantiles is not None:
        return [float(v) for v in summary.quantiles.quantile(i, QUARTILES)]
    if summary.cells is not None:
        return [float(v) for v in summary.cells[i].quantile(QUARTILES)]
    return [np.nan] * len(QUARTILES)
