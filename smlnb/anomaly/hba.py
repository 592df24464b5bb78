"""Histogram-based anomaly detection: how much rarer each value is than the commonest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.errors import ModelError
from smlnb.exploration.density import density
from smlnb.models.base import AnomalyModel, StatisticsSource
from smlnb.stats.base import Plain, State
from smlnb.stats.block import float_block
from smlnb.stats.categories import CategoryCounts, as_text
from smlnb.stats.histogram import Cells
from smlnb.stats.table import TableSummary

__all__ = ["HistogramAnomaly"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StepFunction:
    """The contribution of a numeric value: ``values[k]`` from ``cuts[k - 1]`` to below ``cuts[k]``."""

    cuts: Vector
    values: Vector

    def __call__(self, x: Vector) -> Vector:
        contribution = self.values[np.searchsorted(self.cuts, x, side="right")]
        return np.where(np.isnan(x), 0.0, contribution)


class HistogramAnomaly(AnomalyModel):
    r"""The ``hba`` model: a sum over the inputs of ln(height of the highest bin / height of the value's bin).

    For a numeric input the project's histogram is re-binned to ``bins`` equal bins from the smallest to the largest
    value so far; with counts :math:`h` a value in bin :math:`b` contributes

    .. math:: \ln\frac{\max h + 1}{h_b + 1} \; - \; \text{tail} \cdot \ln\bigl(2 \min(P(X \le x), P(X \ge x))\bigr)

    where the second term, cut at zero, tells how far out in the tails the value is: the bins alone do not tell one
    empty bin from another, nor apart what lies in one bin when an extreme value has stretched the range. A category
    contributes by its frequency in the same way, without tails. One is added to each count so that an empty bin is
    strange, not impossible. Few bins are better than many: in sparse ones ordinary values look strange (Goldstein and
    Dengel, HBOS, 2012).

    Parameters
    ----------
    source, name, inputs, live
        As for :class:`~smlnb.models.base.Model`. Numeric and category attributes are usable.
    bins : int, default 20
        Equal bins per numeric input.
    tail : float, default 0.5
        Weight of the tails.

    Examples
    --------
    >>> from smlnb.project import Project
    >>> project = Project("demo", types="C")
    >>> _ = project.learn({"x": np.random.default_rng(0).normal(size=1000)})
    >>> model = project.build("hba", name="hba1")
    >>> usual, strange = model.score_samples({"x": [0.0, 9.0]})
    >>> bool(strange > usual + 5)
    True
    """

    kind: ClassVar[str] = "hba"

    def __init__(
        self,
        source: StatisticsSource,
        *,
        name: str,
        inputs: Sequence[str] | None = None,
        live: bool = False,
        bins: int = 20,
        tail: float = 0.5,
    ) -> None:
        if not isinstance(bins, int) or not isinstance(tail, int | float) or bins < 2 or not tail >= 0:
            raise ModelError(
                f"hba needs at least 2 bins and a tail weight of at least 0, not bins={bins!r}, tail={tail!r}."
            )
        self.bins = bins
        self.tail = tail
        super().__init__(source, name=name, inputs=inputs, live=live)

    def _usable(self, summary: TableSummary) -> tuple[str, ...]:
        if summary.cells is None:
            raise ModelError(
                "hba is built from histograms; this project keeps none. Create it with histogram=True and learn again.",
            )
        known = {name for name, cells in zip(summary.schema.numeric, summary.cells, strict=True) if cells.total}
        known |= {
            name for name, counts in zip(summary.schema.categories, summary.categories, strict=True) if counts.total
        }
        return tuple(name for name in summary.schema.names if name in known)

    def _fit(self, summary: TableSummary, inputs: tuple[str, ...]) -> None:
        cells = dict(zip(summary.schema.numeric, summary.cells or [], strict=True))
        counts = dict(zip(summary.schema.categories, summary.categories, strict=True))
        self._steps = {name: self._step_function(cells[name]) for name in inputs if name in cells}
        self._rarity = {name: _rarity(counts[name]) for name in inputs if name in counts}

    def _step_function(self, cells: Cells) -> StepFunction:
        rebinned = density(cells, self.bins)
        edges = np.append(rebinned.edges[:-1], np.nextafter(rebinned.edges[-1], np.inf))
        rare = np.log((rebinned.counts.max() + 1) / (rebinned.counts + 1))
        empty = np.log(rebinned.counts.max() + 1)
        cuts = np.union1d(edges, _tail_cuts(cells))
        # one step before the first cut, one from each cut on
        start = np.concatenate([[-np.inf], cuts])
        end = np.concatenate([cuts, [np.inf]])
        bin_of = np.searchsorted(edges, start, side="right")
        heights = np.concatenate([[empty], rare, [empty]])[bin_of]
        n = cells.total
        at_most, at_least = cells.below(end), n - cells.below(start)
        beyond = np.minimum(1.0, 2 * (np.minimum(at_most, at_least) + 0.5) / (n + 1))
        return StepFunction(cuts, heights - self.tail * np.log(beyond))

    def _contributions(self, batch: pa.RecordBatch) -> Vector:
        out = np.zeros((batch.num_rows, len(self.inputs)))
        block, _ = float_block(batch, list(self._steps))
        for values, (name, step) in zip(block, self._steps.items(), strict=True):
            out[:, self.inputs.index(name)] = step(values)
        for name, (rarity, unknown) in self._rarity.items():
            if name in batch.schema.names:
                values = as_text(batch.column(name)).to_pylist()
                out[:, self.inputs.index(name)] = [0.0 if v is None else rarity.get(v, unknown) for v in values]
        return out

    def _parameters(self) -> State:
        return {
            "bins": self.bins,
            "tail": float(self.tail),
            "steps": {name: {"cuts": s.cuts, "values": s.values} for name, s in self._steps.items()},
            "rarity": {
                name: {"values": dict(values), "unknown": unknown} for name, (values, unknown) in self._rarity.items()
            },
        }

    def _restore(self, parameters: Mapping[str, Plain]) -> None:
        self.bins, self.tail = parameters["bins"], parameters["tail"]
        self._steps = {name: StepFunction(s["cuts"], s["values"]) for name, s in parameters["steps"].items()}
        self._rarity = {name: (dict(r["values"]), r["unknown"]) for name, r in parameters["rarity"].items()}


def _tail_cuts(cells: Cells) -> Vector:
    """Return edges of cells at which the tail probability has halved, and halved again, down to one value."""
    halvings = np.arange(1, 2 * np.log2(cells.total + 1) + 1) / 2
    shares = 2.0**-halvings
    before = np.cumsum(cells.counts)
    wanted = np.concatenate([shares, 1 - shares]) * cells.total
    at = np.clip(np.searchsorted(before, wanted), 0, len(before) - 1)
    return np.union1d(cells.low[at], cells.high[at])


def _rarity(counts: CategoryCounts) -> tuple[dict[str, float], float]:
    """Return the contribution of each value, and that of a value never seen."""
    top = max([*counts.counts.values(), counts.other])
    known: dict[str, Any] = {value: float(np.log((top + 1) / (count + 1))) for value, count in counts.counts.items()}
    return known, float(np.log((top + 1) / (counts.other + 1)))
