"""Keeping passwords out of what people see: reprs, logs, error messages, tracebacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

__all__ = ["MASK", "Secret", "is_secret", "masked", "secrets_of"]

MASK = "****"

_SECRET_KEY = re.compile(
    r"pass?w|pwd|secret|token|user\.info|jaas|\bssl\.key\b|\.pem$|(^|[._])key$|api[._]key", re.IGNORECASE
)
_SHORTEST = 3  # masking every "a" of a message would hide the message, not the secret
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


class Secret(str):
    """A string that shows itself as ``'****'`` in reprs, and so in the local variables of a traceback.

    Examples
    --------
    >>> password = Secret("hunter2")
    >>> password, str(password) == "hunter2"
    ('****', True)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def is_secret(key: str, value: object = "") -> bool:
    """Tell whether the value of a configuration key must not be shown.

    Examples
    --------
    >>> [is_secret(k) for k in ("sasl.password", "ssl.key.pem", "basic.auth.user.info", "sasl.username")]
    [True, True, True, False]
    >>> is_secret("schema.registry.url", "https://me:hunter2@registry")
    True
    """
    return bool(_SECRET_KEY.search(key)) or bool(_CREDENTIALS_IN_URL.search(str(value)))


def secrets_of(settings: Mapping[str, object]) -> frozenset[str]:
    """Return every string among the settings that must not be shown: whole values, and the password within a value."""
    found: set[str] = set()
    for key, value in settings.items():
        if value is None or not is_secret(key, value):
            continue
        text = str.__str__(value) if isinstance(value, str) else str(value)
        if _CREDENTIALS_IN_URL.search(text):
            for part in text.split(","):
                password = urlsplit(part.strip()).password
                found.add(password or "")
        else:
            found.add(text)
            if "user.info" in key:
                found.add(text.partition(":")[2])
    return frozenset(Secret(s) for s in found if len(s) >= _SHORTEST)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each of the secrets, and credentials within URLs, replaced by asterisks.

    Examples
    --------
    >>> masked("login of me with hunter2 at http://me:hunter2@host failed", {"hunter2"})
    'login of me with **** at http://****@host failed'
    """
    text = _CREDENTIALS_IN_URL.sub(MASK, text)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
