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
        marks = self.marks
        known = marks.known.tolist()
        kept = [column.to_pylist() for column in self.kept_data.columns]
        columns = zip(
            known,
            self.scores.tolist(),
            marks.quantiles.tolist(),
            marks.flags.tolist(),
            marks.thresholds.tolist(),
            self.top.tolist(),
            self.contributions.tolist(),
            zip(*kept, strict=True) if kept else ((),) * len(self),
            strict=True,
        )
        features, model, version, names = self.features, self.model, self.model_version, self.kept
        q95, q98, q99 = FLAGS
        for is_known, score, quantile, flags, limits, top, shares, values in columns:
            row: dict[str, Any] = {
                "score": score if math.isfinite(score) else None,
                "quantile": quantile if is_known else None,
                q95: flags[0] if is_known else None,
                q98: flags[1] if is_known else None,
                q99: flags[2] if is_known else None,
                "thresholds": {q95: limits[0], q98: limits[1], q99: limits[2]} if is_known else None,
                "top": [
                    {"feature": features[i], "contribution": share}
                    for i, share in zip(top, shares, strict=True)
                    if math.isfinite(share)
                ],
                "model": model,
                "model_version": version,
            }
            row.update(zip(names, values, strict=True))
            yield row


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
        version, inputs = int(self.model.version), self.inputs
        data = _with_columns(batch.data, inputs)
        scores = np.asarray(self.model.score_samples(data), dtype=np.float64) if len(batch) else np.empty(0)
        k = min(self.top, len(inputs))
        if k and len(batch):
            shares = np.asarray(self.model.contributions(data), dtype=np.float64)
            order = np.argsort(-shares, axis=1, kind="stable")[:, :k]  # NaN goes last
            top, largest = order, np.take_along_axis(shares, order, axis=1)
        else:
            top, largest = np.empty((len(batch), 0), np.intp), np.empty((len(batch), 0))
        return Scored(
            batch=batch,
            scores=scores,
            marks=self.thresholds.mark(scores),
            features=inputs,
            top=top,
            contributions=largest,
            model=str(self.model.name),
            model_version=version,
            kept=self.keep,
        )

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
