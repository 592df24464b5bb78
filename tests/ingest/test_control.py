from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from smlnb.batch import Batch
from smlnb.ingest.kafka import from_kafka_arrow
from tests.ingest.writing import numbers, produce

CHILD = """
import sys, smlnb
project = smlnb.Project("p", types="C")
feed = smlnb.connect(project, {topic!r}, bootstrap_servers={where!r}, tasks={tasks}, {bound})
{body}
"""


class Child:
    """A program that feeds a project, in a process of its own."""

    def __init__(self, broker, topic, body, *, tasks=1, bound=""):
        body = textwrap.dedent(body)
        code = CHILD.format(topic=topic, where=broker.bootstrap_servers, tasks=tasks, body=body, bound=bound)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def until(self, line):
        assert self.process.stdout is not None
        while True:
            read = self.process.stdout.readline()
            assert read, self.process.communicate(timeout=10)[1]
            if read.strip() == line:
                return

    def ends(self):
        """Return the exit code and what was written to standard error, and check that it took less than 5 s."""
        begin = time.monotonic()
        try:
            _, errors = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
        assert time.monotonic() - begin < 5
        # what DataSketches' binding says of its own objects that are there when the interpreter ends
        ours = [line for line in errors.splitlines(keepends=True) if not line.startswith(("nanobind:", " - "))]
        return self.process.returncode, "".join(ours)


@pytest.fixture
def filled(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 4)
    produce(any_broker, topic_name, numbers(0, 20_000), 4)
    return topic_name


@pytest.mark.parametrize("tasks", [1, 2])
def test_ctrl_c_while_waiting_ends_the_program_within_five_seconds(any_broker, filled, tasks):
    body = """
    feed.wait(rows=1)
    print("feeding", flush=True)
    feed.wait(rows=10**9)
    """
    child = Child(any_broker, filled, body, tasks=tasks)
    child.until("feeding")
    child.process.send_signal(signal.SIGINT)
    code, errors = child.ends()
    assert code not in (0, -signal.SIGKILL)
    assert errors.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("tasks", [1, 2])
def test_ctrl_c_that_is_caught_leaves_a_feed_that_runs_and_stops(any_broker, filled, tasks):
    body = """
    import threading
    feed.wait(rows=1)
    try:
        print("feeding", flush=True)
        feed.wait(rows=10**9)
    except KeyboardInterrupt:
        feed.wait()
    assert (feed.state, project.n) == ("running", 20_000), (feed.state, project.n)
    feed.stop()
    left = [t.name for t in threading.enumerate() if t is not threading.main_thread() and t.name.startswith("smlnb")]
    assert not left, left
    print("stopped", flush=True)
    """
    child = Child(any_broker, filled, body, tasks=tasks)
    child.until("feeding")
    child.process.send_signal(signal.SIGINT)
    child.until("stopped")
    assert child.ends() == (0, "")


@pytest.mark.parametrize("tasks", [1, 2])
def test_the_interpreter_ends_within_five_seconds_during_a_backfill(any_broker, filled, tasks):
    child = Child(
        any_broker,
        filled,
        """
        feed.wait(rows=1)
        print("leaving", flush=True)
        """,
        tasks=tasks,
        bound=f"batch_rows=5, until={{({filled!r}, 0): 10**9}}",
    )
    child.until("leaving")
    code, errors = child.ends()
    assert (code, errors) == (0, "")


def test_the_interpreter_ends_within_five_seconds_when_the_broker_is_gone(topic_name):
    from smlnb import LocalBroker

    with LocalBroker() as broker:
        broker.create_topic(topic_name, 2)
        produce(broker, topic_name, numbers(0, 100), 2)
        child = Child(
            broker,
            topic_name,
            """
            feed.wait(rows=1)
            print("feeding", flush=True)
            while feed.metrics.broker_error is None:
                pass
            print("leaving", flush=True)
            """,
        )
        child.until("feeding")
    child.until("leaving")
    code, _ = child.ends()
    assert code == 0


def test_a_batch_that_another_task_has_emitted_since_is_not_emitted_again(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name)
    source = from_kafka_arrow(topic_name, local_broker.bootstrap_servers, positions={(topic_name, 0): 10})
    seen = source.sink_to_list()

    def batch(start, stop):
        rows = np.arange(start, stop)
        return Batch(pa.record_batch({"x": rows}), topic_name, 0, start, stop, rows)

    assert source.hand_on(batch(10, 15), 0, 0.0) is None
    assert source.hand_on(batch(10, 20), 0, 0.0) == 15
    assert source.hand_on(batch(17, 20), 0, 0.0) == 15
    assert source.hand_on(batch(15, 20), 0, 0.0) is None
    assert [(b.start, b.stop) for b in seen] == [(10, 15), (15, 20)]
    assert source.positions == {(topic_name, 0): 20}


def test_batches_of_several_tasks_are_emitted_one_at_a_time(any_broker, filled):
    at_work, most, lock = 0, 0, threading.Lock()

    def sink(_):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.0005)
        with lock:
            at_work -= 1

    source = from_kafka_arrow(filled, any_broker.bootstrap_servers, tasks=4, batch_rows=100, until="now")
    node = source.sink(sink)  # noqa: F841 - it keeps the stream alive
    source.start()
    source.wait_until(lambda: source.state == "done", 60, source)
    assert most == 1
    assert source.metrics.rows == 20_000
