"""How the numbers of an axis are written: short enough to stand side by side, long enough to differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from bokeh.models import BasicTickFormatter, NumeralTickFormatter

__all__ = ["Ticks", "name_ticks"]

_UNITS: Final = ((1e12, 1e12, "t"), (1e9, 1e9, "b"), (1e6, 1e6, "m"), (1e4, 1e3, "k"))  # from this size on, these
_MANY, _FEW = 5, 3  # as many as stand side by side in a small plot
_SHORT: Final = 5  # characters of a label of which there is room for many
_LONG: Final = 3  # decimals; with more than these a unit saves nothing


@dataclass(frozen=True, slots=True)
class Ticks:
    """What the labels of an axis look like.

    Attributes
    ----------
    form : str
        A format of ``NumeralTickFormatter``; empty for powers of ten.
    digits : int
        Digits behind the point of a power of ten.
    count : int
        How many there should be.
    """

    form: str = "0,0.[00]"
    digits: int = 0
    count: int = _MANY

    @classmethod
    def between(cls, low: float, high: float) -> Ticks:
        """Choose for an axis from ``low`` to ``high``.

        Examples
        --------
        >>> [Ticks.between(*ends).form for ends in ((20, 95), (-0.3, 0.2), (0, 7_000), (0, 7_000_000))]
        ['0,0', '0,0.[00]', '0,0', '0,0.[0]a']
        >>> Ticks.between(1_000_000, 1_000_050)  # in millions these would be too long, too
        Ticks(form='0,0', digits=0, count=3)
        >>> Ticks.between(-3e-7, 3e-7)
        Ticks(form='', digits=1, count=3)
        """
        size, step = max(abs(low), abs(high)), (high - low) / _MANY
        if not (step > 0 and math.isfinite(size)):
            return cls()
        if not 1e-3 <= size < 1e15:
            return cls("", max(1, _decimals(step / size)), _FEW)
        unit, suffix = next(((unit, suffix) for least, unit, suffix in _UNITS if size >= least), (1.0, ""))
        if suffix and _decimals(step / unit) > _LONG:
            unit, suffix = 1.0, ""
        places = _decimals(step / unit)
        length = len(f"{size / unit:,.{places}f}{suffix}") + (low < 0)
        form = "0,0" + (f".[{'0' * places}]" if places else "") + ("a" if suffix else "")
        return cls(form, 0, _MANY if length <= _SHORT else _FEW)

    def state(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the snapshot for an axis that :func:`name_ticks` has prepared."""
        form = {"format": self.form} if self.form else {"precision": self.digits}
        return {f"{name}-form": form, f"{name}-ticks": {"desired_num_ticks": self.count}}


def name_ticks(axis: Any, name: str, *, powers: bool = False) -> None:
    """Prepare an axis for snapshots: of plain numbers, or of powers of ten."""
    axis.formatter = (BasicTickFormatter if powers else NumeralTickFormatter)(name=f"{name}-form")
    axis.ticker.update(name=f"{name}-ticks", desired_num_ticks=_MANY)


def _decimals(step: float) -> int:
    """Return how many decimals tell ticks apart; the step that Bokeh chooses is at least ``step / 1.7``.

    Examples
    --------
    >>> [_decimals(step) for step in (20.0, 1.0, 0.25, 0.1)]
    [0, 1, 1, 2]
    """
    return max(0, -math.floor(math.log10(step / 1.7)))
