"""All disturbances, each compared with an undisturbed run: ``python -m benchmarks.chaos``, with ``--full`` all of them.

Needs real Apache Kafka (Java 17 and Maven). A line per scenario: what was done, how long it took, and ``ok`` or what is
wrong. The exit code is 1 if anything is. Everything random comes from ``--seed``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.brokers import outage, rebalances
from benchmarks.chaos.disks import FAULTS
from benchmarks.chaos.kills import kill_until_done, undisturbed
from benchmarks.chaos.learner import Order
from benchmarks.chaos.topics import SCHEMA, Format, create, fill, records
from smlnb import LocalBroker
from smlnb.testing import SchemaRegistry

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.kafka_server import KafkaServer, kafka_jars

PARTITIONS = 3
PACE = 0.05


class Table:
    """Prints a line for each scenario."""

    def __init__(self) -> None:
        self.failed = 0
        print(f"{'scenario':44} {'what was done':38} {'seconds':>8}  result", flush=True)

    def run(self, name: str, scenario: Callable[[], tuple[str, list[str]]]) -> None:
        """Run one."""
        begin = time.monotonic()
        try:
            done, problems = scenario()
        except AssertionError as error:
            done, problems = "", [str(error)]
        self.failed += bool(problems)
        print(f"{name:44} {done:38} {time.monotonic() - begin:8.1f}  {'; '.join(problems) or 'ok'}", flush=True)


def kills(table: Table, orders: dict[str, Order], *, runs: int, size: int, rng: random.Random, schema_id: int) -> None:
    """Kill processes over each of some topics."""
    total, number = 0, 0
    for name, order in orders.items():
        fill(order.servers, order.topic, records(size, PARTITIONS, order.format, schema_id=schema_id))
        reference = undisturbed(order)
        for _ in range(runs):
            number += 1

            def scenario() -> tuple[str, list[str]]:
                nonlocal total
                run = kill_until_done(reference, rng)  # noqa: B023 - run at once
                total += run.kills
                return f"{run.kills} kills, {run.before_any} before a checkpoint", run.problems

            table.run(f"kill -9, run {number}: {name}", scenario)
    print(f"{'kill -9, all runs':44} {total} kills over {number} runs", flush=True)


@contextmanager
def kafka() -> Iterator[KafkaServer]:
    """Give a broker."""
    server = KafkaServer(kafka_jars()).start()
    try:
        yield server
    finally:
        server.stop()


def main() -> None:
    """Read the arguments, run, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="at least 200 kills over 20 runs, and outages of a minute")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (default: %(default)s)")
    parser.add_argument("--runs", type=int, help="runs of kills per broker and format (default: 1, or 6 with --full)")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    full, runs = arguments.full, arguments.runs or (6 if arguments.full else 1)
    print(f"seed {arguments.seed}", flush=True)
    table = Table()
    with LocalBroker() as local, SchemaRegistry() as registry, kafka() as server:
        schema_id = registry.register("chaos-value", json.dumps(SCHEMA))

        def order(broker: LocalBroker | str, topic: str, kind: Format = "json") -> Order:
            create(broker, topic, PARTITIONS)
            servers = broker if isinstance(broker, str) else broker.bootstrap_servers
            return Order(servers, topic, "", kind, registry.config if kind == "avro" else {}, pace=PACE)

        brokers = {"embedded": local, "Apache Kafka": server.bootstrap_servers}
        orders = {
            f"{kind}, {name}": order(broker, f"kills-{kind}", kind)
            for name, broker in brokers.items()
            for kind in ("json", "avro")
        }
        kills(table, orders, runs=runs, size=48_000 if full else 36_000, rng=rng, schema_id=schema_id)

        faults = order(server.bootstrap_servers, "faults")
        fill(faults.servers, faults.topic, records(40_000, PARTITIONS, "json"))
        reference = undisturbed(faults)
        for name, fault in FAULTS.items():
            table.run(name, lambda fault=fault: ("", fault(reference, rng)))

        outages = [(5.0, False), (0.0, True), (5.0, True), *([(60.0, False), (60.0, True)] if full else [])]
        for number, (seconds, kill) in enumerate(outages):
            topic = order(server.bootstrap_servers, f"outage-{number}")
            what = records(40_000, PARTITIONS, "json")
            done = f"{'killed' if kill else 'stopped'} for {seconds:g} s, new leader epoch"

            def scenario(topic: Order = topic, seconds: float = seconds, kill: bool = kill) -> tuple[str, list[str]]:
                return done, outage(server, topic, what, seconds=seconds, kill=kill)  # noqa: B023 - run at once

            table.run("broker gone", scenario)
        times = 20 if full else 8
        moved = order(server.bootstrap_servers, "rebalance")
        what = records(4_000 * times, PARTITIONS, "json")

        def moving() -> tuple[str, list[str]]:
            amid, problems = rebalances(moved, what, times)
            return f"{times} joins and leaves, {amid} amid records", problems

        table.run("rebalance", moving)
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
