"""How many examples hypothesis makes of every law: 200, or with ``SMLNB_LAW_EXAMPLES=2000`` the full proof."""

from __future__ import annotations

import os

from hypothesis import settings

EXAMPLES = int(os.environ.get("SMLNB_LAW_EXAMPLES", "200"))

law_settings = settings(deadline=None, max_examples=EXAMPLES)
