"""The streamz node that writes batches to a topic."""

from __future__ import annotations

import math
import threading
import time
from typing import Any, Final

from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException, Message, Producer
from streamz import Sink, Stream

from smlnb.batch import Batch
from smlnb.cluster.broker import check_settings
from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.errors import KafkaError
from smlnb.score.encode import encoder
from smlnb.score.scored import Scored

__all__ = ["HEADERS", "to_kafka_arrow"]

HEADERS: Final = ("smlnb.source.topic", "smlnb.source.partition", "smlnb.source.offset")
"""The headers that say where the source record of an output record stands; their values are text."""

_SLICE: Final = 0.2  # seconds between two looks at whether to go on waiting

_DEFAULTS: Final = {
    "enable.idempotence": True,  # order is kept and nothing is written twice by a retry
    "linger.ms": 5,
    "message.timeout.ms": 120_000,
}


@Stream.register_api()
class to_kafka_arrow(Sink):  # type: ignore[misc]  # noqa: N801 - streamz names its nodes so
    """Write scored batches, batches or Arrow record batches to a topic, one record per row.

    Rows of a batch go to the partition of the same number as they came from, in their order, with headers that say
    where the source record stands: ``smlnb.source.topic``, ``smlnb.source.partition`` and ``smlnb.source.offset``. Rows
    of a plain record batch go where Kafka's partitioner puts them, without headers.

    Parameters
    ----------
    topic : str
        It must be there, or the broker must create topics by itself.
    bootstrap_servers, config
        As for :func:`smlnb.connect`.
    format : {"json", "avro"}
        Avro needs a schema registry in ``config``.
    flush : bool
        Whether each batch waits until the broker has all of it. If not, call :meth:`flush` before anything that relies
        on it, such as committing the source's offsets. An error of delivery is raised by the next batch or flush.

    Attributes
    ----------
    written : int
        Records that the broker has confirmed.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import smlnb
    >>> from smlnb.score.sink import to_kafka_arrow
    >>> with smlnb.LocalBroker() as broker:
    ...     source = Stream()
    ...     sink = source.to_kafka_arrow("numbers", broker.bootstrap_servers)
    ...     source.emit(pa.record_batch({"x": [1.0, 2.0]}))
    ...     sink.written
    2
    """

    def __init__(
        self,
        upstream: Stream,
        topic: str,
        bootstrap_servers: str | None = None,
        config: Any = None,
        *,
        format: str = "json",  # noqa: A002 - as in `connect`
        flush: bool = True,
        **kwargs: Any,
    ) -> None:
        self.topic = topic
        config = self.config = KafkaConfig.of(bootstrap_servers, config)
        self._encode = encoder(format, topic, self.config)
        self._flush_each = flush
        self._failure: ClientError | None = None
        self._lock = threading.Lock()
        self._give_up = math.inf
        self.written = 0
        defaults = {k: v for k, v in _DEFAULTS.items() if k not in self.config.settings}
        if {"acks", "request.required.acks"} & self.config.settings.keys():
            defaults.pop("enable.idempotence", None)  # it wants acks=all
        try:
            check_settings(self.config.client(), writing=True)
            self._producer = Producer(self.config.client(**defaults))
        except (KafkaException, ValueError, TypeError) as error:
            raise client_error(error, self.config) from None
        super().__init__(upstream, **kwargs)

    def update(self, x: Any, who: Any = None, metadata: Any = None) -> None:  # noqa: ARG002 - streamz passes them
        """Write one batch.

        Raises
        ------
        KafkaError
            If a record could not be delivered.
        """
        values = self._encode(x)
        batch = x.batch if isinstance(x, Scored) else x if isinstance(x, Batch) else None
        if batch is None:
            for value in values:
                self._produce({"value": value})
        else:
            topic, partition = batch.topic.encode(), str(batch.partition).encode()
            names = HEADERS
            keys = [key for key, _ in batch.raw] if batch.raw is not None else [None] * len(batch)
            for value, key, offset in zip(values, keys, batch.offsets.tolist(), strict=True):
                headers = [(names[0], topic), (names[1], partition), (names[2], b"%d" % offset)]
                self._produce({"value": value, "key": key, "partition": batch.partition, "headers": headers})
        self._producer.poll(0)
        if self._flush_each:
            self.flush()
        self._raise_failure()

    def flush(self, timeout: float = 60.0) -> None:
        """Wait until the broker has confirmed all that was written.

        Raises
        ------
        KafkaError
            If a record could not be delivered, or some are not confirmed within ``timeout`` seconds.
        """
        end = time.monotonic() + timeout
        while (left := self._producer.flush(_SLICE)) and self._failure is None:
            self._check_patience(min(end, self._give_up), left)
        self._raise_failure()

    def hurry(self, seconds: float) -> None:
        """Let what waits for the broker now, or will, give up in so many seconds."""
        self._give_up = time.monotonic() + seconds

    def _check_patience(self, end: float, left: int) -> None:
        if time.monotonic() > end:
            raise KafkaError(
                f"{left} records into {self.topic!r} are not confirmed by {self.config.bootstrap_servers}. "
                "Is the broker running?",
            )

    def _produce(self, record: dict[str, Any]) -> None:
        while True:
            try:
                self._producer.produce(self.topic, on_delivery=self._on_delivery, **record)
            except BufferError:  # the queue is full: this is the back-pressure
                self._producer.poll(0.1)
                self._raise_failure()
                self._check_patience(self._give_up, len(self._producer))
            except KafkaException as error:
                raise client_error(error, self.config, f"Writing to {self.topic!r} failed") from None
            else:
                return

    def _on_delivery(self, error: ClientError | None, message: Message) -> None:  # noqa: ARG002 - the client passes it
        with self._lock:  # the flushing thread and the writing one may both serve callbacks
            if error is None:
                self.written += 1
            elif self._failure is None:
                self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise client_error(KafkaException(self._failure), self.config, f"Writing to {self.topic!r} failed")

    def destroy(self) -> None:
        """Leave the pipeline; records that are not confirmed are given up."""
        self._producer.purge()
        self._producer.flush(1)
        super().destroy()
