"""How many different values there are, which are frequent, and how long texts and lists are."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from smlnb.errors import NotEnoughDataError, UnknownAttributeError
from smlnb.schema import Kind
from smlnb.stats.profile import ProfileSummary
from smlnb.stats.table import TableSummary

__all__ = ["distinct", "frequent", "lengths"]


def distinct(summary: TableSummary, attributes: Sequence[str] | None = None) -> pd.DataFrame:
    """Return how many different values attributes have.

    Parameters
    ----------
    summary : TableSummary
    attributes : sequence of str, optional
        Those wanted; by default all whose values are counted: binary, category and text attributes, and continuous ones
        in a project made with ``distinct=True``.

    Returns
    -------
    pandas.DataFrame
        Indexed by attribute: ``distinct`` with the bounds ``low`` and ``high`` at 95 %, ``missing``, and the most
        frequent value with its least number of occurrences, ``top`` and ``top_count``. Up to 768 different values are
        exact.

    Raises
    ------
    UnknownAttributeError
        If an attribute is not one of those.
    NotEnoughDataError
        If an attribute is continuous and such values are not counted, or something was forgotten.
    """
    profile = _profile(summary)
    rows = []
    for name in profile.distinct if attributes is None else attributes:
        _check_counted(summary, profile, name)
        count, often = profile.distinct[name], profile.frequent[name]
        top = (often.values[0], often.low[0]) if often.values else (None, 0)
        rows.append([name, round(count.estimate), count.low, count.high, count.missing, *top])
    columns = ["attribute", "distinct", "low", "high", "missing", "top", "top_count"]
    return pd.DataFrame(rows, columns=columns).set_index("attribute")


def frequent(summary: TableSummary, name: str, top: int = 10) -> pd.DataFrame:
    """Return the most frequent values of a binary, category or text attribute, or items of a list attribute.

    Values of continuous attributes are counted in a project made with ``distinct=True``.

    Returns
    -------
    pandas.DataFrame
        ``value``, and the certain bounds ``low`` and ``high`` of how often it occurred; equal where counts are exact.

    Raises
    ------
    UnknownAttributeError
        If the attribute is not one of those.
    NotEnoughDataError
        If it is continuous and such values are not counted, or something was forgotten.
    """
    profile = _profile(summary)
    if name in profile.list_names:
        often = profile.lists.items[profile.list_names.index(name)]
    else:
        _check_counted(summary, profile, name)
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


def _check_counted(summary: TableSummary, profile: ProfileSummary, name: str) -> None:
    if name in profile.distinct:
        return
    if name in summary.schema and summary.schema[name].kind is Kind.CONTINUOUS:
        raise NotEnoughDataError(
            f"The different values of {name!r} are not counted: it is continuous, and that takes some 400 ns a value. "
            "Learn into a project made with Project(..., distinct=True) if it is worth that.",
        )
    raise UnknownAttributeError.of(name, [*profile.distinct, *profile.list_names])


def _profile(summary: TableSummary) -> ProfileSummary:
    if summary.profile is None:
        raise NotEnoughDataError(
            "Distinct and frequent values are not known any more, since records were forgotten: sketches can't forget. "
            "Learn the records that should stay into a new project.",
        )
    return summary.profile
