"""One binary attribute for each of some values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.encoders.base import FixedEncoder
from smlnb.encoders.keys import Keys, as_key
from smlnb.errors import SchemaError
from smlnb.schema import Kind

__all__ = ["OneHotEncoder"]

MOST_VALUES = 4096


class OneHotEncoder(FixedEncoder):
    """Says of each record which of some values it has; a list may have several of them.

    A record with none of them is all zeros, one whose value is missing is missing in all. The values are given, since
    attributes can't change while a stream is learned; ``project.frequent("city")["value"]`` are good ones.

    Parameters
    ----------
    column : str
        The attribute to encode. The outputs are ``column=value``, binary.
    values : iterable
        The different values, at most 4,096.

    Examples
    --------
    >>> encoder = OneHotEncoder("city", values=["rome", "oslo"])
    >>> encoder.outputs
    ('city=rome', 'city=oslo')
    >>> encoder.transform({"city": ["oslo", "bonn", None]}).T
    array([[ 0.,  1.],
           [ 0.,  0.],
           [nan, nan]])
    """

    _kind: ClassVar[Kind] = Kind.BINARY

    def __init__(self, column: str, values: Iterable[Any]) -> None:
        super().__init__(column)
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise SchemaError(f"A list of the values of {column!r} was wanted, not {values!r}.")
        self.values = tuple(as_key(value) for value in values)
        if not 0 < len(self.values) <= MOST_VALUES:
            raise SchemaError(
                f"{column!r} can be encoded by 1 to {MOST_VALUES:,} values, not {len(self.values):,}. "
                "For more, use a HashEncoder or a TargetEncoder.",
            )
        twice = [v for i, v in enumerate(self.values) if v in self.values[:i]]
        if twice:
            raise SchemaError(f"The value {twice[0]!r} of {column!r} is given twice. Give each one once.")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the values' attributes."""
        return tuple(f"{self.column}={value}" for value in self.values)

    def _encode(self, keys: Keys) -> NDArray[np.float64]:
        place = {value: i for i, value in enumerate(self.values)}
        places = np.array([place.get(v, -1) for v in keys.values], np.intp)[keys.codes]
        encoded = np.zeros((len(self.values), len(keys.present)))
        known = places >= 0
        encoded[places[known], keys.rows[known]] = 1.0
        return encoded

    def table(self) -> pd.DataFrame:
        """Return the outputs and their values."""
        return pd.DataFrame({"output": self.outputs, "value": self.values})

    def configuration(self) -> dict[str, Any]:
        """Return column and values."""
        return {"column": self.column, "values": list(self.values)}
