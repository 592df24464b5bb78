"""Structured log lines: what happened, then ``key=value``; the same values are in the record's ``fields``.

All loggers are below ``smlnb``; nothing is written anywhere unless the program that uses the package says where::

    logging.basicConfig(level="INFO")

Credentials are never given to these functions: texts of errors are masked where they are made.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping

__all__ = ["Seldom", "event", "logfmt", "quiet_logger"]

LONGEST = 300  # characters of one value


def quiet_logger(name: str) -> logging.Logger:
    """Return a logger that writes nothing by itself, not even warnings, and hands all to those above it."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


def event(logger: logging.Logger, level: int, name: str, **fields: object) -> None:
    """Log that something happened.

    Examples
    --------
    >>> import sys
    >>> logger = logging.Logger("example")
    >>> logger.addHandler(logging.StreamHandler(sys.stdout))
    >>> event(logger, logging.INFO, "started", topics=["a", "b"], rows=0, by="the operator")
    started topics=a,b rows=0 by="the operator"
    """
    if logger.isEnabledFor(level):
        logger.log(level, "%s %s", name, logfmt(fields), extra={"event": name, "fields": fields})


def logfmt(fields: Mapping[str, object]) -> str:
    r"""Write fields on one line; values with spaces, quotes or control characters are quoted as in JSON.

    Examples
    --------
    >>> logfmt({"reason": 'no "x"\n', "rate": 0.25, "nothing": None})
    'reason="no \\"x\\"\\n" rate=0.25'
    """
    return " ".join(f"{name}={_written(value)}" for name, value in fields.items() if value is not None)


def _written(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    plain = text and text.isprintable() and not set(text) & {" ", '"', "="}
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


class Seldom:
    """Says when to speak of what happens often: the first time at once, then of all that came in ``every`` seconds.

    Examples
    --------
    >>> now = iter([0.0, 1.0, 2.0, 11.0])
    >>> seldom = Seldom(10.0, clock=lambda: next(now))
    >>> [seldom.add(n) for n in (1, 5, 5, 5)]
    [1, 0, 0, 15]
    """

    def __init__(self, every: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._waiting = 0
        self._next = float("-inf")

    def add(self, count: int) -> int:
        """Take note of ``count`` more; return how many to speak of now, or 0."""
        self._waiting += count
        now = self._clock()
        if self._waiting == 0 or now < self._next:
            return 0
        told, self._waiting, self._next = self._waiting, 0, now + self._every
        return told
