from __future__ import annotations

import json
import struct
import threading
import traceback

import pytest

import smlnb
from smlnb import Connector, KafkaConfig, Project, Workspace
from smlnb.connector import connector as module
from smlnb.connector.settings import Settings
from smlnb.errors import BrokerUnavailableError, ConfigError, SchemaError, StateMachineError, TopicError, WorkspaceError
from tests.connector.article import article
from tests.connector.sinks import COLUMNS, SCHEMA, connector, shuttle
from tests.ingest.writing import numbers, produce
from tests.waiting import eventually


def test_the_configuration_of_the_article_runs_with_only_addresses_and_secrets_changed(
    any_broker, create_topic, topic_name, registry, tmp_path
):
    create_topic(any_broker, topic_name, 2)
    schema_id = registry.register(f"{topic_name}-value", json.dumps(SCHEMA))
    produce(any_broker, topic_name, shuttle(300, schema_id), 2)
    file = tmp_path / "sink.json"
    file.write_text(article(registry.url).replace("shuttle-sensor", topic_name))
    with Connector.from_config(file, bootstrap_servers=any_broker.bootstrap_servers) as sink:
        sink.start()
        sink.wait(timeout=30)
        assert sink.state == "running"
        shown = f"{sink!r} {sink._repr_html_()} {sink.report} {sink.settings}"
        assert sink.metrics.rows == sink.metrics.read == 300
    assert sink.state == "stopped"
    project = sink.projects["shuttle"]
    assert project.schema.letters == "C,C,C,C,C,C,C,C,C,X"
    assert project.univariate()["count"].to_dict() == dict.fromkeys(COLUMNS[:9], 300)
    assert project.univariate().loc["s2", "mean"] == pytest.approx(150.5)
    assert "secret-of-the-customer" not in shown
    (listed,) = sink.report
    assert listed.startswith("Without effect: ")
    assert listed.count("not on a server") == 1
    assert "sml.customer.secret.key.1, " in listed
    assert sink.feeds[0]._source._group_id == "connect-group-1"


@pytest.mark.parametrize(
    "key", ["bootstrap.servers", "consumer.bootstrap.servers", "consumer.override.bootstrap.servers"]
)
def test_the_brokers_may_be_named_in_the_configuration(local_broker, topic, key):
    produce(local_broker, topic, numbers(0, 10))
    config = {"topics": topic, "sml.project": "p", key: local_broker.bootstrap_servers}
    with Connector.from_config(config) as sink:
        sink.start()
        sink.wait(timeout=30)
    assert sink.projects["p"].n == 10


def test_without_a_broker_anywhere_it_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(ConfigError, match=r"bootstrap\.servers"):
        Connector.from_config({"topics": "t", "sml.project": "p"})


def test_a_project_of_a_workspace_goes_on_where_it_stopped(local_broker, topic, tmp_path):
    where = tmp_path / "plant.db"
    produce(local_broker, topic, numbers(0, 100), 2)
    with connector(local_broker, topic, where) as sink:
        sink.start()
        sink.wait(timeout=30)
    with Workspace(where) as store:
        assert store.load("plant").n == 100
    produce(local_broker, topic, numbers(100, 150), 2)
    with connector(local_broker, topic, where, **{"sml.project.must.preexist": "true"}) as sink:
        assert sink.projects["plant"].n == 100
        sink.start()
        sink.wait(timeout=30)
    with Workspace(where) as store:
        project = store.load("plant")
    assert (project.n, sum(project.positions.values())) == (150, 150)
    assert project.univariate().loc["x", ["min", "max"]].tolist() == [0, 149]


def test_it_saves_while_it_runs_and_goes_on_after_it_was_stopped(local_broker, topic, tmp_path):
    produce(local_broker, topic, numbers(0, 10), 2)
    settings = Settings.of({"topics": topic, "sml.project": "plant"})
    config = KafkaConfig.of(local_broker.bootstrap_servers)
    with Workspace(tmp_path / "plant.db") as store, Connector(settings, config, store, save_every=0.01) as sink:
        assert sink.start() is sink
        assert sink.start() is sink  # is running: nothing happens
        eventually(lambda: store.projects()["records"].tolist() == [10], 30, "10 records saved")
        sink.stop()
        sink.stop()
        produce(local_broker, topic, numbers(10, 20), 2)
        sink.start()
        sink.wait(rows=20, timeout=30)
        sink.stop()
        assert store.load("plant").n == 20
    assert not [t for t in threading.enumerate() if topic in t.name or t.name == "smlnb-smlnb"]


def test_several_projects_share_the_partitions(local_broker, create_topic, topic_name, tmp_path):
    create_topic(local_broker, topic_name, 3)
    produce(local_broker, topic_name, numbers(0, 30), 3)
    keys = {"sml.project": None, "sml.project.1": "one", "sml.project.2": "two", "tasks.max": 2}
    with connector(local_broker, topic_name, tmp_path / "w.db", **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
        assert "'one', 'two'" in repr(sink)
    one, two = sink.projects.values()
    assert (one.n, two.n) == (20, 10)
    assert set(one.positions) == {(topic_name, 0), (topic_name, 2)}
    produce(local_broker, topic_name, numbers(30, 60), 3)
    with connector(local_broker, topic_name, tmp_path / "w.db", **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
    assert [p.n for p in sink.projects.values()] == [40, 20]
    turned = {"sml.project": None, "sml.project.1": "two", "sml.project.2": "one"}
    with pytest.raises(WorkspaceError, match=r"is another project's now.*same order"):
        connector(local_broker, topic_name, tmp_path / "w.db", **turned)


def test_one_project_named_for_every_task_is_one_project(local_broker, topic):
    produce(local_broker, topic, numbers(0, 20), 2)
    keys = {"sml.project": None, "sml.project.1": "p", "sml.project.2": "p", "sml.url.1": "http://a", "sml.url.2": "http://b"}  # fmt: skip
    with connector(local_broker, topic, **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
    assert [p.n for p in sink.projects.values()] == [20]
    assert sink.settings.tasks == 2


def test_topics_that_match_an_expression_are_read_and_those_made_later_too(
    local_broker, create_topic, topic_name, monkeypatch
):
    monkeypatch.setattr(module, "LOOK", 0.05)
    for name in ("a", "b", "other"):
        create_topic(local_broker, f"{topic_name}-{name}", 1)
        produce(local_broker, f"{topic_name}-{name}", numbers(0, 5))
    keys = {"topics": None, "topics.regex": f"{topic_name}-[abc]"}
    with connector(local_broker, None, **keys) as sink:
        sink.start()
        sink.wait(timeout=30)
        assert sink.projects["plant"].n == 10
        create_topic(local_broker, f"{topic_name}-c", 1)
        produce(local_broker, f"{topic_name}-c", numbers(5, 12))
        sink.wait(rows=17, timeout=30)
        assert [feed.topics for feed in sink.feeds] == [[f"{topic_name}-a", f"{topic_name}-b"], [f"{topic_name}-c"]]
    assert sink.projects["plant"].n == 17
    assert f"{topic_name}-c matches topics.regex, too, and is read." in sink.report


def test_a_missing_topic_and_an_expression_that_nothing_matches_are_errors_at_once(local_broker, topic_name):
    with connector(local_broker, topic_name) as sink, pytest.raises(TopicError, match=topic_name):
        sink.start()
    assert sink.state == "failed"
    nothing = {"topics": None, "topics.regex": "nothing-.*"}
    with (
        connector(local_broker, None, **nothing) as sink,
        pytest.raises(TopicError, match=r"No topic matches topics\.regex 'nothing-"),
    ):
        sink.start()


@pytest.mark.parametrize("produced_first", [True, False])
def test_letters_that_do_not_fit_the_columns_are_left_out_and_said_so(local_broker, topic, produced_first):
    records = [b'{"x": 1.5, "kind": "a"}', b'{"x": 2.5, "kind": "a"}']
    if produced_first:
        produce(local_broker, topic, records)
    with connector(local_broker, topic, **{"sml.attribute.types": "C,T,X"}) as sink:
        project = sink.projects["plant"]
        sink.start()
        if not produced_first:
            produce(local_broker, topic, records)
        sink.wait(rows=2, timeout=30)
        assert sink.projects["plant"] is project
        assert (project.n, project.schema.letters[:2]) == (2, "C,")
    assert any("the types are guessed: There are 3 type letters for 2 columns" in line for line in sink.report)


def test_a_project_of_other_types_is_refused_and_of_another_number_goes_on(local_broker, topic, tmp_path):
    produce(local_broker, topic, numbers(0, 5))
    with connector(local_broker, topic, tmp_path / "w.db", **{"sml.attribute.types": "C"}) as sink:
        sink.start()
        sink.wait(timeout=30)
    with pytest.raises(SchemaError, match="has the types C"):
        connector(local_broker, topic, tmp_path / "w.db", **{"sml.attribute.types": "X"})
    with connector(local_broker, topic, tmp_path / "w.db", **{"sml.attribute.types": "C,C"}) as sink:
        assert sink.projects["plant"].n == 5
        told = "sml.attribute.types has 2 letters, but the project 'plant' has 1 attributes: it keeps its types, C."
        assert sink.report == [told]


def test_a_project_that_must_be_there_and_is_not_is_an_error(local_broker, topic, tmp_path):
    for workspace, why in ((None, "no workspace was given"), (tmp_path / "w.db", "does not have it")):
        with pytest.raises(WorkspaceError, match=f"must.preexist is true, but .*'plant'.*{why}"):
            connector(local_broker, topic, workspace, **{"sml.project.must.preexist": "true"})


def test_options_of_a_new_project_are_taken(local_broker, topic):
    produce(local_broker, topic, numbers(0, 10))
    with connector(local_broker, topic, **{"sml.create.project.params": "sml_project_predicate_row_filter=x>=4;x<9"}) as sink:  # fmt: skip
        sink.start()
        sink.wait(timeout=30)
    assert sink.projects["plant"].n == 5


CONVERTED = [
    ("org.apache.kafka.connect.json.JsonConverter", {"value.converter.schemas.enable": "false"}, b'{"x": 2.5}', "x"),
    (
        "org.apache.kafka.connect.json.JsonConverter",
        {"value.converter.schemas.enable": "true"},
        b'{"schema": {"type": "struct"}, "payload": {"x": 2.5}}',
        "x",
    ),
    ("org.apache.kafka.connect.json.JsonConverter", {}, b'{"x": 2.5}', "x"),
    ("org.apache.kafka.connect.storage.StringConverter", {}, b'{"x": 2.5}', "x"),
    ("org.apache.kafka.connect.converters.DoubleConverter", {}, struct.pack(">d", 2.5), "value"),
]


@pytest.mark.parametrize(("converter", "keys", "value", "column"), CONVERTED, ids=[c[0] for c in CONVERTED])
def test_the_converter_says_how_values_are_read(local_broker, topic, converter, keys, value, column):
    produce(local_broker, topic, [value, value])
    with connector(local_broker, topic, **{"value.converter": converter, **keys}) as sink:
        sink.start()
        sink.wait(timeout=30)
    assert sink.projects["plant"].univariate().loc[column, ["count", "mean"]].tolist() == [2, 2.5]


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_waiting_for_what_is_not_started_is_an_error_and_for_what_does_not_come_ends(local_broker, topic):
    sink = connector(local_broker, topic)
    with pytest.raises(StateMachineError, match="Start it"):
        sink.wait()
    with sink:
        sink.start()
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            sink.wait(rows=1, timeout=0.2)
    with pytest.raises(StateMachineError):
        sink.wait()
    unused = connector(local_broker, topic)
    unused.stop()
    assert unused.state == "stopped"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"foo.bar": "1"}, "The key foo.bar is unknown"),
        ({"topic": "t"}, "The key topic is unknown. Did you mean topics"),
        ({"session.timeout.ms": "soon"}, "session.timeout.ms"),
        ({"consumer.security.protocol": "hunter2"}, "security.protocol"),
        ({"sml.projekt": "p"}, "Did you mean sml.project"),
    ],
)
def test_keys_that_the_client_does_not_know_are_refused_before_anything_is_connected(keys, message):
    with pytest.raises(ConfigError, match=message):
        Connector.from_config({"topics": "t", "sml.project": "p", **keys}, bootstrap_servers="127.0.0.1:1")


def test_no_secret_is_shown_anywhere(caplog, tmp_path):
    config = {
        "topics": "t",
        "sml.project": "p",
        "sml.customer.secret.key": "hunter2",
        "sasl.password": "hunter2",
        "sasl.username": "ann",
        "sasl.mechanism": "PLAIN",
        "security.protocol": "SASL_PLAINTEXT",
        "value.converter.schema.registry.url": "http://ann:hunter2@registry",
        "sml.backoff.max.retries": 0,
    }
    sink = Connector.from_config(config, bootstrap_servers="127.0.0.1:1")
    with pytest.raises(BrokerUnavailableError) as unavailable:
        sink.start()
    errors = [unavailable.value]
    text = json.dumps(config)
    for number, wrong in enumerate(
        (text[:-1], f"[{text}]", text.replace('"sml.project"', '"topics"'), f"{text[:-1]},}}")
    ):
        file = tmp_path / f"{number}.json"
        file.write_text(wrong)
        with pytest.raises(ConfigError) as refused:
            Connector.from_config(file, bootstrap_servers="127.0.0.1:1")
        errors.append(refused.value)
    for more in ({"sml.projekt": "p"}, {"topics": {"t": 1}}, {"foo": 1}, {"sasl.jaas.config": "hunter2"}):
        with pytest.raises(ConfigError) as refused:
            Connector.from_config({**config, **more}, bootstrap_servers="127.0.0.1:1")
        errors.append(refused.value)
    frames = [f for e in errors for f in traceback.TracebackException.from_exception(e, capture_locals=True).stack]
    inside = [f"{f.name}: {f.locals}" for f in frames if f.filename != __file__]  # our own variables hold them
    assert len(inside) > len(errors)
    assert [frame for frame in inside if "hunter2" in frame] == []
    shown = f"{sink!r} {sink._repr_html_()} {sink.report} {sink.settings!r} {sink.config!r} {vars(sink)} {caplog.text}"
    assert "hunter2" not in f"{shown} {errors}"


def test_what_is_shown_in_a_notebook_is_escaped_and_says_what_has_no_effect(local_broker, topic):
    sink = connector(local_broker, topic, **{"name": "<b>sink", "sml.url": "http://server"})
    shown = sink._repr_html_()
    assert "<b>sink" not in shown
    assert "&lt;b&gt;sink" in shown
    assert "Without effect: sml.url (" in shown
    assert "created" in repr(sink)


def test_the_table_of_keys_can_be_looked_at():
    keys = Connector.keys()
    assert keys.loc["sml.backoff.max.retries", "older"] == "sml.request.max.retries"
    assert keys.loc["sml.project[.n]", "treatment"] == "honoured"
    assert smlnb.Connector is Connector
    assert isinstance(Project("p"), Project)
