"""The object that a notebook holds: a schema, its statistics, and the positions that they have absorbed."""

from __future__ import annotations

import html
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.batch import Batch, Refusal, as_record_batch
from smlnb.errors import BadRecordsError, ForgetError, MergeError, SchemaError, StateError, StateMachineError
from smlnb.explorable import Explorable
from smlnb.filter import RowFilter
from smlnb.journal import Journal
from smlnb.models.base import AnomalyModel
from smlnb.packing import read_file, write_file
from smlnb.schema import Attribute, Kind, Schema, guess_kind, parse_kinds
from smlnb.shards import Counts, Learned, Shard, bad_rows
from smlnb.stats.base import Plain, State, digest_of
from smlnb.stats.table import Table, TableSummary, read_block

__all__ = ["Project"]

Key = tuple[str, int]


class Project(Explorable):
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
    row_filter : str, optional
        Learn only records for which this holds, such as ``"s1 >= 1 and kind == 'a'"``; the others are counted. See
        :class:`~smlnb.filter.RowFilter`.

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
        row_filter: str | None = None,
    ) -> None:
        if not name or not name.strip():
            raise SchemaError("A project needs a name.")
        self.name = name
        self.id = uuid.uuid4().hex
        self.models = {}
        self._lock = threading.RLock()
        self._options = {"histogram": histogram, "quantiles": quantiles}
        self._filter = RowFilter(row_filter) if row_filter is not None else None
        self._frozen = False
        self._journal = Journal()
        self._version = 0
        self._merged: tuple[int, TableSummary] | None = None
        self._shards: dict[Key, Shard] = {}
        self._schema = Schema()
        self._by_position: str | None = None
        self._by_name: dict[str, str] = {}
        if isinstance(types, Mapping):
            self._by_name = {str(k): str(parse_kinds([v])[0]) for k, v in types.items()}
        elif types is not None:
            self._by_position = ",".join(parse_kinds(types))
            if columns is not None:
                self._schema = Schema.of(list(columns), self._by_position)
        self._direct = Shard(Table(self._schema, **self._options))

    @property
    def schema(self) -> Schema:
        """Attributes and kinds; empty until the first data when columns were not named."""
        return self._schema

    @property
    def n(self) -> int:
        """Records learned."""
        with self._lock:
            return sum(shard.table.n for _, shard in self._all_shards())

    @property
    def version(self) -> int:
        """Grows with each change."""
        return self._version

    @property
    def positions(self) -> dict[Key, int]:
        """Next offset of each (topic, partition)."""
        with self._lock:
            return {key: shard.position for key, shard in sorted(self._shards.items())}

    @property
    def counts(self) -> Counts:
        """Records learned and refused, in all and per (topic, partition)."""
        with self._lock:
            by_partition = {key: (s.table.n, s.refused) for key, s in sorted(self._shards.items())}
            shards = [shard for _, shard in self._all_shards()]
            refused, filtered = sum(s.refused for s in shards), sum(s.filtered for s in shards)
            return Counts(self.n, refused, by_partition, filtered, sum(s.table.forgotten for s in shards))

    @property
    def options(self) -> dict[str, bool]:
        """What is kept besides moments and co-moments."""
        return dict(self._options)

    def learn(
        self,
        data: Any,
        names: Sequence[str] | None = None,
        *,
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
            if self._frozen:
                raise StateMachineError(f"Project {self.name!r} is frozen: nothing was learned. Call unfreeze() first.")
            if batch is not None:
                if batch.start == batch.stop:
                    return Learned(0)
                if (batch.topic, batch.partition) in self._shards:
                    self._shards[batch.topic, batch.partition].check(batch)
            rows = self._wanted_rows(records)
            filtered = records.num_rows - len(rows)
            if filtered:
                records = records.take(pa.array(rows))
            schema = self._schema_with(records)
            given = records
            floats, records, bad = read_block(records, schema)
            refused: tuple[Refusal, ...] = ()
            if bad:
                refused, keep = bad_rows(given, bad, batch, rows)
                if on_bad == "raise":
                    raise BadRecordsError(
                        f"{refused[0].reason} Nothing was learned. Clean the data, or learn with on_bad='refuse'.",
                        refused,
                    )
                floats, records = np.ascontiguousarray(floats[:, keep]), records.filter(pa.array(keep))
            # from here on nothing can be refused: state and position change together
            self._grow(schema)
            shard = self._shard_of(batch)
            if records.num_columns:
                shard.table.update_floats(floats, records)
            undecoded = len(batch.refused) if batch is not None else 0
            shard.refused += len(refused) + undecoded
            shard.filtered += filtered
            source = "direct"
            if batch is not None:
                shard.position = batch.stop
                self._shards[batch.topic, batch.partition] = shard
                source = f"{batch.topic}[{batch.partition}]"
            self._journal.note(source, "learned", records.num_rows)
            self._journal.note(source, "refused", len(refused) + undecoded)
            self._journal.note(source, "filtered", filtered)
            self._version += 1
            return Learned(records.num_rows, refused, filtered)

    def forget(self, data: Any, names: Sequence[str] | None = None, *, place: Key | None = None) -> int:
        """Take records out of the statistics again: all of them or, with an error, none.

        Counts and histogram cells are exact. Moments and co-moments are computed backwards, which costs digits: where
        fewer than six would be left, nothing is forgotten. What can't be computed backwards is reported as missing:
        extremes are NaN, and quantiles come from the histogram. Positions stay; the next record learned is the next
        of the topic.

        Parameters
        ----------
        data
            The records as they were learned, anything tabular.
        names : sequence of str, optional
            Column names of an array.
        place : (topic, partition), optional
            Where they were learned from; directly by default.

        Returns
        -------
        int
            How many records were forgotten.

        Raises
        ------
        ForgetError
            If the records were not learned from there, or too few digits would be left.
        """
        records = as_record_batch(data, names or self._names_for(data))
        with self._lock:
            if self._frozen:
                raise StateMachineError(
                    f"Project {self.name!r} is frozen: nothing was forgotten. Call unfreeze() first."
                )
            if place is not None and place not in self._shards:
                known = ", ".join(f"{topic}[{partition}]" for topic, partition in sorted(self._shards)) or "none"
                raise ForgetError(f"Nothing was learned from {place[0]}[{place[1]}]. Partitions learned from: {known}.")
            shard = self._direct if place is None else self._shards[place]
            shard.table.forget(records)
            self._journal.note("direct" if place is None else f"{place[0]}[{place[1]}]", "forgotten", records.num_rows)
            self._version += 1
            return int(records.num_rows)

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

    def _wanted_rows(self, records: pa.RecordBatch) -> NDArray[np.intp]:
        if self._filter is None or records.num_rows == 0:
            return np.arange(records.num_rows)
        return np.flatnonzero(self._filter(records))

    def _names_for(self, data: Any) -> Sequence[str] | None:
        """Name the columns of a bare array like the project's, where the numbers agree."""
        if isinstance(data, np.ndarray) and data.ndim == 2 and data.shape[1] == len(self._schema) > 0:
            return self._schema.names
        return None

    def _shard_of(self, batch: Batch | None) -> Shard:
        if batch is None:
            return self._direct
        shard = self._shards.get((batch.topic, batch.partition))
        return shard or Shard(Table(self._schema, **self._options), position=batch.start)

    def _schema_with(self, records: pa.RecordBatch) -> Schema:
        """Return the schema that these records make of the present one: the first data make it, new columns grow it."""
        if not records.num_columns:
            return self._schema
        if not self._schema.attributes:
            if self._by_position is not None:
                return Schema.of(records.schema.names, self._by_position)
            return Schema.guess(records, self._by_name)
        known = set(self._schema.names)
        new = [
            Attribute(name, Kind(self._by_name[name]) if name in self._by_name else guess_kind(records.column(i)))
            for i, name in enumerate(records.schema.names)
            if name not in known
        ]
        return self._schema.with_attributes(new) if new else self._schema

    def _grow(self, schema: Schema) -> None:
        if schema is not self._schema:
            self._schema = schema
            self._widen_shards()

    def _widen_shards(self) -> None:
        for _, shard in self._all_shards():
            new = [a for a in self._schema if a.name not in shard.table.schema]
            if new:
                shard.table.grow(new)

    def _all_shards(self) -> Iterator[tuple[Key | None, Shard]]:
        yield None, self._direct
        yield from sorted(self._shards.items())

    def merge(self, other: Project) -> None:
        """Absorb the statistics of another project; the other is not changed.

        Raises
        ------
        MergeError
            If attributes or options differ, or both have read the same partition.
        """
        if other is self:
            raise MergeError(f"{self.name!r} can't be merged with itself: its records would count twice.")
        first, second = sorted((self, other), key=id)  # one order, whoever merges whom
        with first._lock, second._lock:
            if self._frozen:
                raise StateMachineError(f"Project {self.name!r} is frozen: nothing was merged. Call unfreeze() first.")
            for option, value in self._options.items():
                if other._options[option] != value:
                    raise MergeError(
                        f"{self.name!r} has {option}={value}, {other.name!r} has {option}={other._options[option]}."
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
            if not self._schema.attributes:
                self._grow(other._schema)
            if other._direct.table.n or other._direct.table.forgotten:
                self._direct.table.merge(other._direct.table)
            self._direct.refused += other._direct.refused
            self._direct.filtered += other._direct.filtered
            for key, shard in other._shards.items():
                self._shards[key] = Shard(shard.table.copy(), shard.position, shard.refused, shard.filtered)
            self._widen_shards()
            self._journal.note(f"project {other.name}", "merged", other.n)
            self._version += 1

    def __add__(self, other: Project) -> Project:
        """Return a new project that has learned what both have; see :meth:`merge`."""
        total = type(self)(f"{self.name}+{other.name}", **self._options)  # type: ignore[arg-type]
        total.merge(self)
        total.merge(other)
        return total

    def summary(self) -> TableSummary:
        """Return all statistics as they are now, merged over the partitions in sorted order."""
        with self._lock:
            if self._merged is None or self._merged[0] != self._version:
                total = Table(self._schema, **self._options)
                for _, shard in self._all_shards():
                    total.merge(shard.table)
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
            body: State = {
                "kind": "Project",
                "format": 1,
                "name": self.name,
                "id": self.id,
                "options": dict(self._options),
                "schema": self._schema.state(),
                "by_position": self._by_position,
                "by_name": dict(self._by_name),
                "row_filter": self._filter.text if self._filter is not None else None,
                "frozen": self._frozen,
                "journal": self._journal.state(),
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
        if state.get("kind") != "Project" or state.get("format") != 1:
            raise StateError("This is no stored project that this smlnb can read.")
        if digest_of(body) != state.get("sha256"):
            raise StateError("The stored project was damaged or changed: its SHA-256 does not fit.")
        project = cls(body["name"], **body["options"], row_filter=body["row_filter"])
        project._frozen, project._journal = body["frozen"], Journal.from_state(body["journal"])
        project.id = body["id"]
        project._schema = Schema.from_state(body["schema"])
        project._by_position, project._by_name = body["by_position"], dict(body["by_name"])
        project._direct = Shard.from_state(body["direct"])
        project._shards = {(topic, partition): Shard.from_state(s) for topic, partition, s in body["shards"]}
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
