"""What a project keeps, decided when it is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import index
from typing import Any, Self

import numpy as np

from smlnb.clock import duration
from smlnb.errors import SchemaError
from smlnb.stats.history import TIERS, History
from smlnb.stats.moments import Moments

__all__ = ["Extent", "Options", "Span"]

Span = str | dt.timedelta | int

MOST_ROWS = 2**53


@dataclass(frozen=True, slots=True)
class Extent:
    """How far back something reaches: so many rows, or so much time.

    Examples
    --------
    >>> Extent.of("10min"), Extent.of(500)
    (Extent(size=600000, by='time'), Extent(size=500, by='rows'))
    """

    size: int
    """Milliseconds, or rows."""
    by: str

    @classmethod
    def of(cls, span: Span) -> Self:
        """Read a number of rows, or a length of time."""
        if not isinstance(span, int | np.integer) or np.issubdtype(type(span), np.timedelta64):
            return cls(duration(span), "time")
        if isinstance(span, bool) or not 1 <= span <= MOST_ROWS:
            raise SchemaError(f"{span!r} is neither a number of rows nor a length of time. Write 10_000 or '10min'.")
        return cls(int(span), "rows")


@dataclass(frozen=True, slots=True)
class Options:
    """What a project keeps besides moments, co-moments and counts; see :class:`~smlnb.project.Project`.

    Examples
    --------
    >>> Options.of(window="10min", history=True).window
    Extent(size=600000, by='time')
    """

    histogram: bool = True
    quantiles: bool = True
    distinct: bool = False
    conditional: bool = True
    history: tuple[tuple[int, int], ...] = ()
    window: Extent | None = None
    decay: Extent | None = None
    time: str | None = field(default=None)

    @classmethod
    def of(
        cls,
        *,
        history: bool | Sequence[tuple[Span, int]] = False,
        window: Span | None = None,
        decay: Span | None = None,
        **rest: Any,
    ) -> Self:
        """Read what a person gives."""
        return cls(
            history=_tiers(history),
            window=None if window is None else Extent.of(window),
            decay=None if decay is None else Extent.of(decay),
            **rest,
        )

    @property
    def table(self) -> dict[str, bool]:
        """The options of a :class:`~smlnb.stats.table.Table`."""
        return {name: getattr(self, name) for name in ("histogram", "quantiles", "distinct", "conditional")}

    @property
    def timed(self) -> bool:
        """Whether the times of records matter to the statistics."""
        return bool(self.history) or any(extent is not None and extent.by == "time" for extent in self.extents)

    @property
    def extents(self) -> tuple[Extent | None, Extent | None]:
        """Of the window and of the decay."""
        return self.window, self.decay

    def state(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return {**asdict(self), "history": [list(tier) for tier in self.history]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`state` returned."""
        extents = {name: None if state[name] is None else Extent(**state[name]) for name in ("window", "decay")}
        return cls(**{**state, **extents, "history": tuple((size, keep) for size, keep in state["history"])})


def _tiers(history: Any) -> tuple[tuple[int, int], ...]:
    """Read tiers as a person gives them, and refuse what a history can't keep."""
    if history is None or isinstance(history, bool):
        return TIERS if history else ()
    try:
        pairs = [(size, index(keep)) for size, keep in history]
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"history={history!r} is neither True nor False nor pane sizes and how many of each to keep. Write, for "
            "example, history=[('1min', 60), ('30min', 48)]."
        ) from error
    tiers = tuple((int(size) if isinstance(size, int | np.integer) else duration(size), keep) for size, keep in pairs)
    if tiers:
        History(lambda: Moments(1), tiers)
    return tiers
