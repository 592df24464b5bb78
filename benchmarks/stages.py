"""Where the time per record goes in a feed: stage by stage, each without those within it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from smlnb import past, project
from smlnb.formats import framed_decode, json_decode
from smlnb.ingest import arrivals, kafka, nodes, reader, records, task
from smlnb.shards import intake, rows, shard
from smlnb.stats import centred, ends, histogram, moments, pairs, profile, quantiles, table

__all__ = ["Watch", "watched"]


STAGES: Mapping[str, list[tuple[Any, str]]] = {
    "messages: from librdkafka into columns": [(arrivals.InBulk, "poll"), (arrivals.ByMessage, "poll")],
    "runs to buffers": [(reader.Reader, "poll"), (reader.Reader, "_append")],
    "due, take": [(reader.Reader, "due"), (reader.Reader, "take"), (records.Records, "joined")],
    "decode": [(framed_decode.FramedDecoder, "decode"), (json_decode.JsonDecoder, "decode")],
    "batch: offsets, sizes, metrics": [
        (task.Task, "_work"),
        (task, "batch_of"),
        (task, "size_of"),
        (kafka.from_kafka_arrow, "hand_on"),
    ],
    "node, and freeing the batch before": [(nodes.learn, "update")],
    "project, shard, tail": [(project.Project, "learn"), (shard.Shard, "learn"), (shard.Shard, "__init__")],
    "rows": [(past, "take_in"), (rows.Rows, "of"), (rows.Rows, "joined")],
    "read block": [(intake, "read_block")],
    "table": [(table.Table, "update_floats")],
    "centre": [(centred.Centred, "of")],
    "moments": [(moments.Moments, "absorb")],
    "co-moments": [(pairs.AttributePairs, "absorb")],
    "histogram": [(histogram.Histogram, "absorb")],
    "quantile sketches": [(quantiles.Quantiles, "absorb")],
    "first and last": [(ends.Ends, "update")],
    "profile": [(profile.Profile, "update")],
}


class Watch:
    """Adds up the processor time of the thread that reads."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._inner = 0.0

    def wrap(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, watched; by one thread."""

        @functools.wraps(call)
        def watched(*arguments: Any, **options: Any) -> Any:
            outer, self._inner, start = self._inner, 0.0, time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                spent = time.thread_time() - start
                self.seconds[stage] += spent - self._inner
                self._inner = outer + spent

        return watched


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch all stages for a while."""
    watch = Watch()
    with ExitStack() as patches:
        for stage, places in STAGES.items():
            for owner, name in places:
                found = vars(owner)[name]
                bound = isinstance(found, classmethod | staticmethod)
                call = watch.wrap(stage, found.__func__ if bound else found)
                patches.enter_context(mock.patch.object(owner, name, type(found)(call) if bound else call))
        yield watch
