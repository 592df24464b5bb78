"""Whether memory stays flat over many records on Apache Kafka, and what checkpoints cost meanwhile.

Run as ``python -m benchmarks.soak``; needs Java 17 and Maven. Another process produces JSON records of 10 columns as
fast as it can; this one learns them, and saves a checkpoint every 5 seconds. Printed are the resident memory at each
tenth of the records, its growth over the second half, the rate, and what a checkpoint takes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"

# ruff: noqa: E402 - the number of threads is set before
from confluent_kafka import Producer

from smlnb import Project, Workspace, connect, datasets
from smlnb.cluster.topics import ensure_topic

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.kafka_server import KafkaServer, kafka_jars

PARTITIONS = 8
TOPIC = "soak"
EVERY = 5.0  # seconds between checkpoints


def produce(servers: str, records: int) -> None:
    """Write records to the partitions in turn, as fast as the broker takes them."""
    values = [json.dumps(row).encode() for row in datasets.shuttle_like(10_000, seed=0).to_dict("records")]
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "compression.type": "lz4", "log_level": 0})
    for i in range(records):
        while True:
            try:
                producer.produce(TOPIC, values[i % len(values)], partition=i // 100 % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
        if i % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def soak(servers: str, records: int, folder: Path) -> None:
    """Learn while another process produces, and print what it took."""
    ensure_topic(TOPIC, PARTITIONS, bootstrap_servers=servers)
    command = [sys.executable, "-m", "benchmarks.soak", "--produce", servers, "--records", str(records)]
    project, sizes, saving = Project("soak", types=datasets.TYPES), [], 0.0
    begun, spent = time.perf_counter(), time.process_time()
    with subprocess.Popen(command) as producer, Workspace(folder / "soak.db") as workspace:  # noqa: S603 - ourselves
        with connect(project, TOPIC, bootstrap_servers=servers, workspace=workspace, checkpoint_every=EVERY) as feed:
            print(f"{'records':>12} {'seconds':>8} {'memory, MB':>11} {'checkpoints':>12}")
            seen = 0
            for tenth in range(1, 11):
                feed.wait(rows=records * tenth // 10, timeout=900)
                sizes.append(resident())
                done = feed.metrics.checkpoint
                seen = done.written if done is not None else 0
                print(f"{project.n:>12,} {time.perf_counter() - begun:>8.1f} {sizes[-1]:>11.1f} {seen:>12}", flush=True)
            took, cpu = time.perf_counter() - begun, time.process_time() - spent
            started = time.thread_time()
            workspace.checkpoint(project)
            saving = time.thread_time() - started
        assert producer.wait(60) == 0
    growth = sizes[-1] - sizes[4]
    print(f"\n{records / took:,.0f} records/s; {1e9 * cpu / records:,.0f} ns of processor time a record")
    print(f"memory grew by {growth:.1f} MB over the second half, {1e6 * growth / (records / 2):.2f} bytes a record")
    print(f"a checkpoint takes {1e3 * saving:.0f} ms of processor time: {saving / EVERY:.2%} of every {EVERY:g} s")


def main() -> None:
    """Read the arguments; measure, or be the producer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--produce", metavar="SERVERS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.produce:
        produce(options.produce, options.records)
        return
    server = KafkaServer(kafka_jars()).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            soak(server.bootstrap_servers, options.records, Path(folder))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
