"""Log lines of librdkafka, brought to Python's logging without secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from smlnb.cluster.secrets import masked
from smlnb.logs import quiet_logger

__all__ = ["ClientLog"]

_log: Final = quiet_logger("smlnb.librdkafka")


class ClientLog:
    """What confluent_kafka calls with each line, in place of a logger.

    Parameters
    ----------
    secrets : iterable of str
        What must not be shown.

    Examples
    --------
    >>> import logging, sys
    >>> handler = logging.StreamHandler(sys.stdout)
    >>> logging.getLogger("smlnb.librdkafka").addHandler(handler)
    >>> ClientLog({"hunter2"}).log(logging.ERROR, "%s %s", "FAIL", "hunter2 is wrong")
    FAIL **** is wrong
    >>> logging.getLogger("smlnb.librdkafka").removeHandler(handler)
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)

    def log(self, level: int, text: str, *arguments: object) -> None:
        """Write one line."""
        if _log.isEnabledFor(level):
            _log.log(level, "%s", masked(text % arguments if arguments else text, self._secrets))
