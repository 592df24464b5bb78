"""The laws of accumulators, for ours and for yours.

``check_accumulator(make, blocks)`` runs every law on blocks that you give; the test suite has hypothesis choose them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from smlnb.errors import MergeError, StateError
from smlnb.stats.base import Accumulator, digest_of

__all__ = ["LAWS", "check_accumulator"]

Make = Callable[[], Accumulator]
Blocks = Sequence[Any]


class Law(Protocol):
    """One law: raises AssertionError, with its sentence, where it does not hold."""

    __name__: str

    def __call__(self, make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None: ...


def check_accumulator(make: Make, blocks: Blocks, *, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Verify every law of the accumulator protocol.

    Parameters
    ----------
    make : callable
        Returns a new, empty accumulator.
    blocks : sequence
        Blocks as its ``update`` takes them; at least one. A block is an array whose last axis are the rows, an Arrow
        record batch, an Arrow column, or a sequence of these.
    rtol, atol : float
        How far floats may be apart when the order of merging differs, as in :func:`numpy.allclose`. Integers must be
        equal.

    Raises
    ------
    AssertionError
        Naming the law that does not hold.

    Examples
    --------
    >>> from smlnb.stats.moments import Moments
    >>> check_accumulator(lambda: Moments(2), [np.eye(2), np.ones((2, 3))])
    """

    def same(a: Any, b: Any) -> bool:
        return close(a, b, rtol=rtol, atol=atol)

    for law in LAWS:
        law(make, blocks, same)


def absorbed(make: Make, blocks: Blocks) -> Accumulator:
    """Return a new accumulator that has absorbed ``blocks``."""
    accumulator = make()
    for block in blocks:
        accumulator.update(block)
    return accumulator


def merged(*parts: Accumulator) -> Accumulator:
    """Return the merge of ``parts``, left to right, in a new accumulator."""
    total = parts[0].empty()
    for part in parts:
        total.merge(part)
    return total


def summary(accumulator: Accumulator) -> Any:
    """Return what the laws compare; only ``n`` of a randomised sketch."""
    return accumulator._comparable() if accumulator.deterministic else accumulator.n


def close(a: Any, b: Any, *, rtol: float, atol: float) -> bool:
    """Compare nests of plain values; floats within the tolerance, all else exactly.

    Floats of one array are compared on the scale of its largest, since a sum near zero may be the difference of large
    ones.
    """
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(close(a[k], b[k], rtol=rtol, atol=atol) for k in a)
    if isinstance(a, np.ndarray) and a.dtype.kind == "f":
        finite = np.abs(a[np.isfinite(a)])
        scale = float(finite.max()) if finite.size else 0.0
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=rtol, atol=max(atol, rtol * scale), equal_nan=True))
    return digest_of(a) == digest_of(b)


def empty_is_neutral_on_both_sides(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:
    """Merging nothing into something, or something into nothing, changes nothing."""
    full = absorbed(make, blocks)
    assert same(summary(merged(full, make())), summary(full)), "an empty right operand changes the left one"
    assert same(summary(merged(make(), full)), summary(full)), "an empty left operand changes the right one"


def merge_equals_having_seen_both(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:
    """Merging two accumulators gives what one would have that had absorbed both streams."""
    middle = len(blocks) // 2
    left, right = absorbed(make, blocks[:middle]), absorbed(make, blocks[middle:])
    assert same(summary(merged(left, right)), summary(absorbed(make, blocks))), "a merge is not the sum of its parts"


def n_is_exact_in_every_order(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:  # noqa: ARG001
    """The number of rows adds up."""
    parts = [absorbed(make, [b]) for b in blocks]
    total = sum(p.n for p in parts)
    assert merged(make(), *parts).n == total, "n does not add up"
    assert merged(make(), *reversed(parts)).n == total, "n depends on the order"


def merge_is_associative_and_commutative(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:
    """Neither grouping nor order of merging matters."""
    third = max(1, len(blocks) // 3)
    a, b, c = (absorbed(make, part) for part in (blocks[:third], blocks[third : 2 * third], blocks[2 * third :]))
    left, right = merged(merged(a, b), c), merged(a, merged(b, c))
    assert same(summary(left), summary(right)), "merging depends on the grouping"
    assert same(summary(merged(a, b)), summary(merged(b, a))), "merging depends on the order"


def operands_stay_unchanged(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:  # noqa: ARG001
    """Neither the block nor the other accumulator is changed, and copies are independent."""
    before = copy.deepcopy(list(blocks))
    other = absorbed(make, blocks)
    assert all(_equal_blocks(x, y) for x, y in zip(before, blocks, strict=True)), "update changed its block"
    digest = other.state()["sha256"]
    target = merged(make(), other)
    target.update(blocks[0])
    assert other.state()["sha256"] == digest, "merge changed, or shares memory with, its operand"
    other.result()
    assert other.state()["sha256"] == digest, "result() has a side effect"
    twin = other.copy()
    twin.update(blocks[0])
    assert other.state()["sha256"] == digest, "a copy shares memory with its original"


def splitting_a_block_changes_nothing(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:
    """However a block is cut, the result is the same."""
    whole = absorbed(make, blocks)
    pieces = [piece for block in blocks for piece in _halves(block)]
    assert same(summary(absorbed(make, pieces)), summary(whole)), "the result depends on where blocks are cut"


def state_round_trip_is_bit_exact(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:  # noqa: ARG001
    """What is stored comes back to the last bit, and goes on as if nothing had happened."""
    for accumulator in (make(), absorbed(make, blocks)):
        state = accumulator.state()
        again = type(accumulator).from_state(state)
        assert again.state()["sha256"] == state["sha256"], "the state changed on its way"
        assert again.n == accumulator.n, "n changed on its way"
        if accumulator.deterministic:
            again.update(blocks[0])
            accumulator.update(blocks[0])
            assert again.state()["sha256"] == accumulator.state()["sha256"], "the rebuilt one goes on differently"


def tampered_state_is_refused(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:  # noqa: ARG001
    """A state that lacks something, is of another kind or version, or was changed, is refused."""
    accumulator = absorbed(make, blocks)
    state = accumulator.state()
    broken = [{k: v for k, v in state.items() if k != key} for key in state]
    broken += [{**state, "kind": "Other"}, {**state, "version": state["version"] + 1}]
    broken += [{**state, "payload": {**state["payload"], "n": accumulator.n + 1}}]
    for damaged in broken:
        try:
            type(accumulator).from_state(damaged)
        except StateError:
            continue
        raise AssertionError("a damaged state was accepted")


def other_configurations_are_refused(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:  # noqa: ARG001
    """Merging what is configured otherwise raises, and names the difference."""
    mine, other = absorbed(make, blocks), make()
    for key, value in other.configuration().items():
        stranger = _Stranger(other, {**other.configuration(), key: f"not {value!r}"})
        try:
            mine._check_mergeable(stranger.as_other())
        except MergeError as error:
            assert key in str(error), f"the message does not name {key}"
            continue
        raise AssertionError(f"another {key} was accepted")


class _Stranger:
    """An accumulator of the same class that reports another configuration."""

    def __init__(self, accumulator: Accumulator, configuration: dict[str, Any]) -> None:
        self._accumulator = copy.copy(accumulator)
        self._accumulator.configuration = lambda: configuration  # type: ignore[method-assign]

    def as_other(self) -> Accumulator:
        return self._accumulator


def size_is_bounded(make: Make, blocks: Blocks, same: Callable[[Any, Any], bool]) -> None:  # noqa: ARG001
    """Absorbing the same rows again does not make the state grow, but for a randomised sketch's slack."""
    accumulator = absorbed(make, blocks)
    once = _size(accumulator._payload())
    for _ in range(3):
        for block in blocks:
            accumulator.update(block)
    allowed = once if accumulator.deterministic else 4 * once + 16_384
    assert _size(accumulator._payload()) <= allowed, "the state grows with the rows"


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, Mapping):
        return sum(_size(v) for v in value.values())
    if isinstance(value, list):
        return sum(_size(v) for v in value)
    return len(value) if isinstance(value, bytes | str) else 8


def _equal_blocks(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=True)
    if isinstance(a, pa.Array | pa.RecordBatch):
        return bool(a.equals(b)) or repr(a.to_pylist()) == repr(b.to_pylist())  # NaN equals itself
    return all(_equal_blocks(x, y) for x, y in zip(a, b, strict=True))


def _halves(block: Any) -> Iterator[Any]:
    middle = _rows(block) // 2
    for part in (slice(0, middle), slice(middle, None)):
        yield _part(block, part)


def _rows(block: Any) -> int:
    """Return the rows of an array of shape (..., rows), a record batch, a column, or the least of several of these."""
    if isinstance(block, np.ndarray):
        return int(block.shape[-1])
    if isinstance(block, pa.RecordBatch):
        return int(block.num_rows)
    return len(block) if isinstance(block, pa.Array) else min(_rows(part) for part in block)


def _part(block: Any, rows: slice) -> Any:
    if isinstance(block, np.ndarray):
        return block[..., rows]
    if isinstance(block, pa.Array | pa.RecordBatch):
        return block[rows]
    return type(block)(_part(part, rows) for part in block)


LAWS: tuple[Law, ...] = (
    empty_is_neutral_on_both_sides,
    merge_equals_having_seen_both,
    n_is_exact_in_every_order,
    merge_is_associative_and_commutative,
    operands_stay_unchanged,
    splitting_a_block_changes_nothing,
    state_round_trip_is_bit_exact,
    tampered_state_is_refused,
    other_configurations_are_refused,
    size_is_bounded,
)
