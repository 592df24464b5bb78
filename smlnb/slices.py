"""Part of a project's records: those of an interval of the past, or the latest."""

from __future__ import annotations

import html
import threading
from collections.abc import Sequence

import pandas as pd

from smlnb.encoders.base import Encoder
from smlnb.explorable import Explorable
from smlnb.stats.table import TableSummary

__all__ = ["Slice"]


class Slice(Explorable):
    """The statistics of part of a project's records, as they were when it was taken.

    Every question that a project answers, a slice answers, too; and models can be built from it.

    Attributes
    ----------
    start, stop : pandas.Timestamp or None
        The time that it really covers, in UTC: the interval that was asked for, widened to whole panes. None for a
        window over rows.
    n : int
        Its records.
    """

    def __init__(
        self,
        name: str,
        summary: TableSummary,
        span: tuple[int, int] | None,
        positions: dict[tuple[str, int], int],
        encoders: Sequence[Encoder] = (),
    ) -> None:
        self.name = name
        self.models = {}
        self.start: pd.Timestamp | None = None
        self.stop: pd.Timestamp | None = None
        if span is not None:
            self.start, self.stop = (pd.Timestamp(t, unit="ms", tz="UTC") for t in span)
        self._lock = threading.RLock()
        self._summary = summary
        self._positions = positions
        self._encoders = tuple(encoders)

    @property
    def n(self) -> int:
        """Its records."""
        return self._summary.n

    @property
    def version(self) -> int:
        """A slice does not change."""
        return 1

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """Next offset of each (topic, partition) of the project, when the slice was taken."""
        return dict(self._positions)

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """Those of the project."""
        return self._encoders

    def summary(self) -> TableSummary:
        """Return the statistics."""
        return self._summary

    @property
    def _when(self) -> str:
        if self.start is None or self.stop is None:
            return "the latest records"
        local = [t.tz_convert(None).isoformat(sep=" ", timespec="seconds") for t in (self.start, self.stop)]
        return f"{local[0]} to {local[1]} UTC"

    def __repr__(self) -> str:
        return f"Slice({self.name!r}): {self._when}, {self.n:,} records"

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.name)}</b> {self._when}, {self.n:,} records{self.univariate().to_html()}"
