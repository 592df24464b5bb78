"""Libraries that only some formats need."""

from __future__ import annotations

import importlib
from typing import Any

from smlnb.errors import ConfigError

__all__ = ["need"]


def need(module: str, package: str) -> Any:
    """Import a library of the extra ``formats``.

    Raises
    ------
    ConfigError
        If it is not installed; the message says how to.

    Examples
    --------
    >>> need("json", "json").loads("1")
    1
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"This format needs {package}, which is not installed ({error}). Run: pip install 'smlnb[formats]'",
        ) from None
