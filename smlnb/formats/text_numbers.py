"""Numbers written as text, a column at a time."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["as_numbers", "is_written", "plain_numbers", "why_no_number"]

_NUMBER = r"^\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|NaN|Infinity)\s*$"
_LARGEST_EXACT = 2**53
_SHOWN = 40


def is_written(text: pa.Array) -> pa.Array:
    """Say for each text, strings or bytes, whether it is written like a number; null where it is null."""
    return pc.match_substring_regex(text, _NUMBER)


def as_numbers(text: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the numbers that texts are, null for what is none, and for each text whether it is null or a number.

    Numbers are written as in most languages, or ``NaN`` or ``Infinity``, with blanks around them if need be. What no
    float64 can hold is no number: ``1e400``, and whole numbers that none equals.

    Parameters
    ----------
    text : pyarrow.Array
        Of strings or bytes, shape (rows,).

    Returns
    -------
    numbers : pyarrow.Array of float64, shape (rows,)
    good : pyarrow.Array of bool, shape (rows,)

    Examples
    --------
    >>> numbers, good = as_numbers(pa.array(["1.5", " -2e3", None, "x", "1e400", "9007199254740993"]))
    >>> numbers.to_pylist(), good.to_pylist()
    ([1.5, -2000.0, None, None, None, None], [True, True, True, False, False, False])
    """
    numbers = plain_numbers(text)
    if numbers is not None:
        return numbers, pa.repeat(pa.scalar(True), len(text))
    plain = pc.utf8_trim_whitespace(pc.if_else(is_written(text), text, None).cast(pa.string()))
    numbers = plain.cast(pa.float64())
    large = pc.greater_equal(pc.abs(numbers), float(_LARGEST_EXACT))
    if pc.any(large).as_py():
        held = [not is_large or _held(t) for t, is_large in zip(plain.to_pylist(), large.to_pylist(), strict=True)]
        numbers = pc.if_else(pa.array(held), numbers, None)
    return numbers, pc.or_(pc.is_valid(numbers), pc.is_null(text))


def plain_numbers(text: pa.Array) -> pa.Array | None:
    """Return the numbers, if all are finite and small enough to be held; Arrow takes no other texts for these."""
    try:
        numbers = text.cast(pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    small = pc.less(pc.abs(numbers), float(_LARGEST_EXACT))
    return numbers if pc.all(small).as_py() is not False else None


def _held(text: str) -> bool:
    """Say whether the float64 nearest to a large number is what is written."""
    number = float(text)
    if abs(number) == float("inf"):
        return text.lstrip("+-") == "Infinity"
    return not text.lstrip("+-").isdigit() or int(number) == int(text)


def why_no_number(text: str | bytes) -> str:
    """Return what is wrong with a text that is no number.

    Examples
    --------
    >>> why_no_number("1e400"), why_no_number("x")
    ("'1e400' is beyond the numbers of 64 bits", "'x' is no number")
    """
    shown = repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}... ({len(text):,} long)"
    if not is_written(pa.array([text]))[0].as_py():
        return f"{shown} is no number"
    if abs(float(text)) == float("inf"):
        return f"{shown} is beyond the numbers of 64 bits"
    return f"{shown} is a whole number that no decimal number of 64 bits equals"
