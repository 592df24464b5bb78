from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from smlnb import lab
from smlnb.cli import app
from smlnb.errors import DataError


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    folder = tmp_path / "package" / "notebooks"
    folder.mkdir(parents=True)
    (folder / lab.NOTEBOOK).write_text("{}")
    monkeypatch.setattr(lab, "packaged_notebooks", lambda: folder)
    return folder


def test_lab_copies_the_notebook_and_becomes_jupyterlab(packaged, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    became: list = []
    monkeypatch.setattr(lab.os, "execv", lambda program, command: became.append((program, command)))
    monkeypatch.setattr(lab.subprocess, "call", lambda _command: 0)
    result = CliRunner().invoke(app, ["lab", "--no-browser", "--port", "9123", "--ServerApp.token=t"])
    assert result.exit_code == 0
    assert (tmp_path / "notebooks" / lab.NOTEBOOK).read_text() == "{}"
    (program, command) = became[0]
    assert program == sys.executable
    address = f"--LabApp.default_url=/lab/tree/notebooks/{lab.NOTEBOOK}"
    assert command[1:] == ["-m", "jupyterlab", address, "--no-browser", "--port=9123", "--ServerApp.token=t"]


def test_lab_leaves_a_notebook_that_is_there_as_it_is(packaged, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / lab.NOTEBOOK).write_text("mine")
    said: list[str] = []
    assert lab.copied_notebooks(tmp_path / "notebooks", said.append).read_text() == "mine"
    assert said == []


def test_an_installation_without_notebooks_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "packaged_notebooks", lambda: None)
    with pytest.raises(DataError, match="not in this installation"):
        lab.copied_notebooks(tmp_path / "notebooks", print)


def test_this_checkout_has_the_notebook_that_lab_opens():
    home = lab.packaged_notebooks()
    assert home is not None
    assert (home / lab.NOTEBOOK).is_file()
