"""Texts as counts in a fixed number of buckets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlnb.encoders.base import FixedEncoder, check_whole_number
from smlnb.encoders.keys import Keys, as_key

__all__ = ["HashEncoder"]

MOST_COLUMNS = 4096


class HashEncoder(FixedEncoder):
    """Counts how many items of each record fall into each of ``columns`` buckets; a text is one item.

    For values without number: nothing is learned, new values need no place, and two values share a bucket by chance.
    The bucket is that of :class:`sklearn.feature_extraction.FeatureHasher` with ``alternate_sign=False``, a 32-bit
    MurmurHash3 of the UTF-8 text, the same on every machine (for values up to 256 characters; of longer ones the
    beginning and a digest are hashed). An empty list is all zeros, a missing value is missing in all columns.

    Parameters
    ----------
    column : str
        The attribute to encode. The outputs are ``column#0``, ``column#1`` and so on, continuous.
    columns : int, default 16
        The number of buckets.

    Examples
    --------
    >>> encoder = HashEncoder("tags", columns=4)
    >>> encoder.outputs
    ('tags#0', 'tags#1', 'tags#2', 'tags#3')
    >>> encoder.transform({"tags": [["red", "green", "red"], [], None]}).T
    array([[ 0.,  0.,  1.,  2.],
           [ 0.,  0.,  0.,  0.],
           [nan, nan, nan, nan]])
    """

    def __init__(self, column: str, columns: int = 16) -> None:
        super().__init__(column)
        check_whole_number("The number of columns", columns, 1, MOST_COLUMNS)
        self.columns = columns

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the buckets."""
        return tuple(f"{self.column}#{i}" for i in range(self.columns))

    def bucket(self, value: Any) -> int:
        """Return the bucket of a value.

        Raises
        ------
        SchemaError
            If it is missing or no value that a column can hold.
        """
        return int(self._buckets([as_key(value)])[0])

    def _buckets(self, values: list[str]) -> NDArray[np.intp]:
        from sklearn.utils import murmurhash3_32

        hashes = np.array([murmurhash3_32(value) for value in values], np.int64)
        return np.asarray(np.abs(hashes) % self.columns, np.intp)

    def _encode(self, keys: Keys) -> NDArray[np.float64]:
        rows = len(keys.present)
        cells = self._buckets(keys.values)[keys.codes] * rows + keys.rows
        return np.bincount(cells, minlength=self.columns * rows).reshape(self.columns, rows).astype(float)

    def table(self) -> pd.DataFrame:
        """Return the outputs and their buckets; :meth:`bucket` tells that of a value."""
        return pd.DataFrame({"output": self.outputs, "bucket": np.arange(self.columns)})

    def configuration(self) -> dict[str, Any]:
        """Return column and number of columns."""
        return {"column": self.column, "columns": self.columns}
