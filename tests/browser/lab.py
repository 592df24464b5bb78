"""A JupyterLab server of our own: loopback, random port, token, nothing of the user's settings."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.waiting import eventually

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
    "docmanager-extension/plugin": {"autosave": False},
    "completer-extension/tracker": {"autoCompletion": False},
}


class LabServer:
    """``jupyter lab`` on a folder, as a context manager."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        self.scratch = scratch
        self.token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def set_theme(self, theme: str) -> None:
        """Choose the theme of pages opened from now on: ``JupyterLab Light`` or ``JupyterLab Dark``."""
        self._write_settings({**SETTINGS, "apputils-extension/themes": {"theme": theme}})

    def _write_settings(self, settings: dict[str, dict[str, object]]) -> None:
        for name, values in settings.items():
            path = self.scratch / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))

    def __enter__(self) -> Self:
        self._write_settings(SETTINGS)
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(self.scratch / "config"),
            "JUPYTER_RUNTIME_DIR": str(self.scratch / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.scratch / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.scratch / "workspaces"),
            "IPYTHONDIR": str(self.scratch / "ipython"),
            "PYTHONWARNINGS": "default",
        }
        command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", "--ServerApp.port=0"]
        command.append("--LabApp.expose_app_in_browser=True")  # so that tests can give commands
        command += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.folder}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        self.log = (self.scratch / "lab.log").open("wb")
        self._process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log, cwd=self.folder)
        try:
            self.url = eventually(self._answering, 60, "JupyterLab answers")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answering(self) -> str:
        assert self._process is not None
        assert self._process.poll() is None, (self.scratch / "lab.log").read_text()
        for found in (self.scratch / "runtime").glob("jpserver-*.json"):
            try:
                url = str(json.loads(found.read_text())["url"])
                with urllib.request.urlopen(f"{url}api?token={self.token}", timeout=5):  # noqa: S310 - our own server
                    return url
            except (ValueError, KeyError, urllib.error.URLError):
                return ""
        return ""

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self.log.close()
