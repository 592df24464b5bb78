"""From a record produced to the record visible in ``project.n``: how long it takes.

Run as ``python -m benchmarks.latency``, with ``--real`` on Apache Kafka, too (Java 17 and Maven). A process of its own
produces at an even rate and stamps each record with the time of the call; the clock stops when the project has learned
the record and its ``n`` counts it. Stamps are whole milliseconds, rounded down, so that no latency is shown too short.
The first two seconds do not count. The producer's own ``linger.ms`` is 5, librdkafka's default; it is part of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

# ruff: noqa: E402 - the number of threads is set before
import numpy as np
from confluent_kafka import Producer

from smlnb import Batch, LocalBroker, Project, connect, datasets
from smlnb.cluster.topics import ensure_topic

PARTITIONS = 8
WARM = 2.0  # seconds that do not count
STEP = 0.001  # seconds between two handfuls of records
RATES = (1_000, 50_000)  # records per second
LEVELS = (50, 90, 99, 100)  # percent


def produce(servers: str, topic: str, rate: int, seconds: float) -> None:
    """Write records evenly, to the partitions in turn; print how many, and how late the last was."""
    values = [json.dumps(row).encode() for row in datasets.shuttle_like(1_000, seed=0).to_dict("records")]
    producer = Producer({"bootstrap.servers": servers, "queue.buffering.max.messages": 1_000_000, "log_level": 0})
    begin, sent, total = time.perf_counter(), 0, int(rate * seconds)
    while sent < total:
        due = min(int((time.perf_counter() - begin) * rate) + 1, total)
        stamp = time.time_ns() // 1_000_000
        for i in range(sent, due):
            producer.produce(topic, values[i % len(values)], partition=i % PARTITIONS, timestamp=stamp)
        sent = due
        producer.poll(0)
        time.sleep(STEP)
    late = time.perf_counter() - begin - seconds
    assert producer.flush(30) == 0
    print(json.dumps({"records": total, "late": late}))


def measure(servers: str, topic: str, rate: int, seconds: float) -> tuple[np.ndarray, float]:
    """Learn while another process produces; return the latencies in milliseconds, and how late the producer was."""
    project, total = Project("latency", types=datasets.TYPES), int(rate * (WARM + seconds))
    latencies: list[np.ndarray] = []
    begin = 0

    def seen(batch: Batch) -> None:
        nonlocal begin
        assert project.n > 0
        begin = begin or int(batch.times[0])
        counted = batch.times[batch.times >= begin + 1000 * WARM]
        latencies.append(time.time_ns() / 1e6 - counted)

    with connect(project, topic, bootstrap_servers=servers) as feed:
        feed.stream.sink(seen)
        command = [sys.executable, "-m", "benchmarks.latency", "--produce", str(rate), "--servers", servers]
        command += ["--topic", topic, "--seconds", str(WARM + seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
        feed.wait(rows=total, timeout=60)
    assert project.n == total, f"{project.n} of {total} records learned"
    return np.concatenate(latencies), json.loads(done.stdout)["late"]


@contextmanager
def brokers(*, real: bool) -> Iterator[dict[str, str]]:
    """Give the addresses of the brokers, with their names."""
    with LocalBroker() as local:
        if not real:
            yield {"embedded": local.bootstrap_servers}
            return
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from tests.kafka_server import KafkaServer, kafka_jars

        server = KafkaServer(kafka_jars()).start()
        try:
            yield {"embedded": local.bootstrap_servers, "Apache Kafka": server.bootstrap_servers}
        finally:
            server.stop()


def show(name: str, rate: int, latencies: np.ndarray, late: float) -> None:
    """Print one line of the table."""
    figures = "".join(f"{value:>9.0f}" for value in np.percentile(latencies, LEVELS))
    note = f"   the producer was {late:.1f} s late" if late > 0.5 else ""
    print(f"{name:14} {rate:>10,} {len(latencies):>10,} {figures}{note}", flush=True)


def main() -> None:
    """Read the arguments; measure, or be the producer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", action="store_true", help="on Apache Kafka, too")
    parser.add_argument("--rates", nargs="+", type=int, default=RATES, help="records per second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--produce", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.produce:
        produce(arguments.servers, arguments.topic, arguments.produce, arguments.seconds)
        return
    levels = "".join(f"{'max' if level == 100 else f'p{level}':>9}" for level in LEVELS)
    print(f"{'broker':14} {'records/s':>10} {'measured':>10} {levels}   in ms")
    with brokers(real=arguments.real) as found:
        for name, servers in found.items():
            for rate in arguments.rates:
                topic = f"latency-{rate}"
                ensure_topic(topic, PARTITIONS, bootstrap_servers=servers)
                show(name, rate, *measure(servers, topic, rate, arguments.seconds))


if __name__ == "__main__":
    main()
