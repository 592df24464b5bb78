"""The object that a notebook holds: a schema, its statistics, and the positions that they have absorbed."""

from __future__ import annotations

import html
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlnb.batch import Batch, as_record_batch
from smlnb.encoders.base import Encoder
from smlnb.errors import BadRecordsError, MergeError, SchemaError, StateError
from smlnb.filter import RowFilter
from smlnb.journal import Journal
from smlnb.models.base import AnomalyModel
from smlnb.options import Options, Span
from smlnb.packing import read_file, write_file
from smlnb.past import Key, Past
from smlnb.schema import Schema
from smlnb.shards.encoding import Encoding
from smlnb.shards.intake import Counts, Learned, Types
from smlnb.shards.recent import Recent
from smlnb.shards.shard import Shard
from smlnb.stats.base import Plain, State, digest_of
from smlnb.stats.table import Table, TableSummary

__all__ = ["Project"]

FORMAT = 3


class Project(Past):
    """Statistics of a stream, ready for any question and any model.

    Each record is read once. One state is kept per (topic, partition), with the offset that comes next, and one for
    data learned directly; they are merged, in sorted order, for reading. All methods may be called from any thread.

    Parameters
    ----------
    name : str
    types : str, sequence of str or mapping, optional
        Letters by position (``"C,C,X"``) or by name (``{"class": "X"}``): C continuous, B binary, T category, S text,
        L list, X ignored. What is not given is guessed from the first data.
    columns : sequence of str, optional
        Column names that the letters belong to; taken from the first data by default.
    histogram : bool, default True
        Keep histograms: needed for ``histogram()`` and for ``hba``.
    quantiles : bool, default True
        Keep quantile sketches.
    distinct : bool, default False
        Count distinct and frequent values of continuous attributes, too; of the others they are always counted.
    conditional : bool, default True
        With histograms, keep those of continuous attributes given each value of the binary and category ones.
    history : bool or sequence of (duration, panes), default False
        Keep the past: minutes for an hour, half hours for a day, days for a quarter, or panes as given. Then
        :meth:`between` answers for any interval, and :meth:`compare` for two. It takes, for each partition, up to 200
        times the memory of the statistics.
    window : int or str, optional
        Keep the latest records apart: so many, or those of so much time, such as ``"10min"``; see :meth:`window`.
    decay : int or str, optional
        Keep figures in which a record counts half as much after so many others, or after so much time; see
        :meth:`fading`.
    time : str, optional
        The column that holds the time of a record: timestamps, ISO 8601 texts, or milliseconds since 1970. By default
        it is the broker's, or of data learned directly the clock. A record without a time counts as of now.
    row_filter : str, optional
        Learn only records for which this holds, such as ``"s1 >= 1 and kind == 'a'"``; the others are counted. See
        :class:`~smlnb.filter.RowFilter`.
    encoders : sequence of Encoder, optional
        What makes numbers of texts and lists; see :meth:`attach`.

    Examples
    --------
    >>> project = Project("demo", types="C,C,X")
    >>> project.learn({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.5], "id": ["a", "b", "c"]}).rows
    3
    >>> project.univariate().loc["x", "mean"].item()
    2.0
    >>> round(project.correlation().loc["x", "y"].item(), 4)
    0.9979
    """

    def __init__(
        self,
        name: str,
        types: str | Sequence[str] | Mapping[str, str] | None = None,
        *,
        columns: Sequence[str] | None = None,
        histogram: bool = True,
        quantiles: bool = True,
        distinct: bool = False,
        conditional: bool = True,
        history: bool | Sequence[tuple[Span, int]] = False,
        window: Span | None = None,
        decay: Span | None = None,
        time: str | None = None,
        row_filter: str | None = None,
        encoders: Sequence[Encoder] = (),
    ) -> None:
        if not name or not name.strip():
            raise SchemaError("A project needs a name.")
        options = Options.of(
            histogram=histogram,
            quantiles=quantiles,
            distinct=distinct,
            conditional=conditional,
            history=history,
            window=window,
            decay=decay,
            time=time,
        )
        self._begin(name, uuid.uuid4().hex, options, Types(types), Encoding(encoders), row_filter)
        if columns is not None and self._types.by_position is not None:
            self._grow(self._encoding.extended(Schema.of(list(columns), self._types.by_position)))

    def _begin(  # noqa: PLR0917 - what a project is made of
        self, name: str, identity: str, options: Options, types: Types, encoding: Encoding, row_filter: str | None
    ) -> None:
        self.name, self.id, self.models = name, identity, {}
        self._lock = threading.RLock()
        self._options, self._types, self._encoding = options, types, encoding
        self._filter = RowFilter(row_filter) if row_filter is not None else None
        self._frozen = False
        self._journal = Journal()
        self._version = 0
        self._merged: tuple[int, TableSummary] | None = None
        self._schema = Schema()
        self._direct = Shard(self._schema, options, encoding=encoding)
        self._shards: dict[Key, Shard] = {}
        self._latest = Recent(self._schema, options, "rows")
        self._latest_sealed: Recent | None = None

    @property
    def schema(self) -> Schema:
        """Attributes and kinds; empty until the first data when columns were not named."""
        return self._schema

    @property
    def n(self) -> int:
        """Records learned."""
        with self._lock:
            return sum(shard.n for _, shard in self._all_shards())

    @property
    def version(self) -> int:
        """Grows with each change."""
        return self._version

    @property
    def positions(self) -> dict[Key, int]:
        """Next offset of each (topic, partition)."""
        with self._lock:
            return {key: shard.position for key, shard in sorted(self._shards.items())}

    def has_reached(self, topic: str, partition: int, position: int) -> bool:
        """Whether all offsets of a partition before a position are learned."""
        with self._lock:
            shard = self._shards.get((topic, partition))
            return shard is not None and shard.position >= position

    @property
    def counts(self) -> Counts:
        """Records learned and refused, in all and per (topic, partition)."""
        with self._lock:
            by_partition = {key: (s.n, s.refused) for key, s in sorted(self._shards.items())}
            shards = [shard for _, shard in self._all_shards()]
            refused, filtered, forgotten, lost = (
                sum(getattr(shard, what) for shard in shards) for what in ("refused", "filtered", "forgotten", "lost")
            )
            return Counts(self.n, refused, by_partition, filtered, forgotten, lost)

    @property
    def options(self) -> Options:
        """What is kept besides moments and co-moments."""
        return self._options

    def learn(
        self,
        data: Any,
        names: Sequence[str] | None = None,
        *,
        times: ArrayLike | None = None,
        on_bad: Literal["raise", "refuse"] = "raise",
    ) -> Learned:
        """Absorb records.

        Parameters
        ----------
        data
            A :class:`~smlnb.batch.Batch`, which carries its offsets; or anything tabular: an Arrow, pandas or polars
            table, a dict of columns, a list of dicts, an array of shape (rows, columns). Data without offsets is
            learned as often as it is given: there is no check for duplicates.
        names : sequence of str, optional
            Column names of an array.
        times : array of timestamps or of milliseconds since 1970, shape (rows,), optional
            When the records were made; by default as the project's option ``time`` says. See
            :func:`~smlnb.shards.stamps.stamps_of`.
        on_bad : {"raise", "refuse"}
            What to do about a record that holds, say, text in a continuous attribute.

        Returns
        -------
        Learned
            How many records were learned, and which were refused.

        Raises
        ------
        SchemaError
            If the data does not fit the types; nothing is learned then.
        BadRecordsError
            If a record is bad and ``on_bad="raise"``; nothing is learned, and ``refused`` names all that are.
        DuplicateBatchError, GapError
            If a batch was absorbed before, or starts beyond the project's position.
        """
        batch = data if isinstance(data, Batch) else None
        records = batch.data if batch is not None else as_record_batch(data, names or self._names_for(data))
        with self._lock:
            self._check_thawed("learned")
            if batch is not None:
                if batch.start == batch.stop:
                    return Learned(0)
                if (batch.topic, batch.partition) in self._shards:
                    self._shards[batch.topic, batch.partition].check(batch)
            intake = self._take_in(records, batch, times)
            if intake.refused and on_bad == "raise":
                raise BadRecordsError(
                    f"{intake.refused[0].reason} Nothing was learned. Clean the data, or learn with on_bad='refuse'.",
                    intake.refused,
                )
            # from here on nothing can be refused: state and position change together
            self._grow(intake.schema)
            rows, refused, filtered = len(intake.rows), len(intake.refused_at), len(intake.filtered_at)
            key = None if batch is None else (batch.topic, batch.partition)
            if batch is None or key is None:
                self._keep_latest(self._direct.learn_directly(intake.rows, intake.refused_at, filtered))
            else:
                if key not in self._shards:
                    self._shards[key] = Shard(self._schema, self._options, batch.start, encoding=self._encoding)
                shard = self._shards[key]
                self._keep_latest(shard.learn(intake.rows, batch.stop, intake.refused_at, intake.filtered_at))
                shard.lost += batch.offsets_lost
                self._journal.note(key, "lost", batch.offsets_lost)
            self._journal.note(key, "learned", rows)
            self._journal.note(key, "refused", refused)
            self._journal.note(key, "filtered", filtered)
            self._version += 1
            return Learned(rows, intake.refused, filtered)

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """What makes numbers of texts and lists."""
        return tuple(self._encoding.encoders)

    def attach(self, encoder: Encoder) -> None:
        """Let an encoder make numbers of a text or list attribute, from the unfinished blocks on.

        What it makes are attributes like all others: they have statistics, and models can use them. A learning encoder
        encodes each block of records by what it learned of those before, and then learns it. Scoring takes its table as
        it was when the model was built.

        Parameters
        ----------
        encoder : Encoder
            Its table stays open: ``project.encoders[0].table()``, ``.set(...)``.

        Raises
        ------
        SchemaError
            If it belongs to another project, its column is unknown, or a name that it makes is taken.

        Examples
        --------
        >>> import smlnb
        >>> project = smlnb.Project("demo", types={"city": "S", "price": "C"})
        >>> project.attach(smlnb.TargetEncoder("city", target="price", smoothing=0))
        >>> for _ in range(2):
        ...     _ = project.learn({"city": ["rome", "oslo"], "price": [1.0, 5.0]})
        >>> project.univariate().loc["city~price", "mean"].item()
        3.0
        """
        with self._lock:
            self._check_thawed("attached")
            self._encoding.attach(encoder, self._schema)
            self._grow(self._encoding.extended(self._schema))
            self._version += 1

    def _grow(self, schema: Schema) -> None:
        if schema is not self._schema:
            self._schema = schema
            for recent in (self._latest, self._latest_sealed):
                if recent is not None:
                    recent.grow(schema)
            for _, shard in self._all_shards():
                shard.grow(schema)

    def guess_types(self) -> None:
        """Forget the letters by position, and guess from the first data; nothing happens if there have been any."""
        with self._lock:
            if not self._schema.attributes:
                self._types.by_position = None
                self._version += 1

    def freeze(self) -> None:
        """Refuse to learn, merge or forget anything until :meth:`unfreeze`."""
        self._frozen = True

    def unfreeze(self) -> None:
        """Learn again."""
        self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether the project refuses to learn."""
        return self._frozen

    def log(self) -> pd.DataFrame:
        """Return what was learned, refused, filtered out and merged: one row per source and action."""
        with self._lock:
            return self._journal.table()

    def merge(self, other: Project) -> None:
        """Absorb the statistics of another project; the other is not changed.

        Raises
        ------
        MergeError
            If attributes or options differ, both have read the same partition, or both have records and a window or
            fading figures by rows, which have no common order.
        """
        self._check_other(other)
        first, second = sorted((self, other), key=id)  # one order, whoever merges whom
        with first._lock, second._lock:
            self._check_thawed("merged")
            theirs = asdict(other._options)
            for option, value in asdict(self._options).items():
                if theirs[option] != value:
                    raise MergeError(
                        f"{self.name!r} has {option}={value}, {other.name!r} has {option}={theirs[option]}."
                    )
            if self._schema.attributes and other._schema.attributes and self._schema != other._schema:
                raise MergeError(
                    f"{self.name!r} has the attributes {_described(self._schema)}, "
                    f"{other.name!r} has {_described(other._schema)}.",
                )
            both = sorted(self._shards.keys() & other._shards.keys())
            if both:
                topic, partition = both[0]
                raise MergeError(
                    f"{self.name!r} and {other.name!r} have both read {topic}[{partition}]: records would count twice."
                )
            self._check_order(other)
            self._encoding.merge(other._encoding)
            self._grow(other._schema if not self._schema.attributes else self._schema)
            self._direct.merge(other._direct.copy(self._schema, self._encoding))
            for key, shard in other._shards.items():
                self._shards[key] = shard.copy(self._schema, self._encoding)
            self._take_latest(other)
            self._journal.note(f"project {other.name}", "merged", other.n)
            self._version += 1

    def __add__(self, other: Project) -> Project:
        """Return a new project that has learned what both have; see :meth:`merge`."""
        if not isinstance(other, Project):
            return NotImplemented
        texts = {None if p._filter is None else p._filter.text for p in (self, other)}
        total = type(self)(f"{self.name}+{other.name}")
        row_filter = texts.pop() if len(texts) == 1 else None
        total._begin(total.name, total.id, self._options, self._types, self._encoding.empty(), row_filter)
        total.merge(self)
        total.merge(other)
        return total

    def summary(self) -> TableSummary:
        """Return all statistics as they are now, merged over the partitions in sorted order."""
        with self._lock:
            if self._merged is None or self._merged[0] != self._version:
                total = Table(self._schema, **self._options.table)
                for _, shard in self._all_shards():
                    shard.add_to(total)
                self._merged = (self._version, total.result())
            return self._merged[1]

    def score_then_learn(self, model: AnomalyModel, data: Any) -> NDArray[np.float64]:
        """Score records from the state before them, then learn them (test, then train).

        Returns
        -------
        array, shape (rows,)
        """
        batch = data if isinstance(data, Batch) else as_record_batch(data, self._names_for(data))
        with self._lock:
            scores = model.score_samples(batch.data if isinstance(batch, Batch) else batch)
            self.learn(batch)
            return scores

    def state(self) -> State:
        """Return everything needed to rebuild this project, positions included, with a digest over it."""
        with self._lock:
            tails = any(shard.tail.n for shard in self._shards.values())
            body: State = {
                "kind": "Project",
                "format": FORMAT,
                "name": self.name,
                "id": self.id,
                "options": self._options.state(),
                "schema": self._schema.state(),
                "types": self._types.state(),
                "encoders": self._encoding.state(),
                "row_filter": self._filter.text if self._filter is not None else None,
                "frozen": self._frozen,
                "journal": self._journal.state(),
                "latest": self._latest.state(),
                "latest_shown": self._shown().state() if tails else None,
                "direct": self._direct.state(),
                "shards": [[topic, partition, s.state()] for (topic, partition), s in sorted(self._shards.items())],
            }
            return {**body, "sha256": digest_of(body)}

    @classmethod
    def from_state(cls, state: Mapping[str, Plain]) -> Self:
        """Rebuild what :meth:`state` returned.

        Raises
        ------
        StateError
            If the state is foreign, of another format, or was changed since it was made.
        """
        body = {key: value for key, value in state.items() if key != "sha256"}
        if state.get("kind") != "Project" or state.get("format") != FORMAT:
            raise StateError("This is no stored project that this smlnb can read.")
        if digest_of(body) != state.get("sha256"):
            raise StateError("The stored project was damaged or changed: its SHA-256 does not fit.")
        project = cls.__new__(cls)
        options, schema = Options.from_state(body["options"]), Schema.from_state(body["schema"])
        types, encoding = Types.from_state(body["types"]), Encoding.from_state(body["encoders"])
        project._begin(body["name"], body["id"], options, types, encoding, body["row_filter"])
        project._frozen, project._journal = body["frozen"], Journal.from_state(body["journal"])
        project._schema = schema
        project._latest = Recent.from_state(body["latest"], schema, options, "rows")
        if body["latest_shown"] is not None:
            project._latest_sealed = project._latest
            project._latest = Recent.from_state(body["latest_shown"], schema, options, "rows")
        project._direct = Shard.from_state(body["direct"], schema, options, encoding)
        project._shards = {
            (topic, partition): Shard.from_state(s, schema, options, encoding) for topic, partition, s in body["shards"]
        }
        return project

    def export(self, path: str | Path) -> None:
        """Write this project, positions included, to one file that :meth:`load` reads; its owner alone can read it."""
        target = Path(path)
        part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
        part.touch(mode=0o600)
        part.write_bytes(write_file(self.state()))
        part.replace(target)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a project from a file that :meth:`export` wrote.

        Raises
        ------
        StateError
            If it is no such file, or was damaged.
        """
        return cls.from_state(read_file(Path(path).read_bytes(), str(path)))

    def __repr__(self) -> str:
        facts = f"{self.n:,} records, {len(self._schema)} attributes, {len(self._shards)} partitions"
        return f"Project({self.name!r}): {facts}"

    def _repr_html_(self) -> str:
        counts = self.counts
        facts = {
            "records": f"{counts.learned:,}",
            "refused": f"{counts.refused:,}",
            "partitions": ", ".join(
                f"{topic}[{partition}] at {at:,}" for (topic, partition), at in self.positions.items()
            )
            or "none",
            "attributes": ", ".join(f"{a.name} ({a.kind})" for a in self._schema) or "none yet",
            "models": ", ".join(self.models) or "none yet",
        }
        rows = "".join(f"<tr><th>{k}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
        return f"<b>Project {html.escape(self.name)}</b><table>{rows}</table>"


def _described(schema: Schema) -> str:
    return ", ".join(f"{a.name}:{a.kind}" for a in schema)
