"""The streamz node that scores batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamz import Stream

from smlnb.batch import Batch
from smlnb.ingest.kept import Kept
from smlnb.score.scored import Judge

__all__ = ["score"]


@Stream.register_api()
class score(Kept):  # noqa: N801 - streamz names its nodes so
    """Turn batches into scored batches by a model; it never learns.

    Parameters
    ----------
    model
        What ``project.build`` returned.
    keep : sequence of str
        Fields of the source record that go with the scores.
    top : int
        How many of the contributing inputs to name.
    warm_up : int
        How many scores carry no flags.
    judge : Judge, optional
        One that has its memory already, instead of the above.

    Examples
    --------
    >>> import smlnb, numpy as np, pyarrow as pa
    >>> project = smlnb.Project("p", types="C")
    >>> _ = project.learn({"x": np.arange(100.0)})
    >>> source = Stream()
    >>> scored = source.score(project.build("hba"), warm_up=1).sink_to_list()
    >>> data = pa.record_batch({"x": [50.0, 1e6]})
    >>> source.emit(smlnb.Batch(data, "t", 0, 0, 2, np.array([0, 1])))
    >>> bool(scored[0].scores[1] > scored[0].scores[0])
    True
    """

    def __init__(
        self,
        upstream: Stream,
        model: Any = None,
        *,
        keep: Sequence[str] = (),
        top: int = 3,
        warm_up: int = 500,
        judge: Judge | None = None,
        **kwargs: Any,
    ) -> None:
        self.judge = judge or Judge(model, keep=keep, top=top, warm_up=warm_up)
        super().__init__(upstream, **kwargs)

    def update(self, x: Batch, who: Any = None, metadata: Any = None) -> Any:  # noqa: ARG002 - streamz passes them
        """Score one batch and pass it on."""
        return self._emit(self.judge(x), metadata=metadata)
