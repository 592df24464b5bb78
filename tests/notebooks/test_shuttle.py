"""The notebook runs from top to bottom without anybody watching, on either broker, and is stored clean."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kafka_server import KafkaServer

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_shuttle.ipynb"

SUMMARY = """
import asyncio, json
from smlnb.view.publish import publisher

replay.wait(timeout=120)
form.feed.wait(timeout=60)
scorer.wait(timeout=60)
panels = {type(panel).__name__: panel for panel in publisher._panels}
scores = panels["Anomalies"]
async with asyncio.timeout(60):
    while scores.log.n < scorer.metrics.rows:
        await asyncio.sleep(0.05)
for panel in panels.values():
    panel.refresh()
print(json.dumps({
    "produced": replay.produced,
    "learned": project.n,
    "scored": scorer.metrics.rows,
    "shown": scores.log.n,
    "points": len(scores.time_line.state["time"]["data"]["x"]),
    "histograms": len(panels["Explorer"].figures.items),
    "panels": sorted(panels),
    "errors": {name: str(panel.error) for name, panel in panels.items() if panel.error is not None},
}))
"""

STOPPED = """
stop = panels["StopButton"]
stop.stop_button.click()
async with asyncio.timeout(60):
    while "Everything" not in stop.status.value and stop.error is None:
        await asyncio.sleep(0.05)
print(json.dumps([replay.state, form.feed.state, scorer.state, stop.status.value]))
"""


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def faster(notebook: Any) -> Any:
    """Send the records as fast as they go: nobody is watching."""
    for cell in notebook.cells:
        cell.source = re.sub(r"rate=[\d_]+", "rate=20_000", cell.source)
    return notebook


def execute(notebook: Any, folder: Path) -> list[str]:
    """Run all cells, and return what each code cell has printed."""
    client = NotebookClient(notebook, timeout=150, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout") for cell in code]


def run_to_the_end(folder: Path) -> tuple[dict[str, Any], list[str]]:
    notebook = faster(read())
    notebook.cells += [nbformat.v4.new_code_cell(SUMMARY), nbformat.v4.new_code_cell(STOPPED)]
    printed = execute(notebook, folder)
    *states, status = json.loads(printed[-1])
    assert states == ["done", "stopped", "stopped"]
    assert "Everything is stopped" in status
    return json.loads(printed[-2]), printed


def check(summary: dict[str, Any], rows: int) -> None:
    assert summary["errors"] == {}
    assert summary["panels"] == ["Anomalies", "Explorer", "ModelForm", "ProjectForm", "Simulator", "StopButton"]
    assert summary["produced"] == rows
    assert summary["learned"] == summary["scored"] == summary["shown"] == rows
    assert summary["points"] > 900
    assert summary["histograms"] == 9


def test_it_is_stored_without_outputs() -> None:
    notebook = read()
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_it_is_valid_and_small() -> None:
    nbformat.validate(read())
    assert NOTEBOOK.stat().st_size < 20_000


@pytest.mark.slow
def test_it_runs_by_itself_on_the_embedded_broker(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMLNB_DATA", str(data_dir))
    monkeypatch.delenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    summary, printed = run_to_the_end(tmp_path)
    check(summary, 49_097)
    assert "The Statlog (Shuttle) data: 49,097 rows" in printed[1]


@pytest.mark.slow
@pytest.mark.kafka
def test_it_runs_the_same_on_apache_kafka(
    tmp_path: Path, data_dir: Path, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMLNB_DATA", str(data_dir))
    monkeypatch.setenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    summary, printed = run_to_the_end(tmp_path)
    check(summary, 49_097)
    assert kafka.bootstrap_servers in printed[0]


@pytest.mark.slow
def test_without_the_data_it_says_that_it_shows_a_substitute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMLNB_DATA", str(tmp_path))
    monkeypatch.delenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    summary, printed = run_to_the_end(tmp_path)
    check(summary, 49_097)
    assert "SYNTHETIC data" in printed[1]
