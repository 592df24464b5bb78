"""The layout is the architecture: imports flow one way, files stay small, nothing dangerous is called."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import smlnb
from smlnb.explorable import Explorable

PACKAGE = Path(smlnb.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# From low to high; names in one row do not import each other.
TIERS: tuple[tuple[str, ...], ...] = (
    ("errors", "journal", "logs", "native", "stoppable"),
    ("clock",),
    ("schema", "_registry_store"),
    ("batch",),
    ("filter",),
    ("stats",),
    ("packing",),
    ("exploration",),
    ("encoders",),
    ("options",),
    ("models", "evaluate"),
    ("anomaly",),
    ("algorithms",),
    ("explorable",),
    ("shards",),
    ("slices",),
    ("past",),
    ("project",),
    ("store",),
    ("cluster", "datasets"),
    ("formats",),
    ("ingest", "testing"),
    ("connector",),
    ("score",),
    ("view",),
    ("demo", "lab"),
    ("terminal", "_command", "_arguments"),
    ("_connect", "_topics"),
    ("cli",),
    ("__main__",),
)
TIER = {name: tier for tier, names in enumerate(TIERS) for name in names}
EDGES = ("confluent_kafka", "streamz", "dask", "distributed", "bokeh", "ipywidgets")
BELOW_THE_EDGES = {
    "stats",
    "exploration",
    "encoders",
    "models",
    "anomaly",
    "algorithms",
    "options",
    "shards",
    "past",
    "project",
    "store",
    "batch",
    "schema",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "smlnb":
                yield from ((f"smlnb.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_flow_from_low_to_high(path: Path) -> None:
    own = part_of(path)
    if own == "__init__":
        return  # the public face names all of them, lazily
    for module, line in imports(path):
        if module.startswith("smlnb."):
            other = module.split(".")[1]
            assert other in TIER, f"{path.name}:{line} imports smlnb.{other}, which has no place in the order"
            assert TIER[other] < TIER[own] or other == own, f"{path.name}:{line}: {own} must not import {other}"
        if own in BELOW_THE_EDGES:
            assert module.split(".")[0] not in EDGES, f"{path.name}:{line}: {own} must not import {module}"


def test_every_part_has_a_place_in_the_order() -> None:
    assert {part_of(p) for p in FILES} - {"__init__"} <= set(TIER)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_loads_code_from_data(path: Path) -> None:
    for module, line in imports(path):
        assert module.split(".")[0] not in FORBIDDEN_MODULES, f"line {line} imports {module}"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"line {node.lineno} calls {node.func.id}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant), f"line {node.value.lineno} allows pickles"
            assert node.value.value is False, f"line {node.value.lineno} allows pickles"


def test_files_stay_small() -> None:
    lengths = {str(p.relative_to(PACKAGE)): len(p.read_text().splitlines()) for p in FILES}
    assert {name: n for name, n in lengths.items() if n > 500} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 200


def test_public_names_are_sorted_exist_and_are_documented() -> None:
    names = [n for n in smlnb.__all__ if n != "__version__"]
    assert names == sorted(names)
    assert [n for n in names if not getattr(smlnb, n).__doc__] == []


def test_public_functions_stay_callable_whatever_else_is_imported() -> None:
    code = "import smlnb, smlnb.project, smlnb.view.explorer, smlnb.exploration.drift; print(callable(smlnb.explore))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_every_question_shows_its_signature_and_documentation() -> None:
    assert list(inspect.signature(smlnb.Project.ttest).parameters)[:3] == ["self", "x", "y"]
    asked = [name for name, value in vars(Explorable).items() if callable(value) and not name.startswith("_")]
    assert len(asked) > 25
    assert [name for name in asked if not getattr(smlnb.Project, name).__doc__] == []


def test_importing_the_package_imports_no_heavy_library() -> None:
    heavy = ("numpy", "pandas", "pyarrow", "scipy", "sklearn", *EDGES)
    code = f"import smlnb, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
