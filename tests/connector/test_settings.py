from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb import KafkaConfig
from smlnb.connector.keys import KEYS
from smlnb.connector.settings import Settings
from smlnb.errors import ConfigError
from tests.connector.article import ARTICLE

LEAST = {"topics": "readings", "sml.project": "plant"}


def settings(**keys):
    return Settings.of({**LEAST, **keys})


def of(keys, without=()):
    return Settings.of({k: v for k, v in {**LEAST, **keys}.items() if k not in without})


def test_the_configuration_of_the_article_is_read():
    read = Settings.of(json.loads(ARTICLE))
    assert (read.name, read.group_id, read.topics, read.projects) == (
        *("symetry-sink-1", "connect-group-1", ("shuttle-sensor",), ("shuttle",)),
    )
    assert (read.tasks, read.types, read.batch_rows, read.format) == (2, "C,C,C,C,C,C,C,C,C,X", 100, "avro")
    assert (read.backoff.base, read.backoff.longest, read.backoff.retries) == (10.0, 10.0, 3)
    assert (read.on_malformed, read.warn, read.must_preexist, read.start) == ("skip", True, False, "earliest")
    assert dict(read.kafka) == {"schema.registry.url": "http://host.docker.internal:8081"}
    listed = (
        "Without effect: "
        "consumer.max.poll.records (the client fetches as much as it can hold; a batch is limited by the chunk size); "
        "http.client.idle.timeout.ms, http.client.response.buffer.size, logging.is.signature.included, "
        "logging.is.url.body.truncated, logging.is.verbose "
        "(there is no HTTP request: projects are learned in this process); "
        "key.converter, key.ignore (the records' keys are not learned); "
        "schema.ignore (columns come from the records as they are); "
        "sml.customer.id.1, sml.customer.secret.key.1, sml.url.1 "
        "(projects are kept in this process and its workspace, not on a server)."
    )
    assert read.notes == (listed,)
    assert "secret-of-the-customer" not in repr(read)


# every key that the ancestor documents or shows: a value for it, and what the settings then are
HONOURED = [
    ("connector.class", "com.sml.kafka.connector.SymetryKafkaSinkConnector", {}),
    ("connector.class", "SymetryKafkaSink", {}),
    ("name", "sink-7", {"name": "sink-7", "group_id": "connect-sink-7"}),
    ("topics", "a, b,a", {"topics": ("a", "b"), "pattern": None}),
    ("tasks.max", "3", {"tasks": 3}),
    ("group.id", "g", {"group_id": "g"}),
    ("consumer.group.id", "g", {"group_id": "g"}),
    ("consumer.override.auto.offset.reset", "latest", {"start": "latest"}),
    ("auto.offset.reset", "Beginning", {"start": "earliest"}),
    ("bootstrap.servers", "a:1,b:2", {"kafka": {"bootstrap.servers": "a:1,b:2"}}),
    ("consumer.bootstrap.servers", "a:1", {"kafka": {"bootstrap.servers": "a:1"}}),
    ("consumer.fetch.max.wait.ms", 50, {"kafka": {"fetch.wait.max.ms": "50"}}),
    ("receive.buffer.bytes", 65536, {"kafka": {"socket.receive.buffer.bytes": "65536"}}),
    ("send.buffer.bytes", 65536, {"kafka": {"socket.send.buffer.bytes": "65536"}}),
    ("session.timeout.ms", 45000, {"kafka": {"session.timeout.ms": "45000"}}),
    ("isolation.level", "read_uncommitted", {"kafka": {"isolation.level": "read_uncommitted"}}),
    ("consumer.override.client.rack", "r1", {"kafka": {"client.rack": "r1"}}),
    ("value.converter", "io.confluent.connect.avro.AvroConverter", {"format": "avro"}),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter", {"format": "json-envelope"}),
    ("value.converter", "io.confluent.connect.json.JsonSchemaConverter", {"format": "json-schema"}),
    ("value.converter", "io.confluent.connect.protobuf.ProtobufConverter", {"format": "protobuf"}),
    ("value.converter", "org.apache.kafka.connect.storage.StringConverter", {"format": "auto"}),
    ("value.converter", "org.apache.kafka.connect.converters.DoubleConverter", {"format": "double"}),
    ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter", {"format": "auto"}),
    ("value.converter.schemas.enable", "true", {"format": "auto"}),
    ("value.converter.schema.registry.url", "http://r", {"kafka": {"schema.registry.url": "http://r"}}),
    ("schema.registry.url", "http://r", {"kafka": {"schema.registry.url": "http://r"}}),
    (
        "value.converter.basic.auth.user.info",
        "me:hunter2",
        {"kafka": {"schema.registry.basic.auth.user.info": "me:hunter2"}},
    ),
    (
        "value.converter.schema.registry.basic.auth.user.info",
        "me:hunter2",
        {"kafka": {"schema.registry.basic.auth.user.info": "me:hunter2"}},
    ),
    ("value.converter.schema.registry.ssl.ca.location", "x", {"kafka": {"schema.registry.ssl.ca.location": "x"}}),
    ("sml.project", "p", {"projects": ("p",)}),
    ("sml.attribute.types", "c, b,S,T,X,l", {"types": "C,B,S,T,X,L"}),
    ("sml.attribute.types", "guess", {"types": None}),
    ("sml.dataframe.max.chunk.size", 100, {"batch_rows": 100}),
    ("sml.project.must.preexist", "true", {"must_preexist": True}),
    ("sml.create.project.params", "", {"options": {}}),
    ("sml.create.project.params", "enableHistogram=false", {"options": {"histogram": False}}),
    (
        "sml.create.project.params",
        "quantiles=false, sml_project_rolling_window_size=1000, persist=true",
        {"options": {"quantiles": False, "window": 1000}},
    ),
    ("sml.create.project.params", "window=10min,decay=1h", {"options": {"window": "10min", "decay": "1h"}}),
    (
        "sml.create.project.params",
        "sml_project_predicate_row_filter=a==1;b>=2",
        {"options": {"row_filter": "a==1 and b>=2"}},
    ),
    ("behavior.on.malformed.documents", "ignore", {"on_malformed": "skip", "warn": False}),
    ("behavior.on.malformed.documents", "WARN", {"on_malformed": "skip", "warn": True}),
    ("behavior.on.malformed.documents", "fail", {"on_malformed": "stop", "warn": False}),
    ("drop.invalid.message", "true", {"on_malformed": "skip"}),
    ("drop.invalid.message", "false", {"on_malformed": "stop"}),
    ("errors.tolerance", "all", {"on_malformed": "skip"}),
    ("errors.tolerance", "none", {"on_malformed": "stop"}),
    ("errors.log.enable", "true", {"on_malformed": "stop", "warn": True}),
    ("errors.deadletterqueue.topic.name", "dead", {"on_malformed": "dead_letter", "dead_letter_topic": "dead"}),
]


@pytest.mark.parametrize(("key", "value", "expected"), HONOURED, ids=[f"{k}={v}" for k, v, _ in HONOURED])
def test_a_key_is_honoured(key, value, expected):
    read = of({key: value})
    assert {name: getattr(read, name) for name in expected} == expected
    assert read.notes == ()


BACKOFF = [
    ("sml.reconnect.backoff.ms", 250, (0.25, 10.0, 5)),
    ("sml.request.retry.delay.ms", "250", (0.25, 10.0, 5)),
    ("sml.reconnect.backoff.max.ms", 60000, (5.0, 60.0, 5)),
    ("sml.backoff.max.retries", "0", (5.0, 10.0, 0)),
    ("sml.request.max.retries", 7, (5.0, 10.0, 7)),
]


@pytest.mark.parametrize(("key", "value", "expected"), BACKOFF, ids=[k for k, *_ in BACKOFF])
def test_a_key_says_when_to_try_again(key, value, expected):
    backoff = of({key: value}).backoff
    assert (backoff.base, backoff.longest, backoff.retries) == expected


def test_without_keys_the_defaults_hold():
    read = of({})
    assert (read.name, read.group_id, read.tasks, read.types, read.batch_rows) == (
        "smlnb",
        "connect-smlnb",
        1,
        None,
        5000,
    )
    assert (read.format, read.start, read.on_malformed, read.warn, read.kafka) == (
        "auto",
        "earliest",
        "stop",
        False,
        {},
    )
    assert (read.backoff.base, read.backoff.longest, read.backoff.retries) == (5.0, 10.0, 5)


INERT = [k for k in KEYS if k.treatment == "without effect"]


@pytest.mark.parametrize("key", INERT, ids=[k.name for k in INERT])
def test_a_key_without_effect_is_accepted_and_listed_with_the_reason_and_never_its_value(key):
    name = key.name.replace("*", "x")
    read, bare = of({name: "hunter2"}), of({})
    assert read.notes == (f"Without effect: {name} ({key.meaning}).",)
    assert "hunter2" not in repr(read)
    assert repr(read).replace(repr(read.notes), "()") == repr(bare)


REFUSED = [k for k in KEYS if k.treatment == "refused"]


@pytest.mark.parametrize("key", REFUSED, ids=[k.name for k in REFUSED])
def test_a_key_that_can_not_be_honoured_is_refused_by_name_with_what_to_do(key):
    name = key.name.replace("*", "x")
    with pytest.raises(ConfigError, match=f"^The key {re.escape(name)} is refused: ") as caught:
        of({name: "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_every_key_of_the_table_is_tried_here():
    tried = {k for k, *_ in (*HONOURED, *BACKOFF)} | {"topics.regex", "sasl.jaas.config"}
    tried |= {t.removeprefix("consumer.").removeprefix("override.") for t in tried}
    found = {k.name for k in KEYS if any(k.stands_for(t) for t in tried)}
    assert {k.name for k in KEYS if k.treatment == "honoured"} - found == set()


WRONG = [
    ({"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector"}, "connector.class is .*another connector"),
    ({"topics.regex": "a.*"}, "both are set"),
    ({"topics": ""}, "neither is set"),
    ({"topics": "", "topics.regex": "("}, "no regular expression"),
    ({"sml.project": ""}, "No project is named"),
    ({"sml.project.1": "p"}, r"sml.project and sml.project.1 are both set"),
    ({"sml.project": "", "sml.project.1": "a", "sml.project.3": "c"}, r"sml.project.2 is not set"),
    ({"sml.project": "", "sml.project.1": "a", "sml.url.2": "http://s"}, r"sml.project.2 is not set"),
    ({"sml.project": "", "sml.url.1": "http://s"}, "No project is named"),
    ({"tasks.max": "0"}, "tasks.max is '0'; it must be a whole number from 1"),
    ({"tasks.max": "two"}, "tasks.max is 'two'"),
    ({"tasks.max": 3, "sml.project": "", "sml.project.1": "a", "sml.project.2": "b"}, "tasks.max is 3, .* 2 projects"),
    ({"sml.attribute.types": "C,Q"}, "sml.attribute.types: Type 2 of 2 is 'Q'"),
    ({"sml.dataframe.max.chunk.size": 0}, "sml.dataframe.max.chunk.size is '0'"),
    ({"sml.dataframe.max.chunk.size": 1.5}, "sml.dataframe.max.chunk.size is '1.5'"),
    ({"sml.request.max.retries": -1}, "sml.request.max.retries is '-1'"),
    ({"sml.request.max.retries": 1, "sml.backoff.max.retries": 2}, "two spellings of one key"),
    ({"sml.project.must.preexist": "maybe"}, "must.preexist is 'maybe'; use one of true, false"),
    ({"sml.create.project.params": "colour=red"}, "has 'colour', which is unknown"),
    ({"sml.create.project.params": "histogram=perhaps"}, "sets histogram to 'perhaps'"),
    ({"behavior.on.malformed.documents": "panic"}, "use one of ignore, warn, fail"),
    ({"behavior.on.malformed.documents": "fail", "drop.invalid.message": "true"}, "drop.invalid.message says to go on"),
    ({"errors.tolerance": "none", "behavior.on.malformed.documents": "warn"}, "errors.tolerance says to stop"),
    ({"errors.tolerance": "none", "errors.deadletterqueue.topic.name": "dead"}, "deadletterqueue.topic.name says to go"),
    ({"errors.deadletterqueue.topic.name": "readings"}, "for ever"),
    ({"topics": "", "topics.regex": "re.*", "errors.deadletterqueue.topic.name": "readings-dead"}, "for ever"),
    ({"auto.offset.reset": "none"}, "auto.offset.reset is 'none'; use one of earliest"),
    ({"value.converter": "com.amazonaws.services.schemaregistry.kafkaconnect.AWSKafkaAvroConverter"}, "can't be read"),
    ({"value.converter.schemas.enable": "perhaps", "value.converter": "org.apache.kafka.connect.json.JsonConverter"}, "true, false"),
    ({"consumer.sml.project": "p"}, "sml.project is no key of the Kafka client"),
    ({"sml.projekt": "p"}, "Did you mean sml.project"),
    ({"bootstrap.servers": "${file:/secrets:brokers}"}, "configuration provider"),
    ({"sasl.jaas.config": "hunter2"}, "sasl.jaas.config can't be read"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "message"), WRONG, ids=[str(k) for k, _ in WRONG])
def test_what_is_wrong_is_said_with_the_key_and_what_to_do(keys, message):
    with pytest.raises(ConfigError, match=message) as caught:
        of(keys)
    assert "hunter2" not in str(caught.value)


def test_topics_may_be_named_by_an_expression():
    read = of({"topics.regex": r"plant-\d+"}, without=["topics"])
    assert (read.topics, read.pattern) == ((), r"plant-\d+")


@pytest.mark.parametrize("tasks", [{}, {"tasks.max": 3}])
def test_several_projects_are_one_for_each_task(tasks):
    keys = {f"sml.project.{i}": f"p{i}" for i in (3, 1, 2)} | {f"sml.url.{i}": f"http://s{i}" for i in (1, 2, 3)}
    read = of({**keys, **tasks}, without=["sml.project"])
    assert (read.projects, read.tasks) == (("p1", "p2", "p3"), 3)
    assert "sml.url.1, sml.url.2, sml.url.3 (" in read.notes[0]


def test_bare_json_is_told_from_json_beside_its_schema():
    converter = {"value.converter": "org.apache.kafka.connect.json.JsonConverter"}
    assert of({**converter, "value.converter.schemas.enable": False}).format == "json"
    assert of({**converter, "value.converter.schemas.enable": "true"}).format == "json-envelope"


def test_the_more_special_of_two_client_keys_wins():
    plain, consumer, override = ({f"{p}bootstrap.servers": f"{n}:1"} for p, n in (("", "a"), ("consumer.", "b"), ("consumer.override.", "c")))  # fmt: skip
    assert of({**override, **consumer, **plain}).kafka["bootstrap.servers"] == "c:1"
    assert of({**consumer, **plain}).kafka["bootstrap.servers"] == "b:1"
    registry = {"schema.registry.url": "http://a", "value.converter.schema.registry.url": "http://b"}
    assert of(registry).kafka["schema.registry.url"] == "http://b"


@pytest.mark.parametrize("module", ["plain.PlainLoginModule", "scram.ScramLoginModule"])
@pytest.mark.parametrize("prefix", ["", "consumer.override."])
def test_a_login_of_java_is_understood_and_not_shown(module, prefix):
    text = f"org.apache.kafka.common.security.{module} required username=\"ann\" password='hunter2';"
    read = of({f"{prefix}sasl.jaas.config": text})
    assert dict(read.kafka) == {"sasl.username": "ann", "sasl.password": "hunter2"}
    assert "hunter2" not in repr(read) + repr(KafkaConfig.of("h:1", read.kafka))


def test_of_errors_tolerated_and_dead_letters_the_letters_are_written():
    read = of({"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead", "drop.invalid.message": True})
    assert (read.on_malformed, read.dead_letter_topic) == ("dead_letter", "dead")


def test_a_provider_of_a_worker_does_not_matter_where_the_key_has_no_effect():
    assert of({"sml.customer.secret.key": "${file:/secrets:key}"}).notes


SPELLINGS = [s.replace("*", "x") for k in KEYS for s in (k.name, *k.older)]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["true", "a,b", "1", "C,X", "all", "warn", "${env:X}", "histogram=true,b"]),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
)


@given(st.dictionaries(st.one_of(st.sampled_from(SPELLINGS), st.text(max_size=8)), VALUES, max_size=6))
def test_whatever_is_written_is_read_or_refused_by_an_error_of_ours(keys):
    for config in ({**LEAST, **keys}, {"name": "sink", "config": {**LEAST, **keys}}, keys):
        try:
            read = Settings.of(config)
        except ConfigError as error:
            assert len(str(error)) < 2_000  # noqa: PT017 - either is right
        else:
            assert read.projects
            assert bool(read.topics) != bool(read.pattern)
