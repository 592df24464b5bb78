from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from smlnb import LocalBroker, Project, connect, peek, replay
from smlnb.cluster.config import KafkaConfig
from smlnb.cluster.topics import list_topics, watermarks
from smlnb.errors import (
    BrokerUnavailableError,
    ConfigError,
    DataError,
    KafkaError,
    SchemaError,
    StateMachineError,
    UnknownAttributeError,
)
from tests.ingest.writing import Collected
from tests.waiting import eventually

FRAME = pd.DataFrame({"x": range(1_000), "y": np.linspace(0, 1, 1_000), "name": ["a", "b"] * 500})


@pytest.fixture
def where(local_broker):
    return {"bootstrap_servers": local_broker.bootstrap_servers, "progress": False}


def read_back(broker, topic, rows, **options):
    with Collected(broker, topic, **options) as got:
        got.until(rows)
    table = pa.Table.from_batches([b.data for b in got.batches])
    return table.to_pandas().sort_values("x", ignore_index=True)


def test_a_frame_comes_back_as_it_was_in_equal_shares_of_eight_partitions(any_broker, topic_name):
    running = replay(FRAME, topic_name, bootstrap_servers=any_broker.bootstrap_servers, block=True, progress=False)
    assert (running.state, running.produced, running.total) == ("done", 1_000, 1_000)
    ends = watermarks(topic_name, bootstrap_servers=any_broker.bootstrap_servers)
    assert ends == dict.fromkeys(range(8), (0, 125))
    pd.testing.assert_frame_equal(read_back(any_broker, topic_name, 1_000), FRAME, check_dtype=False)


def test_avro_comes_back_as_it_was_and_the_schema_is_registered(local_broker, registry, topic_name, where):
    replay(FRAME, topic_name, format="avro", config=registry.config, block=True, **where)
    back = read_back(local_broker, topic_name, 1_000, config=registry.config)
    pd.testing.assert_frame_equal(back, FRAME, check_dtype=False)
    assert KafkaConfig.of(
        config=registry.config, bootstrap_servers=local_broker.bootstrap_servers
    ).registry.get_subjects() == [f"{topic_name}-value"]


@pytest.mark.parametrize("kind", ["arrow", "polars", "columns", "records", "array", "iterator"])
def test_anything_tabular_can_be_replayed(local_broker, topic_name, where, kind):
    data = {
        "arrow": lambda: pa.table({"x": [1, 2, 3]}),
        "polars": lambda: pl.DataFrame({"x": [1, 2, 3]}),
        "columns": lambda: {"x": [1, 2, 3]},
        "records": lambda: [{"x": 1}, {"x": 2}, {"x": 3}],
        "array": lambda: np.array([[1], [2], [3]]),
        "iterator": lambda: iter([{"x": [1]}, pa.table({"x": [2, 3]})]),
    }[kind]()
    names = ["x"] if kind == "array" else None
    assert replay(data, topic_name, names=names, block=True, **where).produced == 3
    assert read_back(local_broker, topic_name, 3)["x"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_files_can_be_replayed(local_broker, topic_name, where, tmp_path, kind):
    file = tmp_path / f"data.{kind}"
    table = pa.table({"x": [1, 2, 3]})
    if kind == "csv":
        pyarrow.csv.write_csv(table, file)
    elif kind == "parquet":
        pyarrow.parquet.write_table(table, file)
    else:
        file.write_text("".join(json.dumps(r) + "\n" for r in table.to_pylist()))
    assert replay(file, topic_name, block=True, **where).produced == 3
    assert read_back(local_broker, topic_name, 3)["x"].tolist() == [1, 2, 3]


def test_the_rate_is_kept(topic_name, where):
    begin = time.monotonic()
    running = replay(FRAME, topic_name, rate=2_000, block=True, **where)
    seconds = time.monotonic() - begin
    assert running.produced == 1_000
    assert 0.4 < seconds < 3


def test_the_caller_is_not_blocked_and_stopping_stops(topic_name, where):
    begin = time.monotonic()
    running = replay(FRAME, topic_name, rate=100, **where)
    assert time.monotonic() - begin < 2
    eventually(lambda: running.produced > 3, 30, "some rows")
    assert running.state == "running"
    with pytest.raises(TimeoutError):
        running.wait(0.01)
    running.stop()
    running.stop()
    assert running.state == "stopped"
    assert running.metrics.produced < 1_000
    with pytest.raises(StateMachineError):
        running.start()


def test_equal_keys_go_to_one_partition(local_broker, topic_name, where):
    replay(FRAME, topic_name, key="name", block=True, **where)
    with Collected(local_broker, topic_name) as got:
        got.until(1_000)
    places = {name: {b.partition for b in got.batches if name in b.data["name"].to_pylist()} for name in "ab"}
    assert [len(p) for p in places.values()] == [1, 1]
    assert {key for b in got.batches for key, _ in b.raw} == {b"a", b"b"}


def test_an_unknown_key_column_is_an_error_that_names_the_columns(topic_name, where):
    with pytest.raises(UnknownAttributeError, match=r"nam.*name"):
        replay(FRAME, topic_name, key="nam", block=True, **where)


def test_writing_waits_for_reading_where_the_embedded_broker_would_forget(topic_name):
    with LocalBroker() as broker:
        broker.create_topic(topic_name, 1)
        data = ({"x": np.arange(1_000), "pad": ["." * 900] * 1_000} for _ in range(20))  # four times what it keeps
        project = Project("p", types="C,X")
        where = {"bootstrap_servers": broker.bootstrap_servers}
        running = replay(data, topic_name, consumed=lambda: project.positions, progress=False, **where)
        eventually(lambda: running.produced > 1_500 or running.error, 30, "some rows")
        assert not eventually(lambda: running.produced, 1) > 5_000
        with connect(project, topic_name, **where) as feed:
            running.wait(60)
            feed.wait(timeout=30)
        assert project.n == running.produced == 20_000


def test_the_progress_bar_is_on_the_error_stream(topic_name, where, capfd):
    replay(FRAME, topic_name, block=True, **{**where, "progress": True})
    out, err = capfd.readouterr()
    assert out == ""
    assert "1000/1000" in err


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (5, SchemaError, "not tabular"),
        ("nowhere.csv", DataError, "no file"),
        (np.eye(2), SchemaError, "names"),
    ],
)
def test_data_that_is_none_is_an_error_at_once(topic_name, where, data, error, message):
    with pytest.raises(error, match=message):
        replay(data, topic_name, **where)


def test_a_damaged_or_unknown_file_is_an_error(topic_name, where, tmp_path):
    for name, text in (("x.parquet", "no"), ("x.txt", "no"), ("x.jsonl", "{")):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=name):
            replay(tmp_path / name, topic_name, **where)


def test_an_iterator_that_raises_fails_the_replay_and_waiting_says_so(topic_name, where):
    def broken():
        yield {"x": [1]}
        raise ZeroDivisionError("of the user")

    running = replay(broken(), topic_name, **where)
    with pytest.raises(ZeroDivisionError, match="of the user"):
        running.wait(30)
    assert running.state == "failed"
    assert "of the user" in running._repr_html_()


def test_rows_that_the_broker_refuses_are_an_error(topic_name, where):
    data = {"x": ["." * 2_000_000]}
    with pytest.raises(KafkaError, match="Message size too large"):
        replay(data, topic_name, block=True, **where)


def test_settings_that_make_no_sense_are_refused(topic_name, where, registry):
    with pytest.raises(ConfigError, match="rate is 0"):
        replay(FRAME, topic_name, rate=0, **where)
    with pytest.raises(ConfigError, match="'xml'"):
        replay(FRAME, topic_name, format="xml", **where)
    with pytest.raises(ConfigError, match=r"schema\.registry\.url"):
        replay(FRAME, topic_name, format="avro", **where)
    with pytest.raises(SchemaError, match="'l'"):
        replay({"l": [[1]]}, topic_name, format="avro", config=registry.config, block=True, **where)


def test_no_broker_is_an_error_within_ten_seconds(topic_name):
    begin = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        replay(FRAME, topic_name, bootstrap_servers="127.0.0.1:1")
    assert time.monotonic() - begin < 10


@pytest.mark.kafka
def test_a_secured_cluster_is_written_and_peeked_at(kafka, topic_name):
    where = {"bootstrap_servers": kafka.sasl_bootstrap_servers, "config": kafka.sasl_config}
    running = replay(FRAME, topic_name, block=True, progress=False, **where)
    assert kafka.sasl_config["sasl.password"] not in f"{running!r} {running._repr_html_()}"
    assert len(peek(topic_name, 7, **where)) == 7
    assert list_topics(**where)[topic_name] == 8
