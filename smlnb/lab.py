"""JupyterLab on the demonstration notebook."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from smlnb.errors import DataError

__all__ = ["NOTEBOOK", "copied_notebooks", "open_lab"]

NOTEBOOK: Final = "01_shuttle.ipynb"


def packaged_notebooks() -> Path | None:
    """Return the folder of the notebooks: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    homes = (package / "notebooks", package.parent / "notebooks")
    return next((folder for folder in homes if (folder / NOTEBOOK).is_file()), None)


def copied_notebooks(target: Path, say: Callable[[str], None]) -> Path:
    """Copy the notebooks that are not in ``target`` yet; return the demonstration's.

    Raises
    ------
    DataError
        If this installation has none.
    """
    home = packaged_notebooks()
    if home is None and not (target / NOTEBOOK).is_file():
        raise DataError(f"The notebook {NOTEBOOK} is not in this installation. Install smlnb again.")
    if home is not None:
        target.mkdir(exist_ok=True)
        for notebook in sorted(home.glob("*.ipynb")):
            if not (target / notebook.name).exists():
                shutil.copyfile(notebook, target / notebook.name)
                say(f"copied {notebook.name} to {target}")
    return target / NOTEBOOK


def open_lab(options: Sequence[str], say: Callable[[str], None]) -> int:
    """Become JupyterLab with the notebook in ``./notebooks`` open; return its exit code where that can't be done."""
    notebook = copied_notebooks(Path.cwd() / "notebooks", say)
    address = f"/lab/tree/{notebook.relative_to(Path.cwd()).as_posix()}"  # so that the printed address leads there, too
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url={address}", *options]
    if os.name != "nt":  # there exec would give the terminal back at once
        os.execv(command[0], command)  # noqa: S606
    return subprocess.call(command)  # noqa: S603 - our own interpreter
