"""Classes of Protobuf messages out of what a schema registry holds, without generated code.

A registry gives the file compiled (a ``FileDescriptorProto``), or, if it can't, as text; then protoc of
``grpcio-tools`` compiles it, in a process of its own.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from smlnb.errors import ConfigError, SchemaError
from smlnb.formats.optional import need

__all__ = ["MessageTypes", "compiled"]

_FILE = "smlnb-root.proto"
_SECONDS = 30.0


class MessageTypes:
    """The messages of one file, by their places in it.

    Parameters
    ----------
    files : mapping
        File name to its compiled form in base 64 or its text, each after those that it imports; the file itself, at the
        end, is ``""``.

    Raises
    ------
    SchemaError
        If they are no files of Protobuf.
    ConfigError
        If a library is not installed.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        form = _protobuf("descriptor_pb2").FileDescriptorProto
        pool = _protobuf("descriptor_pool").DescriptorPool()
        need("confluent_kafka.schema_registry.protobuf", "confluent-kafka[protobuf]")._init_pool(pool)  # common imports
        try:
            for name, raw in _serialized(files).items():
                self._file = form.FromString(raw)
                self._file.name = name or _FILE
                if not _has(pool, self._file.name):
                    pool.Add(self._file)
        except (_protobuf("message").DecodeError, TypeError, KeyError, ValueError) as error:
            raise SchemaError(f"it is no file of Protobuf: {' '.join(str(error).split())}") from None
        self._pool = pool

    def message(self, indexes: Sequence[int]) -> Any:
        """Return the class of the message at a place: its index in the file, then in the message around it.

        Raises
        ------
        SchemaError
            If there is no such place.
        """
        names = [self._file.package] if self._file.package else []
        messages = self._file.message_type
        for index in indexes:
            if not 0 <= index < len(messages):
                place = ".".join(map(str, indexes))
                raise SchemaError(f"the record is of message {place}, which its schema does not have")
            names.append(messages[index].name)
            messages = messages[index].nested_type
        return _protobuf("message_factory").GetMessageClass(self._pool.FindMessageTypeByName(".".join(names)))


def _protobuf(module: str) -> Any:
    return need(f"google.protobuf.{module}", "protobuf")


def _has(pool: Any, name: str) -> bool:
    try:
        pool.FindFileByName(name)
    except KeyError:
        return False
    return True


def _serialized(files: Mapping[str, str]) -> dict[str, bytes]:
    try:
        return {name: base64.b64decode(text, validate=True) for name, text in files.items()}
    except (binascii.Error, ValueError):
        return compiled(files)


def compiled(files: Mapping[str, str]) -> dict[str, bytes]:
    """Compile files of Protobuf; return the ``FileDescriptorProto`` of each in bytes, after those that it imports.

    Raises
    ------
    ConfigError
        If ``grpcio-tools`` is not installed.
    SchemaError
        If protoc refuses them.
    """
    if importlib.util.find_spec("grpc_tools") is None:
        raise ConfigError(
            "The schema registry gives Protobuf as text only, and protoc is not installed to compile it. "
            "Run: pip install 'smlnb[formats]'",
        )
    with tempfile.TemporaryDirectory(prefix="smlnb-") as folder:
        for name, text in files.items():
            path = PurePosixPath(name or _FILE)
            if path.is_absolute() or ".." in path.parts:
                raise SchemaError(f"it imports {name!r}, which is no name of a file within the schema")
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        out = Path(folder, "smlnb-out.bin")
        arguments = [f"-I{folder}", "--include_imports", f"--descriptor_set_out={out}", _FILE]
        command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise SchemaError(f"protoc did not compile it within {_SECONDS:.0f} s") from None
        if done.returncode:
            said = " ".join(done.stderr.replace(f"{folder}/", "").split())
            raise SchemaError(f"protoc refuses it: {said.replace(_FILE, 'line')}")
        found = _protobuf("descriptor_pb2").FileDescriptorSet.FromString(out.read_bytes())
    return {"" if file.name == _FILE else file.name: file.SerializeToString() for file in found.file}
