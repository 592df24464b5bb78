"""What the README shows runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()
ROWS = 4000
END = f"""
from tests.waiting import eventually
replay.wait(60)
eventually(lambda: source.error is not None or project.n == {ROWS}, 60, "all records learned, once by feed or pipeline")
assert source.error is None, source.error
source.stop()
broker.stop()
"""


def test_the_notebook_snippet_and_the_pipeline_run_one_after_the_other(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[:2]
    program = "\n".join(blocks).replace("smlnb.datasets.shuttle()", f"smlnb.datasets.shuttle_like({ROWS})")
    assert "rate=2000" in program
    command = [sys.executable, "-W", "error", "-c", program + END]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "plant.db").exists()


def test_the_past_can_be_asked_as_it_shows() -> None:
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[2]
    assert "plant.between" in block
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    end = "\nassert plant.compare(('-60min', '-35min'), ('-25min', None)).table.loc['heat', 'drifts']"
    command = [sys.executable, "-W", "error", "-c", "import smlnb\n" + block + end]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_pictures_that_it_shows_are_there() -> None:
    pictures = [path for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README) if not path.startswith("http")]
    assert len(pictures) >= 3
    assert [path for path in pictures if not (Path(__file__).parents[1] / path).is_file()] == []
