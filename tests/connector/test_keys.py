from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlnb.connector.keys import KEYS, OWN, find_key, unknown_key
from smlnb.errors import ConfigError

NAMES = [k.name for k in KEYS]


def test_no_key_is_there_twice_and_each_says_what_it_is_for():
    spellings = [s for k in KEYS for s in (k.name, *k.older)]
    assert len(spellings) == len(set(spellings))
    assert [k.name for k in KEYS if not k.meaning] == []
    assert {k.treatment for k in KEYS} == {"honoured", "without effect", "refused"}


@pytest.mark.parametrize("key", KEYS, ids=NAMES)
def test_every_key_is_found_by_each_of_its_spellings(key):
    for spelling in (key.name, *key.older):
        assert find_key(spelling.replace("*", "anything")) is key
    if key.numbered:
        assert find_key(f"{key.name}.12") is key


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("sml.projekt", "sml.project"),
        ("sml.projct.2", r"sml\.project\.2"),
        ("sml.attribute.type", "sml.attribute.types"),
        ("sml.dataframe.max.chunksize", "sml.dataframe.max.chunk.size"),
        ("sml.request.max.retry", "sml.request.max.retries"),
        ("sml.project.0", "sml.project"),
        ("sml.project.one", "sml.project"),
        ("tasks.maximum", "tasks.max"),
        ("behavior.on.malformed.document", "behavior.on.malformed.documents"),
        ("value.converter.schema.enable", "value.converter.schemas.enable"),
        ("errors.deadletterqueue.topic", "errors.deadletterqueue.topic.name"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(wrong, right):
    with pytest.raises(ConfigError, match=f"The key {wrong} is unknown. Did you mean {right}"):
        find_key(wrong)


def test_a_key_that_is_near_nothing_is_refused_too():
    assert unknown_key("sml.zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz") == (
        "The key sml.zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz is unknown. Connector.keys() lists the keys that are known."
    )


@given(st.sampled_from(OWN), st.text("abcxyz.", min_size=1, max_size=20))
def test_of_our_own_families_nothing_is_let_through_unknown(family, rest):
    try:
        found = find_key(family + rest)
    except ConfigError as error:
        assert family + rest in str(error)  # noqa: PT017 - either is right
    else:
        assert found is not None


@pytest.mark.parametrize("key", ["session.timeout.ms", "sasl.password", "ssl.ca.location", "client.rack", "foo"])
def test_all_other_keys_are_left_to_the_client(key):
    assert find_key(key) is None
