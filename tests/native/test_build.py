"""The wheel has the modules that were compiled for it and no others, and there is one without a compiler too."""

from __future__ import annotations

import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from smlnb import native
from tests.conftest import lacking
from tests.notebooks.test_binder import ROOT, copied, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NO_COMPILER = sys.executable  # it does not understand a compiler's options
STALE = ["avro.cpython-39-x86_64-linux-gnu.so", "json.abi3.so", "messages.cp39-win_amd64.pyd"]
READABLE = sorted(p.name for p in (ROOT / "smlnb" / "native").glob("*.py*") if p.suffix in {".py", ".pyi"})


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the repository's files, and modules that others compiled."""
    clone = copied(tmp_path_factory.mktemp("build") / "clone")
    for name in STALE:
        (clone / "smlnb" / "native" / name).touch()
    return clone


def wheel(clone: Path, target: Path, **environment: str) -> tuple[str, list[str]]:
    """Build the wheel; return its name, and those of the files in smlnb/native."""
    run(sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "-w", target, clone, cwd=target, **environment)
    (path,) = target.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        inside = archive.namelist()
    assert {"smlnb/py.typed", "smlnb/notebooks/01_shuttle.ipynb", "smlnb/notebooks/02_past.ipynb"} <= set(inside)
    return path.name, sorted(n.removeprefix("smlnb/native/") for n in inside if n.startswith("smlnb/native/"))


def test_the_wheel_has_the_modules_compiled_for_this_python(clone: Path, tmp_path: Path) -> None:
    name, files = wheel(clone, tmp_path)
    if name.endswith("-py3-none-any.whl"):
        lacking("native", "there is no C compiler")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{version}-{version}-" in name
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert files == sorted([*(f"{m}{suffix}" for m in native.MODULES), *READABLE])
    left = {p.name for p in clone.rglob("*") if p.suffix in {".c", ".o", ".so", ".pyd"}}
    assert left == set(STALE), "the compiler left something in the tree"


def test_without_a_compiler_there_is_a_wheel_for_every_machine(clone: Path, tmp_path: Path) -> None:
    name, files = wheel(clone, tmp_path, CC=NO_COMPILER, SMLNB_REQUIRE_NATIVE="")
    assert name.endswith("-py3-none-any.whl")
    assert files == READABLE


def test_what_can_not_be_compiled_is_an_error_where_it_is_required(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="CompileError"):
        wheel(clone, tmp_path, CC=NO_COMPILER, SMLNB_REQUIRE_NATIVE="1")
