"""What the anomaly panel remembers of scored records: sums over all of them, and the last ones as they are."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.batch import Batch
from smlnb.errors import SchemaError
from smlnb.stats.histogram import Cells, Histogram
from smlnb.stats.quantiles import Quantiles
from smlnb.stats.scores import ScoreQuantiles

__all__ = ["FLAGS", "LEVELS", "Flagged", "Group", "ScoreLog", "View"]

FLAGS: Final = ("q95", "q98", "q99")
LEVELS: Final = {"q50": 0.5, "q95": 0.95, "q98": 0.98, "q99": 0.99}
MAX_GROUPS: Final = 8
OTHER: Final = "other"
_K: Final = 2000  # rank error 0.14 %

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flagged:
    """A record whose score was above a threshold of its time."""

    number: int
    topic: str
    partition: int
    offset: int
    score: float
    flag: str
    truth: str
    top: tuple[tuple[str, float], ...]


@dataclass
class Group:
    """The records of one true value.

    Attributes
    ----------
    strange : bool
        Whether the value is one of those that the model should find.
    n, judged : int
        Records, and those among them that came after the scorer's warm-up.
    flags : dict
        How many were above each threshold of their time.
    """

    strange: bool
    n: int = 0
    judged: int = 0
    flags: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FLAGS, 0))
    cells: Histogram = field(default_factory=lambda: Histogram(1))
    sketch: Quantiles = field(default_factory=lambda: Quantiles(1, _K))

    def absorb(self, scores: Vector, judged: NDArray[np.bool_], flags: Mapping[str, NDArray[np.bool_]]) -> None:
        """Count records."""
        self.n += len(scores)
        self.judged += int(judged.sum())
        for name in FLAGS:
            self.flags[name] += int(flags[name].sum())
        self.cells.update(scores[None, :])
        self.sketch.update(scores[None, :])


@dataclass(frozen=True)
class View:
    """The latest snapshot, to be drawn.

    Attributes
    ----------
    n : int
        Records read.
    numbers, scores, flagged, strange, truth : sequences
        The last records: their number in order of arrival, score, whether above the highest threshold of their time,
        whether the true value says so, and the true value.
    groups : dict
        Sums by true value; one group named ``""`` where records carry none.
    quantiles, bounds : dict
        Of all scores read, by name, and between which scores the true ones lie; empty before the first.
    last : sequence of Flagged
        The last flagged records, newest first.
    model : str
        Name and version, as the records say.
    """

    n: int
    numbers: list[int]
    scores: Vector
    flagged: NDArray[np.bool_]
    strange: NDArray[np.bool_]
    truth: list[str]
    groups: dict[str, Group]
    cells: dict[str, Cells]
    quantiles: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    medians: dict[str, float]
    last: Sequence[Flagged]
    model: str


class ScoreLog:
    """Absorbs batches of scored records in one thread and is looked at from another.

    Parameters
    ----------
    truth : str or None
        The field that holds the true value, if the records carry one.
    normal : values
        The true values that a model should *not* find; all others it should.
    window : int
        How many of the last records are kept as they are.
    recent : int
        How many of the last flagged records are kept.

    Examples
    --------
    >>> log = ScoreLog("class")
    >>> data = pa.record_batch({"score": [1.0, 9.0], "q95": [False, True], "class": [0, 1]})
    >>> log.absorb(Batch(data, "scores", 0, 0, 2, np.arange(2)))
    >>> view = log.view()
    >>> view.n, view.groups["1"].flags["q95"], view.last[0].score
    (2, 1, 9.0)
    """

    def __init__(
        self, truth: str | None = "class", normal: Sequence[Any] = (0,), window: int = 1000, recent: int = 10
    ) -> None:
        self.truth = truth
        self.normal = {_plain(v) for v in normal}
        self._lock = threading.Lock()
        self._n = 0
        self._model = ""
        self._all = ScoreQuantiles(50)
        self._groups: dict[str, Group] = {}
        self._numbers: deque[int] = deque(maxlen=window)
        self._scores: deque[float] = deque(maxlen=window)
        self._flagged: deque[bool] = deque(maxlen=window)
        self._truth: deque[str] = deque(maxlen=window)
        self._last: deque[Flagged] = deque(maxlen=recent)

    @property
    def n(self) -> int:
        """Records absorbed."""
        return self._n

    def absorb(self, batch: Batch) -> None:
        """Take in scored records.

        Raises
        ------
        SchemaError
            If they carry no score.
        """
        data = batch.data
        if len(batch) == 0:
            return
        if "score" not in data.schema.names:
            raise SchemaError(
                f"The records of {batch.topic!r} have no field 'score', but {', '.join(data.schema.names[:8])}. "
                "Name the sink topic of a scorer.",
            )
        scores = _floats(data.column("score"))
        flags = {name: _booleans(data, name) for name in FLAGS}
        judged = _present(data, FLAGS[0])
        truth = _texts(data, self.truth)
        with self._lock:
            numbers = range(self._n + 1, self._n + 1 + len(batch))
            self._n += len(batch)
            self._all.update(scores[None, :])
            for name, rows in self._members(truth):
                group = self._groups.setdefault(name, Group(self._is_strange(name)))
                group.absorb(scores[rows], judged[rows], {k: f[rows] for k, f in flags.items()})
            self._numbers.extend(numbers)
            self._scores.extend(scores.tolist())
            self._flagged.extend(flags[FLAGS[-1]].tolist())
            self._truth.extend(truth)
            self._note(batch, numbers, scores, flags, truth)
            self._model = _model(data)

    def view(self) -> View:
        """Return the latest snapshot; independent of what comes after."""
        with self._lock:
            known = self._all.count > 0
            found = self._all.result(list(LEVELS.values()), inclusive=False)
            strange = np.array([self._is_strange(t) for t in self._truth], dtype=bool)
            return View(
                n=self._n,
                numbers=list(self._numbers),
                scores=np.array(self._scores, dtype=float),
                flagged=np.array(self._flagged, dtype=bool),
                strange=strange,
                truth=list(self._truth),
                groups={k: Group(g.strange, g.n, g.judged, dict(g.flags)) for k, g in sorted(self._groups.items())},
                cells={k: g.cells.result()[0] for k, g in sorted(self._groups.items())},
                quantiles=dict(zip(LEVELS, found.values.tolist(), strict=True)) if known else {},
                bounds=dict(zip(LEVELS, zip(found.low.tolist(), found.high.tolist(), strict=True), strict=True))
                if known
                else {},
                medians={k: float(g.sketch.result().quantile(0, 0.5)[0]) for k, g in self._groups.items()},
                last=tuple(reversed(self._last)),
                model=self._model,
            )

    def _is_strange(self, truth: str) -> bool:
        return bool(truth) and truth not in self.normal

    def _members(self, truth: list[str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Say which rows belong to which group; strange values beyond the first few share one."""
        values, inverse = np.unique(np.array(truth, dtype=object), return_inverse=True)
        names = dict.fromkeys(self._groups)
        of_value = []
        for value in values.tolist():
            name = value if value in names or len(names) < MAX_GROUPS or not self._is_strange(value) else OTHER
            names[name] = None
            of_value.append(name)
        at = {name: i for i, name in enumerate(names)}
        group = np.array([at[name] for name in of_value])[inverse]
        for name in dict.fromkeys(of_value):
            yield name, group == at[name]

    def _note(
        self,
        batch: Batch,
        numbers: range,
        scores: Vector,
        flags: Mapping[str, NDArray[np.bool_]],
        truth: list[str],
    ) -> None:
        """Keep the last flagged records."""
        above = np.flatnonzero(flags[FLAGS[0]])
        tops = batch.data.column("top") if "top" in batch.data.schema.names else None
        for i in islice(above.tolist(), max(0, len(above) - (self._last.maxlen or 0)), None):
            self._last.append(
                Flagged(
                    number=numbers[i],
                    topic=batch.topic,
                    partition=batch.partition,
                    offset=int(batch.offsets[i]),
                    score=float(scores[i]),
                    flag=next(name for name in reversed(FLAGS) if flags[name][i]),
                    truth=truth[i],
                    top=_contributions(tops[i].as_py()) if tops is not None else (),
                ),
            )


def _plain(value: Any) -> str:
    """Return a value as text, the same for 1, 1.0 and True.

    Examples
    --------
    >>> _plain(1.0), _plain(True), _plain("1"), _plain(2.5), _plain(None)
    ('1', '1', '1', '2.5', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool | float) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _texts(data: pa.RecordBatch, name: str | None) -> list[str]:
    if name is None or name not in data.schema.names:
        return [""] * data.num_rows
    return [_plain(v) for v in data.column(name).to_pylist()]


def _floats(column: pa.Array) -> Vector:
    return np.array(pc.fill_null(pc.cast(column, pa.float64()), float("nan")), dtype=float)


def _booleans(data: pa.RecordBatch, name: str) -> NDArray[np.bool_]:
    if name not in data.schema.names or pa.types.is_null(data.column(name).type):
        return np.zeros(data.num_rows, dtype=bool)
    return np.asarray(pc.fill_null(pc.cast(data.column(name), pa.bool_()), fill_value=False), dtype=bool)


def _present(data: pa.RecordBatch, name: str) -> NDArray[np.bool_]:
    if name not in data.schema.names:
        return np.zeros(data.num_rows, dtype=bool)
    return np.asarray(pc.is_valid(data.column(name)), dtype=bool)


def _contributions(top: Any) -> tuple[tuple[str, float], ...]:
    """Read the top contributions, which the JSON decoder leaves as text; one that is missing is NaN.

    Examples
    --------
    >>> _contributions('[{"feature": "s1", "contribution": 2.5}, {"feature": "s2", "contribution": null}]')
    (('s1', 2.5), ('s2', nan))
    """
    found = json.loads(top) if isinstance(top, str) else top
    return tuple((str(t["feature"]), _float(t["contribution"])) for t in found or ())


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _model(data: pa.RecordBatch) -> str:
    if "model" not in data.schema.names:
        return ""
    last = data.num_rows - 1
    version = data.column("model_version")[last].as_py() if "model_version" in data.schema.names else None
    return f"{data.column('model')[last].as_py()}" + (f" version {version}" if version is not None else "")
