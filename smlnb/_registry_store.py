"""The memory of the test registry: subjects, versions, schemas and the answers of Confluent's REST API about them."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

__all__ = ["RegistryError", "RegistryStore"]

_TYPES = ("AVRO", "JSON", "PROTOBUF")
_LEVELS = ("NONE", "BACKWARD", "FORWARD", "FULL", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE")
_NAMESPACE = uuid.UUID("5d0f6d0e-0d8f-4a57-9d4c-7c1f5a6e1b11")


class RegistryError(Exception):
    """A refusal: the HTTP status and the code of Confluent's API that stands in its body."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def _unknown(method: str) -> RegistryError:
    return RegistryError(404, 404, f"HTTP 404 Not Found: the test registry has no such {method}")


@dataclass(frozen=True, slots=True)
class _Schema:
    id: int
    guid: str
    text: str
    type: str
    references: tuple[Mapping[str, Any], ...] = ()

    def fields(self) -> dict[str, Any]:
        """Give what the API says of it; the type is left out for Avro, as in the original."""
        known: dict[str, Any] = {"guid": self.guid, "schema": self.text}
        if self.type != "AVRO":
            known["schemaType"] = self.type
        if self.references:
            known["references"] = list(self.references)
        return known

    def content(self) -> Any:
        """Give the schema itself: an answer that is JSON, but for Protobuf, which is a text."""
        return self.text if self.type == "PROTOBUF" else json.loads(self.text)


@dataclass(slots=True)
class _Subject:
    versions: dict[int, _Schema] = field(default_factory=dict)
    next: int = 1  # numbers of deleted versions are not given again


class RegistryStore:
    """Subjects and schemas; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._schemas: dict[str, _Schema] = {}  # by GUID, which is made of the content
        self._subjects: dict[str, _Subject] = {}
        self._levels: dict[str, str] = {"": "BACKWARD"}

    def answer(self, method: str, path: Sequence[str], query: Mapping[str, str], body: Mapping[str, Any]) -> Any:
        """Answer a request.

        Raises
        ------
        RegistryError
            With the status and the code of the original.
        """
        with self._lock:
            match path:
                case [""] if method == "GET":
                    return {}
                case ["subjects", *rest]:
                    return self._on_subjects(method, rest, query, body)
                case ["schemas", *rest] if method == "GET":
                    return self._schema(rest, query)
                case [("config" | "mode") as what, *subject] if method in {"GET", "PUT"}:
                    return self._setting(method, what, subject, body)
        raise _unknown(method)

    def _on_subjects(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str],
        body: Mapping[str, Any],
    ) -> Any:
        match path:
            case [] if method == "GET":
                return sorted(name for name in self._subjects if name.startswith(query.get("subjectPrefix", "")))
            case [subject] if method == "POST":
                return self._look_up(subject, body)
            case [subject] if method == "DELETE":
                return list(self._subjects.pop(self._known(subject)).versions)
            case [subject, "versions", *rest]:
                return self._on_versions(method, subject, rest, body)
        raise _unknown(method)

    def _on_versions(self, method: str, subject: str, path: Sequence[str], body: Mapping[str, Any]) -> Any:
        if not path and method == "POST":
            return self.register(subject, body)
        if not path and method == "GET":
            return list(self._subjects[self._known(subject)].versions)
        number = self._number(subject, path[0] if path else "")
        match method, *path[1:]:
            case ["GET"]:
                return self._version(subject, number)
            case ["GET", "schema"]:
                return self._subjects[subject].versions[number].content()
            case ["DELETE"]:
                return self._delete(subject, number)
        raise _unknown(method)

    def register(self, subject: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Register a schema under a subject, or find it there."""
        with self._lock:
            schema = self._intern(body)
            entry = self._subjects.setdefault(subject, _Subject())
            for version, known in entry.versions.items():
                if known is schema:
                    return {"id": schema.id, "version": version, **schema.fields()}
            entry.versions[entry.next] = schema
            entry.next += 1
            return {"id": schema.id, "version": entry.next - 1, **schema.fields()}

    def _content(self, body: Mapping[str, Any]) -> tuple[str, str, str]:
        """Text, type and GUID of a schema in a request."""
        text, kind = body.get("schema"), body.get("schemaType") or "AVRO"
        if not isinstance(text, str) or kind not in _TYPES:
            raise RegistryError(422, 42201, f"A schema is a text of one of the types {', '.join(_TYPES)}")
        canonical = text
        if kind != "PROTOBUF":
            try:
                parsed = json.loads(text)
                if kind == "AVRO" and not body.get("references"):
                    fastavro.parse_schema(parsed)
            except (ValueError, TypeError, KeyError, RecursionError, SchemaParseException, UnknownType) as error:
                raise RegistryError(422, 42201, f"Invalid schema: {error}") from error
            canonical = json.dumps(parsed)  # white space makes no other schema
        references = json.dumps(body.get("references") or [], sort_keys=True)
        return text, kind, str(uuid.uuid5(_NAMESPACE, f"{kind}\0{canonical}\0{references}"))

    def _intern(self, body: Mapping[str, Any]) -> _Schema:
        text, kind, guid = self._content(body)
        if guid not in self._schemas:
            references = tuple(body.get("references") or ())
            self._schemas[guid] = _Schema(len(self._schemas) + 1, guid, text, kind, references)
        return self._schemas[guid]

    def _known(self, subject: str) -> str:
        if subject not in self._subjects:
            raise RegistryError(404, 40401, f"Subject '{subject}' not found.")
        return subject

    def _number(self, subject: str, version: str) -> int:
        versions = self._subjects[self._known(subject)].versions
        if version in {"latest", "-1"}:
            return max(versions)
        if not (version.isascii() and version.isdigit()) or not 1 <= int(version) < 2**31:
            raise RegistryError(422, 42202, f"The specified version '{version}' is not a valid version id.")
        if int(version) not in versions:
            raise RegistryError(404, 40402, f"Version {version} not found.")
        return int(version)

    def _version(self, subject: str, version: int) -> dict[str, Any]:
        schema = self._subjects[subject].versions[version]
        return {"subject": subject, "version": version, "id": schema.id, **schema.fields()}

    def _delete(self, subject: str, version: int) -> int:
        versions = self._subjects[subject].versions
        del versions[version]
        if not versions:
            del self._subjects[subject]
        return version

    def _look_up(self, subject: str, body: Mapping[str, Any]) -> dict[str, Any]:
        _, _, guid = self._content(body)
        for version, schema in self._subjects[self._known(subject)].versions.items():
            if schema.guid == guid:
                return self._version(subject, version)
        raise RegistryError(404, 40403, "Schema not found")

    def _schema(self, path: Sequence[str], query: Mapping[str, str]) -> Any:
        match path:
            case ["types"]:
                return list(_TYPES)
            case [("ids" | "guids") as key, name, *rest] if len(rest) < 2:
                for schema in self._schemas.values():
                    if name == (str(schema.id) if key == "ids" else schema.guid):
                        return self._about(schema, rest, query)
                raise RegistryError(404, 40403, f"Schema {name} not found")
        raise _unknown("GET")

    def _about(self, schema: _Schema, rest: Sequence[str], query: Mapping[str, str]) -> Any:
        uses = [(name, v) for name, s in self._subjects.items() for v, known in s.versions.items() if known is schema]
        match rest:
            case []:
                maximum = {"maxId": len(self._schemas)} if query.get("fetchMaxId", "").lower() == "true" else {}
                return {"id": schema.id, **schema.fields(), **maximum}
            case ["schema"]:
                return schema.content()
            case ["subjects"]:
                return sorted({name for name, _ in uses})
            case ["versions"]:
                return [{"subject": name, "version": version} for name, version in uses]
        raise _unknown("GET")

    def _setting(self, verb: str, what: str, subjects: Sequence[str], body: Mapping[str, Any]) -> dict[str, str]:
        subject = "/".join(subjects)
        if what == "mode":
            if verb == "PUT":
                raise RegistryError(422, 42205, "This test double is always in the mode READWRITE.")
            return {"mode": "READWRITE"}
        if verb == "PUT":
            level = str(body.get("compatibility"))
            if level not in _LEVELS:
                raise RegistryError(422, 42203, f"Invalid compatibility level. Valid values are {', '.join(_LEVELS)}")
            self._levels[subject] = level
            return {"compatibility": level}
        return {"compatibilityLevel": self._levels.get(subject, self._levels[""])}
