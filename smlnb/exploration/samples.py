"""Samples as tests see them: how many, their mean, their squared deviations; of an attribute, or under a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError
from smlnb.exploration.names import column, is_binary, listed, value_columns
from smlnb.stats.table import TableSummary

__all__ = ["Sample", "compared", "given", "groups", "joint_count", "sample"]

NOISE = 1e-13
"""A sum of squares below this share of what it is a difference of has no digits left: it counts as zero."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Count, mean and sum of squared deviations.

    Attributes
    ----------
    what : str
        In words: the attribute, and the condition.
    n : int
    mean : float
        NaN when there are no values.
    m2 : float
        Sum of squared deviations from the mean.
    """

    what: str
    n: int
    mean: float
    m2: float

    def variance(self, ddof: int = 1) -> float:
        """Return m2 / (n - ddof); NaN where n is not above ddof."""
        return self.m2 / (self.n - ddof) if self.n > ddof else float("nan")

    def need(self, least: int) -> None:
        """Raise where there are fewer than ``least`` values.

        Raises
        ------
        NotEnoughDataError
        """
        if self.n < least:
            raise NotEnoughDataError(
                f"{self.what} has {self.n} value(s); at least {least} are needed. Learn more data."
            )
        if not np.isfinite(self.m2):
            raise StatisticsError(f"The values of {self.what} are so large that their squares are no numbers any more.")


def sample(summary: TableSummary, name: str) -> Sample:
    """Return all values of a numeric attribute, or of a category's value as 0 and 1."""
    i = column(summary, name)
    pairs = summary.pairs
    n = int(pairs.count[i, i])
    return Sample(name, n, float(pairs.mean[i, i]) if n else float("nan"), float(pairs.m2[i, i]))


def given(summary: TableSummary, x: str, condition: str) -> tuple[Sample, Sample]:
    """Return the values of ``x`` where a 0/1 column is 1, and those where it is 0; exact.

    With p the share of ones, c the co-moment and m21 the sum of squared deviations of x times deviations of the
    condition, the ones have mean mx + c / n1 and squared deviations m21 + p m2 - c^2 / n1.

    Raises
    ------
    SchemaError
        If the condition is not binary.
    """
    i, j = column(summary, x), column(summary, condition)
    if not is_binary(summary, condition):
        raise SchemaError(
            f"{condition!r} is continuous, so it is no condition. Conditions are binary attributes (B) and values of "
            "categories, named as 'attribute$value'."
        )
    return _split(summary, i, j, f"{x} given {condition}", f"{x} given not {condition}")


def _split(summary: TableSummary, i: int, j: int, ones_are: str, zeros_are: str) -> tuple[Sample, Sample]:
    pairs = summary.pairs
    n = int(pairs.count[i, j])
    ones = round(n * float(pairs.mean[j, i]))
    mean, m2, c = float(pairs.mean[i, j]), float(pairs.m2[i, j]), float(pairs.comoment[i, j])
    inside = float(pairs.m21[i, j]) + ones / n * m2 if n else 0.0
    return _part(ones_are, ones, mean, c, inside), _part(zeros_are, n - ones, mean, -c, m2 - inside)


def _part(what: str, n: int, mean: float, c: float, squares: float) -> Sample:
    """Return the part of a sample in which n deviations from ``mean`` add up to c and their squares to ``squares``."""
    if n == 0:
        return Sample(what, 0, float("nan"), 0.0)
    between = c * c / n
    m2 = squares - between
    return Sample(what, n, mean + c / n, 0.0 if n == 1 or m2 <= NOISE * max(squares, between) else m2)


def joint_count(summary: TableSummary, i: int, j: int) -> int:
    """Return the rows in which two 0/1 columns are both 1; exact."""
    pairs = summary.pairs
    return round(float(pairs.comoment[i, j]) + int(pairs.count[i, j]) * float(pairs.mean[i, j] * pairs.mean[j, i]))


def groups(summary: TableSummary, x: str, by: str | Sequence[str]) -> dict[str, Sample]:
    """Return the values of ``x`` in groups.

    Parameters
    ----------
    summary : TableSummary
    x : str
    by : str or sequence of str
        A category: a group per value. A binary attribute, or a value of a category: where it is 1, and where it is 0.
        Several of these: a group for each, and no row may be in two of them.

    Raises
    ------
    StatisticsError
        If two groups have rows in common.
    """
    if isinstance(by, str):
        if by in summary.schema.categories:
            i, places = column(summary, x), value_columns(summary, by)
            parts = {v: _split(summary, i, j, f"{x} given {by}${v}", "")[0] for v, j in places.items()}
            return {value: part for value, part in parts.items() if part.n}
        one, zero = given(summary, x, by)
        return {by: one, f"not {by}": zero}
    names = list(by)
    if len(names) == 1:
        return groups(summary, x, names[0])
    if not names:
        raise SchemaError("No condition was named. Name a category, a binary attribute or several conditions.")
    parts = {name: given(summary, x, name)[0] for name in names}
    if len(parts) < len(names):
        raise SchemaError(f"A condition is named twice among {listed(names)}. Name each once.")
    for k, a in enumerate(names):
        for b in names[:k]:
            both = joint_count(summary, column(summary, a), column(summary, b))
            if both:
                raise StatisticsError(
                    f"{b!r} and {a!r} hold together in {both:,} row(s); groups of independent samples have none in "
                    "common. Compare each with its complement instead: by=one condition."
                )
    return parts


def compared(
    summary: TableSummary, x: str, y: str | None, by: str | Sequence[str] | None, **known: float | None
) -> tuple[Sample, Sample | None]:
    """Return the two samples that a test compares, or one and None where it is compared with a known value.

    Raises
    ------
    SchemaError
        If it is not clear what to compare: too much is given, or too little, or there are not two groups.
    """
    ((word, value),) = known.items()
    if value is not None and not np.isfinite(value):
        raise SchemaError(f"{word}={value!r}: a known value is a finite number.")
    if y is not None and by is not None:
        raise SchemaError("Give y= (another attribute) or by= (conditions), not both.")
    if y is not None:
        return sample(summary, x), sample(summary, y)
    if by is not None:
        parts = groups(summary, x, by)
        if len(parts) != 2:
            raise SchemaError(
                f"There are {len(parts)} groups of {x!r} by {by!r}, and this test compares two. Name two conditions, "
                "as in by=('attribute$a', 'attribute$b'), or use anova."
            )
        first, second = parts.values()
        return first, second
    if value is None:
        raise SchemaError(f"Say what {x!r} is compared with: y= (another attribute), by= (conditions) or {word}=.")
    return sample(summary, x), None
