"""The metrics of feeds and connectors as text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from smlnb.errors import ConfigError
from smlnb.ingest.metrics import Metrics

__all__ = ["prometheus"]

_LABELS: Final = ("project", "topic", "partition")
_WHOLE: Final = ("project", "topics")  # of a feed
_COUNTERS: Final = {  # of a partition: the attribute, the metric's name and help
    "read": ("smlnb_records_read_total", "Records taken from the topic and not given back."),
    "rows": ("smlnb_records_learned_total", "Records learned."),
    "refused": ("smlnb_records_refused_total", "Records that could not be used, tombstones included."),
    "filtered": ("smlnb_records_filtered_total", "Records left out by the project's row filter."),
    "lost": ("smlnb_records_lost_total", "Records that retention deleted before they were read."),
    "bytes": ("smlnb_value_bytes_total", "Size of the values of the records that were learned or refused."),
    "decode_seconds": ("smlnb_decode_seconds_total", "Time spent in decoding values."),
}
_GAUGES: Final = {
    "pending": ("smlnb_records_pending", "Records read and not yet learned."),
    "position": ("smlnb_position_offset", "Offset of the next record to be learned."),
    "high": ("smlnb_end_offset", "Offset after the last record of the partition, as it was last seen."),
    "lag": ("smlnb_lag_offsets", "Offsets between the position and the end, as it was last seen."),
}
_CHECKPOINTS: Final = {  # of feeds that save: the kind, the help and the attribute
    "smlnb_checkpoints_total": ("counter", "Checkpoints saved.", "written"),
    "smlnb_checkpoint_errors_total": ("counter", "Checkpoints that could not be saved.", "errors"),
    "smlnb_checkpoint_records": ("gauge", "Records that the project had learned at the last checkpoint.", "records"),
    "smlnb_checkpoint_size_bytes": ("gauge", "Written for the last checkpoint.", "bytes"),
    "smlnb_checkpoint_duration_seconds": ("gauge", "For how long the last checkpoint was written.", "seconds"),
}
_STATES: Final = ("created", "running", "paused", "retrying", "stopped", "done", "failed")


class Fed(Protocol):
    """A feed."""

    @property
    def project(self) -> Any:
        """What learns: a project, or several that share partitions, which ``of(partition)`` tells apart."""

    @property
    def topics(self) -> list[str]:
        """What is read."""

    @property
    def metrics(self) -> Metrics:
        """A snapshot of the numbers."""


class Feeding(Protocol):
    """A connector, which has feeds."""

    @property
    def feeds(self) -> Sequence[Fed]:
        """Those that run."""


def prometheus(*sources: Fed | Feeding) -> str:
    r"""Return the metrics of feeds and connectors in the text format of Prometheus, for a page that it scrapes.

    Everything is read when this is called, and nothing is registered anywhere. Counters begin when the feed was made.
    Rates are left to Prometheus: ``rate(smlnb_records_learned_total[1m])``.

    Parameters
    ----------
    sources
        Several make one text; two texts must not be joined.

    Raises
    ------
    ConfigError
        If prometheus-client is not installed.

    Examples
    --------
    >>> import smlnb
    >>> with smlnb.LocalBroker() as broker:
    ...     where = {"bootstrap_servers": broker.bootstrap_servers}
    ...     broker.create_topic("numbers", 1)
    ...     _ = smlnb.replay({"x": [1.0, 2.0]}, "numbers", **where, block=True, progress=False)
    ...     with smlnb.connect(smlnb.Project("plant", types="C"), "numbers", **where) as feed:
    ...         feed.wait(timeout=30)
    ...         text = smlnb.prometheus(feed)
    1
    >>> print(*(line for line in text.splitlines() if line.startswith("smlnb_records_learned")), sep="\n")
    smlnb_records_learned_total{partition="0",project="plant",topic="numbers"} 2.0
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ImportError as error:
        raise ConfigError(
            f"The export needs prometheus-client, which is not installed ({error}). Run: pip install 'smlnb[metrics]'",
        ) from None

    class Snapshot:
        def collect(self) -> Iterator[Any]:
            feeds = list(_feeds(sources))
            for families, kind in ((_COUNTERS, CounterMetricFamily), (_GAUGES, GaugeMetricFamily)):
                for attribute, (name, meaning) in families.items():
                    family = kind(name, meaning, labels=_LABELS)
                    for feed, metrics in feeds:
                        for (topic, partition), part in metrics.partitions.items():
                            labels = [_project(feed, partition), topic, str(partition)]
                            family.add_metric(labels, getattr(part, attribute))
                    yield family
            batches = CounterMetricFamily("smlnb_batches_total", "Batches learned.", labels=_WHOLE)
            errors = CounterMetricFamily(
                "smlnb_commit_errors_total", "Commits to the consumer group that failed.", labels=_WHOLE
            )
            up = GaugeMetricFamily("smlnb_broker_up", "Whether nothing is wrong with the brokers.", labels=_WHOLE)
            states = GaugeMetricFamily("smlnb_state", "1 for what a feed is doing.", labels=(*_WHOLE, "state"))
            for feed, metrics in feeds:
                labels = [feed.project.name, ",".join(feed.topics)]
                batches.add_metric(labels, metrics.batches)
                errors.add_metric(labels, metrics.commit_errors)
                up.add_metric(labels, metrics.broker_error is None)
                for state in _STATES:
                    states.add_metric([*labels, state], metrics.state == state)
            yield from (batches, errors, up, states)
            yield from _checkpoints(feeds, {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily})

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Snapshot())
    text: str = generate_latest(registry).decode()
    return text


def _feeds(sources: Iterable[Fed | Feeding]) -> Iterator[tuple[Fed, Metrics]]:
    for source in sources:
        feeds: Any = getattr(source, "feeds", (source,))
        for feed in feeds:
            yield feed, feed.metrics


def _checkpoints(feeds: Sequence[tuple[Fed, Metrics]], families: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what was saved, for those feeds that save."""
    saving = [(feed, metrics.checkpoint) for feed, metrics in feeds if metrics.checkpoint is not None]
    for name, (kind, meaning, attribute) in _CHECKPOINTS.items() if saving else ():
        family = families[kind](name, meaning, labels=_WHOLE)
        for feed, checkpoint in saving:
            family.add_metric([feed.project.name, ",".join(feed.topics)], getattr(checkpoint, attribute))
        yield family


def _project(feed: Fed, partition: int) -> str:
    project = feed.project
    return str(project.of(partition).name if hasattr(project, "of") else project.name)
