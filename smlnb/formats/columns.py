"""Columns that grow: pieces with different columns joined, in the order of the records, under the types first seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Columns", "Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some records of a batch as columns, and which of the batch's values they were."""

    data: pa.RecordBatch
    rows: NDArray[np.int64]


class Columns:
    """The columns seen so far, with the type of the first value of each; whole numbers may become decimal ones."""

    def __init__(self) -> None:
        self._types: dict[str, pa.DataType] = {}
        self._schema = pa.schema([])

    @property
    def names(self) -> frozenset[str]:
        """The columns seen so far."""
        return frozenset(self._types)

    def join(self, pieces: Sequence[Piece]) -> tuple[pa.RecordBatch, NDArray[np.int64], dict[int, str]]:
        """Return one batch with all columns, the rows in it, and the reasons for the rows that do not fit.

        Examples
        --------
        >>> first = Piece(pa.record_batch({"x": [1, 2]}), np.array([0, 2]))
        >>> second = Piece(pa.record_batch({"x": [0.5], "y": ["a"]}), np.array([1]))
        >>> data, rows, unfit = Columns().join([first, second])
        >>> data.to_pydict(), rows.tolist(), unfit
        ({'x': [1.0, 0.5, 2.0], 'y': [None, 'a', None]}, [0, 1, 2], {})
        """
        if len(pieces) == 1 and pieces[0].data.schema == self._schema:  # as most are, and nothing is to be done
            return pieces[0].data, pieces[0].rows, {}
        unfit: dict[int, str] = {}
        fitting = [p for p in sorted(pieces, key=_first_row) if self._widen(p, unfit)]
        tables, rows = [], []
        for piece in fitting:
            columns, keep = self._cast(piece, unfit)
            tables.append(columns)
            rows.append(keep)
        if len(tables) == 1:
            return tables[0], rows[0], unfit
        if not tables:
            return pa.RecordBatch.from_pylist([], schema=self._schema), np.empty(0, np.int64), unfit
        where = np.concatenate(rows)
        order = np.argsort(where, kind="stable")
        return pa.concat_batches(tables).take(pa.array(order)), where[order], unfit

    def _widen(self, piece: Piece, unfit: dict[int, str]) -> bool:
        """Take in the columns of a piece, or say of all its rows why not."""
        new: dict[str, pa.DataType] = {}
        for column in piece.data.schema:
            was, now = self._types.get(column.name), column.type
            if was is None or pa.types.is_null(was) or (was == pa.int64() and now == pa.float64()):
                new[column.name] = now
            elif not (was == now or pa.types.is_null(now) or (was == pa.float64() and now == pa.int64())):
                reason = f"{column.name!r} is {now}, but has been {was} before"
                unfit.update(dict.fromkeys(piece.rows.tolist(), reason))
                return False
        self._types.update(new)
        self._schema = pa.schema(list(self._types.items()))
        return True

    def _cast(self, piece: Piece, unfit: dict[int, str]) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
        data, rows = piece.data, piece.rows
        inexact = np.zeros(len(rows), dtype=bool)
        columns = []
        for name, kind in self._types.items():
            place = data.schema.get_field_index(name)
            column = data.column(place) if place >= 0 else pa.nulls(len(rows), kind)
            if column.type != kind:
                whole = column
                column = whole.cast(kind, safe=False)
                if whole.type == pa.int64():
                    changed = pc.fill_null(pc.not_equal(column.cast(pa.int64(), safe=False), whole), False).to_numpy(
                        False
                    )
                    unfit.update(
                        dict.fromkeys(rows[changed].tolist(), f"{name!r} can't be held exactly as a decimal number")
                    )
                    inexact |= changed
            columns.append(column)
        whole_batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        if not inexact.any():
            return whole_batch, rows
        return whole_batch.filter(pa.array(~inexact)), rows[~inexact]


def _first_row(piece: Piece) -> int:
    return int(piece.rows[0]) if len(piece.rows) else -1
