"""Messages are copied and freed whatever happens, and a client with messages left can always be closed."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from smlnb import native
from smlnb.cluster._librdkafka import addresses, client_place
from smlnb.cluster.broker import LocalBroker
from smlnb.cluster.config import KafkaConfig
from smlnb.errors import KafkaError
from smlnb.formats.payloads import Payloads
from smlnb.ingest.arrivals import InBulk, Run
from smlnb.ingest.reader import TUNING, Reader
from tests.conftest import lacking
from tests.ingest.polling import begun, polled
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually

RECORDS = 20_000


@pytest.fixture(autouse=True)
def _compiled():
    if not native.AVAILABLE:
        lacking("native", native.UNAVAILABLE)


@pytest.fixture
def backlog(local_broker, create_topic, topic_name):
    """Give the name of a topic with more records than are taken at once."""
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, RECORDS), 2, headers=[("h", b"1"), ("h", None)])
    return topic_name


def client(broker):
    return Consumer({**TUNING, "bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 0})


def queue_of(consumer, size=2_000, weight=1 << 24):
    from smlnb.native.messages import FUNCTIONS, Queue

    return Queue(consumer, client_place(consumer), addresses(FUNCTIONS), size, weight)


def filled(broker, topic, **sizes):
    """Return a client and a queue of it, which holds messages and will get more."""
    consumer = client(broker)
    queue = queue_of(consumer, **sizes)
    for partition in range(2):
        queue.redirect(topic, partition)
    consumer.incremental_assign([TopicPartition(topic, partition, 0) for partition in range(2)])
    eventually(lambda: consumer.poll(0) or queue.take(20, True), 30, "messages", every=0)
    return consumer, queue


def in_time(action):
    """Let something be done that might wait for ever."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it waits for ever"


# -- what is taken -----------------------------------------------------------


@pytest.mark.parametrize(("size", "weight"), [(1, 1 << 20), (7, 1 << 20), (2_000, 1), (2_000, 500)])
def test_no_more_is_taken_than_is_enough_and_nothing_is_left_out(local_broker, backlog, size, weight):
    consumer, queue = client(local_broker), None
    try:
        queue = queue_of(consumer, size, weight)
        queue.redirect(backlog, 0)
        consumer.incremental_assign([TopicPartition(backlog, 0, 0)])
        at = 0
        for _ in range(100):
            consumer.poll(0)
            taken = queue.take(100, False)
            if taken is None:
                continue
            runs, offsets, times, values, keys, headers = taken
            assert queue.full
            assert runs == [(backlog, 0, slice(0, len(offsets)))]
            assert offsets.tolist() == list(range(at, at + len(offsets)))
            assert list(Payloads(*values)) == [b'{"x": %d}' % (2 * o) for o in offsets.tolist()]
            assert list(Payloads(*keys)) == [None] * len(times)
            assert headers is None
            data, bounds, _ = values
            assert len(offsets) <= size
            assert bounds[-2] < weight <= len(data) or len(offsets) == size
            at += len(offsets)
        assert at
    finally:
        if queue:
            queue.close()
        consumer.close()


def test_what_was_taken_stays_as_it_is(local_broker, backlog):
    consumer, queue = filled(local_broker, backlog)
    taken = []
    eventually(lambda: taken.extend(filter(None, [queue.take(20, True)])) or len(taken) > 3, 30, "more", every=0)
    queue.close()
    consumer.close()
    for _, offsets, times, values, _, headers in taken:
        assert all(value.startswith(b'{"x": ') and value.endswith(b"}") for value in Payloads(*values))
        assert headers == [[("h", b"1"), ("h", None)]] * len(offsets)
        times[:] = offsets  # they are nobody else's


def test_nothing_is_waited_for_without_time(local_broker):
    consumer = client(local_broker)
    queue = queue_of(consumer)
    assert queue.take(0, False) is None
    assert queue.take(-5, False) is None
    assert not queue.full
    queue.close()
    consumer.close()


# -- what goes wrong between -----------------------------------------------------


@pytest.mark.parametrize("failure", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 2, 7])
def test_messages_are_freed_also_where_something_fails(local_broker, backlog, failure, at):
    """With one that is not, the client would not close."""
    from smlnb.native import messages

    consumer, queue = filled(local_broker, backlog)
    calls = [0]

    def failing(*arguments):
        calls[0] += 1
        if calls[0] == at:
            raise failure
        return np.frombuffer(*arguments)

    numpy = mock.Mock(frombuffer=failing, int64=np.int64, uint8=np.uint8, bool_=np.bool_)
    with mock.patch.object(messages, "np", numpy), pytest.raises(failure):
        eventually(lambda: queue.take(50, True) and None, 30, "a failure", every=0)
    assert eventually(lambda: queue.take(50, True), 30, "messages", every=0)
    queue.close()
    in_time(consumer.close)


def test_memory_does_not_grow(local_broker, create_topic, topic_name):
    """A million records with keys and headers: what is lost of each would be seen."""
    count, rounds = 50_000, 20
    create_topic(local_broker, topic_name, 4)
    produce(local_broker, topic_name, [b"v" * 60] * count, 4, key=b"key", headers=[("name", b"1"), ("none", None)])
    places = [(topic_name, partition) for partition in range(4)]
    sizes = []
    with polled(InBulk, local_broker) as (consumer, arrivals):
        for _ in range(rounds):
            begun(consumer, arrivals, places)
            left = count
            while left:
                left -= sum(len(one.records) for one in arrivals.poll(0.05) if isinstance(one, Run))
            consumer.incremental_unassign([TopicPartition(*place) for place in places])
            sizes.append(resident())
    if sizes[0]:
        assert max(sizes[-5:]) < max(sizes[:5]) + 40e6, "20 bytes of a record would be 15 MB by then, 200 150 MB"


def resident():
    """Return the memory of this process in bytes; 0 where the system does not tell."""
    found = Path("/proc/self/statm")
    return int(found.read_text().split()[1]) * 4096 if found.exists() else 0


# -- ends ------------------------------------------------------------------------


def test_a_queue_that_is_dropped_lets_its_client_go(local_broker, backlog):
    consumer, queue = filled(local_broker, backlog)

    def drop():
        nonlocal consumer, queue
        del consumer, queue
        gc.collect()

    in_time(drop)


def test_a_queue_keeps_its_client(local_broker, backlog):
    consumer, queue = filled(local_broker, backlog)
    del consumer
    gc.collect()
    assert queue.take(100, False)
    queue.close()
    assert queue.take(100, False) is None
    in_time(lambda: None)


def test_both_may_be_closed_twice_and_in_any_order(local_broker):
    for order in ("qc", "cq", "qqcc", "cqcq"):
        consumer = client(local_broker)
        queue = queue_of(consumer)
        for which in order:
            (queue if which == "q" else consumer).close()
        queue.redirect("t", 0)
        assert queue.take(10, True) is None


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("failure", [KafkaException, Interrupted, LookupError])
def test_a_reader_that_fails_to_begin_is_no_burden(local_broker, backlog, monkeypatch, failure):
    """Even if it is not closed, but only forgotten: with its callbacks it is in a circle with its client."""
    config = KafkaConfig.of(local_broker.bootstrap_servers)
    begin = Reader._assign

    def failing(reader, positions):
        begin(reader, positions)
        eventually(lambda: reader._arrivals.poll(0.05), 30, "records", every=0)
        raise failure

    monkeypatch.setattr(Reader, "_assign", failing)

    def forgotten():
        with pytest.raises((failure, KafkaError)):
            Reader(config, [backlog], positions={(backlog, 0): 0}, batch_rows=100)
        gc.collect()

    in_time(forgotten)


def test_a_broker_that_is_gone_is_an_event_at_most(create_topic, topic_name):
    with LocalBroker() as broker:
        create_topic(broker, topic_name, 2)
        produce(broker, topic_name, numbers(0, RECORDS), 2)
        consumer, queue = filled(broker, topic_name)
    seen = [0]

    def drained():
        consumer.poll(0)
        taken = queue.take(20, True)
        seen[0] += len(taken[1]) if taken else 0
        return taken is None

    eventually(drained, 30, "the end of what there was", every=0)
    assert seen[0]
    in_time(lambda: (queue.close(), consumer.close()))


@pytest.mark.parametrize("what", ["feed", "poll"])
def test_a_process_ends_while_a_thread_takes_messages(what):
    code = f"""
import threading
from confluent_kafka import Consumer, TopicPartition
from smlnb import LocalBroker, Project, connect
from smlnb.ingest.arrivals import InBulk
from tests.ingest.writing import numbers, produce

broker = LocalBroker()
broker.create_topic("t", 2)
produce(broker, "t", numbers(0, 5_000), 2)
if {what!r} == "feed":
    feed = connect(Project("p", types="C"), "t", bootstrap_servers=broker.bootstrap_servers)
    feed.wait(rows=100, timeout=30)
else:
    consumer = Consumer({{"bootstrap.servers": broker.bootstrap_servers, "group.id": "g"}})
    arrivals = InBulk(consumer, headers=True)
    arrivals.expect([("t", 0)])
    consumer.assign([TopicPartition("t", 0, 0)])
    came = threading.Event()

    def run():
        while True:
            if arrivals.poll(0.05):
                came.set()

    threading.Thread(target=run, daemon=True).start()
    assert came.wait(30)
print("at its end", flush=True)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.stdout.strip().splitlines()[-1:], done.returncode) == (["at its end"], 0), done.stderr
    assert "Fatal" not in done.stderr
