"""The encoders of a project at work: numbers made of texts and lists, before the statistics see a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from smlnb.encoders.base import Encoder
from smlnb.encoders.registry import encoder_from_state
from smlnb.errors import MergeError, SchemaError
from smlnb.exploration.names import listed
from smlnb.schema import Kind, Schema
from smlnb.shards.rows import Rows
from smlnb.stats.base import Plain, State

__all__ = ["Encoding"]


class Encoding:
    """Encoders, whose outputs are attributes after the raw ones.

    A block of rows is encoded by what was learned from the blocks before it, and learned then. The rows of unfinished
    blocks are encoded, and not learned yet. With several partitions, what a learning encoder makes of a row depends on
    which partition's blocks came before it.
    """

    def __init__(self, encoders: Sequence[Encoder] = ()) -> None:
        self.encoders: list[Encoder] = []
        if isinstance(encoders, Encoder):
            raise SchemaError(f"A list of encoders was wanted: encoders=[{encoders!r}].")
        for encoder in encoders:
            self.attach(encoder, Schema())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all attributes that are made."""
        return tuple(name for encoder in self.encoders for name in encoder.outputs)

    @property
    def learns(self) -> bool:
        """Whether what becomes of a row depends on those before it."""
        return not all(encoder.fixed for encoder in self.encoders)

    def attach(self, encoder: Encoder, schema: Schema) -> None:
        """Add an encoder.

        Raises
        ------
        SchemaError
            If it is none, or another project's; its column is ignored or unknown to a schema that has attributes; or
            the name of an output is taken.
        """
        if not isinstance(encoder, Encoder):
            raise SchemaError(f"An encoder was wanted, such as HashEncoder('city'), not {encoder!r}.")
        taken = sorted(set(encoder.outputs) & set(self.outputs))
        if taken:
            raise SchemaError(f"Another encoder makes {listed(taken)} already. Give {encoder!r} another column.")
        if schema.attributes:
            _check(encoder, schema)
        encoder.belong(self)
        self.encoders.append(encoder)

    def extended(self, schema: Schema) -> Schema:
        """Return a schema of raw attributes with those of the encoders.

        Raises
        ------
        SchemaError
            If an encoder does not fit the attributes.
        """
        for encoder in self.encoders:
            if schema.attributes and encoder.outputs[0] not in schema:
                _check(encoder, schema)
                schema = schema.with_attributes(list(encoder.attributes))
        return schema

    def check(self, records: pa.RecordBatch) -> None:
        """Refuse records that bring what an encoder makes."""
        both = sorted(set(self.outputs) & set(records.schema.names)) if self.encoders else []
        if both:
            raise SchemaError(f"The data has {listed(both)}, which an encoder makes. Leave it out, or rename it.")

    def apply(self, rows: Rows, schema: Schema) -> Rows:
        """Return the rows with the numbers of the encoders."""
        if not self.encoders:
            return rows
        floats, records = rows.floats.copy(), _readable(rows, schema)
        for encoder in self.encoders:
            at = [schema.numeric.index(name) for name in encoder.outputs]
            floats[at] = encoder.transform(records)
        return replace(rows, floats=floats)

    def learn(self, rows: Rows, schema: Schema) -> None:
        """Let the encoders learn rows that were encoded."""
        if self.encoders:
            records = _readable(rows, schema)
            for encoder in self.encoders:
                encoder.learn(records)

    def merge(self, other: Encoding) -> None:
        """Absorb what others have learned.

        Raises
        ------
        MergeError
            If they make other attributes.
        """
        if self.outputs != other.outputs:
            here, there = (listed(e.outputs) or "nothing" for e in (self, other))
            raise MergeError(f"The encoders make {here} here, {there} there.")
        merged = [encoder.copy() for encoder in self.encoders]
        for mine, theirs in zip(merged, other.encoders, strict=True):
            mine.merge(theirs)
        for mine, theirs in zip(self.encoders, other.encoders, strict=True):
            mine.merge(theirs)

    def empty(self) -> Encoding:
        """Return the same encoders, which have learned nothing."""
        empty = Encoding()
        empty.encoders = [encoder.empty() for encoder in self.encoders]
        return empty

    def state(self) -> list[State]:
        """Return the encoders as plain values."""
        return [encoder.state() for encoder in self.encoders]

    @classmethod
    def from_state(cls, state: Sequence[Mapping[str, Plain]]) -> Encoding:
        """Rebuild what :meth:`state` returned."""
        encoding = cls()
        encoding.encoders = [encoder_from_state(dict(s)) for s in state]
        return encoding


def _check(encoder: Encoder, schema: Schema) -> None:
    encoder.check(schema)
    ignored = [name for name in encoder.inputs if schema[name].kind is Kind.IGNORED]
    if ignored:
        raise SchemaError(
            f"{encoder!r} reads {listed(ignored)}, which the project ignores. Make it S (text), L (list) or a number."
        )


def _readable(rows: Rows, schema: Schema) -> pa.RecordBatch:
    """Return rows as records again, with the numbers under their names."""
    columns: dict[str, Any] = dict(zip(rows.records.schema.names, rows.records.columns, strict=True))
    for name, values in zip(schema.numeric, rows.floats, strict=True):
        columns.setdefault(name, pa.array(np.ascontiguousarray(values), from_pandas=True))
    return pa.RecordBatch.from_pydict(columns)
