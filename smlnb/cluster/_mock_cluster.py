"""The broker inside librdkafka, reached by ctypes.

librdkafka calls it a mock cluster and marks the interface experimental; confluent-kafka exposes only one setting of it
(``test.mock.num.brokers``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from smlnb.cluster._librdkafka import Interface, LibraryError, library, library_path

__all__ = ["INTERFACE", "MockCluster"]

_PRODUCER = 0
INTERFACE: Interface = {
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


class MockCluster:
    """One broker of librdkafka's mock cluster. Every call must come before :meth:`destroy`."""

    def __init__(self) -> None:
        self._library = library(library_path(), INTERFACE)
        message = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        for key, value in self._settings():
            self._library.rd_kafka_conf_set(configuration, key, value, message, len(message))
        self._client = self._library.rd_kafka_new(_PRODUCER, configuration, message, len(message))
        if not self._client:
            raise LibraryError(f"librdkafka can't make a client: {message.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._client)
            raise LibraryError("librdkafka can't open a port for its broker.")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap_servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

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
