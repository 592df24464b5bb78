"""How many digits are left when sums are taken out of sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smlnb.errors import ForgetError

__all__ = ["GOOD_DIGITS", "check_counts", "check_digits"]

GOOD_DIGITS = 6

Array = NDArray[np.float64]


def check_digits(what: str, left: Array, terms: Array) -> None:
    """Refuse a difference whose rounding error, by the size of its terms, leaves fewer than six good digits.

    Parameters
    ----------
    what : str
        For the message.
    left : array
        The difference.
    terms : array
        Sum of the magnitudes of what it was computed from. Zero, for nothing left, is exact.

    Examples
    --------
    >>> check_digits("variance", np.array([1.0]), np.array([1e9]))
    >>> check_digits("variance", np.array([1.0]), np.array([1e12]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    smlnb.errors.ForgetError: Nothing was forgotten: of the variance only 3 digits would be left. ...
    """
    error = np.finfo(float).eps * terms
    bad = error > 10.0**-GOOD_DIGITS * np.abs(left)
    if bad.any():
        relative = (error[bad] / np.maximum(np.abs(left[bad]), np.finfo(float).tiny)).max()
        digits = max(0, int(-np.log10(relative))) if relative < 1 else 0
        raise ForgetError(
            f"Nothing was forgotten: of the {what} only {digits} digits would be left. "
            "Build the statistics anew from what should stay, or keep panes.",
        )


def check_counts(left: NDArray[np.int64]) -> None:
    """Refuse counts below zero: the rows to be forgotten were never learned."""
    if (left < 0).any():
        raise ForgetError("Nothing was forgotten: these rows hold values that were not learned here, or not so often.")
