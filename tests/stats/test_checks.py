"""Every accumulator keeps every law."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import smlnb.stats
from smlnb.schema import Schema
from smlnb.stats.base import Accumulator
from smlnb.stats.categories import Categories
from smlnb.stats.checks import LAWS, check_accumulator, close, operands_stay_unchanged, size_is_bounded
from smlnb.stats.comoments import CoMoments
from smlnb.stats.histogram import Histogram
from smlnb.stats.moments import Moments
from smlnb.stats.pairs import AttributePairs
from smlnb.stats.profile import Profile
from smlnb.stats.quantiles import Quantiles
from smlnb.stats.table import Table
from tests.stats.laws import law_settings
from tests.strategies import blocks, mixed_blocks, record_blocks, text_blocks

# Offsets of 1e9 with spreads of 1 leave about 7 of 16 digits to a second moment, and fewer to higher ones.
RTOL = 1e-6
SCHEMA = Schema.of(["x", "flag", "kind", "note", "tags", "id"], "C,B,T,S,L,X")


class SureTable(Table):
    """A table of which the laws compare what is not randomised."""

    def _comparable(self) -> Any:
        sure = (self.moments, self.pairs, self.histogram, self.conditional, self.categories, self.ends)
        parts = [*sure, self.profile.texts]
        return {"n": self.n, **{type(p).__name__: p._comparable() for p in parts if p is not None}}


class GrowingTable(Table):
    """A table whose size has the slack of the sketches in it."""

    deterministic = False


MAKES = {
    "Moments": (lambda: Moments(2), blocks(2)),
    "CoMoments": (lambda: CoMoments(2), blocks(2)),
    "Histogram": (lambda: Histogram(2, 128), blocks(2)),
    "Quantiles": (lambda: Quantiles(2), blocks(2)),
    "Categories": (lambda: Categories(2, limit=3), text_blocks(2)),
    "Profile": (lambda: Profile(SCHEMA, continuous=True), record_blocks()),
    "AttributePairs": (lambda: AttributePairs(["x", "y"], ["c", "d"], limit=2), mixed_blocks(2, 2)),
}


@pytest.mark.parametrize("kind", MAKES)
@law_settings
@given(data=st.data())
def test_every_law_holds_for_any_blocks(kind: str, data: Any) -> None:
    make, strategy = MAKES[kind]
    check_accumulator(make, data.draw(strategy), rtol=RTOL, atol=1e-9)


@law_settings
@given(given_blocks=record_blocks())
def test_every_law_holds_for_a_table_of_all_statistics(given_blocks: Any) -> None:
    for law in LAWS:
        made = GrowingTable if law is size_is_bounded else SureTable
        law(partial(made, SCHEMA), given_blocks, lambda a, b: close(a, b, rtol=RTOL, atol=1e-9))


def test_every_accumulator_is_under_the_laws_here_or_in_the_test_of_its_own_file() -> None:
    for info in pkgutil.iter_modules(smlnb.stats.__path__, "smlnb.stats."):
        module = import_module(info.name)
        for name, cls in inspect.getmembers(module, inspect.isclass):
            if not issubclass(cls, Accumulator) or inspect.isabstract(cls) or cls.__module__ != info.name:
                continue
            own = Path(__file__).with_name(f"test_{info.name.rpartition('.')[2]}.py")
            text = own.read_text() if own.exists() else ""
            assert name in {*MAKES, "Table"} or (
                "law_settings" in text and ("check_accumulator(" in text or "LAWS" in text)
            ), name


def test_every_law_takes_as_many_examples_as_are_asked_for() -> None:
    for file in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
            if any(d.startswith("given(") for d in decorators):
                assert "law_settings" in decorators, f"{file.name}: {node.name}"  # type: ignore[attr-defined]


class _Forgetful(Moments):
    def merge(self, other: Moments) -> None:
        mean = self._mean
        super().merge(other)
        if self.n != other.n:
            self._mean = mean


def test_an_accumulator_that_breaks_a_law_is_found_out() -> None:
    with pytest.raises(AssertionError, match=r"sum of its parts|depends on"):
        check_accumulator(lambda: _Forgetful(1), [np.array([[1.0, 2.0]]), np.array([[5.0]]), np.array([[7.0]])])


class _Grasping(Categories):
    def update(self, block: Any) -> None:
        super().update(block)
        block[0] = pa.array(["mine"] * len(block[0]))


def test_an_accumulator_that_changes_its_block_is_found_out() -> None:
    with pytest.raises(AssertionError, match="update changed its block"):
        operands_stay_unchanged(lambda: _Grasping(1), [[pa.array(["a", "b"])]], lambda a, b: a == b)
