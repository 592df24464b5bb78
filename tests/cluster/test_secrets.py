from __future__ import annotations

import traceback

import pytest

from smlnb import Project, Scorer, connect, list_topics, peek, replay
from smlnb.cluster.secrets import Secret, is_secret, masked, secrets_of
from smlnb.errors import ConfigError
from smlnb.ingest.kafka import from_kafka_arrow


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.jaas.config",
        "basic.auth.user.info",
        "schema.registry.basic.auth.user.info",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.token",
        "schema.registry.bearer.auth.token",
        "api.key",
        "sasl.pasword",
    ],
)
def test_keys_of_secrets_are_known(key):
    assert is_secret(key)


@pytest.mark.parametrize(
    "key", ["sasl.username", "bootstrap.servers", "ssl.ca.location", "security.protocol", "sasl.mechanism", "group.id"]
)
def test_other_keys_are_shown(key):
    assert not is_secret(key)


def test_a_secret_shows_itself_as_asterisks_and_is_a_string():
    secret = Secret("hunter2")
    assert f"{secret!r} {[secret]} { ({'a': secret}) }".count("hunter2") == 0
    assert secret == "hunter2"
    assert isinstance(secret, str)


def test_the_password_within_a_value_is_a_secret_of_its_own():
    assert secrets_of({"basic.auth.user.info": "me:pass:word"}) == {"me:pass:word", "pass:word"}
    assert secrets_of({"schema.registry.url": "https://me:hunter2@a,https://me:hunter3@b"}) == {"hunter2", "hunter3"}
    assert secrets_of({"sasl.password": ""}) == frozenset()


def test_longer_secrets_are_masked_before_those_they_contain():
    assert masked("pass-word pass", {"pass", "pass-word"}) == "**** ****"


def scorer(**where):
    project = Project("p", types="C")
    project.learn({"x": [1.0, 2.0]})
    return Scorer(project.build("hba"), "a", "b", **where).start()


@pytest.mark.parametrize(
    "call",
    [
        lambda **where: connect(Project("p"), "t", **where),
        lambda **where: replay({"x": [1]}, "t", progress=False, **where),
        lambda **where: peek("t", **where),
        list_topics,
        lambda **where: from_kafka_arrow("t", **where).start(),
        scorer,
    ],
    ids=["connect", "replay", "peek", "list_topics", "from_kafka_arrow", "Scorer"],
)
def test_a_traceback_with_the_variables_of_our_functions_shows_no_password(call):
    config = {
        "sasl.password": "planted-one",
        "sasl.pasword": "planted-two",
        "schema.registry.url": "http://ann:planted-three@127.0.0.1:1",
        "schema.registry.basic.auth.user.info": "ann:planted-four",
    }
    with pytest.raises(ConfigError, match=r"sasl\.pasword") as caught:
        call(bootstrap_servers="127.0.0.1:1", config=config)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in trace.stack if "/smlnb/" in frame.filename]
    assert len(ours) >= 2
    assert "planted" not in f"{ours}{caught.value!r}"
