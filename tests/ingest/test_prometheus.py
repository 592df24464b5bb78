from __future__ import annotations

import builtins

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import smlnb
from smlnb.errors import ConfigError
from smlnb.ingest.metrics import Metrics, PartitionMetrics
from tests.ingest.writing import numbers, produce


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text, name, **labels):
    return samples(text)[name, *sorted(labels.items())]


def test_what_is_exported_are_the_numbers_of_each_partition(any_broker, create_topic, topic_name):
    create_topic(any_broker, topic_name, 2)
    produce(any_broker, topic_name, [*numbers(0, 10), b"poison", None], 2)
    where = {"bootstrap_servers": any_broker.bootstrap_servers}
    before = list(REGISTRY.collect())
    with smlnb.connect(smlnb.Project("plant", types="C"), topic_name, on_malformed="skip", **where) as feed:
        feed.wait(timeout=30)
        text = feed.prometheus()
    for partition in ("0", "1"):
        at = {"project": "plant", "topic": topic_name, "partition": partition}
        assert value(text, "smlnb_records_read_total", **at) == 6
        assert value(text, "smlnb_records_learned_total", **at) == 5
        assert value(text, "smlnb_records_refused_total", **at) == 1
        assert value(text, "smlnb_records_pending", **at) == 0
        assert value(text, "smlnb_lag_offsets", **at) == 0
        assert value(text, "smlnb_position_offset", **at) == 6
        assert value(text, "smlnb_decode_seconds_total", **at) > 0
    at = {"project": "plant", "topics": topic_name}
    assert value(text, "smlnb_state", **at, state="running") == 1
    assert value(text, "smlnb_state", **at, state="failed") == 0
    assert value(text, "smlnb_broker_up", **at) == 1
    assert [m.name for m in REGISTRY.collect()] == [m.name for m in before]


def test_every_name_keeps_to_the_conventions(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 1)
    with smlnb.connect(
        smlnb.Project("p", types="C"), topic_name, bootstrap_servers=local_broker.bootstrap_servers
    ) as f:
        families = list(text_string_to_metric_families(f.prometheus()))
    assert len(families) > 10
    for family in families:
        assert family.name.startswith("smlnb_")
        assert family.documentation.endswith(".")
        assert all(s.name.endswith("_total") for s in family.samples) == (family.type == "counter")


class Fake:
    def __init__(self, name, topic):
        self.project = smlnb.Project(name)
        self.topics = [topic]
        self.metrics = Metrics("running", partitions={(topic, 0): PartitionMetrics(1, 2, rows=1)})


@pytest.mark.parametrize("name", ['a "quoted" one', "back\\slash", "two\nlines", "ünïcode", "{x=1}"])
def test_names_of_any_kind_come_back_as_they_were(name):
    text = smlnb.prometheus(Fake(name, "t"))
    assert value(text, "smlnb_records_learned_total", project=name, topic="t", partition="0") == 1


def test_several_feeds_make_one_text_with_each_name_once():
    text = smlnb.prometheus(Fake("one", "t"), Fake("two", "t"))
    assert text.count("# TYPE smlnb_records_learned_total") == 1
    for name in ("one", "two"):
        assert value(text, "smlnb_records_learned_total", project=name, topic="t", partition="0") == 1


def test_a_feed_that_saves_tells_what_was_saved(local_broker, create_topic, topic_name, tmp_path):
    create_topic(local_broker, topic_name, 1)
    produce(local_broker, topic_name, numbers(0, 10))
    where = {"bootstrap_servers": local_broker.bootstrap_servers, "workspace": tmp_path / "plant.db"}
    with smlnb.connect(smlnb.Project("plant", types="C"), topic_name, **where, checkpoint_every=0.1) as feed:
        feed.wait(timeout=30)
    text = feed.prometheus()
    at = {"project": "plant", "topics": topic_name}
    assert value(text, "smlnb_checkpoints_total", **at) >= 1
    assert value(text, "smlnb_checkpoint_errors_total", **at) == 0
    assert value(text, "smlnb_checkpoint_records", **at) == 10
    assert value(text, "smlnb_checkpoint_size_bytes", **at) > 0


def test_no_feed_makes_a_text_without_numbers():
    assert samples(smlnb.prometheus()) == {}


def test_a_connector_of_several_projects_names_that_of_each_partition(local_broker, create_topic, topic_name):
    create_topic(local_broker, topic_name, 2)
    produce(local_broker, topic_name, numbers(0, 10), 2)
    keys = {"topics": topic_name, "sml.project.1": "one", "sml.project.2": "two", "tasks.max": "2"}
    with smlnb.Connector.from_config(keys, bootstrap_servers=local_broker.bootstrap_servers) as connector:
        connector.start()
        connector.wait(timeout=30)
        text = smlnb.prometheus(connector)
    learned = {key[2][1]: n for key, n in samples(text).items() if key[0] == "smlnb_records_learned_total"}
    assert learned == {"one": 5, "two": 5}


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("prometheus_client"):
            raise ImportError("no module named prometheus_client")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"pip install 'smlnb\[metrics\]'"):
        smlnb.prometheus()
