"""What the columns of a topic are: names, kinds and the letters that people write for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from smlnb.errors import SchemaError, UnknownAttributeError

__all__ = ["Attribute", "Kind", "Schema", "guess_kind", "parse_kinds"]

MAX_GUESSED_CATEGORIES = 20


class Kind(StrEnum):
    """What an attribute is, as one letter.

    Examples
    --------
    >>> Kind("C").name
    'CONTINUOUS'
    """

    CONTINUOUS = "C"
    BINARY = "B"
    CATEGORY = "T"
    TEXT = "S"
    LIST = "L"
    IGNORED = "X"

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers that the statistics take as they are."""
        return self in (Kind.CONTINUOUS, Kind.BINARY)


MEANINGS = "C continuous, B binary, T category, S text, L list, X ignored"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A named column and its kind."""

    name: str
    kind: Kind


def parse_kinds(types: str | Sequence[str]) -> tuple[Kind, ...]:
    """Read letters, in one string with commas or in a sequence.

    Raises
    ------
    SchemaError
        If a letter is not one of C, B, T, S, L, X.

    Examples
    --------
    >>> "".join(parse_kinds("C, C,x"))
    'CCX'
    """
    letters = types.split(",") if isinstance(types, str) else list(types)
    kinds = []
    for position, letter in enumerate(letters, start=1):
        try:
            kinds.append(Kind(str(letter).strip().upper()))
        except ValueError:
            raise SchemaError(
                f"Type {position} of {len(letters)} is {str(letter).strip()!r}, which is no type letter. "
                f"Use one letter per column: {MEANINGS}.",
            ) from None
    return tuple(kinds)


def guess_kind(column: pa.Array | pa.ChunkedArray) -> Kind:
    """Guess what a column is from some of its values.

    Booleans, and numbers that are 0 and 1 and nothing else, are binary; other numbers are continuous; strings with at
    most 20 different values, each seen twice on average, are categories; other strings are text.

    Examples
    --------
    >>> guess_kind(pa.array([0, 1, 1])), guess_kind(pa.array([0.5, 1.0])), guess_kind(pa.array(["a", "b", "a", "b"]))
    (<Kind.BINARY: 'B'>, <Kind.CONTINUOUS: 'C'>, <Kind.CATEGORY: 'T'>)
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        return Kind.BINARY
    if pa.types.is_dictionary(kind):
        return Kind.CATEGORY
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = pc.unique(column.drop_null()).to_pylist()
        return Kind.BINARY if set(values) == {0, 1} else Kind.CONTINUOUS
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return Kind.LIST
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        present = len(column) - column.null_count
        different = pc.count_distinct(column, mode="only_valid").as_py()
        few = 0 < different <= MAX_GUESSED_CATEGORIES and different * 2 <= present
        return Kind.CATEGORY if few else Kind.TEXT
    return Kind.IGNORED


@dataclass(frozen=True, slots=True)
class Schema:
    """The attributes of a project, in column order; names are unique.

    Examples
    --------
    >>> schema = Schema.of(["s1", "s2", "class"], "C,C,X")
    >>> schema.letters
    'C,C,X'
    >>> schema.numeric
    ('s1', 's2')
    """

    attributes: tuple[Attribute, ...] = ()
    numeric: tuple[str, ...] = field(init=False, compare=False, repr=False)
    """The names of the continuous and binary attributes."""
    categories: tuple[str, ...] = field(init=False, compare=False, repr=False)
    """The names of the category attributes."""

    def __post_init__(self) -> None:
        numeric = tuple(a.name for a in self.attributes if a.kind.is_numeric)
        object.__setattr__(self, "numeric", numeric)  # asked for with every block
        object.__setattr__(self, "categories", tuple(a.name for a in self.attributes if a.kind is Kind.CATEGORY))
        seen: set[str] = set()
        for attribute in self.attributes:
            if attribute.name in seen:
                raise SchemaError(f"The column name {attribute.name!r} appears twice. Rename one of the two columns.")
            seen.add(attribute.name)

    @classmethod
    def of(cls, names: Sequence[str], types: str | Sequence[str]) -> Self:
        """Join names and letters by position.

        Raises
        ------
        SchemaError
            If there are more or fewer letters than columns, or a letter is unknown.
        """
        kinds = parse_kinds(types)
        if len(kinds) != len(names):
            raise SchemaError(
                f"There are {len(kinds)} type letters for {len(names)} columns ({', '.join(names)}). "
                "Give one letter per column, in column order.",
            )
        return cls(tuple(Attribute(name, kind) for name, kind in zip(names, kinds, strict=True)))

    @classmethod
    def guess(cls, data: pa.RecordBatch | pa.Table, known: Mapping[str, str] | None = None) -> Self:
        """Guess the kinds of ``data``'s columns, but for those whose letters are ``known``."""
        known = known or {}
        for name in known:
            if name not in data.schema.names:
                raise UnknownAttributeError.of(name, data.schema.names)
        attributes = [
            Attribute(name, parse_kinds([known[name]])[0] if name in known else guess_kind(data.column(i)))
            for i, name in enumerate(data.schema.names)
        ]
        return cls(tuple(attributes))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in column order."""
        return tuple(a.name for a in self.attributes)

    @property
    def letters(self) -> str:
        """The kinds as people write them, ``C,C,X``."""
        return ",".join(a.kind for a in self.attributes)

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self.attributes)

    def __len__(self) -> int:
        return len(self.attributes)

    def __contains__(self, name: object) -> bool:
        return any(a.name == name for a in self.attributes)

    def __getitem__(self, name: str) -> Attribute:
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise UnknownAttributeError.of(name, self.names)

    def with_attributes(self, new: Iterable[Attribute]) -> Schema:
        """Return a schema with ``new`` attributes at the end."""
        return Schema((*self.attributes, *new))

    def state(self) -> list[list[str]]:
        """Return names and letters as plain lists."""
        return [[a.name, str(a.kind)] for a in self.attributes]

    @classmethod
    def from_state(cls, state: Sequence[Sequence[Any]]) -> Self:
        """Rebuild what :meth:`state` returned."""
        return cls(tuple(Attribute(str(name), parse_kinds([letter])[0]) for name, letter in state))
