"""The bytes of many records in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Payloads"]


class Payloads(Sequence["bytes | None"]):
    """Values, or keys, of records: a sequence of bytes and None, without a Python object for each.

    Compiled decoders read the memory; all others make ``bytes`` of it, by a loop or an index.

    Parameters
    ----------
    data : array of uint8
        All bytes.
    bounds : array of int64, shape (n + 1,)
        Where each begins, and the last ends; the first need not be 0.
    missing : array of bool, shape (n,), optional
        Which are None; none are, by default.

    Examples
    --------
    >>> values = Payloads.of([b"ab", None, b"", b"c"])
    >>> list(values), values[0], list(values[2:])
    ([b'ab', None, b'', b'c'], b'ab', [b'', b'c'])
    >>> values.nbytes, values.complete
    (3, False)
    """

    __slots__ = ("bounds", "data", "missing")

    def __init__(
        self, data: NDArray[np.uint8], bounds: NDArray[np.int64], missing: NDArray[np.bool_] | None = None
    ) -> None:
        self.data, self.bounds, self.missing = data, bounds, missing

    @classmethod
    def of(cls, values: Iterable[bytes | None]) -> Self:
        """Put values into one piece of memory; return them as they are, if they are in one."""
        if isinstance(values, cls):
            return values
        values = list(values)
        missing = np.fromiter((v is None for v in values), bool, len(values)) if None in values else None
        if missing is not None:
            values = [v or b"" for v in values]
        bounds = np.zeros(len(values) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=bounds[1:])  # type: ignore[arg-type]
        return cls(np.frombuffer(b"".join(values), np.uint8), bounds, missing)  # type: ignore[arg-type]

    @staticmethod
    def joined(parts: Sequence[Payloads]) -> Payloads:
        """Return all values of some parts as one."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Payloads.of(())
        sizes = np.cumsum([0, *(part.nbytes for part in parts)])
        bounds = [part.bounds[1:] - (part.bounds[0] - size) for part, size in zip(parts, sizes, strict=False)]
        missing = None
        if any(part.missing is not None for part in parts):
            missing = np.concatenate([p._missing_or_not() for p in parts])
        data = np.concatenate([part.data[part.bounds[0] : part.bounds[-1]] for part in parts])
        return Payloads(data, np.concatenate([np.zeros(1, np.int64), *bounds]), missing)

    @property
    def complete(self) -> bool:
        """Whether none is None."""
        return self.missing is None or not self.missing.any()

    @property
    def nbytes(self) -> int:
        """How many bytes the values have."""
        return int(self.bounds[-1] - self.bounds[0])

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> Payloads: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError(f"a step of {step}; only 1 is possible")
            stop = max(start, stop)
            missing = None if self.missing is None else self.missing[start:stop]
            return Payloads(self.data, self.bounds[start : stop + 1], missing)
        place = range(len(self))[index]  # counts from the end, and raises IndexError
        if self.missing is not None and self.missing[place]:
            return None
        return self.data[self.bounds[place] : self.bounds[place + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        first = int(self.bounds[0])
        text = self.data[first : self.bounds[-1]].tobytes()
        values = [text[a:b] for a, b in pairwise((self.bounds - first).tolist())]
        if self.missing is None:
            return iter(values)
        return iter([None if gone else value for value, gone in zip(values, self.missing.tolist(), strict=True)])

    def _missing_or_not(self) -> NDArray[np.bool_]:
        return np.zeros(len(self), bool) if self.missing is None else self.missing
