"""What a project keeps, decided when it is made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from smlnb.clock import duration
from smlnb.errors import SchemaError
from smlnb.stats.history import TIERS

__all__ = ["Extent", "Options", "Span"]

Span = str | dt.timedelta | int


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
        if isinstance(span, bool) or (isinstance(span, int) and span < 1):
            raise SchemaError(f"{span!r} is neither a number of rows nor a length of time. Write 10_000 or '10min'.")
        return cls(span, "rows") if isinstance(span, int) else cls(duration(span), "time")


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
        if isinstance(history, bool):
            tiers: tuple[tuple[int, int], ...] = TIERS if history else ()
        else:
            tiers = tuple((size if isinstance(size, int) else duration(size), int(keep)) for size, keep in history)
        return cls(
            history=tiers,
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
