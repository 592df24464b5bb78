"""What becomes of a workspace when its process is killed, the disk is full, or the folder can't be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.store.faults import STEPS

KILLS = int(os.environ.get("SMLNB_CHECKPOINT_KILLS", "2"))

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are forked and killed by signals")


def run(name: str, number: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.faults", name, str(number)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_process_killed_at_any_step_of_a_save_leaves_the_old_or_the_new_checkpoint_whole() -> None:
    left = "verified True, ['plant.db']"
    assert run("kills", KILLS) == {
        **{f"{step}: SIGKILL, old, {left}": KILLS for step in STEPS[:3]},
        f"{STEPS[3]}: SIGKILL, new, {left}": KILLS,
        f"{STEPS[4]}: SIGXFSZ, new, {left}": KILLS,
    }


def test_while_the_disk_is_full_learning_goes_on_and_the_last_good_checkpoint_stays() -> None:
    seen = run("full")
    assert "5,000 records saved" in seen["error"]
    assert "3 times not" in seen["error"]
    assert "could not be written" in seen["error"]
    assert seen["files"] == ["plant.db", "plant.db-shm", "plant.db-wal"]
    assert (seen["loaded meanwhile"], seen["loaded at the end"]) == (True, True)


def test_a_workspace_in_a_read_only_folder_can_be_loaded_and_says_why_it_can_not_be_saved() -> None:
    seen = run("read_only")
    assert seen["loaded"] is True
    assert seen["files"] == ["plant.db"]
    assert "read-only" in seen["saved"]
    assert "read-only" in seen["owned"]
    assert "Permission denied" in seen["made"]
