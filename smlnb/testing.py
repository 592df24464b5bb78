"""Test doubles for users of smlnb: what a program needs around it, inside the test's own process.

- :class:`SchemaRegistry`: a schema registry on the loopback interface that speaks Confluent's REST API.
- :class:`smlnb.LocalBroker` is the broker to go with it.

A test of a program that reads Avro by a secured registry::

    with smlnb.LocalBroker() as broker, SchemaRegistry(user="ann", password="secret") as registry:
        feed = smlnb.connect(project, "readings", bootstrap_servers=broker.bootstrap_servers, config=registry.config)
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from smlnb._registry_store import RegistryError, RegistryStore

__all__ = ["SchemaRegistry"]

_log = logging.getLogger(__name__)


class SchemaRegistry:
    """A schema registry that lives in this process and forgets everything when it is closed.

    It answers what ``confluent_kafka.schema_registry.SchemaRegistryClient`` and the serialisers ask: register, look up,
    get by id or GUID, versions, latest, subjects, delete, compatibility level (stored, not enforced). Anything else is
    refused with 404. Schemas may be of Avro, JSON Schema or Protobuf; the last are given back as they were registered,
    whether that was the text of the file or, as Confluent's Python client does, its compiled form.

    Parameters
    ----------
    user, password : str, optional
        Ask for these by basic authentication.
    max_body : int
        Requests with more bytes are refused with 413.

    Attributes
    ----------
    url : str
        For ``SchemaRegistryClient({"url": registry.url})``.
    requests : int
        How many requests were answered.

    Examples
    --------
    >>> with SchemaRegistry() as registry:
    ...     registry.register("readings-value", '{"type": "record", "name": "r", "fields": []}')
    1
    """

    def __init__(self, user: str | None = None, password: str = "", *, max_body: int = 1 << 20) -> None:
        self.store = RegistryStore()
        self.requests = 0
        self._user_info = None if user is None else f"{user}:{password}"
        self._server = _Server(self, max_body)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="smlnb-schema-registry",
            daemon=True,
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def client_config(self) -> dict[str, str]:
        """The keys for ``SchemaRegistryClient``."""
        user_info = {} if self._user_info is None else {"basic.auth.user.info": self._user_info}
        return {"url": self.url, **user_info}

    @property
    def config(self) -> dict[str, str]:
        """The keys for ``config=`` of smlnb's own calls."""
        return {f"schema.registry.{key}": value for key, value in self.client_config.items()}

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """Register a schema without a request; return its id.

        Parameters
        ----------
        subject, schema : str
        schema_type : {"AVRO", "JSON", "PROTOBUF"}
        references : sequence of mapping
            The schemas that it refers to: ``{"name": ..., "subject": ..., "version": ...}`` each.
        """
        body = {"schema": schema, "schemaType": schema_type, "references": list(references)}
        return int(self.store.register(subject, body)["id"])

    def authorised(self, header: str | None) -> bool:
        """Tell whether an ``Authorization`` header is the right one, in a time that does not depend on it."""
        if self._user_info is None:
            return True
        wanted = b"Basic " + base64.b64encode(self._user_info.encode())
        return hmac.compare_digest((header or "").encode("utf-8", "surrogateescape"), wanted)

    def close(self) -> None:
        """Stop answering and give the port back. Once or more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "" if self._thread.is_alive() else ", closed"
        authentication = "" if self._user_info is None else ", basic authentication"
        return f"SchemaRegistry({self.url!r}{authentication}{state})"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, registry: SchemaRegistry, max_body: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self.max_body = max_body


class _Handler(BaseHTTPRequestHandler):
    """One request per connection (HTTP/1.0), so that no thread waits for a client that keeps its connection."""

    server: _Server
    server_version = "smlnb-testing"
    sys_version = ""
    timeout = 10.0

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        try:
            body = self._body()  # also before a refusal, so that the client can read the answer
            self._authorise()
            url = urlsplit(self.path)
            path = [unquote(part) for part in url.path.strip("/").split("/")]
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            answer = self.server.registry.store.answer(self.command, path, query, body)
        except RegistryError as error:
            self._reply(error.status, {"error_code": error.code, "message": str(error)})
        else:
            self._reply(HTTPStatus.OK, answer)

    def _authorise(self) -> None:
        if not self.server.registry.authorised(self.headers.get("Authorization")):
            raise RegistryError(401, 401, "Unauthorized")

    def _body(self) -> Mapping[str, Any]:
        if "Transfer-Encoding" in self.headers:
            raise RegistryError(411, 411, "Length Required")
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            raise RegistryError(400, 400, "Content-Length is no number")
        if int(length) > self.server.max_body:
            raise RegistryError(413, 413, f"The request has more than {self.server.max_body} bytes")
        raw = self.rfile.read(int(length))
        try:
            body = json.loads(raw) if raw else {}
        except (ValueError, RecursionError) as error:
            raise RegistryError(400, 400, "The request is no JSON") from error
        if not isinstance(body, dict):
            raise RegistryError(400, 400, "The request is no JSON object")
        return body

    def _reply(self, status: int, answer: Any) -> None:
        self.server.registry.requests += 1
        content = json.dumps(answer).encode()
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="smlnb"')
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        _log.debug(format, *args)
