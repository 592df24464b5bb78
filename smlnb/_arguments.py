"""Options that several commands have, and what is read from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from smlnb.errors import ConfigError

__all__ = ["Config", "FormatOptions", "Json", "Servers", "format_options"]

Servers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", "-b", metavar="HOST:PORT", help="Addresses of the brokers."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Settings of the cluster: .properties or JSON, any key of librdkafka. They win over the environment's "
        "SMLNB_KAFKA_*, and --bootstrap-servers wins over both.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
FormatOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--format-option",
        metavar="KEY=VALUE",
        help="Of the format: columns and delimiter of csv, schema of avro-plain. More than once is fine; @FILE as the "
        "value is what the file holds.",
    ),
]


def format_options(value_format: str, given: Sequence[str] | None) -> dict[str, str]:
    r"""Return the options of a format as they were written, ``KEY=VALUE`` each.

    A value ``@FILE`` is what the file holds, as a schema is long; and ``\t`` is a tab, which shells make hard to write.

    Raises
    ------
    ConfigError
        If one is no ``KEY=VALUE``, is given twice, belongs to another format, or names a file that can't be read.

    Examples
    --------
    >>> format_options("csv", ["columns=x,y", r"delimiter=\t"])
    {'columns': 'x,y', 'delimiter': '\t'}
    """
    if not given:
        return {}
    from smlnb.formats.decode import check_options

    options: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(f"--format-option is {pair!r}. Write KEY=VALUE, such as columns=time,x.")
        if key in options:
            raise ConfigError(f"--format-option gives {key!r} twice. Leave one out.")
        options[key] = _held(value[1:], key) if value.startswith("@") and value != "@" else value.replace(r"\t", "\t")
    check_options(value_format, options)
    return options


def _held(name: str, key: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"--format-option {key}=@{name}: the file can't be read: {reason}.") from None
