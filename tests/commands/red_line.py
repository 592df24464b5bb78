"""What a user sees of a mistake."""

from __future__ import annotations

__all__ = ["one_red_line"]


def one_red_line(result, code: str) -> str:
    """Return the only line that a run has written to stderr: an error of this code."""
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"error {code} ")
    assert "Traceback" not in result.output
    return line
