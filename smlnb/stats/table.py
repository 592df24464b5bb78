"""All statistics of a table of attributes, as one accumulator over Arrow record batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from smlnb.errors import UnknownAttributeError
from smlnb.schema import Attribute, Kind, Schema
from smlnb.stats.base import Accumulator, State
from smlnb.stats.block import float_block
from smlnb.stats.categories import Categories, CategoryCounts, as_text
from smlnb.stats.centred import Centred
from smlnb.stats.comoments import CoMomentSummary
from smlnb.stats.conditional import ConditionalCells, ConditionalHistograms
from smlnb.stats.ends import Ends, EndsSummary
from smlnb.stats.histogram import Cells, Histogram
from smlnb.stats.moments import Moments, MomentSummary
from smlnb.stats.pairs import AttributePairs
from smlnb.stats.profile import Profile, ProfileSummary
from smlnb.stats.quantiles import Quantiles, QuantileSketches

__all__ = ["Table", "TableSummary", "read_block"]

LIST_OF_TEXT = pa.list_(pa.string())


def read_block(
    records: pa.RecordBatch, schema: Schema
) -> tuple[NDArray[np.float64], pa.RecordBatch, dict[str, NDArray[np.intp]]]:
    """Make of records what a table of this schema can absorb without fail.

    Returns
    -------
    floats : array, shape (numeric, rows)
        The numeric attributes.
    records : pyarrow.RecordBatch
        With categories and texts as strings, and lists as lists.
    bad : dict of name to row indices
        Rows that hold something of another kind; it counts as missing in the other two.
    """
    binary = [a.name for a in schema if a.kind is Kind.BINARY]
    floats, bad = float_block(records, schema.numeric, binary)
    others = {a.name: a.kind for a in schema if a.kind in (Kind.CATEGORY, Kind.TEXT, Kind.LIST)}
    for i, name in enumerate(records.schema.names):
        if name not in others:
            continue
        column = records.column(i)
        fit = _as_lists(column) if others[name] is Kind.LIST else _as_texts(column)
        if fit is None:
            bad[name] = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
            fit = pa.nulls(len(column), LIST_OF_TEXT if others[name] is Kind.LIST else pa.string())
        records = records.set_column(i, name, fit)
    return floats, records, bad


def _as_texts(column: pa.Array) -> pa.Array | None:
    try:
        return as_text(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return None


def _as_lists(column: pa.Array) -> pa.Array | None:
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), LIST_OF_TEXT)
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    return column if is_list or pa.types.is_fixed_size_list(column.type) else None


class TableSummary:
    """What :meth:`Table.result` gives: the results of its parts.

    Attributes
    ----------
    schema : Schema
    n : int
        Rows absorbed and not forgotten.
    forgotten : int
        Rows forgotten. Extremes are unknown after that, and quantiles come from the histogram.
    moments : MomentSummary
        Of the numeric attributes, in the order of ``schema.numeric``.
    pairs : CoMomentSummary
        Of the numeric attributes and one 0/1 column per category value, in the order of ``pair_names``.
    pair_names : tuple of str
        The numeric attributes, then ``attribute$value``.
    cells : list of Cells, or None
        Of the numeric attributes, when histograms are kept.
    conditional : ConditionalCells, or None
        Of the continuous attributes given each value of the binary and category ones, when they are kept.
    quantiles : QuantileSketches, or None
        Of the numeric attributes, when sketches are kept, and nothing was forgotten: a sketch can't forget.
    categories : list of CategoryCounts
        Of the category attributes, in the order of ``schema.categories``.
    profile : ProfileSummary, or None
        Distinct and frequent values, lengths of texts and lists; None after something was forgotten.
    ends : EndsSummary, or None
        First and last values of the numeric attributes, of the rows that came with times; None after something was
        forgotten.
    """

    def __init__(self, table: Table) -> None:
        self.schema: Schema = table.schema
        self.n: int = table.n
        self.moments: MomentSummary = table.moments.result()
        self.pairs: CoMomentSummary = table.pairs.result()
        self.pair_names: tuple[str, ...] = table.pairs.names
        self.cells: list[Cells] | None = table.histogram.result() if table.histogram else None
        self.conditional: ConditionalCells | None = table.conditional.result() if table.conditional else None
        self.forgotten: int = table.forgotten
        sketches = table.quantiles if not table.forgotten else None
        self.quantiles: QuantileSketches | None = sketches.result() if sketches else None
        self.categories: list[CategoryCounts] = table.categories.result()
        self.profile: ProfileSummary | None = table.profile.result() if not table.forgotten else None
        self.ends: EndsSummary | None = table.ends.result() if not table.forgotten else None

    def pair_index(self, name: str) -> int:
        """Return the place of an attribute, or of ``attribute$value``, in ``pairs``."""
        if name not in self.pair_names:
            raise UnknownAttributeError.of(name, self.pair_names)
        return self.pair_names.index(name)


class Table(Accumulator):
    """Moments, co-moments, histograms, quantile sketches, counts and first and last values of a schema's attributes.

    A block is an Arrow record batch; a column that it lacks counts as missing, one that the schema lacks is left alone.
    For d numeric attributes and no categories it takes 24 d^2 bytes (48 d^2 once something is missing), some 98 kB d
    for histograms and 5 kB d for quantile sketches.

    Parameters
    ----------
    schema : Schema
    histogram : bool, default True
        Keep histograms of the numeric attributes.
    conditional : bool, default True
        With the histograms, keep those of the continuous attributes given each value of the binary and category ones;
        see :class:`~smlnb.stats.conditional.ConditionalHistograms` for what they take. They cost nothing where there
        are no such pairs, and about a third of everything else for ten attributes and one condition.
    quantiles : bool, default True
        Keep quantile sketches of the numeric attributes.
    distinct : bool, default False
        Count the different and the frequent values of continuous attributes, too; see
        :class:`~smlnb.stats.profile.Profile` for what it costs.

    Examples
    --------
    >>> table = Table(Schema.of(["x", "c"], "C,T"))
    >>> table.update(pa.record_batch({"x": [1.0, 3.0], "c": ["a", "b"]}))
    >>> table.result().moments.mean.tolist(), table.result().categories[0].counts
    ([2.0], {'a': 1, 'b': 1})
    """

    version: ClassVar[int] = 3

    def __init__(
        self,
        schema: Schema,
        *,
        histogram: bool = True,
        quantiles: bool = True,
        distinct: bool = False,
        conditional: bool = True,
    ) -> None:
        self.schema = schema
        self.n = 0
        self.forgotten = 0
        width = len(schema.numeric)
        self.moments = Moments(width)
        self.pairs = AttributePairs(schema.numeric, schema.categories)
        self.histogram = Histogram(width) if histogram else None
        self.conditional = ConditionalHistograms(schema) if histogram and conditional else None
        self.quantiles = Quantiles(width) if quantiles else None
        self.categories = Categories(len(schema.categories))
        self.profile = Profile(schema, continuous=distinct)
        self.ends = Ends(width)

    @property
    def _numeric_parts(self) -> list[Moments | Histogram | Quantiles]:
        return [p for p in (self.moments, self.histogram, self.quantiles) if p is not None]

    def update(self, block: pa.RecordBatch, times: ArrayLike | None = None, order: ArrayLike | None = None) -> None:
        """Absorb a record batch; what is no number in a numeric column counts as missing."""
        floats, readable, _ = read_block(block, self.schema)
        self.update_floats(floats, readable, times, order)

    def update_floats(
        self,
        floats: NDArray[np.float64],
        block: pa.RecordBatch,
        times: ArrayLike | None = None,
        order: ArrayLike | None = None,
    ) -> None:
        """Absorb a record batch that :func:`read_block` has read.

        Parameters
        ----------
        floats : array, shape (numeric, rows)
        block : pyarrow.RecordBatch
        times : array of int, shape (rows,), optional
            Milliseconds since 1970, of which first and last values are told; rows without are in all else.
        order : array of int, shape (rows,), optional
            Which of the rows of one time came first, such as their offsets.

        Raises
        ------
        StatisticsError
            If there are not as many times as rows. Nothing is absorbed then.
        """
        self.ends.update(floats, times, order)  # the only part that can refuse
        centred = Centred.of(floats)
        for part in self._numeric_parts:
            part.absorb(centred)
        columns = self._category_columns(block)
        self.pairs.absorb(centred, columns)
        if self.conditional is not None:
            self.conditional.absorb(centred, columns)
        self.categories.update(columns)
        self.profile.update(block)
        self.n += block.num_rows

    def _category_columns(self, block: pa.RecordBatch) -> list[pa.Array]:
        if not self.schema.categories:
            return []
        nothing, names = pa.nulls(block.num_rows, pa.string()), set(block.schema.names)
        return [block.column(c) if c in names else nothing for c in self.schema.categories]

    def forget(self, block: pa.RecordBatch) -> None:
        """Take out a record batch that was absorbed before: all of it or, with an error, nothing.

        Counts and histogram cells are exact; moments and co-moments are down-dated, or refused below six good digits.

        Raises
        ------
        ForgetError
            If the rows were not learned here, or fewer than six digits of a sum would be left.
        """
        floats, readable, _ = read_block(block, self.schema)
        self.forget_floats(floats, readable)

    def forget_floats(self, floats: NDArray[np.float64], block: pa.RecordBatch) -> None:
        """Take out a record batch that :func:`read_block` has read; see :meth:`forget`."""
        columns = self._category_columns(block)
        left = self.copy()
        left.moments.forget(floats)
        left.pairs.forget((floats, columns))
        if left.histogram is not None:
            left.histogram.forget(floats)
        if left.conditional is not None:
            left.conditional.forget((floats, columns))
        left.categories.forget(columns)
        left.n -= block.num_rows
        left.forgotten += block.num_rows
        self.__dict__.update(left.__dict__)

    def merge(self, other: Self) -> None:
        """Absorb another table of the same schema and options."""
        self._check_mergeable(other)
        for mine, theirs in zip(self._numeric_parts, other._numeric_parts, strict=True):
            mine.merge(theirs)  # type: ignore[arg-type]
        self.pairs.merge(other.pairs)
        if self.conditional is not None and other.conditional is not None:
            self.conditional.merge(other.conditional)
        self.categories.merge(other.categories)
        self.profile.merge(other.profile)
        self.ends.merge(other.ends)
        self.n += other.n
        self.forgotten += other.forgotten

    def grow(self, new: list[Attribute]) -> None:
        """Add attributes at the end; in everything absorbed so far they count as missing."""
        self.schema = self.schema.with_attributes(new)
        for part in self._numeric_parts:
            part.n = self.n
            part.widen(len(self.schema.numeric))
        self.pairs.widen(self.schema.numeric, self.schema.categories)
        if self.conditional is not None:
            self.conditional.grow(new)
        self.categories.n = self.n
        self.categories.widen(len(self.schema.categories))
        self.profile.n = self.n
        self.profile.grow(new)
        self.ends.widen(len(self.schema.numeric))

    def result(self) -> TableSummary:
        """Return the results of all parts."""
        return TableSummary(self)

    def empty(self) -> Self:
        """Return an empty one of the same schema and options."""
        return type(self)(self.schema, **self._options)

    @property
    def _options(self) -> dict[str, bool]:
        return {
            "histogram": self.histogram is not None,
            "quantiles": self.quantiles is not None,
            "distinct": self.profile.continuous,
            "conditional": self.conditional is not None,
        }

    def configuration(self) -> dict[str, Any]:
        """Return schema and options."""
        return {"schema": self.schema.state(), **self._options}

    def _payload(self) -> State:
        parts = (*self._numeric_parts, self.pairs, self.conditional, self.categories, self.profile, self.ends)
        states = {type(part).__name__: part.state() for part in parts if part is not None}
        return {"n": self.n, "forgotten": self.forgotten, "parts": states}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        options = {name: configuration[name] for name in ("histogram", "quantiles", "distinct", "conditional")}
        table = cls(Schema.from_state(configuration["schema"]), **options)
        table.n, table.forgotten = payload["n"], payload["forgotten"]
        parts = payload["parts"]
        table.moments = Moments.from_state(parts["Moments"])
        table.pairs = AttributePairs.from_state(parts["AttributePairs"])
        table.histogram = Histogram.from_state(parts["Histogram"]) if configuration["histogram"] else None
        if configuration["conditional"]:
            table.conditional = ConditionalHistograms.from_state(parts["ConditionalHistograms"])
        table.quantiles = Quantiles.from_state(parts["Quantiles"]) if configuration["quantiles"] else None
        table.categories = Categories.from_state(parts["Categories"])
        table.profile = Profile.from_state(parts["Profile"])
        table.ends = Ends.from_state(parts["Ends"])
        return table
