"""The C library within confluent-kafka, reached by ctypes: what the Python client does not offer.

The functions live in the library that the installed wheel of confluent-kafka brings, the same one that its extension
module has loaded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import confluent_kafka

__all__ = ["Interface", "LibraryError", "addresses", "client_place", "library", "library_path"]

_PATTERNS = (  # where the wheels for Linux, macOS and Windows put it
    "confluent_kafka.libs/librdkafka-*.so*",
    "confluent_kafka/.dylibs/librdkafka*.dylib",
    "confluent_kafka.libs/librdkafka*.dll",
    "confluent_kafka/librdkafka*.dll",
)

Interface = Mapping[str, tuple[type | None, tuple[type, ...]]]
"""The types of the result and of the arguments of functions."""


LOWEST = 1 << 16  # no system gives memory below
OPAQUE: Interface = {"rd_kafka_opaque": (ctypes.c_void_p, (ctypes.c_void_p,))}  # what the client named itself by


class LibraryError(RuntimeError):
    """The library is not where the wheels put it, or lacks a function."""


def library_path(packages: Path | None = None) -> Path:
    """Return the path of the librdkafka that belongs to the installed confluent-kafka.

    Raises
    ------
    LibraryError
        If it is not there, as in builds against a librdkafka of the system.
    """
    folder = Path(confluent_kafka.__file__).parents[1] if packages is None else packages
    for pattern in _PATTERNS:
        if found := sorted(folder.glob(pattern)):
            return found[0]
    raise LibraryError(f"there is no librdkafka of confluent-kafka's own in {folder}")


def library(path: Path, interface: Interface) -> ctypes.CDLL:
    """Return the library with the types of some functions declared.

    Raises
    ------
    LibraryError
        If it can't be loaded, or lacks one of them.
    """
    try:
        found = ctypes.CDLL(str(path))
        for name, (result, arguments) in interface.items():
            function = getattr(found, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise LibraryError(f"{path.name} can't be used ({error})") from error
    return found


@cache
def addresses(names: Iterable[str]) -> dict[str, int]:
    """Return where functions stand in memory.

    Raises
    ------
    LibraryError
        If one is missing.
    """
    found = library(library_path(), dict.fromkeys(names, (None, ())))
    return {name: ctypes.cast(getattr(found, name), ctypes.c_void_p).value or 0 for name in names}


def client_place(client: confluent_kafka.Consumer) -> int:
    """Return where in memory a client keeps the address of its rd_kafka_t: first in the object; 0 once it is closed.

    Raises
    ------
    LibraryError
        If this confluent-kafka is not known to keep it there, or the client is closed.
    """
    version = confluent_kafka.__version__
    place = id(client) + object.__basicsize__
    address = ctypes.c_void_p.from_address(place).value or 0
    if version.split(".")[0] != "2" or address < LOWEST or address % ctypes.sizeof(ctypes.c_void_p):
        raise LibraryError(f"clients of confluent-kafka {version} are not known here")
    if library(library_path(), OPAQUE).rd_kafka_opaque(address) != id(client):
        raise LibraryError(f"clients of confluent-kafka {version} are not as they are known here")
    return place
