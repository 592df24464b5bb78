"""What a source has done so far, as numbers that can be shown while it runs."""

from __future__ import annotations

import html
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

import pandas as pd

from smlnb.ingest.checkpoint import CheckpointMetrics

__all__ = ["Metrics", "PartitionMetrics", "Rate"]

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PartitionMetrics:
    """The numbers of one partition; ``read == rows + refused + filtered + pending`` holds in each snapshot.

    Attributes
    ----------
    position : int
        Offset of the next record that will be emitted.
    high : int
        The partition's end, as it was last seen.
    rows, refused : int
        Records emitted, or learned by a feed, and records that could not be used.
    filtered : int
        Records that the project's row filter leaves out.
    read : int
        Records taken from the topic since the source was made, but those that a stop or a failure gave back.
    pending : int
        Records read and not yet done with.
    lost : int
        Records that retention deleted before they were read, where this is counted and not an error; not in ``read``.
    bytes : int
        Size of the values of the records done with.
    rate : float
        Rows per second over the last few seconds.
    decode_seconds : float
        Time spent in making columns of values.
    last_error : str or None
        Why a record was refused most recently, with its offset.
    """

    position: int
    high: int
    rows: int = 0
    refused: int = 0
    filtered: int = 0
    read: int = 0
    pending: int = 0
    lost: int = 0
    bytes: int = 0
    rate: float = 0.0
    decode_seconds: float = 0.0
    last_error: str | None = None

    @property
    def lag(self) -> int:
        """Offsets between the position and the end."""
        return max(self.high - self.position, 0)


_COLUMNS: Final = (
    "read",
    "rows",
    "refused",
    "filtered",
    "pending",
    "lost",
    "position",
    "high",
    "lag",
    "bytes",
    "rate",
    "decode_seconds",
    "last_error",
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """A snapshot; ``read == rows + refused + filtered + pending`` holds in each, in total and per partition.

    Attributes
    ----------
    state : str
    read : int
        Records that were taken from the topic, since the source was made.
    rows : int
        Records decoded and emitted; of a feed, those learned.
    refused : int
        Records that could not be used, tombstones included.
    filtered : int
        Records that the project's row filter leaves out.
    pending : int
        Records read and not yet done with.
    lost : int
        Records that retention deleted before they were read, where this is counted and not an error; not in ``read``.
    bytes : int
        Size of the values of the records emitted or refused.
    batches : int
    lag : int
        Offsets from the positions to the ends of all partitions, as they were last seen: nobody looks while it is
        paused, or after its end.
    rate : float
        Rows per second over the last few seconds.
    decode_seconds : float
        Time spent in making columns of values.
    commit_errors : int
        Commits that failed; they matter for lag tools only.
    broker_error : str or None
        Why the broker can't be reached, while that is so.
    last_error : str or None
        Why it failed, or else why a record was refused most recently.
    partitions : mapping of (topic, partition) to PartitionMetrics
    checkpoint : CheckpointMetrics or None
        What was saved in a workspace, and what went wrong, where a feed was told to save.
    """

    state: str
    read: int = 0
    rows: int = 0
    refused: int = 0
    filtered: int = 0
    pending: int = 0
    lost: int = 0
    bytes: int = 0
    batches: int = 0
    lag: int = 0
    rate: float = 0.0
    decode_seconds: float = 0.0
    commit_errors: int = 0
    broker_error: str | None = None
    last_error: str | None = None
    partitions: Mapping[Place, PartitionMetrics] = field(default_factory=dict)
    checkpoint: CheckpointMetrics | None = None

    @classmethod
    def together(cls, state: str, parts: Sequence[Metrics]) -> Self:
        """Return the numbers of several sources as one; they read different partitions.

        Examples
        --------
        >>> Metrics.together("running", [Metrics("running", rows=2), Metrics("running", rows=3)]).rows
        5
        """
        summed = [f.name for f in fields(cls) if f.type in ("int", "float")]
        return cls(
            state=state,
            **{name: sum(getattr(m, name) for m in parts) for name in summed},
            broker_error=next((m.broker_error for m in parts if m.broker_error), None),
            last_error=next((m.last_error for m in parts if m.last_error), None),
            partitions={place: numbers for m in parts for place, numbers in m.partitions.items()},
        )

    def lag_text(self, form: str = ",") -> str:
        """Return the lag as text, which says so where it is not that of now.

        Examples
        --------
        >>> [Metrics(state, lag=1_200).lag_text() for state in ("running", "paused")]
        ['1,200', '1,200 when last seen']
        """
        if self.state == "created":
            return "unknown"
        return format(self.lag, form) + ("" if self.state == "running" else " when last seen")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as for JSON; partitions are named ``topic[0]``."""
        plain = {k: v for k, v in asdict(self).items() if k != "partitions"}
        plain["partitions"] = {f"{t}[{p}]": {**asdict(m), "lag": m.lag} for (t, p), m in self.partitions.items()}
        return plain

    def frame(self) -> pd.DataFrame:
        """Return one row per partition: records, position, end, lag, bytes, rate, time of decoding, last error.

        Examples
        --------
        >>> Metrics("running", partitions={("t", 0): PartitionMetrics(3, 10, rows=3)}).frame()["lag"].tolist()
        [7]
        """
        rows = [[getattr(m, name) for name in _COLUMNS] for m in self.partitions.values()]
        index = pd.MultiIndex.from_tuples(list(self.partitions), names=["topic", "partition"])
        if not rows:
            index = pd.MultiIndex.from_arrays([[], []], names=["topic", "partition"])
        return pd.DataFrame(rows, index=index, columns=list(_COLUMNS))

    def _repr_html_(self) -> str:
        facts = [("state", self.state), ("records read", f"{self.read:,}"), ("of these used", f"{self.rows:,}")]
        facts += [
            (name, f"{getattr(self, name):,}")
            for name in ("refused", "filtered", "pending", "lost")
            if name in ("refused", "pending") or getattr(self, name)
        ]
        facts += [
            ("to go", self.lag_text()),
            ("rate", f"{self.rate:,.0f} per second"),
            ("size", f"{self.bytes:,} bytes in {self.batches:,} batches"),
            ("decoding", f"{self.decode_seconds:.2f} s"),
        ]
        if self.checkpoint is not None:
            facts.append(("checkpoint", str(self.checkpoint)))
        facts += [(n.replace("_", " "), t) for n in ("broker_error", "last_error") if (t := getattr(self, n))]
        table = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts)
        frame = self.frame().drop(columns=["read"] if self.pending == 0 else [])
        formats: dict[str, Callable[[Any], str]] = {
            name: "{:,.0f}".format for name in frame.columns if name not in ("last_error", "decode_seconds")
        }
        formats["decode_seconds"] = "{:.2f}".format
        frame["last_error"] = [text or "" for text in frame["last_error"]]
        parts: str = frame.to_html(formatters=formats, escape=True, border=0)
        many = f"<details><summary>{len(frame)} partitions</summary>{parts}</details>"
        return f"<table>{table}</table>{parts if len(frame) <= 8 else many}"


class Rate:
    """Events per second over the last few seconds.

    Examples
    --------
    >>> now = iter([0.0, 1.0, 2.0, 2.0])
    >>> rate = Rate(window=5.0, clock=lambda: next(now))
    >>> rate.add(10); rate.add(20)
    >>> rate.per_second
    15.0
    """

    def __init__(self, window: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._events: deque[tuple[float, int]] = deque()
        self._begin = clock()

    def add(self, count: int) -> None:
        """Count events that happened now."""
        self._events.append((self._clock(), count))
        self._forget()

    def _forget(self) -> None:
        while self._events and self._events[0][0] < self._events[-1][0] - self._window:
            self._events.popleft()

    @property
    def per_second(self) -> float:
        """The rate now; 0 when nothing happened within the window."""
        now = self._clock()
        begin = max(now - self._window, self._begin)
        count = sum(n for t, n in tuple(self._events) if t >= begin)
        return count / max(now - begin, 0.1)
