"""A value as what the target is on average where it occurs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.encoders.base import Encoder, alone, check_whole_number
from smlnb.encoders.groups import Groups
from smlnb.encoders.keys import Keys, as_key, texts_of
from smlnb.encoders.means import TargetMeans
from smlnb.errors import MergeError, SchemaError
from smlnb.schema import Schema
from smlnb.stats.base import State
from smlnb.stats.block import float_block

__all__ = ["TargetEncoder"]

MOST_VALUES = 1_000_000


class TargetEncoder(Encoder):
    r"""Replaces a value by the mean of a target (of 0 and 1: their probability) where it occurred, learned so far.

    A value that occurred :math:`n_i` times, with mean :math:`m_i`, is encoded as

    .. math:: \lambda_i m_i + (1 - \lambda_i) m, \qquad \lambda_i = \frac{n_i}{n_i + \text{smoothing}}

    where the prior :math:`m` is the mean over all occurrences, as in :class:`sklearn.preprocessing.TargetEncoder` with
    ``smooth=smoothing`` (Micci-Barreca, 2001). Values never seen, seen fewer than ``min_count`` times, or beyond the
    ``limit`` of those kept are encoded as the prior. Each item of a list is an occurrence, the encoding of a list is
    the mean over its items, and that of an empty list the prior. Until something was learned all is missing (NaN).

    Parameters
    ----------
    column : str
        The attribute to encode.
    target : str
        The attribute to average. The output is ``column~target``, continuous.
    smoothing : float, default 10
        How many occurrences weigh as much as the prior.
    min_count : int, default 1
        Occurrences from which on a value is told from the prior.
    pos_label : optional
        Average how often the target has this value, which need not be a number; the output is then
        ``column~target=pos_label``.
    limit : int, default 10,000
        The most values kept, about 300 bytes each; see :class:`~smlnb.encoders.means.TargetMeans`.

    Examples
    --------
    >>> encoder = TargetEncoder("city", target="price", smoothing=1)
    >>> encoder.learn({"city": ["rome", "rome", "oslo"], "price": [1.0, 2.0, 9.0]})
    >>> encoder.transform({"city": ["rome", "oslo", "bonn", None]}).round(3)
    array([[2.333, 6.5  , 4.   ,   nan]])
    >>> encoder.set("bonn", encoded=3.0)
    >>> encoder.table()[["value", "count", "mean", "encoded", "source"]]
         value  count  mean   encoded   source
    0     rome      2   1.5  2.333333  learned
    1     oslo      1   9.0  6.500000  learned
    2     bonn      0   NaN  3.000000      set
    3  (other)      0   NaN  4.000000    prior
    4  (prior)      3   4.0  4.000000    prior
    """

    def __init__(
        self,
        column: str,
        target: str,
        *,
        smoothing: float = 10.0,
        min_count: int = 1,
        pos_label: Any = None,
        limit: int = 10_000,
    ) -> None:
        super().__init__(column)
        if not isinstance(target, str) or not target:
            raise SchemaError(f"A TargetEncoder needs the name of its target, not {target!r}.")
        if target == column:
            raise SchemaError(f"{column!r} can't be encoded by its own mean. Name another attribute as the target.")
        if not _is_finite(smoothing) or smoothing < 0:
            raise SchemaError(f"The smoothing is a number of occurrences, 0 or more, not {smoothing!r}.")
        check_whole_number("The minimum count", min_count, 1, 2**53)
        check_whole_number("The limit of values", limit, 1, MOST_VALUES)
        self.target = target
        self.smoothing = float(smoothing)
        self.min_count = min_count
        self.pos_label = None if pos_label is None else as_key(pos_label)
        self._means = TargetMeans(limit)
        self._edits: dict[str, float] = {}
        self._frozen = False

    @property
    def n(self) -> int:  # type: ignore[override]
        """Rows absorbed, exact."""
        return self._means.n

    @property
    def inputs(self) -> tuple[str, ...]:
        """The attribute to encode, and the target."""
        return (self.column, self.target)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The one name, ``column~target`` or ``column~target=pos_label``."""
        return (f"{self.column}~{self.target}" + (f"={self.pos_label}" if self.pos_label is not None else ""),)

    def check(self, schema: Schema) -> None:
        """Refuse a schema that this encoder can't be attached to; see :meth:`Encoder.check`.

        Raises
        ------
        SchemaError
            If the target is no number, and there is no ``pos_label``.
        """
        super().check(schema)
        kind = schema[self.target].kind
        if self.pos_label is None and not kind.is_numeric:
            raise SchemaError(_no_number(self.target, f"has the type {kind}"))

    @alone
    def update(self, block: pa.RecordBatch) -> None:
        """Absorb a record batch; a frozen encoder lets it pass.

        Raises
        ------
        SchemaError
            If the target holds something that is no number, and there is no ``pos_label``. Nothing is learned then.
        """
        if self._frozen:
            return
        names = block.schema.names
        values = block.column(self.column) if self.column in names else pa.nulls(block.num_rows)
        self._means.update([values, pa.array(self._target_of(block))])

    def _target_of(self, records: pa.RecordBatch) -> NDArray[np.float64]:
        if self.pos_label is not None and self.target in records.schema.names:
            hit = pc.equal(texts_of(records.column(self.target)), self.pos_label)
            return np.asarray(hit.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False))
        block, bad = float_block(records, [self.target])
        if bad:
            value = records.column(self.target)[int(bad[self.target][0])].as_py()
            raise SchemaError(_no_number(self.target, f"holds {value!r}"))
        return np.asarray(block[0])

    @alone
    def _encode(self, keys: Keys) -> NDArray[np.float64]:
        groups, prior = self._means.groups(), self._means.prior
        places = self._means.places(keys.values)
        encoded = np.where(places > 0, self._shrunk(groups.take(places), prior), prior)
        if self._edits:
            encoded = np.array([self._edits.get(v, e) for v, e in zip(keys.values, encoded, strict=True)], float)
        rows = len(keys.present)
        items = np.bincount(keys.rows, minlength=rows)
        total = np.bincount(keys.rows, encoded[keys.codes], rows)
        return np.where(items > 0, total / items.clip(1), prior)[None]

    def _shrunk(self, groups: Groups, prior: float) -> NDArray[np.float64]:
        weight = groups.count / (groups.count + self.smoothing).clip(np.finfo(float).tiny)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(groups.count >= self.min_count, prior + weight * (groups.mean - prior), prior)

    @alone
    def table(self) -> pd.DataFrame:
        """Return what was learned of each value, and how it is encoded.

        Returns
        -------
        pandas.DataFrame
            ``value``, ``count``, ``mean`` and ``std`` (``ddof=1``) of the target, ``encoded``, and ``source``:
            ``"learned"``, ``"set"`` by hand, ``"rare"`` (below ``min_count``, so encoded as the prior) or ``"prior"``.
            Most frequent values first; the last rows, ``(other)`` and ``(prior)``, are what is not kept, and all.
        """
        summary = self._means.result()
        everything = summary.groups.followed_by(summary.other)
        total = everything.pooled(np.zeros(len(everything), np.intp), 1)
        learned = _frame(summary.values, summary.groups)
        learned["encoded"] = self._shrunk(summary.groups, summary.prior)
        learned["source"] = np.where(summary.groups.count >= self.min_count, "learned", "rare")
        by_hand = [v for v in self._edits if v not in self._means]
        values = pd.concat([learned, _frame(by_hand, Groups.none(len(by_hand)))], ignore_index=True)
        edited = values["value"].isin(list(self._edits))
        values.loc[edited, "encoded"] = values.loc[edited, "value"].map(self._edits).astype(float)
        values.loc[edited, "source"] = "set"
        values = values.sort_values(["count", "value"], ascending=[False, True])
        last = _frame(["(other)", "(prior)"], summary.other.followed_by(total))
        last["encoded"], last["source"] = summary.prior, "prior"
        return pd.concat([values, last], ignore_index=True)

    @alone
    def set(self, value: Any, *, encoded: float | None) -> None:
        """Fix the encoding of a value, seen or not; None takes that back.

        What is fixed stays, whatever is learned: count, mean and std of the value go on being learned and shown.

        Raises
        ------
        SchemaError
            If ``encoded`` is no finite number.
        """
        key = as_key(value)
        if encoded is None:
            self._edits.pop(key, None)
        elif _is_finite(encoded):
            self._edits[key] = float(encoded)
        else:
            raise SchemaError(f"The encoding of {value!r} is a finite number, or None, not {encoded!r}.")

    @alone
    def edit(self, value: Any, *, count: int, mean: float, std: float = 0.0) -> None:
        """Put figures in place of what was learned of a value, seen or not; learning goes on from them.

        Raises
        ------
        SchemaError
            If they are no figures of a sample, or there is no room for the value.
        """
        check_whole_number("The count", count, 1, 2**53)
        if not _is_finite(mean) or not _is_finite(std) or std < 0:
            raise SchemaError(f"A mean and a std of 0 or more were wanted, not mean={mean!r} and std={std!r}.")
        self._means.replace(as_key(value), count, float(mean), float(std))

    @alone
    def discard(self, value: Any) -> None:
        """Drop a value: its fixed encoding, and what was learned of it, also from the prior. It may be learned anew.

        Raises
        ------
        SchemaError
            If it is not in the table.
        """
        key = as_key(value)
        if key not in self._edits and key not in self._means:
            raise SchemaError(f"{value!r} is not in the table of {self!r}, so there is nothing to drop.")
        self._edits.pop(key, None)
        if key in self._means:
            self._means.discard(key)

    def freeze(self) -> None:
        """Learn nothing more from records, until :meth:`unfreeze`; edits and merges go on."""
        self._frozen = True

    def unfreeze(self) -> None:
        """Learn again."""
        self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether records are no longer learned."""
        return self._frozen

    def merge(self, other: Self) -> None:
        """Absorb what another has learned, and its fixed encodings.

        Raises
        ------
        MergeError
            If the configurations differ, or a value has two fixed encodings; nothing is merged then.
        """
        self._check_mergeable(other)
        with other._lock:
            means, edits = other._means.copy(), dict(other._edits)
        self._absorb(means, edits)

    @alone
    def _absorb(self, means: TargetMeans, edits: dict[str, float]) -> None:
        for value, encoded in edits.items():
            if self._edits.get(value, encoded) != encoded:
                raise MergeError(
                    f"The encoding of {value!r} was set to {self._edits[value]} here and to {encoded} there. "
                    "Make both equal, or take one back with set(..., encoded=None).",
                )
        self._means.merge(means)
        self._edits |= edits

    def copy(self) -> Self:
        """Return an independent copy."""
        copy = super().copy()
        copy._frozen = self._frozen
        return copy

    def configuration(self) -> dict[str, Any]:
        """Return the parameters."""
        return {
            "column": self.column,
            "target": self.target,
            "smoothing": self.smoothing,
            "min_count": self.min_count,
            "pos_label": self.pos_label,
            "limit": self._means.limit,
        }

    @alone
    def _payload(self) -> State:
        return {"n": self.n, "means": self._means.state(), "edits": dict(self._edits), "frozen": self._frozen}

    @alone
    def _comparable(self) -> State:
        return {**self._payload(), "means": self._means._comparable()}

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        encoder = cls(**configuration)
        encoder._means = TargetMeans.from_state(payload["means"])
        encoder._edits, encoder._frozen = dict(payload["edits"]), payload["frozen"]
        return encoder


def _frame(values: Any, groups: Groups) -> pd.DataFrame:
    mean = np.where(groups.count > 0, groups.mean, np.nan)
    return pd.DataFrame({"value": list(values), "count": groups.count, "mean": mean, "std": groups.std()})


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _no_number(target: str, what: str) -> str:
    return (
        f"The target {target!r} {what}, which is no number to average. Name a continuous or binary attribute, or give "
        "pos_label= to average how often the target has that value."
    )
