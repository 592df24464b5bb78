"""How many different values there are, which are frequent, and how long texts and lists are."""

from __future__ import annotations

import pandas as pd

from smlnb.errors import NotEnoughDataError, UnknownAttributeError
from smlnb.stats.profile import ProfileSummary
from smlnb.stats.table import TableSummary

__all__ = ["distinct", "frequent", "lengths"]


def distinct(summary: TableSummary) -> pd.DataFrame:
    """Return how many different values the binary, category and text attributes have.

    Returns
    -------
    pandas.DataFrame
        Indexed by attribute: ``distinct`` with the bounds ``low`` and ``high`` at 95 %, ``missing``, and the most
        frequent value with its least number of occurrences, ``top`` and ``top_count``. Up to 768 different values are
        exact.

    Raises
    ------
    NotEnoughDataError
        If something was forgotten: sketches can't forget.
    """
    profile = _profile(summary)
    rows = []
    for name, count in profile.distinct.items():
        often = profile.frequent[name]
        top = (often.values[0], often.low[0]) if often.values else (None, 0)
        rows.append([name, round(count.estimate), count.low, count.high, count.missing, *top])
    columns = ["attribute", "distinct", "low", "high", "missing", "top", "top_count"]
    return pd.DataFrame(rows, columns=columns).set_index("attribute")


def frequent(summary: TableSummary, name: str, top: int = 10) -> pd.DataFrame:
    """Return the most frequent values of a binary, category or text attribute.

    Returns
    -------
    pandas.DataFrame
        ``value``, and the certain bounds ``low`` and ``high`` of how often it occurred; equal where counts are exact.

    Raises
    ------
    UnknownAttributeError
        If the attribute is not one of those.
    NotEnoughDataError
        If something was forgotten.
    """
    profile = _profile(summary)
    if name not in profile.frequent:
        raise UnknownAttributeError.of(name, profile.frequent)
    often = profile.frequent[name]
    return pd.DataFrame({"value": often.values, "low": often.low, "high": often.high})[:top]


def lengths(summary: TableSummary) -> pd.DataFrame:
    """Return how long the texts (in characters) and lists (in items) are: count, empty, missing, mean, std, min, max.

    Raises
    ------
    NotEnoughDataError
        If something was forgotten.
    """
    profile = _profile(summary)
    parts = [(profile.text_names, profile.texts), (profile.list_names, profile.lists.lengths)]
    frames = [
        pd.DataFrame(
            {
                "count": m.count,
                "empty": m.zeros,
                "missing": m.missing,
                "mean": m.mean,
                "std": m.std(),
                "min": m.minimum,
                "max": m.maximum,
            },
            index=pd.Index(names, name="attribute", dtype=object),
        )
        for names, m in parts
    ]
    return pd.concat(frames)


def _profile(summary: TableSummary) -> ProfileSummary:
    if summary.profile is None:
        raise NotEnoughDataError(
            "Distinct and frequent values are not known any more, since records were forgotten: sketches can't forget. "
            "Learn the records that should stay into a new project.",
        )
    return summary.profile
