"""Records that could not be used, kept in a topic of their own with the place they came from."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaException, Message, Producer

from smlnb.batch import Refusal
from smlnb.cluster.config import KafkaConfig, client_error
from smlnb.cluster.topics import ensure_topic
from smlnb.errors import KafkaError

__all__ = ["DeadLetters", "origin_headers"]

DELIVERED = 30.0  # seconds


def origin_headers(refusal: Refusal) -> list[tuple[str, bytes]]:
    """Return the headers that say where a record came from and why it is here.

    Examples
    --------
    >>> dict(origin_headers(Refusal("t", 0, 7, "decode", "malformed JSON")))["smlnb.source.offset"]
    b'7'
    """
    return [
        ("smlnb.source.topic", refusal.topic.encode()),
        ("smlnb.source.partition", str(refusal.partition).encode()),
        ("smlnb.source.offset", str(refusal.offset).encode()),
        ("smlnb.stage", refusal.stage.encode()),
        ("smlnb.reason", refusal.reason.encode("utf-8", "backslashreplace")),
    ]


class DeadLetters:
    """Writes refused records, bytes unchanged, to a topic; the topic is made if it is missing.

    Parameters
    ----------
    config : KafkaConfig
    topic : str
        Where to write, ``<source topic>-dlq`` by custom.
    """

    def __init__(self, config: KafkaConfig, topic: str) -> None:
        self.topic = topic
        self.written = 0
        self._config = config
        self._failure: str | None = None
        ensure_topic(topic, partitions=1, config=config)
        try:
            self._producer = Producer(config.client(**{"enable.idempotence": True, "linger.ms": 5}))
        except (KafkaException, ValueError, TypeError) as error:
            raise client_error(error, config) from None

    def send(self, refusals: Iterable[Refusal]) -> None:
        """Write the records, and return when the broker has them.

        Raises
        ------
        KafkaError
            If one could not be written.
        """
        sent = 0
        for refusal in refusals:
            self._produce(refusal)
            sent += 1
        if not sent:
            return
        left = self._producer.flush(DELIVERED)
        if left or self._failure:
            reason, self._failure = self._failure or f"{left} of {sent} were not acknowledged in {DELIVERED:g} s", None
            raise KafkaError(f"Refused records could not be written to the dead letters in {self.topic!r}: {reason}.")
        self.written += sent

    def _produce(self, refusal: Refusal) -> None:
        record = {"key": refusal.key, "value": refusal.value, "headers": origin_headers(refusal)}
        while True:
            try:
                self._producer.produce(self.topic, **record, on_delivery=self._delivered)
            except BufferError:  # the queue is full: let it drain
                self._producer.poll(0.1)
            except KafkaException as error:
                raise client_error(error, self._config, f"A record can't be written to {self.topic!r}") from None
            else:
                return

    def _delivered(self, error: object, _message: Message) -> None:
        if error is not None:
            self._failure = self._config.masked(str(error))
