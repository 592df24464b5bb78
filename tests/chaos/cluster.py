"""Three of librdkafka's own brokers, whose partitions can be led by any of them, and that can be told to fail."""

from __future__ import annotations

import ctypes

from smlnb.cluster._librdkafka import library, library_path
from smlnb.cluster._mock_cluster import INTERFACE

__all__ = ["BROKERS", "Cluster"]

BROKERS = 3
POINTER, INT, TEXT = ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p


class Cluster:
    """A cluster of brokers; every call must come before :meth:`stop`."""

    def __init__(self) -> None:
        found = self._library = library(library_path(), INTERFACE)
        found.rd_kafka_mock_partition_set_leader.argtypes = (POINTER, TEXT, INT, INT)
        found.rd_kafka_mock_broker_set_down.argtypes = (POINTER, INT)
        found.rd_kafka_mock_broker_set_up.argtypes = (POINTER, INT)
        found.rd_kafka_mock_push_request_errors_array.restype = None
        found.rd_kafka_mock_push_request_errors_array.argtypes = (
            POINTER,
            ctypes.c_int16,
            ctypes.c_size_t,
            ctypes.POINTER(ctypes.c_int),
        )
        text = ctypes.create_string_buffer(512)
        configuration = found.rd_kafka_conf_new()
        found.rd_kafka_conf_set(configuration, b"log_level", b"0", text, len(text))
        self._client = found.rd_kafka_new(0, configuration, text, len(text))
        self._cluster = found.rd_kafka_mock_cluster_new(self._client, BROKERS)
        self.bootstrap_servers: str = found.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic that every broker has."""
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, BROKERS) == 0

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Let a broker, counted from 1, lead a partition."""
        assert self._library.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker) == 0

    def down(self, broker: int) -> None:
        """Let a broker close its connections and refuse others."""
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, broker) == 0

    def up(self, broker: int) -> None:
        """Let it answer again."""
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, broker) == 0

    def fail(self, request: int, *codes: int) -> None:
        """Answer the next requests of a kind by errors; both are numbers of Kafka's protocol."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(codes), array)

    def stop(self) -> None:
        """End them."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)
