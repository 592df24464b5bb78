"""``smlnb peek``, ``topics`` and ``lag``: a look at what is in a cluster."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import smlnb
from smlnb._arguments import Config, FormatOptions, Json, Servers, format_options
from smlnb.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["lag", "peek", "topics"]


def peek(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many records.")] = 10,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Show the first records from then on, instead of the latest: -5min, 10:30, 2026-11-22T10:30Z.",
        ),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Show partition, offset, time and key, too.")] = False,
    types: Annotated[
        bool, typer.Option("--types", help="Show the names of the columns, and letters guessed for them, instead.")
    ] = False,
    value_format: Annotated[str, typer.Option("--format", help="Of the values: auto, json, avro, csv, ...")] = "auto",
    format_option: FormatOptions = None,
    bootstrap_servers: Servers = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show the latest records of a topic, or the first from a time. What can't be decoded is shown with the reason.

    Example: [bold]smlnb peek readings -n 5 -b localhost:9092[/]

    Example: [bold]smlnb peek readings --from -5min --details[/]

    Example: [bold]smlnb peek readings --types[/]

    Example: [bold]smlnb peek readings --format csv --format-option columns=time,x[/]
    """
    from smlnb.terminal import records_view, schema_view

    there: dict[str, Any] = {
        "format": value_format,
        "format_options": format_options(value_format, format_option),
        "bootstrap_servers": bootstrap_servers,
        "config": config,
    }
    if types:
        if since is not None or details:
            raise ConfigError(
                "--types guesses from the latest records, and shows none. Leave out --from and --details."
            )
        schema = smlnb.guess_types(topic, max(n, 1_000), **there)
        if as_json:
            for attribute in schema:
                typer.echo(json.dumps({"name": attribute.name, "type": attribute.kind}))
        else:
            Console().print(schema_view(schema))
        return
    frame = smlnb.peek(topic, n, start=since, details=details, **there)
    if as_json:
        _echo(frame)
    else:
        Console().print(records_view(frame, Console()))


def topics(
    topic: Annotated[str | None, typer.Argument(help="Show each partition of this one.", show_default=False)] = None,
    *,
    bootstrap_servers: Servers = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the topics of a cluster, their partitions and records; or the partitions of one topic, and their offsets.

    Where topics are compacted, or written in transactions, there are fewer records than shown.

    Example: [bold]smlnb topics -b localhost:9092[/]

    Example: [bold]smlnb topics readings[/]
    """
    import pandas as pd

    from smlnb.cluster.topics import watermarks
    from smlnb.terminal import numbers_view

    there: dict[str, Any] = {"bootstrap_servers": bootstrap_servers, "config": config}
    if topic is not None:
        marks = watermarks(topic, **there)
        rows = [(partition, low, high, high - low) for partition, (low, high) in marks.items()]
        frame = pd.DataFrame(rows, columns=["partition", "low", "high", "records"])
    else:
        found = smlnb.list_topics(**there)
        with ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(lambda name: watermarks(name, **there).values(), found))
        records = [sum(high - low for low, high in marks) for marks in ends]
        frame = pd.DataFrame({"topic": list(found), "partitions": list(found.values()), "records": records})
    if as_json:
        _echo(frame)
    else:
        Console().print(numbers_view(frame))


def lag(
    group: Annotated[str, typer.Argument(help="The consumer group, of any program.")],
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", "-t", help="A topic; more than once is fine. By default all that it reads."),
    ] = None,
    *,
    over: Annotated[float | None, typer.Option(min=0.1, help="Seconds to watch it for, to know its rate.")] = None,
    bootstrap_servers: Servers = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show how far a consumer group is behind, partition by partition.

    Example: [bold]smlnb lag billing -b localhost:9092[/]

    Example: [bold]smlnb lag billing --over 10[/]
    """
    from smlnb.terminal import numbers_view

    there: dict[str, Any] = {"bootstrap_servers": bootstrap_servers, "config": config}
    frame = smlnb.lag(group, topic or None, over=over, **there).reset_index()
    if over is None:
        frame = frame.drop(columns="rate")
    if as_json:
        _echo(frame)
    else:
        Console().print(numbers_view(frame))


def _echo(frame: pd.DataFrame) -> None:
    if len(frame):
        typer.echo(frame.to_json(orient="records", lines=True, date_format="iso").rstrip())
