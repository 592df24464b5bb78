"""What was done to a project, and from where: one line per source and kind of change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

import pandas as pd

__all__ = ["Journal"]

COLUMNS = ("source", "action", "times", "rows", "first", "last")


@dataclass(slots=True)
class _Line:
    times: int
    rows: int
    first: str
    last: str


class Journal:
    """Counts of changes by source and action; its size depends on the number of sources, not of changes.

    Examples
    --------
    >>> journal = Journal()
    >>> journal.note(("sensors", 0), "learned", 500)
    >>> journal.note(("sensors", 0), "learned", 250)
    >>> journal.table()[["source", "action", "times", "rows"]].values.tolist()
    [['sensors[0]', 'learned', 2, 750]]
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], _Line] = {}

    def note(self, source: str | tuple[str, int] | None, action: str, rows: int) -> None:
        """Take note of a change to ``rows`` records; of none to no records.

        The source is a (topic, partition), None for data learned directly, or something with a name.
        """
        if rows == 0:
            return
        if source is None:
            source = "direct"
        elif isinstance(source, tuple):
            source = f"{source[0]}[{source[1]}]"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = self._lines.setdefault((source, action), _Line(0, 0, now, now))
        line.times, line.rows, line.last = line.times + 1, line.rows + rows, now

    def table(self) -> pd.DataFrame:
        """Return the lines, the most recent change first."""
        rows = [(source, action, *asdict(line).values()) for (source, action), line in self._lines.items()]
        return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("last", ascending=False, ignore_index=True)

    def state(self) -> list[list[Any]]:
        """Return the lines as plain lists."""
        return [[*key, *asdict(line).values()] for key, line in sorted(self._lines.items())]

    @classmethod
    def from_state(cls, state: Sequence[Sequence[Any]]) -> Self:
        """Rebuild what :meth:`state` returned."""
        journal = cls()
        journal._lines = {(source, action): _Line(*rest) for source, action, *rest in state}
        return journal
