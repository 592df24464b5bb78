from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from smlnb.encoders.base import Encoder
from smlnb.encoders.hashed import HashEncoder
from smlnb.encoders.onehot import OneHotEncoder
from smlnb.encoders.registry import ENCODERS, encoder_from_state
from smlnb.encoders.target import TargetEncoder
from smlnb.errors import StateError
from smlnb.packing import pack, unpack

RECORDS = {"city": ["rome", "oslo", None], "price": [1.0, 5.0, 3.0]}
MADE = [
    HashEncoder("city", columns=3),
    OneHotEncoder("city", ["rome", "Ä"]),
    TargetEncoder("city", target="price", smoothing=2, min_count=2),
    TargetEncoder("city", target="price", pos_label=5),
]


def test_every_encoder_can_be_stored() -> None:
    assert {type(e) for e in MADE} == set(ENCODERS.values())


@pytest.mark.parametrize("encoder", MADE, ids=repr)
def test_what_was_stored_encodes_as_before(encoder: Encoder) -> None:
    encoder = encoder.copy()
    encoder.learn(RECORDS)
    again = encoder_from_state(unpack(pack(encoder.state())))
    assert again.state()["sha256"] == encoder.state()["sha256"]
    assert (type(again), repr(again), again.n) == (type(encoder), repr(encoder), 3)
    np.testing.assert_array_equal(again.transform(RECORDS), encoder.transform(RECORDS))


@pytest.mark.parametrize("change", [{"kind": "Unknown"}, {"kind": "HashEncoder"}, {"kind": None}, {"sha256": "0"}])
def test_a_foreign_or_changed_state_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(StateError):
        encoder_from_state({**MADE[2].state(), **change})
