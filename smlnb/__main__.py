"""``python -m smlnb`` is ``smlnb``."""

from __future__ import annotations

from smlnb.cli import main

if __name__ == "__main__":
    main()
