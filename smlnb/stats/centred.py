"""A block about its own means: computed once, read by every accumulator of sums."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Centred", "scratch"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

NARROW = 32  # attributes up to which one matrix product is the cheapest way to all sums
SAFE_SCALE = 2.0**-64  # brings the sum of huge but finite values back into range; exact, being a power of two

_buffers = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: type = np.float64) -> NDArray[Any]:
    """Return an uninitialised array that this thread reuses for ``name``.

    Temporary arrays of some hundred kB are given back to the system at once, and their pages cost more than the
    arithmetic: with fresh ones the squares of a 10 x 5,000 block take 60 ns per row, with these 6.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = _buffers.__dict__.get(name)
    if buffer is None or buffer.nbytes < size:
        buffer = _buffers.__dict__[name] = np.empty(size, np.uint8)
    view: NDArray[Any] = buffer[:size].view(dtype).reshape(shape)
    return view


@dataclass(frozen=True)
class Centred:
    """A block of shape (d, rows) and its first sums.

    Deviations and squares live in one buffer that the next block of this thread overwrites: read what is made of them
    before that.

    Attributes
    ----------
    block : array, shape (d, rows)
        As given.
    present : array of bool, shape (d, rows), or None
        Where values are finite; None where all are.
    count, missing, infinite : array of int64, shape (d,)
    minimum, maximum : array, shape (d,)
        Of the finite values; inf and -inf where there are none.
    mean : array, shape (d,)
        Of the finite values; 0 where there are none.
    powers : array, shape (2 d, rows)
        The deviations from the mean, then their squares; 0 where a value is not finite. The deviations of an attribute
        sum to zero.
    """

    block: Matrix
    present: NDArray[np.bool_] | None
    count: NDArray[np.int64]
    missing: NDArray[np.int64]
    infinite: NDArray[np.int64]
    minimum: Vector
    maximum: Vector
    mean: Vector
    powers: Matrix

    @property
    def rows(self) -> int:
        """Rows of the block."""
        return int(self.block.shape[1])

    @property
    def deviations(self) -> Matrix:
        """The deviations, shape (d, rows)."""
        return self.powers[: len(self.block)]

    @property
    def squares(self) -> Matrix:
        """Their squares, shape (d, rows)."""
        return self.powers[len(self.block) :]

    @cached_property
    def products(self) -> tuple[Matrix, Matrix, Matrix]:
        """The sums, each of shape (d, d), of products of pairs.

        They are of deviations with deviations, squares with deviations, and squares with squares. With 2 d^2
        multiplications a row they are what statistics of many attributes cost.
        """
        d, deviations, squares = len(self.block), self.deviations, self.squares
        with np.errstate(over="ignore", invalid="ignore"):
            if d <= NARROW:
                both = self.powers @ self.powers.T
                return both[:d, :d], both[d:, :d], both[d:, d:]
            return deviations @ deviations.T, squares @ deviations.T, squares @ squares.T

    @cached_property
    def sums(self) -> tuple[Vector, Vector, Vector]:
        """The sums of the second, third and fourth powers of the deviations, each of shape (d,)."""
        if len(self.block) <= NARROW:
            second, third, fourth = (matrix.diagonal() for matrix in self.products)
            return second, third, fourth
        with np.errstate(over="ignore", invalid="ignore"):
            return (
                self.squares.sum(axis=1),
                np.einsum("ij,ij->i", self.squares, self.deviations),
                np.einsum("ij,ij->i", self.squares, self.squares),
            )

    @classmethod
    def of(cls, block: Matrix) -> Self:
        """Centre a block; it is not changed.

        Examples
        --------
        >>> centred = Centred.of(np.array([[1.0, 2.0, 6.0], [1.0, np.nan, 3.0]]))
        >>> centred.mean.tolist(), centred.deviations.tolist()
        ([3.0, 2.0], [[-2.0, -1.0, 3.0], [-1.0, 0.0, 1.0]])
        """
        rows = block.shape[1]
        nothing = np.zeros(len(block), np.int64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = block.sum(axis=1) / max(rows, 1)
            powers = scratch("powers", (2 * len(block), rows))
            deviations = powers[: len(block)]
            present = None if np.isfinite(mean).all() else np.isfinite(block)
            if present is None:
                count, missing, infinite = nothing + rows, nothing, nothing
                minimum, maximum = block.min(axis=1, initial=np.inf), block.max(axis=1, initial=-np.inf)
                np.subtract(block, mean[:, None], out=deviations)
                delta = deviations.sum(axis=1) / max(rows, 1)  # the rounding error of the mean
                deviations -= delta[:, None]
            else:
                count = present.sum(axis=1)
                missing = np.isnan(block).sum(axis=1)
                infinite = rows - count - missing
                minimum = np.where(present, block, np.inf).min(axis=1)
                maximum = np.where(present, block, -np.inf).max(axis=1)
                scaled = np.where(present, block, 0.0) * SAFE_SCALE
                mean = scaled.sum(axis=1) / count.clip(1) / SAFE_SCALE
                np.subtract(block, mean[:, None], out=deviations)
                deviations[~present] = 0.0
                delta = deviations.sum(axis=1) / count.clip(1)
                deviations -= np.where(present, delta[:, None], 0.0)
            np.multiply(deviations, deviations, out=powers[len(block) :])
        return cls(block, present, count, missing, infinite, minimum, maximum, mean + delta, powers)
