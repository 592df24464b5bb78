from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from smlnb.stats.lookup import Lookup


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_is_seen_and_what_is_missed_are_all_the_keys(share: float) -> None:
    rng = np.random.default_rng(6)
    known = [np.unique(rng.integers(-(2**62), 2**62, size)) for size in (100, 1000, 0)]
    lookup = Lookup(3, 1000)
    for i, keys in enumerate(known):
        lookup.learn(i, keys, np.ones_like(keys))
    strange = rng.integers(-(2**62), 2**62, (3, 500))
    keys = np.array(
        [
            np.where(rng.random(500) < share, rng.choice(k if len(k) else [7], 500), strange[i])
            for i, k in enumerate(known)
        ]
    )
    missed = [Counter[int]() for _ in known]
    for part in np.array_split(keys, 4, axis=1):
        unknown = lookup.count(part).copy()
        for i in range(3):
            missed[i].update(part[i, unknown[i]].tolist())
    for i in range(3):
        seen = Counter(dict(zip(*(a.tolist() for a in lookup.seen(i)), strict=True)))
        assert seen + missed[i] == Counter(keys[i].tolist())
        assert set(seen) <= set(known[i].tolist())


def test_nearly_all_keys_are_known_at_the_promised_number() -> None:
    keys = np.arange(1024) * 977
    lookup = Lookup(1, 1024)
    lookup.learn(0, keys, np.ones_like(keys))
    assert lookup.count(keys[None, :]).mean() < 0.05


def test_learning_anew_forgets_keys_and_counts() -> None:
    lookup = Lookup(1, 128)
    lookup.learn(0, np.array([1, 2]), np.array([1, 1]))
    lookup.count(np.array([[1, 1, 2]]))
    lookup.learn(0, np.array([3]), np.array([1]))
    assert lookup.seen(0)[0].tolist() == []
    assert lookup.count(np.array([[1, 3]])).tolist() == [[True, False]]
