"""What ``binder/`` lists is enough to run the notebook in a clean environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.test_shuttle import NOTEBOOK, SUMMARY, check, faster, read

ROOT = Path(__file__).parents[2]
OFFLINE = re.compile("Max retries exceeded|NewConnectionError|name resolution|ConnectTimeout|Network is unreachable")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command; return what it printed on both streams, and fail with it where it failed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=540,
    )
    if done.returncode and OFFLINE.search(done.stdout):
        pytest.skip("needs a package index")
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def copied(target: Path) -> Path:
    """Copy what belongs to the repository, as Binder would clone it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs a clone made by git")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


def test_the_runtime_is_a_python_that_smlnb_supports() -> None:
    wanted = (ROOT / "binder" / "runtime.txt").read_text().strip()
    found = re.fullmatch(r"python-(\d+)\.(\d+)", wanted)
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (3, 11)


def test_the_link_opens_the_notebook() -> None:
    assert "urlpath=lab/tree/notebooks/01_shuttle.ipynb" in (ROOT / "binder" / "README.md").read_text()
    assert NOTEBOOK.relative_to(ROOT) == Path("notebooks/01_shuttle.ipynb")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_notebook_runs_in_a_clean_environment_with_what_binder_lists(tmp_path: Path) -> None:
    clone = copied(tmp_path / "clone")
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "-q", "-r", "binder/requirements.txt", cwd=clone)

    notebook = faster(read())
    notebook.cells.append(nbformat.v4.new_code_cell(SUMMARY))
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook, path)
    own = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    command = (python, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", path)
    run(*command, cwd=tmp_path, SMLNB_DATA=str(tmp_path), PYTHONPATH="", **own)  # without data: synthetic

    last = nbformat.read(path, as_version=4).cells[-1]
    check(json.loads("".join(o.text for o in last.outputs if o.output_type == "stream" and o.name == "stdout")), 49_097)
