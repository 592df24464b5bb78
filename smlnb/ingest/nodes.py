"""The streamz node that teaches a project."""

from __future__ import annotations

import threading
from typing import Any, Literal

from streamz import Stream

from smlnb.batch import Batch
from smlnb.errors import BadRecordsError
from smlnb.ingest.deadletter import DeadLetters
from smlnb.ingest.kept import Kept
from smlnb.ingest.meter import last_reason, log_refusals
from smlnb.logs import Seldom, quiet_logger
from smlnb.project import Project
from smlnb.shards.intake import Learned

__all__ = ["learn"]

_log = quiet_logger(__name__)


@Stream.register_api()
class learn(Kept):  # noqa: N801 - streamz names its nodes like functions
    """Let a project learn each batch, then pass the batch on.

    A batch that the project has learned before is passed on and not learned again: after a node further on has failed,
    the source emits it once more.

    Parameters
    ----------
    project : Project
    on_bad : {"raise", "refuse"}
        What happens at a record that does not fit the project, such as text in a continuous attribute: an error, and
        nothing of the batch is learned; or the record is counted as refused.
    dead_letters : DeadLetters, optional
        Where such records are written to, with ``on_bad="refuse"``: before the batch is learned, so that none is lost
        if they can't be written. After a failure a record may be there twice.
    strict : bool
        Raise :class:`~smlnb.errors.DuplicateBatchError` at a batch that was learned before, as
        :meth:`smlnb.Project.learn` does.

    Attributes
    ----------
    counts : dict of (topic, partition) to (learned, refused, filtered)
        Refused are records that could not be decoded and records that did not fit; filtered are those that the
        project's row filter leaves out.
    last_errors : dict of (topic, partition) to str
        Why a record was refused most recently, with its offset; the partition that this happened in last comes last.

    Examples
    --------
    >>> import smlnb
    >>> project, source = smlnb.Project("p", types="C"), Stream()
    >>> batches = source.learn(project).sink_to_list()
    >>> source.emit({"x": [1.0, 2.0]})
    >>> project.n, len(batches)
    (2, 1)
    """

    def __init__(
        self,
        upstream: Stream,
        project: Project,
        *,
        on_bad: Literal["raise", "refuse"] = "raise",
        dead_letters: DeadLetters | None = None,
        strict: bool = False,
        **kwargs: Any,
    ) -> None:
        self.project = project
        self.on_bad: Literal["raise", "refuse"] = on_bad
        self.dead_letters = dead_letters
        self.strict = strict
        self._counts: dict[tuple[str, int], tuple[int, int, int]] = {}
        self._last_errors: dict[tuple[str, int], str] = {}
        self._refusals = Seldom()
        self._lock = threading.Lock()
        super().__init__(upstream, **kwargs)

    @property
    def counts(self) -> dict[tuple[str, int], tuple[int, int, int]]:
        """Records learned, refused and filtered out, per (topic, partition)."""
        with self._lock:
            return dict(self._counts)

    @property
    def last_errors(self) -> dict[tuple[str, int], str]:
        """Why a record was refused most recently, per (topic, partition)."""
        with self._lock:
            return dict(self._last_errors)

    def update(self, x: Any, who: Any = None, metadata: Any = None) -> Any:  # noqa: ARG002 - streamz passes them
        """Learn one batch and pass it on."""
        if not self.strict and self._knows(x):
            return self._emit(x, metadata=metadata)
        learned = self._learn(x)
        if isinstance(x, Batch):
            self._count(x, learned)
        return self._emit(x, metadata=metadata)

    def _count(self, batch: Batch, learned: Learned) -> None:
        place = (batch.topic, batch.partition)
        reason = last_reason(learned.refused) or last_reason(batch.refused)
        with self._lock:
            rows, refused, filtered = self._counts.get(place, (0, 0, 0))
            self._counts[place] = (
                rows + learned.rows,
                refused + len(learned.refused) + len(batch.refused),
                filtered + learned.filtered,
            )
            if reason is not None:
                self._last_errors.pop(place, None)
                self._last_errors[place] = reason
        if learned.refused:
            log_refusals(_log, self._refusals, learned.refused)

    def _knows(self, x: Any) -> bool:
        if not isinstance(x, Batch) or x.stop <= x.start:
            return False
        return self.project.has_reached(x.topic, x.partition, x.stop)

    def _learn(self, x: Any) -> Learned:
        if self.on_bad == "refuse" and self.dead_letters is None:
            return self.project.learn(x, on_bad="refuse")
        try:
            return self.project.learn(x)
        except BadRecordsError as error:
            if self.on_bad == "raise":
                raise BadRecordsError(
                    f"{error.refused[0].reason} Nothing of its batch was learned.", error.refused
                ).advising(
                    "Go on with restart(on_malformed='skip'), which leaves such records out, or 'dead_letter', which "
                    "keeps them.",
                ) from None
            written = error.refused
        if self.dead_letters is not None:
            self.dead_letters.send(written)
        return self.project.learn(x, on_bad="refuse")
