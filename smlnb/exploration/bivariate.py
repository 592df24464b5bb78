"""How attributes move together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.stats.table import TableSummary

__all__ = ["correlation", "covariance"]


def correlation(summary: TableSummary) -> pd.DataFrame:
    """Return Pearson's correlation of all pairs of numeric attributes, each over the rows where both are present."""
    return _square(summary, summary.pairs.correlation())


def covariance(summary: TableSummary, ddof: int = 1) -> pd.DataFrame:
    """Return the covariance of all pairs of numeric attributes, each over the rows where both are present."""
    return _square(summary, summary.pairs.covariance(ddof))


def _square(summary: TableSummary, values: NDArray[np.float64]) -> pd.DataFrame:
    names = pd.Index(summary.schema.numeric, name="attribute")
    return pd.DataFrame(values[: len(names), : len(names)], index=names, columns=names.rename(None))
