"""The mean of a target for each value of an attribute."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smlnb.encoders.groups import Groups
from smlnb.encoders.keys import Keys
from smlnb.errors import SchemaError
from smlnb.stats.base import Accumulator, State

__all__ = ["TargetMeans", "TargetSummary"]

NO_CUTOFF = 2**64 - 1


@dataclass(frozen=True, slots=True, eq=False)
class TargetSummary:
    """What :meth:`TargetMeans.result` gives.

    Attributes
    ----------
    values : tuple of str
        Those that are kept.
    groups : Groups
        Of the target, one per value.
    other : Groups
        One group: of the target where the value is not kept.
    prior : float
        Mean of the target over all occurrences; NaN while there are none.
    missing : int
        Rows of which nothing was learned, since the value or the target is missing or infinite.
    """

    values: tuple[str, ...]
    groups: Groups
    other: Groups
    prior: float
    missing: int


class TargetMeans(Accumulator):
    """Count, mean and sum of squares of a target per value; a block is two Arrow arrays, of values and of the target.

    At most ``limit`` values are kept: those whose hashes are smallest. What is kept is exact, and the same in any
    order of merging, and a flood of different values can't fill the memory; the others share one group. Since a hash
    knows nothing of the target, these others are a random choice, and their mean tells no more than that of all.

    Parameters
    ----------
    limit : int, default 10,000
        The most values kept; each takes about 300 bytes.

    Examples
    --------
    >>> means = TargetMeans()
    >>> means.update([pa.array(["a", "b", "a", None]), pa.array([1.0, 5.0, 2.0, 9.0])])
    >>> summary = means.result()
    >>> summary.values, summary.groups.mean.tolist(), round(summary.prior, 3), summary.missing
    (('a', 'b'), [1.5, 5.0], 2.667, 1)
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self.n = 0
        self.missing = 0
        self._places: dict[str, int] = {}  # from 1 on; place 0 is that of all others
        self._hashes = np.zeros(1, np.uint64)
        self._groups = Groups.none(1)
        self._cutoff = NO_CUTOFF  # values of this hash or a larger one are not kept, now and later

    def update(self, block: Sequence[pa.Array]) -> None:
        """Absorb values (text, lists, whatever has a text) and, of the same length, numbers."""
        keys, target = Keys.of(block[0]), _floats(block[1])
        finite = np.isfinite(target)
        used = finite[keys.rows]
        seen = Groups.of(target[keys.rows[used]]).pooled(keys.codes[used], len(keys.values))
        with_target = np.flatnonzero(seen.count)
        self._add([keys.values[i] for i in with_target], seen.take(with_target))
        self.n += len(target)
        self.missing += int(len(target) - np.count_nonzero(finite & keys.present))

    def merge(self, other: Self) -> None:
        """Absorb another; the values kept are those that all rows together would have kept."""
        self._check_mergeable(other)
        if other._cutoff < self._cutoff:
            self._cut(other._cutoff)
        self._add(list(other._places), other._groups.take(slice(1, None)))
        self._groups += other._groups.take(slice(0, 1)).pooled(np.zeros(1, np.intp), len(self._groups))
        self.n += other.n
        self.missing += other.missing

    def _add(self, values: Sequence[str], groups: Groups) -> None:
        self._admit([v for v in values if v not in self._places])
        self._groups += groups.pooled(self.places(values), len(self._groups))
        if len(self._places) > self.limit:
            self._cut(int(np.partition(self._hashes[1:], self.limit)[self.limit]))

    def _admit(self, unknown: Sequence[str]) -> None:
        """Give new values places, but for those beyond the cutoff."""
        hashes = {value: _hash(value) for value in unknown}
        new = [value for value, hashed in hashes.items() if hashed < self._cutoff]
        self._places.update(zip(new, range(len(self._groups), len(self._groups) + len(new)), strict=True))
        self._hashes = np.concatenate([self._hashes, np.array([hashes[v] for v in new], np.uint64)])
        self._groups = self._groups.followed_by(Groups.none(len(new)))

    def _cut(self, cutoff: int) -> None:
        """Put the values of this hash or a larger one among the others, for good."""
        self._cutoff = cutoff
        gone = self._hashes >= np.uint64(cutoff)
        gone[0] = False
        others = self._groups.take(gone)
        self._keep(~gone)
        self._groups += others.pooled(np.zeros(len(others), np.intp), len(self._groups))

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self._places = {v: i for i, v in enumerate((v for v, at in self._places.items() if kept[at]), start=1)}
        self._hashes, self._groups = self._hashes[kept], self._groups.take(kept)

    def places(self, values: Sequence[str]) -> NDArray[np.intp]:
        """Return the place of each value in :meth:`groups`; 0, that of all others, where it is not kept."""
        return np.fromiter((self._places.get(v, 0) for v in values), np.intp, len(values))

    def groups(self) -> Groups:
        """Return the group of all others, and then those of the values kept."""
        return self._groups

    @property
    def prior(self) -> float:
        """Mean of the target over all occurrences; NaN while there are none."""
        everything = self._groups.pooled(np.zeros(len(self._groups), np.intp), 1)
        return float(everything.mean[0]) if everything.count[0] else float("nan")

    def __contains__(self, value: str) -> bool:
        return value in self._places

    def discard(self, value: str) -> None:
        """Drop what was learned of a value that is kept; when it occurs again, its count starts from none."""
        kept = np.ones(len(self._groups), np.bool_)
        kept[self._places[value]] = False
        self._keep(kept)

    def replace(self, value: str, count: int, mean: float, std: float) -> None:
        """Put figures in place of what was learned of a value; learning goes on from them.

        Raises
        ------
        SchemaError
            If the value is not kept, and there is no room for it.
        """
        if value not in self._places and (len(self._places) >= self.limit or _hash(value) >= self._cutoff):
            raise SchemaError(
                f"{value!r} is not among the {self.limit:,} values that are kept, so nothing can be learned of it. "
                "Set its encoding by hand, or make an encoder with a larger limit.",
            )
        if value in self._places:
            self.discard(value)
        self._add([value], Groups(np.array([count]), np.array([mean]), np.array([std * std * (count - 1)])))

    def result(self) -> TargetSummary:
        """Return the figures of every value kept, of the others, and of all."""
        values, other = self._groups.take(slice(1, None)), self._groups.take(slice(0, 1))
        return TargetSummary(tuple(self._places), values, other, self.prior, self.missing)

    def empty(self) -> Self:
        """Return an empty one of the same limit."""
        return type(self)(self.limit)

    def configuration(self) -> dict[str, Any]:
        """Return the limit."""
        return {"limit": self.limit}

    def _payload(self) -> State:
        return {
            "n": self.n,
            "missing": self.missing,
            "values": list(self._places),
            "count": self._groups.count.copy(),
            "mean": self._groups.mean.copy(),
            "m2": self._groups.m2.copy(),
            "cutoff": self._cutoff,
        }

    def _comparable(self) -> State:
        # places depend on the order of occurrence; and both floats are exact on the scale of the values themselves
        order = np.array([0, *(self._places[v] for v in sorted(self._places))])
        sums = self._groups.take(order)
        spread = np.sqrt(sums.m2)
        return {
            **self._payload(),
            "values": sorted(self._places),
            "count": sums.count,
            "mean": np.concatenate([sums.mean, spread]),
            "m2": np.concatenate([sums.m2, spread * np.sqrt(sums.count) * np.abs(sums.mean)]),
        }

    @classmethod
    def _from_payload(cls, configuration: Mapping[str, Any], payload: Mapping[str, Any]) -> Self:
        means = cls(configuration["limit"])
        means.n, means.missing = payload["n"], payload["missing"]
        means._admit(payload["values"])
        means._cutoff = payload["cutoff"]
        means._groups = Groups(payload["count"].copy(), payload["mean"].copy(), payload["m2"].copy())
        return means


def _hash(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")


def _floats(column: pa.Array) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False), float)
