"""A connector's configuration as people and Kafka Connect write it: files, envelopes, numbers and texts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smlnb.cluster.config import read_settings
from smlnb.cluster.secrets import Secret, is_secret
from smlnb.errors import ConfigError

__all__ = ["flat", "hidden"]

Given = Mapping[str, Any] | str | os.PathLike[str]


class _TwiceError(Exception):
    """A key appears twice; the text is the key."""


def hidden(config: Given) -> Given:
    """Return the configuration with secrets that show themselves as asterisks; a path, or what is none, as it is.

    What calls this in place of its argument shows no secrets in a traceback with variables.

    Examples
    --------
    >>> hidden({"config": {"topics": "t", "sml.customer.secret.key": "hunter2"}})
    {'config': {'topics': 't', 'sml.customer.secret.key': '****'}}
    """
    if not isinstance(config, Mapping):
        return config
    return {
        key: hidden(value)
        if isinstance(value, Mapping)
        else Secret(value)
        if isinstance(value, str) and is_secret(str(key), value)
        else value
        for key, value in config.items()
    }


def flat(config: Given) -> dict[str, str]:
    """Return keys and values as text, without the empty ones; secrets show themselves as asterisks from here on.

    Parameters
    ----------
    config : mapping or path
        The keys themselves, or ``{"name": ..., "config": {...}}`` as Kafka Connect's REST interface has them.

    Raises
    ------
    ConfigError
        If a file can't be read, or a value is neither text nor number.

    Examples
    --------
    >>> flat({"name": "sink", "config": {"tasks.max": 2, "key.ignore": True, "sml.customer.secret.key": "hunter2"}})
    {'tasks.max': '2', 'key.ignore': 'true', 'sml.customer.secret.key': '****', 'name': 'sink'}
    """
    config = hidden(config)
    given = config if isinstance(config, Mapping) else _read(config)
    inner = given.get("config")
    if isinstance(inner, Mapping):
        beside = {k: v for k, v in given.items() if k not in ("config", "tasks", "type")}  # as a worker answers
        if set(beside) - {"name"}:
            raise ConfigError(f"Beside 'config' there is {', '.join(sorted(set(beside) - {'name'}))}. Move it inside.")
        if "name" in beside and inner.get("name", beside["name"]) != beside["name"]:
            raise ConfigError(f"The connector has two names, {beside['name']!r} and {inner['name']!r}. Remove one.")
        given = {**inner, **beside}
    texts = {str(key): _text(str(key), value) for key, value in given.items() if value is not None}
    return {key: Secret(text) if is_secret(key, text) else text for key, text in texts.items() if text}


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a connector's file: one JSON object, or the ``key=value`` lines of a stand-alone worker.

    Raises
    ------
    ConfigError
        If it can't be read; the message names the place, and nothing that the file holds.
    """
    file = Path(path).expanduser()
    try:
        text = Secret(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"The configuration file {str(path)!r} can't be read: {reason}.") from None
    if not text.lstrip().startswith(("{", "[")):
        return read_settings(file)
    try:
        found = json.loads(text, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:  # its text names the place, its `doc` holds the secrets
        raise ConfigError(
            f"The configuration file {str(path)!r} is no JSON: {error.msg}, line {error.lineno}."
        ) from None
    except _TwiceError as error:
        raise ConfigError(f"The key {error} is in the configuration twice. Remove one.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"The configuration file {str(path)!r} holds a list; one JSON object is needed.")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> Given:
    found = hidden(dict(pairs))
    if len(dict(pairs)) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return str.__str__(value).strip()
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    raise ConfigError(f"The key {key} holds a {type(value).__name__}; a text or a number is needed.")
