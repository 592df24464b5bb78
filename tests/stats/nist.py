"""The NIST StRD sets: read from the data folder where they are data, generated where they are a rule."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

# values, certified mean, certified standard deviation (n - 1)
Univariate = tuple[list[float], float, float]
# groups, certified F
Anova = tuple[list[list[float]], float]

NUMACC: dict[str, Univariate] = {
    "NumAcc1": ([10000001.0, 10000003.0, 10000002.0], 10000002.0, 1.0),
    "NumAcc2": ([1.2, *([1.1, 1.3] * 500)], 1.2, 0.1),
    "NumAcc3": ([1000000.2, *([1000000.1, 1000000.3] * 500)], 1000000.2, 0.1),
    "NumAcc4": ([10000000.2, *([10000000.1, 10000000.3] * 500)], 10000000.2, 0.1),
}


def correct_digits(value: float, certified: float) -> float:
    """Return the log relative error: how many leading digits agree; 16 where all do."""
    error = abs(value - certified) / (abs(certified) or 1.0)
    return float(-np.log10(error)) if error else 16.0


def pi_digits() -> Univariate:
    """Return PiDigits: 5,000 digits of pi, with the one that NIST's file has otherwise (index 956 is 3, pi has 8)."""

    def inverse_tangent(x: int, unity: int) -> int:
        total, term, k = 0, unity // x, 1
        while term:
            total += term // k if k % 4 == 1 else -(term // k)
            term //= x * x
            k += 2
        return total

    unity = 10**5010  # Machin's formula, with ten digits to spare
    # in two halves: Python limits the digits of one conversion
    high, low = divmod(4 * (4 * inverse_tangent(5, unity) - inverse_tangent(239, unity)), 10**2510)
    digits = [int(d) for d in f"{high}{low:02510d}"[:5000]]
    assert digits[956] == 8
    digits[956] = 3
    return [float(d) for d in digits], 4.5348, 2.86733906028871


def smls() -> dict[str, Anova]:
    """Return the nine simulated ANOVA sets by their rule: nine groups around a constant, alternating by a tenth."""
    sets: dict[str, Anova] = {}
    tenth = Fraction(1, 10)
    offsets = [Fraction(4, 10), *([Fraction(3, 10), Fraction(5, 10)] * 4)]
    for constant in (1, 10**6, 10**12):
        for size in (21, 201, 2001):
            firsts = [constant + offset for offset in offsets]
            groups = [[float(f)] + [float(f + (tenth if j % 2 else -tenth)) for j in range(size - 1)] for f in firsts]
            sets[f"SmLs0{len(sets) + 1}"] = (groups, float(size))
    return sets


def univariate(folder: Path) -> dict[str, Univariate]:
    """Return the univariate sets that are data."""
    sets = json.loads((folder / "strd_univariate.json").read_text())
    return {name: ([float(v) for v in s["y"]], float(s["mean"]), float(s["sd"])) for name, s in sets.items() if s["y"]}


def anova(folder: Path) -> dict[str, Anova]:
    """Return the ANOVA sets that are data."""
    sets = json.loads((folder / "strd_anova.json").read_text())
    return {
        name.removesuffix("t"): ([[float(v) for v in g] for g in s["data"]], float(s["f_statistic"]))
        for name, s in sets.items()
        if s["data"]
    }
