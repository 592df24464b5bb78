"""Disks that are full, read-only or slow, and a clock that jumps: nothing is lost, and the user is told."""

from __future__ import annotations

import os

import pytest

from benchmarks.chaos.disks import FAULTS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed by signals")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_process_with_a_fault_goes_on_and_ends_as_if_nothing_had_been(local_broker, learned, rng, fault):
    assert FAULTS[fault](learned(local_broker), rng) == []
