"""A thread that reads, decodes and hands on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Literal, Protocol

from smlnb.batch import Batch
from smlnb.formats.decoded import Decoder
from smlnb.ingest.batching import NOTHING, batch_of, size_of
from smlnb.ingest.chunk import Chunk, Place
from smlnb.ingest.reader import Reader

__all__ = ["Owner", "Policy", "Task"]

Policy = Literal["stop", "dead_letter", "skip"]

POLL = 0.05  # seconds; also how long pause and stop may take to be noticed
COMMIT = 1.0  # seconds between commits
LOOK = 10.0  # seconds between looks for partitions that were added to the topics


class Owner(Protocol):
    """What a task works for."""

    @property
    def state(self) -> str:
        """``running`` or ``paused``."""

    @property
    def stopping(self) -> bool:
        """Whether to end."""

    @property
    def on_malformed(self) -> Policy:
        """What happens at a record that can't be decoded."""

    @property
    def dead_letter_topic(self) -> str:
        """Where such records go, if so."""

    @property
    def positions(self) -> dict[Place, int]:
        """The next offset of each partition."""

    def know(self, positions: Mapping[Place, int]) -> None:
        """Take note of partitions and where they begin, if they are new."""

    def hand_on(self, batch: Batch, size: int, seconds: float) -> int | None:
        """Take a batch, or return where its partition should go on instead."""

    def ended(self, task: Task, failure: BaseException | None) -> None:
        """Take note that a task ends."""


class Task:
    """Reads with one reader until it is told to stop, or something fails.

    Parameters
    ----------
    owner : Owner
    reader : Reader
        Used by this task alone, which closes it.
    decoder : Decoder
        Used by this task alone.
    name : str
        Of the thread.

    Attributes
    ----------
    leaving : bool
        Set to let this task end and the owner's others go on.
    """

    def __init__(self, owner: Owner, reader: Reader, decoder: Decoder, name: str) -> None:
        self.reader = reader
        self.leaving = False
        self._owner = owner
        self.decoder = decoder
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        failure = None
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - whatever happens is kept and shown: nobody else would see it
            failure = error
        finally:
            self.reader.commit(self._owner.positions)
            self.reader.give_all_back()
            self._owner.ended(self, failure)
            self.reader.close()  # takes a while if the broker is gone

    @property
    def _done(self) -> bool:
        return self.leaving or self._owner.stopping

    def _loop(self) -> None:
        owner, reader = self._owner, self.reader
        committed = looked = time.monotonic()
        while not self._done:
            reader.pause(owner.state == "paused")
            reader.poll(POLL)
            for place in reader.due():
                if self._done or owner.state == "paused":
                    break
                self._work(reader.take(place))
            if time.monotonic() - committed >= COMMIT:
                reader.see_ends()
                reader.commit(owner.positions)
                owner.know(reader.positions)
                committed = time.monotonic()
            if time.monotonic() - looked >= LOOK:
                reader.take_up_new_partitions()
                owner.know(reader.positions)
                looked = time.monotonic()

    def _work(self, chunk: Chunk) -> None:
        begin = time.perf_counter()
        decoded, records = NOTHING, chunk.records
        if len(records):
            headers = records.headers if self.decoder.uses_headers else None
            decoded = self.decoder.decode(records.values, headers)
            self.reader.headers = self.decoder.uses_headers  # which the first records may have settled
        seconds = time.perf_counter() - begin
        batch, failure = batch_of(
            chunk,
            decoded,
            stop_at_bad=self._owner.on_malformed == "stop",
            dead_letter_topic=self._owner.dead_letter_topic,
        )
        if batch.stop > batch.start:
            done = len(batch) + len(batch.refused)
            size = size_of(records.values if failure is None else records.values[:done])
            elsewhere = self._owner.hand_on(batch, size, seconds)
            if elsewhere is not None:
                self.reader.move(chunk.place, elsewhere)
                return
        if failure is not None:
            raise failure
