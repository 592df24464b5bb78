"""Streaming machine learning and exploration for Apache Kafka, in Jupyter.

A project reads each record of a topic once, into mergeable statistics; any model is built from those, at any moment.
The public names are listed in ``__all__``; they are imported when first used, so that ``import smlnb`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from smlnb import errors

if TYPE_CHECKING:
    from smlnb import datasets, testing
    from smlnb.batch import Batch
    from smlnb.cluster.broker import LocalBroker
    from smlnb.cluster.config import KafkaConfig
    from smlnb.cluster.topics import list_topics
    from smlnb.connector.connector import Connector
    from smlnb.encoders.hashed import HashEncoder
    from smlnb.encoders.onehot import OneHotEncoder
    from smlnb.encoders.target import TargetEncoder
    from smlnb.ingest.feed import Feed, connect
    from smlnb.ingest.lag import lag
    from smlnb.ingest.peek import guess_types, peek
    from smlnb.ingest.prometheus import prometheus
    from smlnb.ingest.replay import Replay, replay
    from smlnb.project import Project
    from smlnb.schema import Attribute, Kind, Schema
    from smlnb.score.scorer import Scorer
    from smlnb.stats.checks import check_accumulator
    from smlnb.store import Workspace
    from smlnb.view.anomalies import anomalies
    from smlnb.view.explorer import explore
    from smlnb.view.model_form import model_form
    from smlnb.view.project_form import project_form
    from smlnb.view.simulator import simulator
    from smlnb.view.stopping import stop_button

__version__ = "0.1.0"

__all__ = [
    "Attribute",
    "Batch",
    "Connector",
    "Feed",
    "HashEncoder",
    "KafkaConfig",
    "Kind",
    "LocalBroker",
    "OneHotEncoder",
    "Project",
    "Replay",
    "Schema",
    "Scorer",
    "TargetEncoder",
    "Workspace",
    "__version__",
    "anomalies",
    "check_accumulator",
    "connect",
    "datasets",
    "errors",
    "explore",
    "guess_types",
    "lag",
    "list_topics",
    "model_form",
    "peek",
    "project_form",
    "prometheus",
    "replay",
    "simulator",
    "stop_button",
    "testing",
]

_HOMES = {
    "Attribute": "smlnb.schema",
    "Batch": "smlnb.batch",
    "Connector": "smlnb.connector.connector",
    "Feed": "smlnb.ingest.feed",
    "HashEncoder": "smlnb.encoders.hashed",
    "KafkaConfig": "smlnb.cluster.config",
    "Kind": "smlnb.schema",
    "LocalBroker": "smlnb.cluster.broker",
    "OneHotEncoder": "smlnb.encoders.onehot",
    "Project": "smlnb.project",
    "Replay": "smlnb.ingest.replay",
    "Schema": "smlnb.schema",
    "Scorer": "smlnb.score.scorer",
    "TargetEncoder": "smlnb.encoders.target",
    "Workspace": "smlnb.store",
    "anomalies": "smlnb.view.anomalies",
    "check_accumulator": "smlnb.stats.checks",
    "connect": "smlnb.ingest.feed",
    "explore": "smlnb.view.explorer",
    "guess_types": "smlnb.ingest.peek",
    "lag": "smlnb.ingest.lag",
    "list_topics": "smlnb.cluster.topics",
    "model_form": "smlnb.view.model_form",
    "peek": "smlnb.ingest.peek",
    "project_form": "smlnb.view.project_form",
    "prometheus": "smlnb.ingest.prometheus",
    "replay": "smlnb.ingest.replay",
    "simulator": "smlnb.view.simulator",
    "stop_button": "smlnb.view.stopping",
}
_MODULES = ("datasets", "testing")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"smlnb.{name}")
    else:
        raise AttributeError(f"module 'smlnb' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
