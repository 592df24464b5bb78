"""Values of configuration keys, read as what they should be; errors name the key as it was written."""

from __future__ import annotations

from collections.abc import Iterable, KeysView
from typing import overload

from smlnb.errors import ConfigError

__all__ = ["Values"]

_FLAGS = {"true": True, "false": False}


class Values:
    """Texts by key, with the spelling that each key had.

    Examples
    --------
    >>> values = Values()
    >>> values.put("sml.backoff.max.retries", "sml.request.max.retries", "three")
    >>> values.number("sml.backoff.max.retries", 5)
    Traceback (most recent call last):
    smlnb.errors.ConfigError: sml.request.max.retries is 'three'; it must be a whole number from 0.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str]] = {}

    def put(self, name: str, written: str, value: str, *, wins: bool = False) -> None:
        """Keep a value.

        Raises
        ------
        ConfigError
            If another spelling of the same key has said something else, and this one does not win.
        """
        before = self._found.get(name)
        if before is not None and before[1] != value and not wins:
            raise ConfigError(
                f"{before[0]} and {written} are two spellings of one key, and differ. Remove one of the two."
            )
        self._found[name] = (written, value)

    def names(self) -> KeysView[str]:
        """Return the names that have a value."""
        return self._found.keys()

    @overload
    def text(self, name: str) -> str | None: ...
    @overload
    def text(self, name: str, default: str) -> str: ...
    def text(self, name: str, default: str | None = None) -> str | None:
        """Return the value as it is."""
        return self._found[name][1] if name in self._found else default

    def parts(self, name: str) -> tuple[str, ...]:
        """Return what stands between the commas, each once."""
        return tuple(dict.fromkeys(part.strip() for part in self.text(name, "").split(",") if part.strip()))

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        """Return a whole number."""
        if name not in self._found:
            return default
        written, value = self._found[name]
        if not value.isascii() or not value.isdigit() or int(value) < least:
            raise ConfigError(f"{written} is {value!r}; it must be a whole number from {least}.")
        return int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return true or false."""
        return _FLAGS[self.choice(name, _FLAGS, str(default).lower())]

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        """Return one of some words, in lower case."""
        if name not in self._found:
            return default
        written, value = self._found[name]
        allowed = list(choices)
        if value.lower() not in allowed:
            raise ConfigError(f"{written} is {value!r}; use one of {', '.join(allowed)}.")
        return value.lower()
