"""Compiled modules are used all together or not at all, and a person can see why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from smlnb import native
from tests.conftest import lacking

FOLDER = Path(__file__).parents[2] / "smlnb" / "native"
SOURCES = sorted(FOLDER.glob("*.pyx"))
SUFFIX = EXTENSION_SUFFIXES[0]


def answer(code: str, folder: Path, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k != "SMLNB_NATIVE"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Give a package of sources with a file, compiled later, for each: they are looked for, and not loaded."""
    package = tmp_path / "smlnb" / "native"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    shutil.copy(native.__file__, package)
    for name in native.MODULES:
        for suffix, written in ((".pyx", 1_000), (SUFFIX, 1_001)):
            (package / f"{name}{suffix}").touch()
            os.utime(package / f"{name}{suffix}", (written, written))
    return package


def why_not(package: Path, **environment: str) -> str:
    code = "from smlnb import native; print(native.AVAILABLE, native.UNAVAILABLE)"
    return answer(code, package.parents[1], **environment)


def test_they_are_in_use_where_they_are_required() -> None:
    if not native.AVAILABLE:
        lacking("native", native.UNAVAILABLE)


def test_all_that_are_compiled_are_used(installed: Path) -> None:
    assert why_not(installed) == "True"


def test_they_need_no_sources(installed: Path) -> None:
    for source in installed.glob("*.pyx"):
        source.unlink()
    assert why_not(installed) == "True"


def test_the_environment_switches_them_off(installed: Path) -> None:
    assert why_not(installed, SMLNB_NATIVE="0") == "False SMLNB_NATIVE=0"


@pytest.mark.parametrize("name", native.MODULES)
def test_without_one_of_them_none_is_used(installed: Path, name: str) -> None:
    (installed / f"{name}{SUFFIX}").unlink()
    assert why_not(installed).startswith(f"False smlnb.native.{name} was not compiled")


@pytest.mark.parametrize("name", native.MODULES)
def test_none_is_used_where_one_is_older_than_its_source(installed: Path, name: str) -> None:
    os.utime(installed / f"{name}.pyx", (1_002, 1_002))
    assert why_not(installed).startswith(f"False {name}.pyx was changed")


def test_none_is_used_where_one_is_older_than_what_sources_share(installed: Path) -> None:
    shared = installed / "shared.pxd"
    shared.touch()
    os.utime(shared, (1_000, 1_000))
    assert why_not(installed) == "True"
    os.utime(shared, (1_002, 1_002))
    assert why_not(installed).startswith("False shared.pxd was changed")


def test_one_of_another_python_does_not_count(installed: Path) -> None:
    name = native.MODULES[0]
    (installed / f"{name}{SUFFIX}").rename(installed / f"{name}.cpython-39-x86_64-linux-gnu.so")
    assert why_not(installed).startswith(f"False smlnb.native.{name} was not compiled")


@pytest.mark.parametrize(("module", "value"), [("byteorder", "big"), ("maxsize", 2**31 - 1)])
def test_other_machines_take_the_path_in_python(monkeypatch: pytest.MonkeyPatch, module: str, value: object) -> None:
    monkeypatch.delenv("SMLNB_NATIVE", raising=False)
    monkeypatch.setattr(sys, module, value)
    assert "little-endian" in native._unavailable()


def test_each_source_has_its_types_and_its_name_in_the_list() -> None:
    assert [source.stem for source in SOURCES] == sorted(native.MODULES)
    assert [types.stem for types in sorted(FOLDER.glob("*.pyi"))] == sorted(native.MODULES)


def test_sources_stay_small() -> None:
    assert [s.name for s in SOURCES if len(s.read_text().splitlines()) > 500] == []


def test_asking_whether_they_are_there_imports_none_of_them() -> None:
    code = "import sys, smlnb.native; print([m for m in sys.modules if m.startswith('smlnb.native.')])"
    assert answer(code, FOLDER.parents[1]) == "[]"


def test_importing_the_package_does_not_even_ask() -> None:
    assert answer("import sys, smlnb; print('smlnb.native' in sys.modules)", FOLDER.parents[1]) == "False"
