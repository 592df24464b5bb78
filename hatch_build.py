"""Compiles the modules of smlnb/native; where there is no compiler, smlnb is installed without them, and slower."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REQUIRED = "SMLNB_REQUIRE_NATIVE"  # set to 1, it turns a compiler's failure into the installation's
NATIVE = Path("smlnb", "native")
# Uncontracted, a * b + c has the same bits whether a machine has FMA or not; MSVC's default is /fp:precise, and /O2.
FLAGS = [] if sys.platform == "win32" else ["-O3", "-g0", "-ffp-contract=off"]


class NativeBuildHook(BuildHookInterface[Any]):
    """Puts the compiled modules into the wheel, or, for an editable installation, beside their sources."""

    _scratch: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the files of a wheel are gathered: all modules, or none."""
        if self.target_name != "wheel":
            return
        self._scratch = tempfile.TemporaryDirectory()
        try:
            modules = _compiled(Path(self.root), Path(self._scratch.name))
            if version == "editable":
                _put_beside_their_sources(Path(self.root), modules)
                return
        except Exception as error:  # whatever a compiler, or its absence, raises
            if os.environ.get(REQUIRED) == "1":
                raise
            self.app.display_warning(f"smlnb's modules were not compiled, and it will be slower: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(m): str(NATIVE / m.name) for m in modules})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatch's
        """Remove what the compiler left, when the wheel is written."""
        if self._scratch is not None:
            self._scratch.cleanup()


def _compiled(root: Path, scratch: Path) -> list[Path]:
    """Compile each module into a file of ``scratch``, dated when its source was read, or a little earlier."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    started = time.time_ns()
    with chdir(root):  # paths in messages and tracebacks begin at the root
        sources = sorted(NATIVE.glob("*.pyx"))
        extensions = cythonize(
            [Extension(f"smlnb.native.{s.stem}", [str(s)], extra_compile_args=FLAGS) for s in sources],
            build_dir=str(scratch),
            quiet=True,
        )
        command = Distribution({"name": "smlnb", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib = command.build_temp = str(scratch)
        command.parallel = True
        command.ensure_finalized()
        command.run()
        modules = [Path(command.get_ext_fullpath(extension.name)) for extension in extensions]
    for module in modules:
        os.utime(module, ns=(started, started))
    return modules


def _put_beside_their_sources(root: Path, modules: list[Path]) -> None:
    """Replace modules by renaming: a process that has an old one loaded goes on with that."""
    for module in modules:
        new = shutil.copy2(module, root / NATIVE / f"new-{module.name}")
        new.replace(root / NATIVE / module.name)
