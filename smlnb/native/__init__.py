"""The compiled part of the path from a topic into statistics; each module has a slower equal in Python.

=============  =============================================  ============================================
module         does                                           without it
=============  =============================================  ============================================
``avro``       decodes Avro records                           pyruhvro (:mod:`smlnb.formats.avro_flat`)
``histogram``  counts values in the cells of histograms       NumPy (:mod:`smlnb.stats.lookup`)
``json``       decodes JSON objects of plain fields           msgspec (:mod:`smlnb.formats.json_packed`)
``messages``   takes many messages of librdkafka at once      confluent-kafka's message objects
=============  =============================================  ============================================

They are compiled when smlnb is installed, if there is a C compiler. All are used or none: none with ``SMLNB_NATIVE=0``
in the environment, and none where a source was changed since it was compiled. ``smlnb --version`` tells.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["AVAILABLE", "MODULES", "UNAVAILABLE"]

MODULES = ("avro", "histogram", "json", "messages")


def _unavailable() -> str:
    """Return why the compiled modules are not used, or nothing; none of them is imported for it."""
    if os.environ.get("SMLNB_NATIVE") == "0":
        return "SMLNB_NATIVE=0"
    if sys.byteorder != "little" or sys.maxsize < 2**63 - 1:
        return "made for 64-bit little-endian machines"
    folder = Path(__file__).parent
    shared = list(folder.glob("*.pxd"))
    for name in MODULES:
        spec = find_spec(f"{__name__}.{name}")
        if spec is None or spec.origin is None:
            return f"smlnb.native.{name} was not compiled when smlnb was installed; that needs a C compiler"
        compiled = Path(spec.origin).stat().st_mtime_ns
        for source in (folder / f"{name}.pyx", *shared):
            if source.exists() and source.stat().st_mtime_ns > compiled:
                return f"{source.name} was changed since it was compiled; install smlnb again"
    return ""


UNAVAILABLE = _unavailable()
AVAILABLE = not UNAVAILABLE
