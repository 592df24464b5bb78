"""Quantiles of an attribute, with the bounds that its sketch or its histogram can promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import NotEnoughDataError, SchemaError, UnknownAttributeError
from smlnb.stats.histogram import Cells
from smlnb.stats.quantiles import QuantileSketches
from smlnb.stats.table import TableSummary

__all__ = ["quantile", "quantiles"]

Vector = NDArray[np.float64]
ROUNDING = 1e-12  # of a share times a count, so that it may fall on either side of a whole number


@dataclass(frozen=True, slots=True)
class _Found:
    value: Vector
    lower: Vector
    upper: Vector
    error: Vector
    source: str
    confidence: float


def quantile(summary: TableSummary, name: str, q: ArrayLike) -> Any:
    """Return quantiles of a numeric attribute: a number for a number, an array for a sequence.

    From the KLL sketch (its rank is within 1.33 % at 99 % confidence), or from the histogram where no sketch is kept;
    :func:`quantiles` tells how exactly they are known.

    Parameters
    ----------
    summary : TableSummary
    name : str
    q : float or sequence of float
        Shares, from 0 (the minimum) to 1 (the maximum).

    Raises
    ------
    SchemaError
        If ``q`` is not between 0 and 1.
    UnknownAttributeError
        If there is no such numeric attribute.
    NotEnoughDataError
        If it has no values yet, or neither sketches nor histograms are kept.
    """
    values = _find(summary, name, q).value
    return float(values[0]) if np.ndim(q) == 0 else values


def quantiles(
    summary: TableSummary, name: str, q: ArrayLike = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
) -> pd.DataFrame:
    """Return quantiles of a numeric attribute, and how exactly they are known.

    Parameters
    ----------
    summary, name, q
        As for :func:`quantile`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``q``. ``value`` is the quantile. ``lower`` and ``upper`` are the values between which that of the
        rows lies, the smallest one with at least the share ``q`` at or below it (NumPy's ``"inverted_cdf"``).
        ``error`` is how far the rank of ``value`` can be from ``q``, as a share: 0 where the quantile is exact.

        ``attrs["source"]`` says where they are from: ``"sketch"``, with bounds at 99 % confidence; ``"histogram"``,
        with certain bounds, the edges of a cell; or ``"values"``, a sketch of so few rows that it still holds them all.
        ``attrs["confidence"]`` is that of the bounds. Minimum and maximum are exact.

    Raises
    ------
    SchemaError, UnknownAttributeError, NotEnoughDataError
        As for :func:`quantile`.
    """
    found = _find(summary, name, q)
    frame = pd.DataFrame(
        {"value": found.value, "lower": found.lower, "upper": found.upper, "error": found.error},
        index=pd.Index(np.atleast_1d(np.asarray(q, dtype=float)), name="q"),
    )
    frame.attrs.update(source=found.source, confidence=found.confidence)
    return frame


def _find(summary: TableSummary, name: str, q: ArrayLike) -> _Found:
    ranks = _ranks(q)
    if name not in summary.schema.numeric:
        raise UnknownAttributeError.of(name, summary.schema.numeric)
    i = summary.schema.numeric.index(name)
    if summary.moments.count[i] == 0:
        raise NotEnoughDataError(f"{name!r} has no values yet, so it has no quantiles.")
    if summary.quantiles is not None:
        return _from_sketch(summary.quantiles, i, ranks)
    if summary.cells is not None:
        return _from_cells(summary.cells[i], ranks, summary.moments.minimum[i], summary.moments.maximum[i])
    if summary.forgotten:
        raise NotEnoughDataError(
            f"The quantiles of {name!r} are not known any more, since records were forgotten: sketches can't forget, "
            "and no histograms are kept. Learn the records that should stay into a new project.",
        )
    raise NotEnoughDataError(
        f"Neither sketches nor histograms are kept, so {name!r} has no quantiles. "
        "Create the project with quantiles=True or histogram=True.",
    )


def _ranks(q: ArrayLike) -> Vector:
    try:
        ranks = np.asarray(q, dtype=float)
    except (TypeError, ValueError):
        ranks = np.array(np.nan)
    if ranks.ndim > 1 or not ((ranks >= 0) & (ranks <= 1)).all():
        raise SchemaError(f"Quantiles lie between 0 and 1, not at {q!r}.")
    return np.atleast_1d(ranks)


def _from_sketch(sketches: QuantileSketches, i: int, ranks: Vector) -> _Found:
    lower, upper = sketches.bounds(i, ranks)
    exact = sketches.is_exact(i)
    error = np.where(exact | (ranks == 0) | (ranks == 1), 0.0, sketches.rank_error(i))
    source, confidence = ("values", 1.0) if exact else ("sketch", 0.99)
    return _Found(sketches.quantile(i, ranks), lower, upper, error, source, confidence)


def _from_cells(cells: Cells, ranks: Vector, minimum: float, maximum: float) -> _Found:
    after = np.cumsum(cells.counts)
    before = after - cells.counts
    total = cells.total
    # a cell holds its lower edge but not its upper one, unless there is no larger number
    last = np.where(cells.high < np.finfo(float).max, np.nextafter(cells.high, -np.inf), cells.high)
    last = np.fmin(last, maximum)
    # where the share ends just between two cells, the quantile may be in either
    first_cell = np.searchsorted(after, ranks * total * (1 - ROUNDING), side="left")
    last_cell = np.searchsorted(after, ranks * total * (1 + ROUNDING), side="right").clip(max=len(after) - 1)
    lower, upper = cells.low[first_cell], last[last_cell]
    exact = (cells.low == last)[first_cell] & (cells.low == last)[last_cell]
    error = np.maximum(ranks - before[first_cell] / total, after[last_cell] / total - ranks)
    value = np.atleast_1d(cells.quantile(ranks))
    for at, extreme in ((ranks == 0, minimum), (ranks == 1, maximum)):
        if np.isfinite(extreme):  # unknown after something was forgotten
            value[at] = lower[at] = upper[at] = extreme
            exact |= at
    return _Found(value.clip(lower, upper), lower, upper, np.where(exact, 0.0, error), "histogram", 1.0)
