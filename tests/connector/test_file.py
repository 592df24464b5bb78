from __future__ import annotations

import json

import pytest

from smlnb.connector.file import flat
from smlnb.errors import ConfigError

KEYS = {"topics": "a,b", "tasks.max": "2", "sml.customer.secret.key.1": "hunter2"}


@pytest.mark.parametrize(
    "config",
    [
        {"name": "sink", **KEYS},
        {"name": "sink", "config": KEYS},
        {"name": "sink", "config": {"name": "sink", **KEYS}, "tasks": [], "type": "sink"},  # as a worker answers
        {"name": "sink", "config": {**KEYS, "tasks.max": 2, "topics": ["a", "b"], "key.ignore": None}},
        {"name": " sink ", "config": {**KEYS, "tasks.max": 2.0, "sml.create.project.params": ""}},
    ],
)
def test_the_ways_to_write_a_configuration_are_one(config, tmp_path):
    assert flat(config) == {"name": "sink", **KEYS}
    (tmp_path / "sink.json").write_text(json.dumps(config), encoding="utf-8-sig")
    assert flat(tmp_path / "sink.json") == {"name": "sink", **KEYS}
    assert "hunter2" not in repr(flat(config))


def test_a_file_of_properties_as_of_a_stand_alone_worker_is_read(tmp_path):
    (tmp_path / "sink.properties").write_text("# a sink\nname=sink\ntopics=a,b\ntasks.max = 2\n")
    assert flat(tmp_path / "sink.properties") == {"name": "sink", "topics": "a,b", "tasks.max": "2"}


def test_booleans_are_written_as_a_worker_writes_them():
    assert flat({"key.ignore": True, "drop.invalid.message": False}) == {
        "key.ignore": "true",
        "drop.invalid.message": "false",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"topics": "a",', "no JSON: .*line 1"),
        ('{"sml.customer.secret.key": "hunter2", }', "no JSON"),
        ('[{"topics": "a"}]', "holds a list"),
        ('{"topics": "a", "topics": "b"}', "topics is in the configuration twice"),
        ('{"config": {"topics": "a", "topics": "b"}}', "topics is in the configuration twice"),
        ('{"topics": {"a": 1}}', "topics holds a dict"),
        ('{"topics": [1]}', "topics holds a list"),
        ('{"config": {"topics": "a"}, "sml.project": "p"}', "Beside 'config' there is sml.project"),
        ('{"name": "a", "config": {"name": "b"}}', "two names, 'b' and 'a'|two names, 'a' and 'b'"),
        ("topics", "not 'key=value'"),
    ],
)
def test_what_can_not_be_read_is_said_without_what_the_file_holds(tmp_path, text, message):
    (tmp_path / "sink.json").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        flat(tmp_path / "sink.json")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        flat(tmp_path / "nowhere.json")
    (tmp_path / "latin").write_bytes(b'{"topics": "\xe9"}')
    with pytest.raises(ConfigError, match="UTF-8"):
        flat(tmp_path / "latin")
