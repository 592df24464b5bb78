"""The notebook of the past runs from top to bottom, and what it says of a killed program is true."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.kafka_server import KafkaServer
from tests.notebooks.test_shuttle import execute

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_past.ipynb"

CHECK = """
drift = project.compare((None, change - minute), (change + minute, None))
assert drift.table.index[drift.table["drifts"]].tolist() == ["temperature"], drift.table
means = scores.groupby([late, hour["line"]]).mean()
assert means[True, "b"] > 3 * means[True, "a"], means
assert learner.returncode != 0, "the program ended before it was killed"
"""


def check(folder: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(CHECK))
    printed = "".join(execute(notebook, folder))
    assert "40,000 are learned now. Each once: True" in printed
    assert "The same bits: True" in printed


def test_it_is_stored_without_outputs_valid_and_small() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert NOTEBOOK.stat().st_size < 20_000
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_it_runs_by_itself_on_the_embedded_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_it_runs_the_same_on_apache_kafka(tmp_path: Path, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMLNB_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    check(tmp_path)
