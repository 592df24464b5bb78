from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
from streamz import Stream

from smlnb.batch import Batch
from smlnb.score.nodes import score
from smlnb.score.scored import Judge, Scored
from tests.score.test_scored import Distance


def batch(values: list[float], offset: int = 0) -> Batch:
    data = pa.record_batch({"a": values, "b": [0.0] * len(values)})
    stop = offset + len(values)
    return Batch(data, "t", 1, offset, stop, np.arange(offset, stop))


def test_a_stream_of_batches_becomes_a_stream_of_scored_batches():
    source = Stream()
    found = source.score(Distance(), keep=["a"], warm_up=2).sink_to_list()
    source.emit(batch([1.0, 2.0]))
    source.emit(batch([3.0], 2))
    assert all(isinstance(scored, Scored) for scored in found)
    assert [scored.scores.tolist() for scored in found] == [[1.0, 2.0], [3.0]]
    assert found[1].marks.flags.tolist() == [[True, True, True]]
    assert (found[1].batch.partition, found[1].batch.offsets.tolist()) == (1, [2])


def test_a_memory_can_be_shared_with_an_earlier_node():
    judge = Judge(Distance(), warm_up=2)
    for values in ([1.0, 2.0], [3.0]):
        source = Stream()
        found = source.score(judge=judge).sink_to_list()
        source.emit(batch(values))
    assert found[0].marks.known.tolist() == [True]


def test_plain_streamz_knows_the_node_by_its_entry_point():
    assert Stream.score is not None
    assert issubclass(score, Stream)


def test_no_variable_has_to_hold_the_node():
    source, judge = Stream(), Judge(Distance(), warm_up=2)
    source.score(judge=judge)
    gc.collect()
    source.emit(batch([1.0, 2.0]))
    assert judge.thresholds.n == 2
