from __future__ import annotations

import re
from pathlib import Path

import pytest

from smlnb.cluster.broker import LocalBroker
from tests.conftest import lacking

WANTS = ["kafka", "browser", "data", "registry"]


@pytest.mark.parametrize("what", WANTS)
def test_what_the_machine_lacks_is_a_reason_to_skip(monkeypatch, what):
    monkeypatch.delenv(f"SMLNB_REQUIRE_{what.upper()}", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"needs {what}: it is not here"):
        lacking(what, "it is not here")


@pytest.mark.parametrize("what", WANTS)
def test_what_is_required_and_lacking_is_a_failure(monkeypatch, what):
    monkeypatch.setenv(f"SMLNB_REQUIRE_{what.upper()}", "1")
    with pytest.raises(pytest.fail.Exception, match=f"it is not here, and SMLNB_REQUIRE_{what.upper()} is set"):
        lacking(what, "it is not here")


def test_the_data_folder_is_the_one_that_was_named(monkeypatch, tmp_path, request):
    monkeypatch.setenv("SMLNB_DATA", str(tmp_path))
    assert request.getfixturevalue("data_dir") == tmp_path


def test_a_named_data_folder_that_is_not_there_is_said(monkeypatch, tmp_path, request):
    monkeypatch.setenv("SMLNB_DATA", str(tmp_path / "gone"))
    monkeypatch.setenv("SMLNB_REQUIRE_DATA", "1")
    with pytest.raises(pytest.fail.Exception, match=re.escape(str(tmp_path / "gone"))):
        request.getfixturevalue("data_dir")


@pytest.mark.browser
def test_the_browser_is_a_program(chromium):
    assert Path(chromium).is_file()


def test_each_test_has_a_topic_of_its_own(local_broker, create_topic, topic_name):
    assert create_topic(local_broker, topic_name, 2) == topic_name
    assert isinstance(local_broker, LocalBroker)
