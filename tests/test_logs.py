from __future__ import annotations

import itertools
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.logs import LONGEST, Seldom, event, logfmt, quiet_logger


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=400), min_size=1))
def test_any_text_stays_on_one_line_and_is_bounded(fields):
    line = logfmt(fields)
    assert len(line.splitlines()) == 1
    assert len(line) <= len(fields) * (6 * LONGEST + 6)


@given(st.text(min_size=1, max_size=LONGEST))
def test_a_quoted_value_reads_back_as_it_was(text):
    written = logfmt({"x": text}).removeprefix("x=")
    assert (json.loads(written) if written.startswith('"') else written) == text


def test_an_event_carries_its_fields_for_those_who_write_json(caplog):
    with caplog.at_level(logging.INFO, logger="smlnb"):
        event(quiet_logger("smlnb.example"), logging.INFO, "running", topics=["t"], rows=3)
    (record,) = caplog.records
    assert record.getMessage() == "running topics=t rows=3"
    assert (record.event, record.fields) == ("running", {"topics": ["t"], "rows": 3})


def test_nothing_is_written_unless_the_program_says_where(capfd):
    event(quiet_logger("smlnb.example"), logging.ERROR, "failed", error="gone")
    assert capfd.readouterr() == ("", "")


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 9)), max_size=50))
def test_what_is_told_seldom_is_told_of_in_full_and_not_too_often(steps):
    now, told, at = 0.0, 0, []
    seldom = Seldom(10.0, clock=lambda: now)
    for step, count in steps:
        now += step
        said = seldom.add(count)
        told += said
        at += [now] if said else []
    assert told + seldom._waiting == sum(count for _, count in steps)
    assert all(b - a >= 10 for a, b in itertools.pairwise(at))


@pytest.mark.parametrize("value", [1.0, 1e-9, True, 3])
def test_numbers_are_not_quoted(value):
    assert '"' not in logfmt({"x": value})
