from __future__ import annotations

import json
import threading
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from smlnb import datasets
from smlnb.batch import Batch
from smlnb.cluster.broker import LocalBroker, Retention
from smlnb.cluster.topics import list_topics, watermarks
from smlnb.demo import Demo, Outcome, _ReadBack
from smlnb.errors import BrokerUnavailableError, DataError, TopicError
from smlnb.ingest.replay import replay


@pytest.fixture
def no_shuttle(monkeypatch):
    def missing():
        raise DataError("no network")

    monkeypatch.setattr(datasets, "shuttle", missing)


@pytest.fixture
def fresh_broker():
    with LocalBroker() as broker:
        yield broker


def check(outcome: Outcome, rows: int) -> None:
    assert (outcome.rows, outcome.rows_scored, outcome.partitions) == (rows, rows, 8)
    assert list(outcome.univariate.index) == list(datasets.SENSORS)
    assert (outcome.univariate["count"] == rows).all()
    assert list(outcome.quantiles) == ["q50", "q95", "q98", "q99"]
    assert sorted(outcome.quantiles.values()) == list(outcome.quantiles.values())
    assert outcome.rate > 0


def test_every_row_goes_round_the_whole_loop_on_either_broker(any_broker, no_shuttle):
    notes: list[str] = []
    shown: list = []
    demo = Demo(bootstrap_servers=any_broker.bootstrap_servers, rows=3000, note=notes.append)
    outcome = demo.run(shown.append)
    check(outcome, 3000)
    assert outcome.data == "shuttle_like"
    assert "Synthetic data is used" in notes[0]
    assert outcome.broker == any_broker.bootstrap_servers
    assert outcome.ranking.roc_auc > 0.97
    assert shown[-1].read == shown[-1].produced == 3000
    assert [s.score for s in outcome.strangest] == sorted((s.score for s in outcome.strangest), reverse=True)
    assert len(outcome.strangest) == 5


@pytest.mark.data
def test_on_the_real_data_the_scores_find_the_anomalies(data_dir, monkeypatch):
    monkeypatch.setenv("SMLNB_DATA", str(data_dir))
    demo = Demo()
    try:
        outcome = demo.run()
    finally:
        demo.close()
    check(outcome, 49097)
    assert outcome.data == "shuttle"
    assert outcome.broker.startswith("embedded")
    assert outcome.ranking.roc_auc >= 0.98
    assert outcome.ranking.average_precision >= 0.90


def test_topics_that_hold_records_are_left_alone(fresh_broker, no_shuttle):
    there = {"bootstrap_servers": fresh_broker.bootstrap_servers}
    replay({"x": [1, 2]}, "shuttle-sensor", **there, block=True, progress=False)
    notes: list[str] = []
    demo = Demo(**there, rows=200, note=notes.append)
    check(demo.run(), 200)
    assert sum(high for _, high in watermarks("shuttle-sensor", **there).values()) == 2
    assert demo.source.startswith("shuttle-sensor-")
    assert "is in use; this run writes to" in notes[-1]
    assert {demo.source, demo.sink} <= set(list_topics(**there))


def test_the_rows_begin_again_where_more_are_wanted_than_there_are(fresh_broker, monkeypatch):
    monkeypatch.setattr(datasets, "shuttle", lambda: datasets.shuttle_like(700))
    demo = Demo(bootstrap_servers=fresh_broker.bootstrap_servers, rows=1600)
    blocks = pd.concat(demo._blocks(held=False), ignore_index=True)
    pd.testing.assert_frame_equal(blocks.iloc[700:1400].reset_index(drop=True), blocks.iloc[:700])
    assert len(blocks) == 1600


def test_a_seed_changes_the_order_of_the_real_rows_and_nothing_else(fresh_broker, monkeypatch):
    frame = datasets.shuttle_like(700)
    monkeypatch.setattr(datasets, "shuttle", lambda: frame)
    there = {"bootstrap_servers": fresh_broker.bootstrap_servers}
    in_order, mixed, same = (Demo(**there, seed=s)._frame for s in (None, 1, 1))
    pd.testing.assert_frame_equal(in_order, frame)
    pd.testing.assert_frame_equal(mixed, same)
    assert not mixed.equals(frame)
    assert sorted(map(tuple, mixed.to_numpy())) == sorted(map(tuple, frame.to_numpy()))


def test_the_replay_waits_before_retention_would_delete_what_is_unread(fresh_broker, no_shuttle, monkeypatch):
    monkeypatch.setattr(LocalBroker, "retention", Retention(bytes=2_000_000))
    demo = Demo(bootstrap_servers=fresh_broker.bootstrap_servers, rows=40_000)
    blocks = demo._blocks(held=True)
    room = 0.5 * 2_000_000 / (demo.read.mean_bytes + 200) * 8
    free = list(islice(blocks, int(room // 500)))
    assert len(free) * 500 <= room
    held: list = []
    thread = threading.Thread(target=lambda: held.extend(islice(blocks, 1)), daemon=True)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "a block was given although nothing had been read"
    learned = {f"s{i}": np.zeros(8000) for i in range(1, 10)} | {"class": np.zeros(8000, dtype=int)}
    for partition in range(8):
        offsets = np.arange(8000)
        demo.project.learn(Batch(pa.record_batch(learned), demo.source, partition, 0, 8000, offsets))
        demo.read.by_partition[partition] = 8000
    thread.join(10)
    assert len(held) == 1


def test_more_rows_than_retention_keeps_all_come_back(no_shuttle, monkeypatch):
    monkeypatch.setattr(LocalBroker, "retention", Retention(bytes=200_000))  # the demonstration believes in less
    demo = Demo(rows=12_000)
    try:
        check(demo.run(), 12_000)
    finally:
        demo.close()


def test_the_summary_is_strict_json_with_the_promised_keys():
    outcome = Outcome(
        data="shuttle_like",
        broker="embedded",
        rows=2,
        rows_scored=1,
        partitions=8,
        seconds=0.5,
        univariate=pd.DataFrame({"count": [1], "mean": [0.5], "std": [np.nan]}, index=["s1"]),
        quantiles={"q50": 1.0},
        ranking=None,
        strangest=(),
    )
    summary = json.loads(json.dumps(outcome.summary(), allow_nan=False))
    assert summary == {
        "rows": 2,
        "rows_scored": 1,
        "partitions": 8,
        "rate_rows_per_s": 2.0,
        "univariate": {"s1": {"count": 1, "mean": 0.5, "std": None}},
        "score_quantiles": {"q50": 1.0},
        "roc_auc": None,
        "average_precision": None,
        "data": "shuttle_like",
        "broker": "embedded",
    }


def test_too_few_rows_to_rank_are_said_to_be(fresh_broker, no_shuttle):
    notes: list[str] = []
    outcome = Demo(bootstrap_servers=fresh_broker.bootstrap_servers, rows=1, note=notes.append).run()
    check(outcome, 1)
    assert outcome.ranking is None
    assert "a ranking needs both classes" in notes[-1]


@pytest.mark.parametrize(("options", "message"), [({"rows": 0}, "rows=0"), ({"rate": -1.0}, "rate=-1")])
def test_a_wrong_number_is_refused(options, message):
    with pytest.raises(DataError, match=message):
        Demo(**options)


def test_a_broker_that_is_not_there_is_an_error_that_names_the_address(no_shuttle):
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        Demo(bootstrap_servers="127.0.0.1:1", rows=10).run()


def test_what_makes_a_part_fail_ends_the_run(fresh_broker, no_shuttle, monkeypatch):
    demo = Demo(bootstrap_servers=fresh_broker.bootstrap_servers, rows=3000)

    def broken(_batch):
        raise TopicError("the sink broke")

    monkeypatch.setattr(demo.read, "add", broken)
    with pytest.raises(TopicError, match="the sink broke"):
        demo.run()


def test_reading_back_remembers_scores_labels_and_the_strangest():
    read = _ReadBack()
    for begin in (0, 10):
        data = pa.record_batch(
            {
                "score": np.arange(begin, begin + 10, dtype=float),
                "class": np.arange(10) % 2,
                "q99": [None] * 9 + [True],
                "top": ["[]"] * 10,
            }
        )
        read.add(Batch(data, "scores", 3, begin, begin + 10, np.arange(begin, begin + 10)))
    scores, labels = read.arrays()
    assert scores.tolist() == list(range(20))
    assert labels.sum() == 10
    assert (read.rows, read.flagged, read.by_partition) == (20, 2, {3: 20})
    assert [(s.score, s.offset, s.anomaly) for s in read.strangest()[:2]] == [(19.0, 19, True), (18.0, 18, False)]
