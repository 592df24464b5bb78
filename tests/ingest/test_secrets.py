from __future__ import annotations

import pytest

from smlnb.ingest.secrets import Secret, is_secret, masked, secrets_of


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
