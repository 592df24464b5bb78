from __future__ import annotations

import json
import logging
import time
import traceback

import pytest
from confluent_kafka import KafkaException, Producer

from smlnb.cluster.config import KafkaConfig, check_broker, client_error
from smlnb.errors import BrokerUnavailableError, ConfigError
from smlnb.testing import SchemaRegistry

SECRETS = {
    "sasl.password": "planted-password",
    "ssl.key.password": "planted-key-password",
    "ssl.key.pem": "planted-pem",
    "sasl.oauthbearer.client.secret": "planted-client-secret",
    "schema.registry.url": "http://me:planted-in-url@127.0.0.1:1",
    "schema.registry.basic.auth.user.info": "me:planted-info",
}


@pytest.fixture
def environment(monkeypatch):
    for name, value in {
        "SMLNB_KAFKA_BOOTSTRAP_SERVERS": "from-environment:1",
        "SMLNB_KAFKA_SASL_USERNAME": "environment",
        "SMLNB_KAFKA_CLIENT_ID": "environment",
    }.items():
        monkeypatch.setenv(name, value)


def test_what_comes_later_wins_environment_file_mapping_argument(tmp_path, environment):
    file = tmp_path / "cluster.properties"
    file.write_text("bootstrap.servers=from-file:1\nsasl.username=file\nclient.id=file\nacks=all\n")
    config = KafkaConfig.of("argument:1", {"client.id": "mapping"}, file=file)
    assert dict(config.settings) == {
        "acks": "all",
        "bootstrap.servers": "argument:1",
        "client.id": "mapping",
        "sasl.username": "file",
    }


def test_a_file_that_is_named_wins_over_the_environment_which_fills_in_the_rest(tmp_path, environment):
    file = tmp_path / "cluster.properties"
    file.write_text("bootstrap.servers=from-file:1\n")
    assert dict(KafkaConfig.of(config=file).settings) == {
        "bootstrap.servers": "from-file:1",
        "client.id": "environment",
        "sasl.username": "environment",
    }


def test_the_environment_alone_is_enough(environment):
    assert KafkaConfig.of().bootstrap_servers == "from-environment:1"


def test_a_properties_file_is_read_as_java_reads_it(tmp_path):
    file = tmp_path / "cluster.properties"
    file.write_text(
        "# a comment\n! another\n\nbootstrap.servers = a:1,\\\n    b:2\nsasl.username:me\nsasl.password=x=y#z !\nacks all\n",
    )
    settings = KafkaConfig.of(config=file).settings
    assert settings["bootstrap.servers"] == "a:1,b:2"
    assert (settings["sasl.username"], settings["sasl.password"], settings["acks"]) == ("me", "x=y#z !", "all")


def test_a_json_file_is_read(tmp_path):
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"bootstrap.servers": "a:1", "socket.timeout.ms": 5000, "client.id": None}))
    assert dict(KafkaConfig.of(config=str(file)).settings) == {"bootstrap.servers": "a:1", "socket.timeout.ms": 5000}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"sasl.password": "planted-password"', "no JSON"),
        ('{"sasl.password": {"a": "planted-password"}}', "sasl.password"),
        ("planted-password\n", "Line 1"),
    ],
)
def test_a_file_that_can_not_be_read_is_an_error_without_its_secrets(tmp_path, text, message):
    file = tmp_path / "cluster.properties"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        KafkaConfig.of(config=file)
    assert "planted" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_file_and_a_missing_address_say_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.*No such file"):
        KafkaConfig.of(config=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="SMLNB_KAFKA_BOOTSTRAP_SERVERS"):
        KafkaConfig.of(config={"client.id": "x"})


def test_one_config_can_be_made_of_another():
    first = KafkaConfig.of("a:1", {"client.id": "x"})
    second = KafkaConfig.of("b:1", first)
    assert (first.bootstrap_servers, second.bootstrap_servers) == ("a:1", "b:1")
    assert second.client()["client.id"] == "x"


def test_secrets_are_in_no_repr_and_no_log_and_reach_the_client(caplog):
    config = KafkaConfig.of("a:1", SECRETS)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("user").warning("%s %r %s", config, config.settings, config.client())
    shown = f"{config} {config!r} {config.client()} {config.settings} {caplog.text}"
    assert "planted" not in shown
    assert "****" in shown
    assert config.client()["sasl.password"] == "planted-password"
    assert "schema.registry.url" not in config.client()


def test_secrets_are_taken_out_of_texts():
    config = KafkaConfig.of("a:1", SECRETS)
    text = " ".join(SECRETS.values()) + " planted-info"
    assert "planted" not in config.masked(text)


def test_a_client_that_refuses_a_key_names_it_and_not_its_value():
    config = KafkaConfig.of("a:1", {"sasl.pasword": "planted-password", "sasl.password": "planted-password"})
    with pytest.raises(KafkaException) as caught:
        Producer(config.client())
    error = client_error(caught.value, config)
    assert isinstance(error, ConfigError)
    assert "sasl.pasword" in str(error)
    assert "planted" not in str(error)


@pytest.mark.parametrize(
    "settings",
    [{"security.protocol": "planted-secret"}, {"ssl.key.pem": "planted-secret", "security.protocol": "ssl"}],
)
def test_a_wrong_value_names_its_key(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        check_broker(KafkaConfig.of("127.0.0.1:1", settings))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:9092"])
def test_no_broker_is_an_error_within_ten_seconds_that_names_the_address(address):
    begin = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=address):
        check_broker(KafkaConfig.of(address))
    assert time.monotonic() - begin < 10


def test_a_silent_port_is_an_error_within_ten_seconds():
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(BrokerUnavailableError, match=address):
            check_broker(KafkaConfig.of(address))
        assert time.monotonic() - begin < 10


def test_a_broker_that_answers_tells_its_topics(local_broker):
    assert check_broker(KafkaConfig.of(local_broker.bootstrap_servers)).brokers


def test_the_registry_is_the_one_that_the_keys_name():
    assert KafkaConfig.of("a:1").registry is None
    with SchemaRegistry(user="me", password="pass-word") as registry:
        keys = {"basic.auth.user.info": "me:pass-word", "basic.auth.credentials.source": "USER_INFO"}
        config = KafkaConfig.of("a:1", {"schema.registry.url": registry.url, **keys})
        assert config.registry.get_subjects() == []
        assert not {"basic.auth.user.info", "basic.auth.credentials.source"} & config.client().keys()


def test_an_unknown_key_of_the_registry_is_refused_by_name():
    with pytest.raises(ConfigError, match="colour"):
        _ = KafkaConfig.of("a:1", {"schema.registry.url": "http://a:1", "schema.registry.colour": "red"}).registry
    with pytest.raises(ConfigError, match=r"schema\.registry\.url is not"):
        _ = KafkaConfig.of("a:1", {"schema.registry.ssl.ca.location": "x"}).registry
