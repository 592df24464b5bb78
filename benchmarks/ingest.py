"""From Kafka to statistics: ours, a bare consume loop, and what people write today.

Run as ``python -m benchmarks.ingest``; the last program needs the extra ``bench``. One embedded broker serves topics
of 64 partitions, filled before. Each program runs by itself in a process on one core (the broker has another), with
one thread for linear algebra. It reads a small topic first, so that everything is imported; its time is from
connecting to having used the last record. The rounds are interleaved, and the median of each program is printed with
its spread. Where other programs use the machine, believe the rows per second of processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

# ruff: noqa: E402 - the number of threads is set before
import numpy as np
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from smlnb import LocalBroker, Project, connect, datasets
from smlnb.batch import as_record_batch
from smlnb.ingest.config import KafkaConfig
from smlnb.ingest.encode import row_encoder
from smlnb.ingest.reader import TUNING
from smlnb.testing import SchemaRegistry

PARTITIONS = 64
WARM = 3_200  # records of the topics that are read first
SLOW = 20_000  # records for the program that goes row by row
TYPES = "C,C,C,C,C,C,C,C,C,C"

PROGRAMS = {
    "bare-json": "consume(), take the value; JSON topic",
    "json": "smlnb, JSON, without quantile sketches",
    "json-kll": "smlnb, JSON, with quantile sketches",
    "bare-avro": "consume(), take the value; Avro topic",
    "avro": "smlnb, Avro, without quantile sketches",
    "avro-kll": "smlnb, Avro, with quantile sketches",
    "river": "poll() + json.loads + river, row by row",
}


# -- the programs, each in a process of its own ------------------------


def consumer(servers: str, topic: str, **settings: object) -> Consumer:
    """Return a consumer of all partitions from their beginnings."""
    found = Consumer(
        {"bootstrap.servers": servers, "group.id": "bare", "enable.auto.commit": False, "log_level": 0, **settings}
    )
    found.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    return found


def bare(servers: str, topic: str, rows: int) -> None:
    """Take the values and do nothing with them: what reading costs at the least."""
    tuned = {k: TUNING[k] for k in ("fetch.queue.backoff.ms", "fetch.wait.max.ms", "queued.max.messages.kbytes")}
    reading, seen = consumer(servers, topic, **tuned), 0
    while seen < rows:
        seen += len([m.value() for m in reading.consume(500, 1.0) if m.error() is None])
    reading.close()


def ours(servers: str, topic: str, rows: int, *, quantiles: bool, registry: str) -> None:
    """Learn moments, co-moments and histograms, with or without quantile sketches."""
    project = Project("benchmark", types=TYPES, quantiles=quantiles)
    config = {"schema.registry.url": registry}
    with connect(project, topic, bootstrap_servers=servers, config=config) as feed:
        feed.wait(rows=rows, timeout=300)
    assert project.n == rows, f"{project.n} of {rows} rows learned"


def river_program(servers: str, topic: str, rows: int) -> None:
    """Keep the same statistics row by row: the obvious program."""
    try:
        from river import covariance, sketch, stats
    except ImportError:
        raise SystemExit("river is not installed. Install the extra: pip install 'smlnb[bench]'") from None
    kinds = (stats.Mean, stats.Var, stats.Skew, stats.Kurtosis, stats.Min, stats.Max)
    columns: dict[str, list[object]] = {}
    pairs = covariance.EmpiricalCovariance()
    reading = consumer(servers, topic, **{"fetch.queue.backoff.ms": 1, "fetch.wait.max.ms": 10})

    def values() -> Iterator[Message]:
        while True:
            message = reading.poll(1.0)
            if message is not None and message.error() is None:
                yield message

    for message in islice(values(), rows):
        record = json.loads(message.value())
        for name, value in record.items():
            if name not in columns:
                quartiles = [stats.Quantile(q) for q in (0.25, 0.5, 0.75)]
                columns[name] = [*(kind() for kind in kinds), *quartiles, sketch.Histogram(64)]
            for statistic in columns[name]:
                statistic.update(value)  # type: ignore[attr-defined]
        pairs.update(record)
    reading.close()


def run(program: str, arguments: argparse.Namespace) -> None:
    """Run one program and print its seconds of wall clock and of processor."""
    topic = "avro" if "avro" in program else "json"
    servers, registry, quantiles = arguments.servers, arguments.registry, program.endswith("-kll")
    calls: dict[str, Callable[[str, int], None]] = {
        "bare": lambda topic, rows: bare(servers, topic, rows),
        "river": lambda topic, rows: river_program(servers, topic, min(rows, SLOW)),
    }
    call = calls.get(
        program.partition("-")[0],
        lambda topic, rows: ours(servers, topic, rows, quantiles=quantiles, registry=registry),
    )
    call(f"{topic}-warm", WARM)
    wall, processor = time.perf_counter(), time.process_time()
    call(topic, arguments.rows)
    print(json.dumps({"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}))


# -- the frame around them ------------------------------------------------


def fill(servers: str, topic: str, value_format: str, rows: int, config: KafkaConfig) -> float:
    """Fill a topic; return the mean size of a value."""
    frame = datasets.shuttle_like(rows=49_097, seed=0)
    values = row_encoder(value_format, topic, config)(as_record_batch(frame))
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000, "log_level": 0}
    )
    share = rows // PARTITIONS
    for i in range(rows):
        producer.produce(topic, values[i % len(values)], partition=i // share)
        if i % 1_000 == 0:
            producer.poll(0)
            if len(producer) > 500_000:
                producer.flush()
    assert producer.flush(60) == 0
    return statistics.mean(map(len, values))


def pinned(cores: set[int]) -> None:
    """Bind this process to cores, where the system can."""
    if hasattr(os, "sched_setaffinity") and cores:
        os.sched_setaffinity(0, cores)


def measure(arguments: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    """Run all programs in turn, several rounds; return rows per second."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    pinned(set(cores[:-1]))
    rows = arguments.rows // PARTITIONS * PARTITIONS
    rates: dict[str, list[tuple[float, float]]] = {p: [] for p in arguments.programs}
    with LocalBroker() as broker, SchemaRegistry() as registry:
        config = KafkaConfig.of(broker.bootstrap_servers, registry.config)
        for topic in ("json", "avro"):
            broker.create_topic(topic, PARTITIONS)
            broker.create_topic(f"{topic}-warm", PARTITIONS)
            fill(broker.bootstrap_servers, f"{topic}-warm", topic, WARM, config)
            size = fill(broker.bootstrap_servers, topic, topic, rows, config)
            print(f"{rows:,} records of {size:.0f} bytes of {topic}", file=sys.stderr)
        for turn in range(arguments.rounds):
            for program in arguments.programs:
                count = min(rows, SLOW) if program == "river" else rows
                command = [sys.executable, "-m", "benchmarks.ingest", "--run", program, "--rows", str(count)]
                command += ["--servers", broker.bootstrap_servers, "--registry", registry.url]
                done = subprocess.run(  # noqa: S603 - ourselves
                    command, check=False, text=True, stdout=subprocess.PIPE, env={**os.environ, "CORE": str(cores[-1])}
                )
                if done.returncode:
                    raise SystemExit(f"{program} failed")
                seconds = json.loads(done.stdout)
                rates[program].append((count / seconds["wall"], count / seconds["processor"]))
                print(f"round {turn + 1}: {program:10} {rates[program][-1][0]:>12,.0f} rows/s", file=sys.stderr)
    return rates


def show(rates: dict[str, list[tuple[float, float]]]) -> None:
    """Print medians, spreads and ratios, by the clock on the wall and by processor time."""
    middle = {program: tuple(map(statistics.median, zip(*found, strict=True))) for program, found in rates.items()}
    nothing = (float("nan"), float("nan"))
    print(f"\n{'':46} {'by the clock':-^48} {'by processor time':-^29}")
    print(
        f"{'program':46} {'rows/s':>9} {'lowest':>10} {'highest':>10} {'of bare':>7} {'of river':>8} "
        f"{'rows/s':>10} {'of bare':>8} {'of river':>9}"
    )
    for program, (wall, processor) in middle.items():
        base = middle.get("bare-avro" if "avro" in program else "bare-json", nothing)
        slow = middle.get("river", nothing)
        clock = [found[0] for found in rates[program]]
        print(
            f"{PROGRAMS[program]:46} {wall:>9,.0f} {min(clock):>10,.0f} {max(clock):>10,.0f} {wall / base[0]:>7.0%} "
            f"{wall / slow[0]:>7.1f}x {processor:>10,.0f} {processor / base[1]:>8.0%} {processor / slow[1]:>8.1f}x"
        )
    print(f"\n{os.cpu_count()} cores; Python {sys.version.split()[0]}, numpy {np.__version__}")


def main() -> None:
    """Read the arguments; measure, or be one of the programs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_920_000, help="records per topic (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--programs", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS), metavar="PROGRAM")
    parser.add_argument("--run", choices=list(PROGRAMS), help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    parser.add_argument("--registry", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        pinned({int(os.environ["CORE"])})
        run(arguments.run, arguments)
    else:
        show(measure(arguments))


if __name__ == "__main__":
    main()
