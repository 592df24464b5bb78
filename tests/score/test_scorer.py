from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from smlnb.cluster.broker import LocalBroker
from smlnb.errors import (
    BrokerUnavailableError,
    ConfigError,
    DecodeError,
    ModelError,
    SchemaError,
    StateMachineError,
    TopicError,
    UnknownAttributeError,
)
from smlnb.project import Project
from smlnb.score.scored import Judge
from smlnb.score.scorer import Scorer
from tests.waiting import eventually

ROWS = 1200


def rows(count: int = ROWS, seed: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [
        {"a": float(a), "b": float(b), "label": int(i % 50 == 0), "i": i}
        for i, (a, b) in enumerate(rng.normal(size=(count, 2)))
    ]


@pytest.fixture(scope="module")
def project() -> Project:
    project = Project("p", types="C,C,X,X")
    project.learn(rows(5000, 1))
    return project


@pytest.fixture
def model(project):
    project.models.clear()
    return project.build("hba", name="hba1")


@pytest.fixture
def produce():
    def produce(broker, topic: str, records: list, partitions: int = 1) -> None:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        for i, record in enumerate(records):
            value = record if isinstance(record, bytes) else json.dumps(record).encode()
            producer.produce(topic, value, key=str(i), partition=i % partitions)
        assert producer.flush(30) == 0

    return produce


@pytest.fixture
def read():
    """Read ``count`` records of a topic: {(partition, offset): (headers, key, record)}."""

    def read(broker, topic: str, count: int) -> dict:
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "t", "log_level": 0})
        parts = consumer.list_topics(topic, 10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in parts])
        found: dict = {}

        def more() -> bool:
            for m in consumer.consume(1000, 0.05):
                assert m.error() is None, m.error()
                found[m.partition(), m.offset()] = (dict(m.headers()), m.key(), json.loads(m.value()))
            return len(found) >= count

        eventually(more, 30, f"{count} records in {topic}")
        consumer.close()
        return dict(sorted(found.items()))

    return read


@pytest.fixture
def topics(topic_name):
    return f"{topic_name}-in", f"{topic_name}-out"


def test_each_record_has_one_score_beside_its_own_coordinates_in_order(
    any_broker, topics, create_topic, produce, read, model
):
    source, sink = topics
    create_topic(any_broker, source, 3)
    data = rows()
    produce(any_broker, source, data, 3)
    servers = any_broker.bootstrap_servers
    with Scorer(model, source, sink, bootstrap_servers=servers, keep=["label", "i"]).start() as scorer:
        scorer.wait(timeout=60)
        assert (scorer.state, scorer.metrics.rows, scorer.metrics.lag) == ("running", ROWS, 0)
        quantiles, thresholds = scorer.quantiles, scorer.thresholds()
    assert scorer.state == "stopped"
    found = read(any_broker, sink, ROWS)
    assert len(found) == ROWS
    expected = model.score_samples(data)
    for (partition, offset), (headers, key, record) in found.items():
        i = offset * 3 + partition
        assert headers == {
            "smlnb.source.topic": source.encode(),
            "smlnb.source.partition": str(partition).encode(),
            "smlnb.source.offset": str(offset).encode(),
        }
        assert key == str(i).encode()
        assert (record["i"], record["label"]) == (i, int(i % 50 == 0))
        assert record["score"] == expected[i]
        assert (record["model"], record["model_version"]) == ("hba1", 1)
    assert quantiles["q95"] == pytest.approx(np.quantile(expected, 0.95), rel=0.05)
    assert thresholds["value"].to_dict() == {name: quantiles[name] for name in ("q95", "q98", "q99")}
    for t in thresholds.itertuples():
        assert t.lower <= np.quantile(expected, t.level, method="inverted_cdf") * (1 + 1e-6)
        assert t.upper >= np.quantile(expected, t.level, method="inverted_cdf")


def test_flags_follow_from_the_thresholds_in_the_same_record_after_the_warm_up(
    local_broker, topics, create_topic, produce, read, model
):
    source, sink = topics
    create_topic(local_broker, source, 1)
    produce(local_broker, source, rows())
    with Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer:
        scorer.wait(timeout=60)
    records = [record for _, _, record in read(local_broker, sink, ROWS).values()]
    for record in records[:500]:
        assert [record[k] for k in ("quantile", "q95", "q98", "q99", "thresholds")] == [None] * 5
    for record in records[500:]:
        limits = record["thresholds"]
        assert limits["q95"] <= limits["q98"] <= limits["q99"]
        assert all(record[q] == (record["score"] > limits[q]) for q in limits)
        assert 0 <= record["quantile"] <= 1


def test_contributions_are_the_models_own_largest_first(local_broker, topics, create_topic, produce, read, model):
    source, sink = topics
    create_topic(local_broker, source, 1)
    data = rows(50)
    produce(local_broker, source, data)
    with Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers, top=1).start() as scorer:
        scorer.wait(timeout=60)
    shares = model.contributions(data)
    for (_, offset), (_, _, record) in read(local_broker, sink, 50).items():
        largest = shares.iloc[offset]
        assert record["top"] == [{"feature": largest.idxmax(), "contribution": largest.max()}]


def test_stopped_and_started_again_it_goes_on_where_it_stopped(
    local_broker, topics, create_topic, produce, read, model
):
    source, sink = topics
    create_topic(local_broker, source, 2)
    produce(local_broker, source, rows(100), 2)
    scorer = Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers).start()
    scorer.wait(timeout=60)
    scorer.stop()
    produce(local_broker, source, rows(60), 2)
    scorer.restart().wait(timeout=60)
    scorer.stop()
    assert scorer.metrics.rows == 160
    assert len(read(local_broker, sink, 160)) == 160


def test_a_named_scorer_goes_on_where_another_of_its_name_stopped(
    any_broker, topics, create_topic, produce, read, model
):
    source, sink = topics
    create_topic(any_broker, source, 2)
    produce(any_broker, source, rows(100), 2)
    there = {"bootstrap_servers": any_broker.bootstrap_servers, "name": f"{source}-app"}
    with Scorer(model, source, sink, **there).start() as first:
        first.wait(timeout=60)
    produce(any_broker, source, rows(20), 2)
    with Scorer(model, source, sink, **there).start() as second:
        second.wait(timeout=60)
        assert second.metrics.rows == 20
    assert len(read(any_broker, sink, 120)) == 120


def test_records_that_can_not_be_decoded_are_counted_and_the_rest_is_scored(
    local_broker, topics, create_topic, produce, read, model
):
    source, sink = topics
    create_topic(local_broker, source, 1)
    data = rows(10)
    produce(local_broker, source, [*data[:4], b"poison", *data[4:]])
    with Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer:
        scorer.wait(timeout=60)
        assert (scorer.metrics.rows, scorer.metrics.refused) == (10, 1)
    offsets = [int(headers["smlnb.source.offset"]) for headers, _, _ in read(local_broker, sink, 10).values()]
    assert offsets == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_if_asked_it_stops_at_a_poison_record_and_wait_says_why(local_broker, topics, create_topic, produce, model):
    source, sink = topics
    create_topic(local_broker, source, 1)
    produce(local_broker, source, [*rows(4), b"poison"])
    with Scorer(
        model, source, sink, bootstrap_servers=local_broker.bootstrap_servers, on_malformed="stop"
    ).start() as scorer:
        with pytest.raises(DecodeError, match="offset 4"):
            scorer.wait(timeout=60)
        assert scorer.state == "failed"
        assert isinstance(scorer.error, DecodeError)
        assert "offset 4" in scorer._repr_html_()
        produce(local_broker, source, rows(2))
        scorer.restart(on_malformed="skip")
        scorer.wait(timeout=60)
        assert (scorer.metrics.rows, scorer.metrics.refused) == (6, 1)


def test_records_without_an_input_have_a_score(local_broker, topics, create_topic, produce, read, model):
    source, sink = topics
    create_topic(local_broker, source, 1)
    produce(local_broker, source, [{"a": 0.1}, {"a": None, "b": 9.0}, {"a": 0.1, "b": 0.1}])
    with Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer:
        scorer.wait(timeout=60)
    scores = [record["score"] for _, _, record in read(local_broker, sink, 3).values()]
    assert scores == model.score_samples({"a": [0.1, None, 0.1], "b": [None, 9.0, 0.1]}).tolist()
    assert scores[1] == max(scores)


def test_a_field_to_keep_that_does_not_exist_fails_at_the_first_batch(
    local_broker, topics, create_topic, produce, model
):
    source, sink = topics
    create_topic(local_broker, source, 1)
    produce(local_broker, source, rows(5))
    with (
        Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers, keep=["labl"]).start() as scorer,
        pytest.raises(UnknownAttributeError, match="Did you mean 'label'"),
    ):
        scorer.wait(timeout=60)


def test_a_live_model_scores_by_what_the_project_has_learned_meanwhile(
    local_broker, topics, create_topic, produce, read
):
    source, sink = topics
    create_topic(local_broker, source, 1)
    project = Project("live", types="C,C,X,X")
    project.learn(rows(500, 1))
    model = project.build("hba", live=True)
    produce(local_broker, source, rows(1))
    with Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer:
        scorer.wait(timeout=60)
        learned = project.n
        project.learn([{"a": 50.0, "b": 50.0, "label": 0, "i": 0}] * 5000)
        produce(local_broker, source, rows(1))
        scorer.wait(rows=2, timeout=60)
    assert project.n == learned + 5000  # nothing by the scorer
    (_, _, before), (_, _, after) = read(local_broker, sink, 2).values()
    assert after["score"] > before["score"]
    assert after["model_version"] > before["model_version"]


def test_the_sink_is_made_with_as_many_partitions_as_the_source(any_broker, topics, create_topic, model):
    source, sink = topics
    create_topic(any_broker, source, 5)
    with Scorer(model, source, sink, bootstrap_servers=any_broker.bootstrap_servers).start():
        pass
    consumer = Consumer({"bootstrap.servers": any_broker.bootstrap_servers, "group.id": "t", "log_level": 0})
    assert len(consumer.list_topics(sink, 10).topics[sink].partitions) == 5
    consumer.close()


def test_a_sink_with_fewer_partitions_is_refused(local_broker, topics, create_topic, model):
    source, sink = topics
    create_topic(local_broker, source, 4)
    create_topic(local_broker, sink, 3)
    with pytest.raises(TopicError, match=r"has 3 partitions, the source .* has 4"):
        Scorer(model, source, sink, bootstrap_servers=local_broker.bootstrap_servers).start()


def test_a_source_that_is_not_there_is_an_error(local_broker, topics, model):
    with pytest.raises(TopicError, match="There is no topic"):
        Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers).start()


def test_a_broker_that_is_not_there_is_an_error_that_names_the_address(topics, model):
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        Scorer(model, *topics, bootstrap_servers="127.0.0.1:1").start()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"keep": ["score"]}, SchemaError, "'score' can't be kept"),
        ({"keep": "label"}, SchemaError, "is one string"),
        ({"top": -1}, ModelError, "top=-1"),
        ({"format": "avro"}, ConfigError, "needs a schema registry"),
        ({"format": "xml"}, ConfigError, "no output format"),
        ({"start": "middle"}, ConfigError, "start is 'middle'"),
        ({"on_malformed": "panic"}, ConfigError, "on_malformed is 'panic'"),
        ({"config": {"fetch.min.byts": 1}}, ConfigError, r"fetch\.min\.byts"),
    ],
)
def test_what_is_wrong_with_the_call_is_said_by_the_call_or_by_start(
    local_broker, topics, create_topic, model, options, error, message
):
    create_topic(local_broker, topics[0], 1)
    with pytest.raises(error, match=message):
        Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers, **options).start()


def test_source_and_sink_can_not_be_the_same_topic(local_broker, model):
    with pytest.raises(ConfigError, match="same topic, 't'"):
        Scorer(model, "t", "t", bootstrap_servers=local_broker.bootstrap_servers)


def test_something_that_is_no_model_is_refused(local_broker):
    with pytest.raises(ModelError, match="str is no model"):
        Scorer("hba1", "a", "b", bootstrap_servers=local_broker.bootstrap_servers)


def test_starting_or_stopping_twice_does_nothing(local_broker, topics, create_topic, model):
    create_topic(local_broker, topics[0], 1)
    scorer = Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers)
    assert scorer.state == "created"
    scorer.start()
    assert scorer.start() is scorer
    assert scorer.state == "running"
    scorer.stop()
    scorer.stop()
    assert scorer.state == "stopped"


def test_waiting_for_a_stopped_scorer_is_an_error(local_broker, topics, create_topic, produce, model):
    create_topic(local_broker, topics[0], 1)
    produce(local_broker, topics[0], rows(1))
    scorer = Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers)
    with pytest.raises(StateMachineError, match=r"Nothing to wait for: .*created"):
        scorer.wait(timeout=5)


def test_waiting_ends_with_its_timeout(local_broker, topics, create_topic, model):
    create_topic(local_broker, topics[0], 1)
    with (
        Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer,
        pytest.raises(TimeoutError, match="not done after"),
    ):
        scorer.wait(rows=1, timeout=0.2)


def test_an_empty_source_is_caught_up_at_once(local_broker, topics, create_topic, model):
    create_topic(local_broker, topics[0], 2)
    with Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer:
        scorer.wait(timeout=10)
        assert scorer.metrics.rows == 0
        assert scorer.quantiles == {}
        assert scorer.thresholds()["value"].isna().all()


def test_it_shows_itself(local_broker, topics, create_topic, produce, model):
    create_topic(local_broker, topics[0], 1)
    produce(local_broker, topics[0], rows(30))
    with Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers, keep=["i"]).start() as scorer:
        scorer.wait(timeout=30)
        assert repr(scorer) == f"Scorer('hba1', '{topics[0]}' -> '{topics[1]}'): running, 30 scores written"
        shown = scorer._repr_html_()
    assert "<script" not in shown
    for part in ("hba1", topics[1], "30 written", "q99"):
        assert part in shown


def test_it_can_be_stopped_although_the_broker_is_gone(topics, produce, model, monkeypatch):
    monkeypatch.setattr("smlnb.score.scorer._PATIENCE", 0.5)
    with LocalBroker(1) as broker:
        broker.create_topic(topics[0])
        produce(broker, topics[0], rows(5))
        scorer = Scorer(model, *topics, bootstrap_servers=broker.bootstrap_servers)
        scored = Judge.__call__

        def slow(judge, batch):
            broker.stop()
            return scored(judge, batch)

        monkeypatch.setattr(Judge, "__call__", slow)
        scorer.start()
        eventually(lambda: not broker.running, 20, "the broker's end")
    scorer.stop()
    assert scorer.state == "failed"
    assert "5 records into" in str(scorer.error)
    assert scorer.metrics.rows == 0


def test_stop_leaves_no_thread_behind(local_broker, topics, create_topic, produce, model):
    create_topic(local_broker, topics[0], 1)
    produce(local_broker, topics[0], rows(30))
    before = set(threading.enumerate())
    with Scorer(model, *topics, bootstrap_servers=local_broker.bootstrap_servers).start() as scorer:
        scorer.wait(timeout=30)
    assert set(threading.enumerate()) <= before


def test_scores_are_written_as_avro_where_a_registry_is_configured(
    local_broker, topics, create_topic, produce, model, registry
):
    from smlnb.ingest.kafka import from_kafka_arrow

    create_topic(local_broker, topics[0], 1)
    produce(local_broker, topics[0], rows(30))
    there = {"bootstrap_servers": local_broker.bootstrap_servers, "config": registry.config}
    with Scorer(model, *topics, **there, format="avro", keep=["i"]).start() as scorer:
        scorer.wait(timeout=30)
    back = from_kafka_arrow(topics[1], format="avro", **there)
    batches: list = []
    back.sink(batches.append)
    back.start()
    eventually(lambda: sum(map(len, batches)) == 30 or back.error, 20, "30 scores")
    back.stop()
    assert back.error is None
    scores = np.concatenate([b.data.column("score").to_numpy(zero_copy_only=False) for b in batches])
    np.testing.assert_array_equal(scores, model.score_samples(rows(30)))
