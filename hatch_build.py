"""Compiles the modules of smlnb/native; where there is no compiler, smlnb is installed without them, and slower."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REQUIRED = "SMLNB_REQUIRE_NATIVE"  # set to 1, it turns a compiler's failure into the installation's


class NativeBuildHook(BuildHookInterface[Any]):
    """Puts the compiled modules beside their sources, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatch gives it
        """Compile, before the files of a wheel are gathered."""
        if self.target_name != "wheel":
            return
        try:
            modules = _compiled(Path(self.root))
        except (SystemExit, Exception) as error:  # whatever a compiler, or its absence, raises
            if os.environ.get(REQUIRED) == "1":
                raise
            self.app.display_warning(f"smlnb is installed without its compiled modules, and will be slower: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(m): str(m.relative_to(self.root)) for m in modules})


def _compiled(root: Path) -> list[Path]:
    """Compile the modules in place; return their paths."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    sources = sorted((root / "smlnb" / "native").glob("*.pyx"))
    before = Path.cwd()
    os.chdir(root)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            extensions = cythonize(
                [Extension(f"smlnb.native.{s.stem}", [str(s.relative_to(root))]) for s in sources],
                build_dir=scratch,
                quiet=True,
            )
            command = Distribution({"name": "smlnb", "ext_modules": extensions}).get_command_obj("build_ext")
            command.inplace, command.build_temp = True, scratch
            command.ensure_finalized()
            command.run()
            return [root / output for output in command.get_outputs()]
    finally:
        os.chdir(before)
