"""Slow and obvious: what the fast paths are compared with."""

from __future__ import annotations

from fractions import Fraction


def exact_central_sums(values: list[float]) -> tuple[float, float, float, float]:
    """Return mean, m2, m3 and m4 in exact rational arithmetic, rounded once at the end."""
    exact = [Fraction(v) for v in values]
    mean = sum(exact) / len(exact)
    return float(mean), *(float(sum((v - mean) ** k for v in exact)) for k in (2, 3, 4))  # type: ignore[return-value]
