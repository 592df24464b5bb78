"""Slow and obvious: what the fast paths are compared with."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import isfinite, isinf
from typing import Any


def exact_central_sums(values: list[float]) -> tuple[float, float, float, float]:
    """Return mean, m2, m3 and m4 in exact rational arithmetic, rounded once at the end."""
    exact = [Fraction(v) for v in values]
    mean = sum(exact) / len(exact)
    return float(mean), *(float(sum((v - mean) ** k for v in exact)) for k in (2, 3, 4))  # type: ignore[return-value]


class Rows:
    """Everything that a table of statistics should know, from the rows themselves: plain Python, exact fractions.

    Parameters
    ----------
    rows : list of dict
        One dict per row; ``None`` and NaN are missing. True and False count as 1 and 0.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def values(self, name: str) -> list[Any]:
        """Return what there is of an attribute: neither missing nor infinite; numbers as fractions."""
        return [v for row in self.rows if (v := usable(row.get(name))) is not None]

    def count(self, name: str) -> dict[str, int]:
        """Return how many values there are, are missing, are infinite, are zero, are negative."""
        given = [row.get(name) for row in self.rows]
        infinite = sum(isinstance(v, float) and isinf(v) for v in given)
        values = self.values(name)
        return {
            "count": len(values),
            "infinite": infinite,
            "missing": len(given) - infinite - len(values),
            "zeros": sum(v == 0 for v in values),
            "negatives": sum(v < 0 for v in values),
        }

    def moments(self, name: str) -> dict[str, Fraction]:
        """Return the mean, and the sums of the powers of the deviations from it."""
        values = self.values(name)
        mean = sum(values, Fraction(0)) / len(values)
        return {"mean": mean, **{f"m{k}": sum(((v - mean) ** k for v in values), Fraction(0)) for k in (2, 3, 4)}}

    def pair(self, x: str, y: str) -> dict[str, Fraction]:
        """Return the co-moments over the rows where both are there; a column ``attribute$value`` is 1 or 0."""
        both = [(a, b) for row in self.rows if None not in (pair := (cell(row, x), cell(row, y))) for a, b in [pair]]
        if not both:
            return dict.fromkeys(("count", "m2", "comoment", "m21", "m22"), Fraction(0))
        n = len(both)
        mx, my = (sum(column, Fraction(0)) / n for column in zip(*both, strict=True))
        found = {"count": Fraction(n), "mean": mx}
        for sums, i, j in (("m2", 2, 0), ("comoment", 1, 1), ("m21", 2, 1), ("m22", 2, 2)):
            found[sums] = sum(((a - mx) ** i * (b - my) ** j for a, b in both), Fraction(0))
        return found

    def frequencies(self, name: str) -> Counter[str]:
        """Return how often each value occurs."""
        return Counter(row[name] for row in self.rows if row.get(name) is not None)

    def between(self, name: str, low: float, high: float) -> int:
        """Return how many values are at least ``low`` and below ``high``."""
        return sum(low <= v < high for v in self.values(name))


def usable(value: Any) -> Any:
    """Return a number as a fraction, a text as it is, and None for what is missing or infinite."""
    if value is None or isinstance(value, str):
        return value
    return Fraction(value) if isfinite(value) else None


def cell(row: dict[str, Any], name: str) -> Fraction | None:
    """Return a number, or whether a category has a value."""
    attribute, dollar, value = name.partition("$")
    if not dollar:
        return usable(row.get(name))
    return None if row.get(attribute) is None else Fraction(row[attribute] == value)
