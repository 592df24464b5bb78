"""The ``smlnb`` command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

import smlnb
from smlnb import native
from smlnb._arguments import Config, FormatOptions, Servers, format_options
from smlnb._command import Commands, RunFailedError, running, stopped_by_signals
from smlnb._topics import lag, peek, topics
from smlnb.errors import ConfigError, DataError, WorkspaceError

__all__ = ["app", "main"]

_EVERY = 0.25  # seconds between two looks

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Streaming machine learning and exploration for Apache Kafka. Begin with [bold]smlnb demo[/].",
)

Topic = Annotated[str, typer.Option("--topic", "-t", help="The topic.")]
WorkspaceFile = Annotated[
    Path, typer.Option("--workspace", "-w", metavar="FILE", help="The file with projects and models.")
]
CaughtUp = Annotated[bool, typer.Option("--until-caught-up", help="End when all that is in the topic now is done.")]


def _version(wanted: bool) -> None:
    if wanted:
        compiled = "yes" if native.AVAILABLE else f"no, {native.UNAVAILABLE}"
        typer.echo(f"smlnb {smlnb.__version__} (compiled: {compiled})")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


# -- commands ----------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    *,
    bootstrap_servers: Servers = None,
    config: Config = None,
    rows: Annotated[int | None, typer.Option(help="How many rows; all of the data by default.")] = None,
    rate: Annotated[float, typer.Option(help="Rows per second; 0 is as fast as possible.")] = 5000,
    seed: Annotated[int | None, typer.Option(help="Another order of the rows, or other synthetic data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, and nothing else.")] = False,
) -> None:
    """Run the whole loop: data into a topic, live statistics, a model, scores into another topic and back.

    Without an address, here or in the environment's SMLNB_KAFKA_BOOTSTRAP_SERVERS, it runs on an embedded broker. The
    data is Statlog (Shuttle), or synthetic data of its shape where that can't be had.

    Example: [bold]smlnb demo --rows 20000[/]
    """
    from smlnb.demo import Demo
    from smlnb.terminal import demo_display, outcome_view

    console = Console(stderr=as_json)

    def note(text: str) -> None:
        console.print(Text(text, "magenta"), soft_wrap=True)

    if rate < 0:
        raise DataError(f"--rate {rate:g}: give the rows per second, or 0 for as fast as possible.")
    run = Demo(bootstrap_servers=bootstrap_servers, config=config, rows=rows, rate=rate or None, seed=seed, note=note)
    try:
        with running(), demo_display(run, console) as show:
            outcome = run.run(show)
    finally:
        run.close()
    if not as_json or console.is_terminal:
        console.print(outcome_view(outcome, console))
    if as_json:
        typer.echo(json.dumps(outcome.summary(), allow_nan=False))
    if outcome.rows_scored < outcome.rows:
        raise RunFailedError(f"Only {outcome.rows_scored:,} of {outcome.rows:,} rows that were produced were scored.")


@app.command()
def replay(
    file: Annotated[
        str, typer.Argument(help="CSV, Parquet or JSON lines; or the name [bold]shuttle[/] or [bold]shuttle-like[/].")
    ],
    topic: Topic,
    *,
    bootstrap_servers: Servers = None,
    config: Config = None,
    rate: Annotated[float, typer.Option(help="Rows per second; 0 is as fast as possible.")] = 0,
    value_format: Annotated[str, typer.Option("--format", help="json or avro.")] = "json",
    partitions: Annotated[
        int | None, typer.Option(help="Of the topic, if it has to be made; 8 by default, 4 at smlnb broker.")
    ] = None,
) -> None:
    """Write the rows of a file into a topic, at a chosen rate.

    Example: [bold]smlnb replay plant.csv --topic readings --rate 1000 -b localhost:9092[/]
    """
    from smlnb import datasets

    named: dict[str, Any] = {"shuttle": datasets.shuttle, "shuttle-like": datasets.shuttle_like}
    data: Any = named[file]() if file in named else Path(file)
    writing = smlnb.replay(
        data,
        topic,
        rate=rate or None,
        bootstrap_servers=bootstrap_servers,
        config=config,
        format=value_format,  # type: ignore[arg-type] # checked there
        partitions=partitions,
    )
    with stopped_by_signals() as stop, running():
        while writing.state == "running" and not stop.wait(_EVERY):
            pass
        writing.stop()
        if writing.error is not None:
            raise writing.error
    typer.echo(f"{writing.produced:,} rows written to {topic}")


for command in (peek, topics, lag):
    app.command()(command)


@app.command()
def broker(
    partitions: Annotated[int, typer.Option(min=1, help="Of the topics named by --topic.")] = 8,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", "-t", help="A topic to make; more than once is fine.")
    ] = None,
) -> None:
    """Run an embedded broker until Ctrl-C, for trying things out from several processes.

    Everything is in memory, 5 MiB or 100,000 records per partition.

    Example: [bold]smlnb broker --topic readings --topic scores[/]
    """
    with stopped_by_signals() as stop, smlnb.LocalBroker(partitions) as local:
        for name in topic or []:
            local.create_topic(name, partitions)
        typer.echo(local.bootstrap_servers)
        sys.stdout.flush()
        notes = Console(stderr=True)
        if local.notice:
            notes.print(Text(local.notice, "magenta"), soft_wrap=True)
        notes.print("An embedded broker runs at the address above. Ctrl-C ends it.", highlight=False, soft_wrap=True)
        stop.wait()


@app.command()
def connect(
    configuration: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG.json]",
            help="A sink connector's configuration. Its keys take the place of --topic, --project, --types, --format, "
            "--format-option, --start and --on-malformed.",
            show_default=False,
        ),
    ] = None,
    *,
    topic: Annotated[str | None, typer.Option("--topic", "-t", help="The topic.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Its name in the workspace; made if it is not there.")
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace", "-w", metavar="FILE", help="The file with projects and models; CONFIG.db by default."
        ),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(help="One letter per column: C continuous, B binary, T category, S text, L list, X ignored."),
    ] = None,
    bootstrap_servers: Servers = None,
    config: Config = None,
    value_format: Annotated[
        str | None, typer.Option("--format", help="auto, json, avro, csv, number, ...; auto by default.")
    ] = None,
    format_option: FormatOptions = None,
    start: Annotated[
        str | None,
        typer.Option(help="earliest, latest or a time (-1h, 10:30), for partitions that are new; earliest by default."),
    ] = None,
    on_malformed: Annotated[
        str | None, typer.Option(help="At a record that can't be used: stop, dead_letter or skip; stop by default.")
    ] = None,
    on_gap: Annotated[
        str | None, typer.Option(help="Where retention has deleted what comes next: stop or count; stop by default.")
    ] = None,
    build: Annotated[
        str | None, typer.Option(metavar="NAME", help="Build an hba model of this name at the end.")
    ] = None,
    save_every: Annotated[float, typer.Option(min=0.1, help="Seconds between two saves.")] = 5,
    until_caught_up: CaughtUp = False,
) -> None:
    """Learn topics into projects that are kept, with their positions, in a workspace. Ctrl-C ends it.

    Called again it goes on where it ended.

    Example: [bold]smlnb connect --topic readings --project plant --types C,C,X --workspace plant.db -b host:9092[/]

    Example: [bold]smlnb connect sink.json -b host:9092[/]
    """
    from smlnb import _connect

    common: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers,
        "cluster": config,
        "build": build,
        "save_every": save_every,
        "until_caught_up": until_caught_up,
    }
    instead = {
        "--topic": (topic, "topics"),
        "--project": (project, "sml.project"),
        "--types": (types, "sml.attribute.types"),
        "--format": (value_format, "value.converter"),
        "--start": (start, "consumer.auto.offset.reset"),
        "--on-malformed": (on_malformed, "behavior.on.malformed.documents"),
    }
    if configuration is not None:
        for option, (value, key) in instead.items():
            if value is not None:
                raise ConfigError(f"{option} is given beside {configuration}. Set {key} in that file instead.")
        if format_option:
            raise ConfigError(
                f"--format-option is given beside {configuration}, whose value.converter names the format; "
                "those that it can name have no options. Leave it out.",
            )
        if on_gap is not None:
            raise ConfigError(
                f"--on-gap is given beside {configuration}. A connector always stops where records were lost: it has "
                "no key for that. Leave it out.",
            )
        _connect.connect_configuration(configuration, workspace or configuration.with_suffix(".db"), **common)
        return
    if topic is None or project is None or workspace is None:
        raise ConfigError("Give --topic, --project and --workspace, or the file of a sink connector's configuration.")
    value_format = value_format or "auto"
    reading = {
        "format": value_format,
        "format_options": format_options(value_format, format_option),
        "start": start or "earliest",
        "on_malformed": on_malformed or "stop",
        "on_gap": on_gap or "stop",
    }
    _connect.connect_topic(topic, project, workspace, types=types, reading=reading, **common)


@app.command()
def score(
    properties: Annotated[
        Path, typer.Argument(metavar="CONFIG.properties", help="The stream application's properties.")
    ],
    workspace: WorkspaceFile,
    *,
    source: Annotated[str | None, typer.Option(help="The topic to read, instead of sml.kstream.source.topic.")] = None,
    sink: Annotated[str | None, typer.Option(help="The topic to write, instead of sml.kstream.sink.topic.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="A field to copy from the source; more than once, or with commas.")
    ] = None,
    bootstrap_servers: Servers = None,
    config: Config = None,
    value_format: Annotated[str, typer.Option("--format", help="Of the output: json or avro.")] = "json",
    until_caught_up: CaughtUp = False,
) -> None:
    """Score a topic into another by a model of a workspace, until Ctrl-C.

    Example: [bold]smlnb score hba1.properties --workspace plant.db --keep class[/]
    """
    from smlnb.score.properties import read_application
    from smlnb.terminal import follow, score_view

    application = read_application(properties, bootstrap_servers, config)
    reads = _named("source topic", source or application.source, "sml.kstream.source.topic", "--source")
    writes = _named("sink topic", sink or application.sink, "sml.kstream.sink.topic", "--sink")
    of = _named("project", application.project, "sml.kstream.project.id")
    by = _named("model", application.model, "sml.kstream.model.id")
    if not workspace.is_file():
        raise WorkspaceError(
            f"There is no workspace {workspace}. Make one with smlnb connect, or Workspace.save in Python."
        )
    with smlnb.Workspace(workspace) as store:
        model = store.load_model(by, store.load(of))
    limit = {} if application.batch_rows is None else {"batch_rows": application.batch_rows}
    scorer = smlnb.Scorer(
        model,
        reads,
        writes,
        config=application.kafka,
        keep=[name.strip() for part in keep or [] for name in part.split(",")],
        name=application.name,
        format=value_format,  # type: ignore[arg-type] # the scorer checks it
        **limit,  # type: ignore[arg-type]
    )
    notes = Console(stderr=True)
    for line in application.notes:
        notes.print(Text(line, "dim"), soft_wrap=True)
    scorer.start()
    try:
        with stopped_by_signals() as stop, running():
            follow(scorer, stop, show=lambda c: score_view(scorer, c), until_caught_up=until_caught_up)
    finally:
        scorer.stop()
    typer.echo(f"{scorer.metrics.rows:,} scores written to {writes}, {scorer.metrics.refused:,} records refused")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    port: Annotated[int | None, typer.Option(help="Of JupyterLab.")] = None,
) -> None:
    """Open JupyterLab on the demonstration notebook, copied to ./notebooks if it is not there.

    Further options go to JupyterLab as they are.

    Example: [bold]smlnb lab --port 8890[/]
    """
    from smlnb.lab import open_lab

    options = [] if browser else ["--no-browser"]
    options += [] if port is None else [f"--port={port}"]
    raise typer.Exit(open_lab([*options, *context.args], say=typer.echo))


# -- parts of commands -------------------------------------------------------------------------------------------------


def _named(what: str, value: str | None, key: str, option: str = "") -> str:
    if value is None:
        raise ConfigError(f"No {what} is named. Set {key} in the file{f', or give {option}' if option else ''}.")
    return value


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
