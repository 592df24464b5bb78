"""The broker inside librdkafka, reached by ctypes: the only file that knows its C interface.

librdkafka calls it a mock cluster and marks the interface experimental; confluent-kafka exposes only one setting of it
(``test.mock.num.brokers``). The functions live in the library that the installed wheel of confluent-kafka brings, the
same one that its extension module has loaded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import confluent_kafka

__all__ = ["MockCluster", "MockLibraryError", "library_path"]

_PRODUCER = 0
_PATTERNS = (  # where the wheels for Linux, macOS and Windows put it
    "confluent_kafka.libs/librdkafka-*.so*",
    "confluent_kafka/.dylibs/librdkafka*.dylib",
    "confluent_kafka.libs/librdkafka*.dll",
    "confluent_kafka/librdkafka*.dll",
)
_INTERFACE: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "rd_kafka_conf_new": (ctypes.c_void_p, ()),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    ),
    "rd_kafka_new": (ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)),
    "rd_kafka_mock_cluster_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "rd_kafka_mock_topic_create": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_err2str": (ctypes.c_char_p, (ctypes.c_int,)),
}


class MockLibraryError(RuntimeError):
    """The library is not where the wheels put it, or is without the mock cluster."""


def library_path(packages: Path | None = None) -> Path:
    """Return the path of the librdkafka that belongs to the installed confluent-kafka.

    Raises
    ------
    MockLibraryError
        If it is not there, as in builds against a librdkafka of the system.
    """
    folder = Path(confluent_kafka.__file__).parents[1] if packages is None else packages
    for pattern in _PATTERNS:
        if found := sorted(folder.glob(pattern)):
            return found[0]
    raise MockLibraryError(f"there is no librdkafka of confluent-kafka's own in {folder}")


@cache
def _library(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _INTERFACE.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise MockLibraryError(f"{path.name} can't be used ({error})") from error
    return library


class MockCluster:
    """One broker of librdkafka's mock cluster. Every call must come before :meth:`destroy`."""

    def __init__(self) -> None:
        self._library = library = _library(library_path())
        message = ctypes.create_string_buffer(512)
        configuration = library.rd_kafka_conf_new()
        for key, value in self._settings():
            library.rd_kafka_conf_set(configuration, key, value, message, len(message))
        self._client = library.rd_kafka_new(_PRODUCER, configuration, message, len(message))
        if not self._client:
            raise MockLibraryError(f"librdkafka can't make a client: {message.value.decode()}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            library.rd_kafka_destroy(self._client)
            raise MockLibraryError("librdkafka can't open a port for its broker.")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap_servers: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    @staticmethod
    def _settings() -> Iterator[tuple[bytes, bytes]]:
        yield b"client.id", b"smlnb-local-broker"
        yield b"log_level", b"0"  # it would warn that it has no broker to connect to: it is the broker

    def create_topic(self, name: str, partitions: int) -> str | None:
        """Create a topic; return librdkafka's words if it would not."""
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        return self._library.rd_kafka_err2str(code).decode() if code else None

    def destroy(self) -> None:
        """Close the port and end the threads; clients still connected see the connection close."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)
