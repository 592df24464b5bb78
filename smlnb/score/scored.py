"""Scored records: what a model says about the records of a batch, and the form in which it is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.batch import Batch
from smlnb.errors import ModelError, SchemaError, UnknownAttributeError
from smlnb.score.thresholds import FLAGS, Marks, Thresholds

__all__ = ["FIELDS", "Judge", "Scored"]

FIELDS: Final = ("score", "quantile", *FLAGS, "thresholds", "top", "model", "model_version")
"""The fields of an output record, before those that are kept from the source record."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch and what a model says about its rows, by columns.

    Attributes
    ----------
    batch : Batch
        The source records.
    scores : array, shape (rows,)
        Larger is stranger.
    marks : Marks
        Quantiles, thresholds and flags of the scores.
    features : tuple of str
        The model's inputs.
    top : array of int, shape (rows, k)
        The inputs that contribute most to each score, as positions in ``features``, the largest first.
    contributions : array, shape (rows, k)
        What these contribute.
    model : str
    model_version : int
        The version of the model that gave the scores.
    kept : tuple of str
        Fields of the source that go with the scores.
    """

    batch: Batch
    scores: NDArray[np.float64]
    marks: Marks
    features: tuple[str, ...]
    top: NDArray[np.intp]
    contributions: NDArray[np.float64]
    model: str
    model_version: int
    kept: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def kept_data(self) -> pa.RecordBatch:
        """The fields that go with the scores; null where the batch lacks one."""
        data, rows = self.batch.data, len(self)
        columns = [data.column(n) if n in data.schema.names else pa.nulls(rows) for n in self.kept]
        return pa.RecordBatch.from_arrays(columns, names=list(self.kept))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the output records, in order; what is not known, and what is no finite number, is None."""
        marks, (q95, q98, q99) = self.marks, FLAGS
        kept = [column.to_pylist() for column in self.kept_data.columns]
        # flat lists of numbers: lists of lists would wake the garbage collector every few rows
        columns = zip(
            marks.known.tolist(),
            self.scores.tolist(),
            marks.quantiles.tolist(),
            zip(*(flag.tolist() for flag in marks.flags.T), strict=True),
            zip(*(limit.tolist() for limit in marks.thresholds.T), strict=True),
            self._top(),
            zip(*kept, strict=True) if kept else ((),) * len(self),
            strict=True,
        )
        for known, score, quantile, flags, limits, top, values in columns:
            row: dict[str, Any] = {
                "score": score if math.isfinite(score) else None,
                "quantile": quantile if known else None,
                q95: flags[0] if known else None,
                q98: flags[1] if known else None,
                q99: flags[2] if known else None,
                "thresholds": {q95: limits[0], q98: limits[1], q99: limits[2]} if known else None,
                "top": top,
                "model": self.model,
                "model_version": self.model_version,
            }
            row.update(zip(self.kept, values, strict=True))
            yield row

    def _top(self) -> Iterator[list[dict[str, Any]]]:
        names = [[self.features[i] for i in column] for column in self.top.T.tolist()]
        shares = self.contributions.T.tolist()
        if not names:
            return iter([[] for _ in range(len(self))])
        by_row = zip(zip(*names, strict=True), zip(*shares, strict=True), strict=True)
        return (
            [{"feature": n, "contribution": s if math.isfinite(s) else None} for n, s in zip(*pair, strict=True)]
            for pair in by_row
        )


class Judge:
    """A model and the memory of the scores it gave: turns batches into scored batches. It never learns.

    Parameters
    ----------
    model
        Anything with ``score_samples``, ``contributions``, ``feature_names_in_``, ``name`` and ``version``.
    keep : sequence of str
        Fields of the source record to copy. They must be there in the first batch; later batches may lack them.
    top : int
        How many of the contributing inputs to name.
    warm_up : int
        How many scores carry no flags.

    Raises
    ------
    SchemaError
        If a kept field has the name of an output field.
    """

    def __init__(self, model: Any, *, keep: Sequence[str] = (), top: int = 3, warm_up: int = 500) -> None:
        if isinstance(keep, str):
            raise SchemaError(f"keep={keep!r} is one string; give a list of names: keep=[{keep!r}].")
        for name in keep:
            if name in FIELDS:
                raise SchemaError(
                    f"The field {name!r} can't be kept: the output has a field of that name. "
                    f"Rename it in the source, or leave it out of keep. Taken are: {', '.join(FIELDS)}.",
                )
        if top < 0:
            raise ModelError(f"top={top}: give the number of contributing inputs to name, 0 or more.")
        self.model = model
        self.keep = tuple(dict.fromkeys(keep))
        self.top = top
        self.thresholds = Thresholds(warm_up)
        self._checked = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that the model reads."""
        return tuple(str(name) for name in self.model.feature_names_in_)

    def __call__(self, batch: Batch) -> Scored:
        """Score a batch; inputs that it lacks count as missing.

        Raises
        ------
        UnknownAttributeError
            If the first batch lacks a field to keep.
        ModelError
            If the first batch has none of the model's inputs.
        """
        if not self._checked and len(batch):
            self._check(batch)
        scores, inputs, shares = self._ask(_with_columns(batch.data, self.inputs))
        order = np.argsort(-shares, axis=1, kind="stable")[:, : self.top]
        return Scored(
            batch=batch,
            scores=scores,
            marks=self.thresholds.mark(scores),
            features=inputs,
            top=order,
            contributions=np.take_along_axis(shares, order, axis=1),
            model=str(self.model.name),
            model_version=int(self.model.version),
            kept=self.keep,
        )

    def _ask(self, data: pa.RecordBatch) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.float64]]:
        """Return scores, inputs and contributions, all from the same state of the model."""
        if data.num_rows == 0:
            return np.empty(0), self.inputs, np.empty((0, len(self.inputs)))
        if self.top == 0:
            return np.asarray(self.model.score_samples(data), dtype=np.float64), (), np.empty((data.num_rows, 0))
        # a live model may be rebuilt between two calls, so that the score is taken from the contributions
        contributions = self.model.contributions(data)
        shares = np.ascontiguousarray(contributions, dtype=np.float64)
        return shares.sum(axis=1), tuple(map(str, contributions.columns)), shares

    def _check(self, batch: Batch) -> None:
        names = batch.data.schema.names
        for name in self.keep:
            if name not in names:
                raise UnknownAttributeError.of(name, names)
        if not set(self.inputs) & set(names):
            raise ModelError(
                f"The records of {batch.topic!r} have none of the inputs of the model {self.model.name!r} "
                f"({', '.join(self.inputs)}); they have {', '.join(names)}. Is this the right topic?",
            )
        self._checked = True


def _with_columns(data: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Return the columns ``names`` of ``data``, all null where it lacks one."""
    present = set(data.schema.names)
    if present.issuperset(names):
        return data
    columns = [data.column(n) if n in present else pa.nulls(data.num_rows, pa.float64()) for n in names]
    return pa.RecordBatch.from_arrays(columns, names=list(names))
