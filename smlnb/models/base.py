"""What every model shares: where it comes from, how it stays fresh, how it reads data."""

from __future__ import annotations

import html
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from smlnb.batch import as_record_batch
from smlnb.encoders.base import Encoder
from smlnb.encoders.registry import encoder_from_state
from smlnb.errors import ModelError, NotEnoughDataError, StateError, UnknownAttributeError
from smlnb.stats.base import Plain, State, digest_of
from smlnb.stats.table import TableSummary

__all__ = ["AnomalyModel", "Model", "StatisticsSource"]


class StatisticsSource(Protocol):
    """What a model is built from: a project, or anything that gives statistics."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def version(self) -> int:
        """Grows whenever the statistics change."""

    @property
    def positions(self) -> Mapping[tuple[str, int], int]:
        """Next offset of each (topic, partition) absorbed."""

    @property
    def encoders(self) -> Sequence[Encoder]:
        """What makes numbers of texts and lists."""

    def summary(self) -> TableSummary:
        """Return the statistics as they are now."""

    def reading(self) -> AbstractContextManager[Any]:
        """Hold version, positions and statistics still while they are read together."""


class Model(ABC):
    """A model solved from statistics; a snapshot, unless ``live``.

    Parameters
    ----------
    source : StatisticsSource
        The project to build from.
    name : str
        For people and for the records that a scorer writes.
    inputs : sequence of str, optional
        Attributes to use; every one that the algorithm can use by default.
    live : bool, default False
        Read the source's newest statistics whenever the model is used.

    Attributes
    ----------
    version : int
        1 when built, one more at each rebuild.
    n : int
        Records that the statistics had absorbed when the model was built.
    positions : dict of (topic, partition) to next offset
        What these records were.
    built_at : datetime
        In UTC.
    feature_names_in_ : array of str
        The inputs, as scikit-learn calls them.
    """

    kind: ClassVar[str]

    def __init__(
        self, source: StatisticsSource, *, name: str, inputs: Sequence[str] | None = None, live: bool = False
    ) -> None:
        self.name = name
        self.live = live
        self.project = source.name
        self.version = 0
        self._source: StatisticsSource | None = source
        self._lock = threading.RLock()
        if isinstance(inputs, str):
            raise ModelError(f"inputs is one text, {inputs!r}; give a list of names: [{inputs!r}].")
        self._wanted = None if inputs is None else tuple(inputs)
        self.inputs: tuple[str, ...] = ()
        self._encoders: tuple[Encoder, ...] = ()
        self.rebuild()

    def rebuild(self) -> Self:
        """Build again from the source's present statistics.

        Raises
        ------
        ModelError
            If the model was loaded without its project.
        NotEnoughDataError
            If the source has learned nothing yet.
        """
        if self._source is None:
            raise ModelError(
                f"Model {self.name!r} was loaded without its project {self.project!r}. Load it with project=..."
            )
        # the source first, here as wherever both are held: statistics and positions are those of one moment
        with self._source.reading(), self._lock:
            seen = self._source.version
            summary = self._source.summary()
            if summary.n == 0:
                raise NotEnoughDataError(
                    f"Project {self._source.name!r} has learned nothing yet, so {self.kind!r} can't be built. "
                    "Connect it to a topic, or learn some data, first.",
                )
            inputs = self._inputs(summary)
            self._fit(summary, inputs)
            self.inputs = inputs
            self._encoders = tuple(e.copy() for e in self._source.encoders if {*e.outputs} & {*inputs})
            self.n = summary.n
            self.positions = dict(self._source.positions)
            self.built_at = datetime.now(UTC)
            self._built_from = seen
            self.version += 1
        return self

    def _inputs(self, summary: TableSummary) -> tuple[str, ...]:
        usable = self._usable(summary)
        if self._wanted is None:
            chosen = usable
        else:
            for name in self._wanted:
                if name not in summary.schema:
                    raise UnknownAttributeError.of(name, summary.schema.names)
                if name not in usable:
                    kind = summary.schema[name].kind
                    raise ModelError(
                        f"{self.kind!r} can't use {name!r}, which is of kind {kind} ({kind.name.lower()})."
                    )
            chosen = self._wanted
        if not chosen:
            raise ModelError(f"{self.kind!r} has no inputs: the project has no attribute that it can use.")
        if len(set(chosen)) != len(chosen):
            raise ModelError("An input was named twice.")
        return chosen

    def _freshen(self) -> None:
        if self.live and self._source is not None and self._source.version != self._built_from:
            self.rebuild()

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The inputs, as scikit-learn calls them."""
        return np.array(self.inputs, dtype=object)

    @property
    def n_features_in_(self) -> int:
        """The number of inputs."""
        return len(self.inputs)

    def _read(self, data: Any) -> pa.RecordBatch:
        """Make a record batch of what a caller gave, and refuse one that has none of the inputs."""
        names = list(self.inputs) if isinstance(data, np.ndarray) and data.dtype.names is None else None
        batch = as_record_batch(data, names)
        for encoder in self._encoders:
            if {*encoder.inputs} & {*batch.schema.names}:
                for name, values in zip(encoder.outputs, encoder.transform(batch), strict=True):
                    batch = batch.append_column(name, pa.array(values)) if name not in batch.schema.names else batch
        if not set(batch.schema.names) & set(self.inputs):
            raise ModelError(
                f"The data has none of the inputs of model {self.name!r}. It needs {', '.join(self.inputs)}; "
                f"there is {', '.join(batch.schema.names) or 'nothing'}.",
            )
        return batch

    @abstractmethod
    def _usable(self, summary: TableSummary) -> tuple[str, ...]:
        """Return the attributes that this algorithm can use."""

    @abstractmethod
    def _fit(self, summary: TableSummary, inputs: tuple[str, ...]) -> None:
        """Solve the model from statistics."""

    @abstractmethod
    def _parameters(self) -> State:
        """Return what was solved, and the options, as plain values."""

    @abstractmethod
    def _restore(self, parameters: Mapping[str, Plain]) -> None:
        """Take back what :meth:`_parameters` returned."""

    def state(self) -> State:
        """Return everything needed to rebuild this model bit for bit, with a digest over it."""
        body: State = {
            "kind": self.kind,
            "format": 1,
            "name": self.name,
            "project": self.project,
            "inputs": list(self.inputs),
            "encoders": [encoder.state() for encoder in self._encoders],
            "live": self.live,
            "version": self.version,
            "n": self.n,
            "positions": [[topic, partition, offset] for (topic, partition), offset in sorted(self.positions.items())],
            "built_at": self.built_at.isoformat(),
            "parameters": self._parameters(),
        }
        return {**body, "sha256": digest_of(body)}

    @classmethod
    def from_state(cls, state: Mapping[str, Plain], source: StatisticsSource | None = None) -> Self:
        """Rebuild what :meth:`state` returned; with ``source`` it can be rebuilt, or live, again.

        Raises
        ------
        StateError
            If the state is of another kind or format, or was changed since it was made.
        """
        body = {key: value for key, value in state.items() if key != "sha256"}
        if state.get("kind") != cls.kind or state.get("format") != 1:
            raise StateError(f"This is no stored model of kind {cls.kind!r} that this smlnb can read.")
        if digest_of(body) != state.get("sha256"):
            raise StateError(f"The stored model of kind {cls.kind!r} was damaged or changed: its SHA-256 does not fit.")
        model = cls.__new__(cls)
        model._lock = threading.RLock()
        model._source = source
        model._built_from = -1
        model.name, model.project = body["name"], body["project"]
        model.inputs = model._wanted = tuple(body["inputs"])
        model._encoders = tuple(encoder_from_state(s) for s in body["encoders"])
        model.live, model.version, model.n = body["live"], body["version"], body["n"]
        model.positions = {(topic, partition): offset for topic, partition, offset in body["positions"]}
        model.built_at = datetime.fromisoformat(body["built_at"])
        model._restore(body["parameters"])
        return model

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, version {self.version}): {len(self.inputs)} inputs, "
            f"built from {self.n:,} records of project {self.project!r}"
        )

    def _repr_html_(self) -> str:
        rows = {
            "algorithm": self.kind,
            "project": self.project,
            "inputs": ", ".join(self.inputs),
            "records": f"{self.n:,}",
            "built": f"{self.built_at:%Y-%m-%d %H:%M:%S} UTC",
            "live": "yes" if self.live else "no",
        }
        cells = "".join(f"<tr><th>{k}</th><td>{html.escape(v)}</td></tr>" for k, v in rows.items())
        return f"<b>{html.escape(self.name)}</b> version {self.version}<table>{cells}</table>"


class AnomalyModel(Model):
    """A model that gives each row a score; a larger one is stranger."""

    @abstractmethod
    def _contributions(self, batch: pa.RecordBatch) -> NDArray[np.float64]:
        """Return the contribution of each input to the score, shape (rows, inputs)."""

    def score_samples(self, data: Any) -> NDArray[np.float64]:
        """Return the score of each row, shape (rows,); larger is stranger.

        Parameters
        ----------
        data
            Anything tabular with the inputs among its columns, or an array of shape (rows, inputs). An input that is
            missing, or is no number where one is needed, contributes nothing.

        Raises
        ------
        ModelError
            If none of the inputs is there.
        """
        self._freshen()
        with self._lock:
            return np.asarray(self._contributions(self._read(data)).sum(axis=1))

    decision_function = score_samples

    def contributions(self, data: Any) -> pd.DataFrame:
        """Return what each input adds to the score, shape (rows, inputs); a row sums to its score."""
        self._freshen()
        with self._lock:
            return pd.DataFrame(self._contributions(self._read(data)), columns=list(self.inputs))
