"""Records for the views to look at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Producer


def produce(bootstrap_servers: str, topic: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as JSON and wait until the broker has them."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    for record in records:
        producer.produce(topic, json.dumps(record).encode())
    assert producer.flush(30) == 0


def readings(rows: int, begin: int = 0) -> list[dict[str, Any]]:
    """Make records of three sensors and a class."""
    return [
        {
            "s1": 20.5 + i % 7,
            "s2": i * 0.25,
            "valve": i % 2,
            "site": "north" if i % 3 else "south",
            "class": int(i % 50 == 0),
        }
        for i in range(begin, begin + rows)
    ]


def scores(rows: int, begin: int = 0) -> list[dict[str, Any]]:
    """Make records as a scorer writes them; every fiftieth is a true anomaly with a high score."""
    made = []
    for i in range(begin, begin + rows):
        strange = i % 50 == 0
        score = 20.0 + i % 3 if strange else (i * 7 % 100) / 10
        known = i >= 100
        made.append(
            {
                "score": score,
                "quantile": 0.99 if known else None,
                **dict.fromkeys(("q95", "q98", "q99"), strange if known else None),
                "thresholds": {"q95": 9.0, "q98": 9.5, "q99": 15.0} if known else None,
                "top": [{"feature": "s2", "contribution": score / 2}, {"feature": "s1", "contribution": score / 4}],
                "model": "hba1",
                "model_version": 1,
                "class": int(strange),
            },
        )
    return made
