"""Laws on more examples than usual may take as much longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stats.laws import EXAMPLES

HERE = Path(__file__).parent
SECONDS = 180
USUAL = 200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test here time in proportion to the examples."""
    if EXAMPLES > USUAL:
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.timeout(SECONDS * EXAMPLES // USUAL))
