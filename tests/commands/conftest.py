"""Running the command in this process, or as one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from smlnb.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(a) for a in arguments])


@pytest.fixture
def environment(tmp_path):
    """An environment in which the Shuttle data can't be had, quickly."""
    gone = {"SMLNB_SHUTTLE_URL": "http://127.0.0.1:1", "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SMLNB_")}
    return {**kept, **gone, "COLUMNS": "200"}


@pytest.fixture
def start(environment, tmp_path):
    """Start the command as a process of its own; what still runs at the end is ended."""
    started: list[subprocess.Popen] = []

    def start(*arguments) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "smlnb", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
