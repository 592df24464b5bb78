"""From Kafka to statistics: ours, a bare consume loop, and what people write today.

Run as ``python -m benchmarks.ingest``; the last program needs the extra ``bench``. One embedded broker serves topics
of 64 partitions. Each program is a process on one core (the broker has another), with one thread for linear algebra,
that lives through all rounds. In each round the topics are filled with as much again, and the programs read that, one
after the other: a topic is longer than what the broker keeps, and statistics are not new for long. What the first
round takes, from connecting on, is told apart from the others. Printed are medians with their spread, by the clock and
by processor time; where other programs use the machine, believe the latter. At the end ours is read once more with its
stages watched: what a record costs in each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, Self

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

# ruff: noqa: E402 - the number of threads is set before
import numpy as np
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from benchmarks.stages import watched
from smlnb import LocalBroker, Project, connect, datasets
from smlnb.batch import as_record_batch
from smlnb.cluster.config import KafkaConfig
from smlnb.formats.encode import row_encoder
from smlnb.ingest.reader import TUNING
from smlnb.testing import SchemaRegistry

PARTITIONS = 64
WARM = 3_200  # records of the topics that are read first
SLOW = 20_000  # records a round for the program that goes row by row
TYPES = "C,C,C,C,C,C,C,C,C,C"
TUNED = {k: TUNING[k] for k in ("fetch.queue.backoff.ms", "fetch.wait.max.ms", "queued.max.messages.kbytes")}

PROGRAMS = {
    "bare-json": "consume(), take the value; JSON topic",
    "json": "smlnb, JSON, without quantile sketches",
    "json-kll": "smlnb, JSON, with quantile sketches",
    "bare-avro": "consume(), take the value; Avro topic",
    "avro": "smlnb, Avro, without quantile sketches",
    "avro-kll": "smlnb, Avro, with quantile sketches",
    "river": "poll() + json.loads + river, row by row",
}
BARS = {"avro": 0.60, "avro-kll": 0.45, "json": 0.38, "json-kll": 0.33}

Read = Callable[[int, int], None]
"""Reads so many records a partition, from an offset on."""


# -- the programs, each in a process of its own ------------------------


class Bare:
    """Takes the values and does nothing with them: what reading costs at the least."""

    def __init__(self, servers: str, topic: str) -> None:
        self.topic = topic
        self.consumer = Consumer(
            {"bootstrap.servers": servers, "group.id": "bare", "enable.auto.commit": False, "log_level": 0, **TUNED}
        )

    def read(self, start: int, rows: int) -> None:
        """Read ``rows`` records of each partition."""
        self.consumer.assign([TopicPartition(self.topic, p, start) for p in range(PARTITIONS)])
        self.use(rows * PARTITIONS)
        self.consumer.unassign()

    def use(self, rows: int) -> None:
        """Do what there is to do with so many records."""
        seen = 0
        while seen < rows:
            seen += len([m.value() for m in self.consumer.consume(500, 1.0) if m.error() is None])


class River(Bare):
    """Keeps the same statistics row by row: the obvious program."""

    def __init__(self, servers: str, topic: str) -> None:
        super().__init__(servers, topic)
        try:
            from river import covariance, sketch, stats
        except ImportError:
            raise SystemExit("river is not installed. Install the extra: pip install 'smlnb[bench]'") from None
        kinds = (stats.Mean, stats.Var, stats.Skew, stats.Kurtosis, stats.Min, stats.Max)
        self.make: Callable[[], list[Any]] = lambda: [
            *(kind() for kind in kinds),
            *(stats.Quantile(q) for q in (0.25, 0.5, 0.75)),
            sketch.Histogram(64),
        ]
        self.columns: dict[str, list[Any]] = {}
        self.pairs = covariance.EmpiricalCovariance()

    def values(self) -> Iterator[Message]:
        """Give records one by one."""
        while True:
            message = self.consumer.poll(1.0)
            if message is not None and message.error() is None:
                yield message

    def use(self, rows: int) -> None:
        """Learn."""
        for message in islice(self.values(), rows):
            record = json.loads(message.value())
            for name, value in record.items():
                if name not in self.columns:
                    self.columns[name] = self.make()
                for statistic in self.columns[name]:
                    statistic.update(value)
            self.pairs.update(record)


class Ours:
    """Learns moments, co-moments and histograms, with or without quantile sketches."""

    def __init__(self, servers: str, topic: str, *, quantiles: bool, registry: str) -> None:
        self.project = Project("benchmark", types=TYPES, quantiles=quantiles)
        self.begin = lambda: connect(
            self.project, topic, bootstrap_servers=servers, config={"schema.registry.url": registry}
        )
        self.feed: Any = None

    def read(self, start: int, rows: int) -> None:
        """Read ``rows`` records of each partition, which end at ``start + rows``."""
        if self.feed is None:
            self.feed = self.begin()
        self.feed.resume()
        total = (start + rows) * PARTITIONS
        self.feed.wait(rows=total, timeout=300)
        self.feed.pause()
        assert self.project.n == total, f"{self.project.n} of {total} rows learned"


def program(name: str, topic: str, arguments: argparse.Namespace) -> Read:
    """Return what reads a topic."""
    if name.startswith("bare"):
        return Bare(arguments.servers, topic).read
    if name == "river":
        return River(arguments.servers, topic).read
    return Ours(arguments.servers, topic, quantiles=name.endswith("-kll"), registry=arguments.registry).read


def run(name: str, arguments: argparse.Namespace) -> None:
    """Read what is told, line by line; print the seconds of wall clock and of processor, and those of the stages."""
    topic = "avro" if "avro" in name else "json"
    with ExitStack() as watching:
        watch = watching.enter_context(watched()) if arguments.watch else None
        program(name, f"{topic}-warm", arguments)(0, WARM // PARTITIONS)
        read = program(name, topic, arguments)
        for line in sys.stdin:
            start, rows = map(int, line.split())
            before = dict(watch.seconds) if watch else {}
            wall, processor = time.perf_counter(), time.process_time()
            read(start, rows)
            found = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
            stages = {k: v - before[k] for k, v in watch.seconds.items()} if watch else {}
            print(json.dumps({**found, "stages": stages}), flush=True)


class Child:
    """A program in its process."""

    def __init__(self, name: str, core: int, servers: str, registry: str, *, watch: bool = False) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.ingest", "--run", name, "--servers", servers]
        command += ["--registry", registry, *(["--watch"] if watch else [])]
        environment = {**os.environ, "CORE": str(core)}
        self.process = subprocess.Popen(  # noqa: S603 - ourselves
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def read(self, start: int, rows: int) -> tuple[int, dict[str, Any]]:
        """Let it read so many records of each partition; return how many that was, and what it took."""
        rows = min(rows, SLOW // PARTITIONS) if self.name == "river" else rows
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(start, rows, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} failed")
        return rows * PARTITIONS, json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


# -- the frame around them ------------------------------------------------


def encoded(value_format: str, config: KafkaConfig) -> Sequence[bytes]:
    """Return values of a topic."""
    frame = datasets.shuttle_like(rows=49_097, seed=0)
    return row_encoder(value_format, value_format, config)(as_record_batch(frame))


def fill(servers: str, topic: str, values: Sequence[bytes], rows: int) -> None:
    """Write so many records to each partition."""
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000, "log_level": 0}
    )
    for i in range(rows * PARTITIONS):
        producer.produce(topic, values[i % len(values)], partition=i // rows)
        if i % 1_000 == 0:
            producer.poll(0)
            if len(producer) > 500_000:
                producer.flush()
    assert producer.flush(60) == 0


def pinned(cores: set[int]) -> None:
    """Bind this process to cores, where the system can."""
    if hasattr(os, "sched_setaffinity") and cores:
        os.sched_setaffinity(0, cores)


Rates = dict[str, list[tuple[float, float]]]


def measure(arguments: argparse.Namespace) -> tuple[Rates, dict[str, dict[str, float]]]:
    """Run all programs in turn, several rounds; return rows per second, and the seconds per record of the stages."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    pinned(set(cores[:-1]))
    rows = arguments.rows // PARTITIONS
    rates: Rates = {p: [] for p in arguments.programs}
    stages: dict[str, dict[str, float]] = {}
    with ExitStack() as opened:
        broker, registry = opened.enter_context(LocalBroker()), opened.enter_context(SchemaRegistry())
        servers, config = broker.bootstrap_servers, KafkaConfig.of(broker.bootstrap_servers, registry.config)
        topics = {topic: encoded(topic, config) for topic in ("json", "avro")}
        for topic, values in topics.items():
            broker.create_topic(topic, PARTITIONS)
            broker.create_topic(f"{topic}-warm", PARTITIONS)
            fill(servers, f"{topic}-warm", values, WARM // PARTITIONS)
            size = statistics.mean(map(len, values))
            print(f"{rows * PARTITIONS:,} records of {size:.0f} bytes of {topic} a round", file=sys.stderr)
        children = [opened.enter_context(Child(p, cores[-1], servers, registry.url)) for p in arguments.programs]
        ours = [p for p in arguments.programs if p in BARS]
        watched = [opened.enter_context(Child(p, cores[-1], servers, registry.url, watch=True)) for p in ours]
        for turn in range(arguments.rounds + 1):
            for topic, values in topics.items():
                fill(servers, topic, values, rows)
            for child in children:
                count, spent = child.read(turn * rows, rows)
                rates[child.name].append((count / spent["wall"], count / spent["processor"]))
                print(f"round {turn}: {child.name:10} {rates[child.name][-1][0]:>12,.0f} rows/s", file=sys.stderr)
            for child in watched:
                count, spent = child.read(turn * rows, rows)
                rest = spent["processor"] - sum(spent["stages"].values())
                found = {**spent["stages"], "librdkafka's threads, and what waits": rest}
                stages[child.name] = {stage: seconds / count for stage, seconds in found.items()}
    return rates, stages


def show(rates: Rates, first: int, last: int | None) -> None:
    """Print medians, spreads and ratios over some rounds, by the clock on the wall and by processor time."""
    chosen = {name: found[first:last] for name, found in rates.items()}
    middle = {name: tuple(map(statistics.median, zip(*found, strict=True))) for name, found in chosen.items()}
    nothing = (float("nan"), float("nan"))
    print(f"{'':40} {'by the clock':-^48} {'by processor time':-^29}")
    print(
        f"{'program':40} {'rows/s':>9} {'lowest':>10} {'highest':>10} {'of bare':>7} {'of river':>8} "
        f"{'rows/s':>10} {'of bare':>8} {'of river':>9} {'bar':>5}"
    )
    for name, (wall, processor) in middle.items():
        base = middle.get("bare-avro" if "avro" in name else "bare-json", nothing)
        slow = middle.get("river", nothing)
        clock = [found[0] for found in chosen[name]]
        bar = f"{BARS[name]:.0%}" if name in BARS else ""
        print(
            f"{PROGRAMS[name]:40} {wall:>9,.0f} {min(clock):>10,.0f} {max(clock):>10,.0f} {wall / base[0]:>7.0%} "
            f"{wall / slow[0]:>7.1f}x {processor:>10,.0f} {processor / base[1]:>8.0%} {processor / slow[1]:>8.1f}x "
            f"{bar:>5}"
        )


def show_stages(stages: Mapping[str, Mapping[str, float]]) -> None:
    """Print what a record costs in each stage."""
    print(f"\nnanoseconds of processor time per record, last round\n{'':46}" + "".join(f"{n:>10}" for n in stages))
    for stage in next(iter(stages.values()), {}):
        print(f"{stage:46}" + "".join(f"{found[stage] * 1e9:>10.0f}" for found in stages.values()))
    print(f"{'all':46}" + "".join(f"{sum(found.values()) * 1e9:>10.0f}" for found in stages.values()))


def main() -> None:
    """Read the arguments; measure, or be one of the programs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_920_000, help="records a round and topic (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="after the first (default: %(default)s)")
    parser.add_argument("--programs", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS), metavar="PROGRAM")
    parser.add_argument("--run", choices=list(PROGRAMS), help=argparse.SUPPRESS)
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    parser.add_argument("--registry", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        pinned({int(os.environ["CORE"])})
        run(arguments.run, arguments)
        return
    rates, stages = measure(arguments)
    print("\nthe first round, from connecting on")
    show(rates, 0, 1)
    print(f"\n{arguments.rounds} further rounds")
    show(rates, 1, None)
    show_stages(stages)
    print(f"\n{os.cpu_count()} cores; Python {sys.version.split()[0]}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
