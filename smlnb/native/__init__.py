"""The compiled part of the path from a topic into columns; each module has a slower equal in Python.

============  =============================================  ============================================
module        does                                           without it
============  =============================================  ============================================
``avro``      decodes Avro records of plain fields           pyruhvro (:mod:`smlnb.formats.avro_flat`)
``json``      decodes JSON objects of plain fields           msgspec (:mod:`smlnb.formats.json_packed`)
``messages``  takes many messages of librdkafka at once      confluent-kafka's message objects
============  =============================================  ============================================

They are compiled when smlnb is installed, if there is a C compiler. With ``SMLNB_NATIVE=0`` in the environment they are
not used.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

__all__ = ["AVAILABLE"]

AVAILABLE = os.environ.get("SMLNB_NATIVE") != "0" and all(
    find_spec(f"{__name__}.{name}") is not None for name in ("avro", "json", "messages")
)
