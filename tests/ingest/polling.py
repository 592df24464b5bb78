"""Clients that are polled in either way, for the tests of how records arrive."""

from __future__ import annotations

from contextlib import contextmanager
from unittest import mock

import pytest
from confluent_kafka import Consumer, TopicPartition

from smlnb.ingest.arrivals import ByMessage, InBulk, Run
from smlnb.ingest.reader import TUNING

__all__ = ["BOTH", "begun", "by_the_clients_queue", "polled"]

BOTH = pytest.mark.parametrize("way", [InBulk, ByMessage])


@contextmanager
def polled(way, broker, *, headers=True, **config):
    """Give a client and a way to poll it."""
    config = {**TUNING, "bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 0, **config}
    consumer = Consumer(config)
    arrivals = way(consumer, headers=headers)
    try:
        yield consumer, arrivals
    finally:
        arrivals.close()
        consumer.close()


def begun(consumer, arrivals, places, offset=0):
    arrivals.expect(places)
    consumer.incremental_assign([TopicPartition(*place, offset) for place in places])


@contextmanager
def by_the_clients_queue(reader):
    """Give a list of the runs that did not come by the queue of ours, if there is one."""
    strays = []
    direct = getattr(reader._arrivals, "_direct", None)
    if direct is None:
        yield strays
        return
    poll = direct.poll

    def watched(timeout):
        found = poll(timeout)
        strays.extend(one for one in found if isinstance(one, Run))
        return found

    with mock.patch.object(direct, "poll", watched):
        yield strays
