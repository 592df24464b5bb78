"""What a continuous attribute can be looked at given: names, and the joint counts that are kept."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smlnb.errors import NotEnoughDataError, SchemaError, StatisticsError, UnknownAttributeError
from smlnb.exploration.names import column, indicator_names, listed
from smlnb.schema import Kind
from smlnb.stats.conditional import ConditionalCells
from smlnb.stats.histogram import Cells
from smlnb.stats.table import TableSummary

__all__ = ["JointCells", "has_joint_cells", "is_continuous", "joint_cells"]


@dataclass(frozen=True, slots=True, eq=False)
class JointCells:
    """Counts of a continuous attribute in the same cells for each value of a condition.

    Attributes
    ----------
    name, given : str
    low, high : array, shape (cells,)
        Edges.
    values : tuple of str
        Those that occur where the attribute is present.
    counts : array of int64, shape (values, cells)
        Over the rows where both are present.
    everywhere : array of int64, shape (cells,)
        Over all rows where the attribute is present.
    """

    name: str
    given: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    values: tuple[str, ...]
    counts: NDArray[np.int64]
    everywhere: NDArray[np.int64]

    def cells(self, value: str | float) -> Cells:
        """Return the histogram where the condition has a value, given as text or as a number.

        Raises
        ------
        SchemaError
            If it was never seen; the message lists those that were.
        """
        text = value if isinstance(value, str) else f"{value:.0f}" if float(value).is_integer() else f"{value}"
        if text not in self.values:
            near = difflib.get_close_matches(text, self.values, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise SchemaError(
                f"{self.name!r} was never seen where {self.given!r} is {text!r}.{hint} The values that it was seen "
                f"with are {listed(self.values, most=20)}."
            )
        counts = self.counts[self.values.index(text)]
        some = counts > 0
        return Cells(self.low[some], self.high[some], counts[some])

    @property
    def together(self) -> Cells:
        """The histogram where the condition has any value."""
        counts = self.counts.sum(axis=0)
        some = counts > 0
        return Cells(self.low[some], self.high[some], counts[some])


def is_continuous(summary: TableSummary, name: str) -> bool:
    """Whether ``name`` is a continuous attribute."""
    return name in summary.schema and summary.schema[name].kind is Kind.CONTINUOUS


def has_joint_cells(summary: TableSummary, given: str) -> bool:
    """Whether histograms are kept given this category, binary attribute or value of a category."""
    return summary.conditional is not None and _rows(summary.conditional, given) is not None


def joint_cells(summary: TableSummary, name: str, given: str) -> JointCells:
    """Return the joint counts of a continuous attribute and a condition; exact.

    Parameters
    ----------
    summary : TableSummary
    name : str
        A continuous attribute.
    given : str
        A binary attribute (values "0" and "1"), a category, or a value of one as ``attribute$value`` (1 and 0). The
        values of a category that have no histogram of their own are together in ``(other)``.

    Raises
    ------
    SchemaError, UnknownAttributeError
        If one is not of these kinds.
    StatisticsError
        If no such histograms are kept.
    NotEnoughDataError
        If there is no row in which both are present.
    """
    if not is_continuous(summary, name):
        if name not in summary.schema.categories:
            column(summary, name)
        raise SchemaError(
            f"{name!r} is not continuous, so its values are counted: use crosstab, or mutual_information."
        )
    if is_continuous(summary, given):
        raise SchemaError(
            f"{given!r} is continuous, so it is no condition. Conditions are binary attributes (B), categories (T) and "
            "values of categories, named as 'attribute$value'."
        )
    if given not in summary.schema.categories:
        _check_known(summary, given)
    kept = summary.conditional
    if kept is None:
        option = "histogram=True" if summary.cells is None else "conditional=True"
        raise StatisticsError(f"No histograms of {name!r} given {given!r} are kept: make the project with {option}.")
    rows = _rows(kept, given)
    if rows is None:
        raise StatisticsError(f"No histogram of {name!r} given {given!r} is kept: {_why(kept, given)}")
    condition, groups = rows
    low, high, counts = kept.joint(name, condition)
    found = {value: counts[places].sum(axis=0) for value, places in groups.items()}
    found = {value: row for value, row in found.items() if row.any()}
    if not found:
        raise NotEnoughDataError(f"There is no row in which both {name!r} and {given!r} are present.")
    return JointCells(
        name=name,
        given=given,
        low=low,
        high=high,
        values=tuple(found),
        counts=np.array(list(found.values())),
        everywhere=counts.sum(axis=0),
    )


def _check_known(summary: TableSummary, given: str) -> None:
    if given in summary.schema or given in summary.pair_names:
        column(summary, given)
        return
    known = [a.name for a in summary.schema if a.kind in (Kind.BINARY, Kind.CATEGORY)]
    raise UnknownAttributeError.of(given, [*known, *indicator_names(summary)])


def _rows(kept: ConditionalCells, given: str) -> tuple[str, dict[str, list[int]]] | None:
    """Return the condition that has counts, and the rows of them that make each value."""
    if given in kept.values:
        return given, {value: [i] for i, value in enumerate(kept.values[given])}
    for name, values in kept.values.items():
        value = given.removeprefix(f"{name}$")
        if value != given and value in values[:-1]:
            one = values.index(value)
            return name, {"0": [i for i in range(len(values)) if i != one], "1": [one]}
    return None


def _why(kept: ConditionalCells, given: str) -> str:
    if any(given == name or given.startswith(f"{name}$") for name in kept.more):
        return f"only the first conditions have them, which are {listed(kept.values, most=20)}."
    if not kept.values:
        return "when the data came there was no condition."
    return "it is one of too many values of its attribute, and in (other) there."
