"""From names, as people write them, to rows and columns of the statistics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from smlnb.errors import SchemaError, UnknownAttributeError
from smlnb.schema import Kind
from smlnb.stats.table import TableSummary

__all__ = ["column", "columns", "histogram_index", "indicator_names", "is_binary", "listed", "value_columns"]

OTHER = "(other)"
ALL_OTHER = "(all others)"  # where a value is itself called (other)
UNUSABLE = {Kind.TEXT: "text", Kind.LIST: "a list", Kind.IGNORED: "ignored"}


def column(summary: TableSummary, name: str) -> int:
    """Return the row of ``name`` in the co-moments: a numeric attribute, or a category's value as ``attribute$value``.

    Raises
    ------
    SchemaError
        If the attribute is a category, text, a list or ignored: it has no numbers of its own.
    UnknownAttributeError
        If there is no such attribute; the message suggests the nearest.
    """
    if name in summary.schema and name not in summary.schema.numeric:
        kind = summary.schema[name].kind
        if kind is Kind.CATEGORY:
            values = ", ".join(repr(f"{name}${v}") for v in list(value_columns(summary, name))[:5])
            raise SchemaError(f"{name!r} is a category, not a number. Name one of its values, as in {values}.")
        raise SchemaError(f"{name!r} is {UNUSABLE[kind]}, so there are no numbers of it. Declare it C, B or T.")
    if name not in summary.pair_names:
        raise UnknownAttributeError.of(name, dict.fromkeys((*summary.schema.names, *summary.pair_names)))
    return summary.pair_index(name)


def columns(summary: TableSummary, names: Sequence[str] | None) -> list[int]:
    """Return the rows of ``names`` in the co-moments, all different; those of the numeric attributes for None."""
    if names is None:
        return list(range(len(summary.schema.numeric)))
    if isinstance(names, str):
        raise SchemaError(f"A list of attributes was wanted, not the text {names!r}.")
    twice = [n for i, n in enumerate(names) if n in names[:i]]
    if twice:
        raise SchemaError(f"{twice[0]!r} is named twice. Name each attribute once.")
    return [column(summary, name) for name in names]


def is_binary(summary: TableSummary, name: str) -> bool:
    """Whether the column ``name`` of the co-moments holds nothing but 0 and 1."""
    return column(summary, name) >= len(summary.schema.numeric) or summary.schema[name].kind is Kind.BINARY


def indicator_names(summary: TableSummary) -> tuple[str, ...]:
    """Return the names of the 0/1 columns of all categories' values."""
    return tuple(summary.pair_names[len(summary.schema.numeric) :])


def value_columns(summary: TableSummary, attribute: str) -> dict[str, int]:
    """Return the rows in the co-moments of a category's values; all that have none of their own share the last.

    Raises
    ------
    UnknownAttributeError
        If the attribute is no category.
    """
    categories = summary.schema.categories
    if attribute not in categories:
        raise UnknownAttributeError.of(attribute, categories)
    # the columns of each category stand together, in the order of the schema, and the shared one is the last of them
    names = summary.pair_names
    end = len(names)
    for before, name in zip((None, *categories)[-2::-1], categories[::-1], strict=True):
        start = len(summary.schema.numeric)
        if before is not None:
            start = max(i for i in range(end - 1) if names[i] == f"{before}${OTHER}") + 1
        if name == attribute:
            break
        end = start
    found = {names[i][len(attribute) + 1 :]: i for i in range(start, end - 1)}
    return {**found, (OTHER if OTHER not in found else ALL_OTHER): end - 1}


def histogram_index(summary: TableSummary, name: str) -> int:
    """Return the place of a numeric attribute in what is kept per attribute."""
    if name not in summary.schema.numeric:
        if name in summary.pair_names:
            raise SchemaError(
                f"{name!r} is a value of a category: there is no distribution of it. Compare proportions."
            )
        column(summary, name)
    return summary.schema.numeric.index(name)


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return names as people list them.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed("abcdefgh", most=2)
    ("'a', 'b' and 'c'", "'a', 'b' and 6 more")
    """
    shown = [repr(n) for n in names]
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "nothing"
