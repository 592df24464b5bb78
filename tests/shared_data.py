"""Where the test data is, and what its absence means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["data_folder"]


def data_folder(needed: str) -> Path:
    """Return the folder with the file ``needed``: ``SMLNB_DATA``, else ``../shared/data``.

    Without it the test is skipped; with ``SMLNB_REQUIRE_DATA=1`` it fails.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SMLNB_DATA") or beside)
    if not (folder / needed).is_file():
        reason = f"there is no {needed} in {folder} (set SMLNB_DATA)"
        if os.environ.get("SMLNB_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
