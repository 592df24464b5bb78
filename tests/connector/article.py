"""The configuration that the reference article shows, as JSON text with its own addresses."""

from __future__ import annotations

__all__ = ["ARTICLE", "article"]

ARTICLE = """{
  "name": "symetry-sink-1",
  "config": {
    "connector.class": "com.sml.kafka.connector.SymetryKafkaSinkConnector",
    "group.id": "connect-group-1",
    "tasks.max": "2",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": "http://host.docker.internal:8081",
    "topics": "shuttle-sensor",
    "consumer.max.poll.records": 500,
    "sml.attribute.types": "C,C,C,C,C,C,C,C,C,X",
    "sml.dataframe.max.chunk.size": "100",
    "sml.url.1": "http://charm:8080/symetry/rest",
    "sml.project.1": "shuttle",
    "sml.customer.id.1": "c1",
    "sml.customer.secret.key.1": "secret-of-the-customer",
    "http.client.idle.timeout.ms": "55000",
    "http.client.response.buffer.size": "2048000",
    "logging.is.verbose": "false",
    "logging.is.signature.included": "false",
    "logging.is.url.body.truncated": "true",
    "sml.request.retry.delay.ms": 10000,
    "sml.request.max.retries": 3,
    "sml.project.must.preexist": "false",
    "drop.invalid.message": "false",
    "key.ignore": "true",
    "schema.ignore": "true",
    "behavior.on.malformed.documents": "warn"
  }
}"""


def article(registry: str, **replaced: str) -> str:
    """Return it with the address of a registry, and some other strings replaced."""
    text = ARTICLE.replace("http://host.docker.internal:8081", registry)
    for old, new in replaced.items():
        text = text.replace(f'"{old.replace("_", "-")}"', f'"{new}"')
    return text
