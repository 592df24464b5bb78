"""What all encoders have in common."""

from __future__ import annotations

import functools
import threading
import weakref
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.batch import as_record_batch
from smlnb.encoders.keys import Keys
from smlnb.errors import SchemaError
from smlnb.exploration.names import listed
from smlnb.exploration.result import frames_html
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.base import Accumulator, State

__all__ = ["Encoder", "FixedEncoder", "alone", "check_whole_number"]

SHOWN = 20

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound="Encoder")


def alone(method: Callable[Concatenate[E, P], R]) -> Callable[Concatenate[E, P], R]:
    """Let a method run while no other one like it runs: people look at a table, and edit it, while a feed learns."""

    @functools.wraps(method)
    def locked(self: E, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            return method(self, *args, **kwargs)

    return locked


class Encoder(Accumulator):
    """Makes numeric attributes of a column of texts or lists; what it learns for that is an accumulator.

    Records are first transformed and then learned, block by block (test, then train), so that no row is encoded with
    its own target. Subclasses give ``_encode``, ``_attributes`` and the verbs of an accumulator over record batches;
    the keys of ``configuration()`` are the names of their parameters.

    Parameters
    ----------
    column : str
        The attribute to encode. Numbers are taken as the texts that they are written as.

    Attributes
    ----------
    fixed : bool
        Whether a record always gets the same numbers, whatever was learned before it.
    """

    fixed: ClassVar[bool] = False

    def __init__(self, column: str) -> None:
        if not isinstance(column, str) or not column:
            raise SchemaError(f"{type(self).__name__} needs the name of the attribute to encode, not {column!r}.")
        self.column = column
        self._lock = threading.RLock()
        self._owner: weakref.ref[Any] | None = None

    def belong(self, owner: object) -> None:
        """Become part of a project.

        Raises
        ------
        SchemaError
            If it is part of another one: what both learn would be mixed.
        """
        before = None if self._owner is None else self._owner()
        if before is not None and before is not owner:
            raise SchemaError(
                f"{self!r} belongs to another project. Attach encoder.empty(), or encoder.copy() with its table."
            )
        self._owner = weakref.ref(owner)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return (self.column,)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes that are made, in the order of the rows of :meth:`transform`."""
        return tuple(Attribute(name, self._kind) for name in self.outputs)

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of the attributes that are made; they never change."""

    _kind: ClassVar[Kind] = Kind.CONTINUOUS

    def transform(self, data: Any) -> NDArray[np.float64]:
        """Return records encoded by what was learned so far.

        Parameters
        ----------
        data
            Anything tabular.

        Returns
        -------
        array, shape (outputs, rows)
            NaN where the column is missing, or not there at all.
        """
        records = as_record_batch(data)
        if self.column not in records.schema.names:
            return np.full((len(self.outputs), records.num_rows), np.nan)
        keys = Keys.of(records.column(self.column))
        encoded = self._encode(keys)
        encoded[:, ~keys.present] = np.nan
        return encoded

    @abstractmethod
    def _encode(self, keys: Keys) -> NDArray[np.float64]:
        """Return a new array of shape (outputs, rows); what it says of missing cells does not matter."""

    def learn(self, data: Any) -> None:
        """Absorb records, anything tabular; a column that they lack counts as missing."""
        self.update(as_record_batch(data))

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """Return how values are encoded."""

    def result(self) -> pd.DataFrame:
        """Return :meth:`table`."""
        return self.table()

    def check(self, schema: Schema) -> None:
        """Refuse a schema that this encoder can't be attached to.

        Raises
        ------
        UnknownAttributeError
            If it has no attribute of the name of an input; the message suggests the nearest.
        SchemaError
            If the name of an output is taken, by an attribute or a value of a category.
        """
        for name in self.inputs:
            _ = schema[name]
        taken = [n for n in self.outputs if n in schema or any(n.startswith(f"{c}$") for c in schema.categories)]
        if taken:
            raise SchemaError(
                f"{self!r} makes attributes of the names {listed(taken)}, which are taken. Rename the column."
            )

    def empty(self) -> Self:
        """Return one of the same configuration that has learned nothing."""
        return type(self)(**self.configuration())

    def __repr__(self) -> str:
        column, *settings = self.configuration().items()
        told = "".join(f", {name}={value!r}" for name, value in settings if value is not None)
        return f"{type(self).__name__}({column[1]!r}{told})"

    def _repr_html_(self) -> str:
        table = self.table()
        notes = [f"{self.n:,} records"] if not self.fixed else []
        notes += [f"{len(table) - SHOWN:,} more rows in table()"] if len(table) > SHOWN else []
        return frames_html(repr(self), {"": table.head(SHOWN)}, notes)


class FixedEncoder(Encoder):
    """An encoder that learns nothing, and only counts its rows."""

    fixed: ClassVar[bool] = True

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.n = 0

    def update(self, block: Any) -> None:
        """Count the rows of a record batch."""
        self.n += block.num_rows

    def merge(self, other: Self) -> None:
        """Add the rows of another."""
        self._check_mergeable(other)
        self.n += other.n

    def _payload(self) -> State:
        return {"n": self.n}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        encoder = cls(**configuration)
        encoder.n = payload["n"]
        return encoder


def check_whole_number(what: str, value: object, least: int, most: int) -> None:
    """Refuse what is no whole number between two others."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise SchemaError(f"{what} is a whole number from {least:,} to {most:,}, not {value!r}.")
