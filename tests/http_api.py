"""A real HTTP server on loopback whose answers a test decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """A request as the server saw it."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    method: str = "GET"


@dataclass
class Answer:
    """What to answer: a body (bytes as they are, else JSON), a status, headers."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claimed_length: int | None = None
    """Content-Length to announce, when it shall not be true."""


@dataclass
class Api:
    """The server: its URL, what it was asked, and the answers by path."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    routes: dict[str, Callable[[Asked], Answer]] = field(default_factory=dict)

    def serve(self, path: str, answer: Callable[[Asked], Any]) -> None:
        """Answer `path` with what the function returns: an Answer, or JSON."""

        def reply(asked: Asked) -> Answer:
            got = answer(asked)
            return got if isinstance(got, Answer) else Answer(got)

        self.routes[path] = reply

    def pages(self, path: str, *pages: Any) -> None:
        """Serve `pages` by the query parameter `page` (from 1): JSON, or an Answer."""
        self.serve(path, lambda asked: pages[int(asked.query.get("page", 1)) - 1])


@contextmanager
def http_api() -> Iterator[Api]:
    """A server that runs while the block does."""
    api = Api("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                parts.path,
                dict(parse_qsl(parts.query)),
                {k.lower(): v for k, v in self.headers.items()},
                self.rfile.read(length),
                self.command,
            )
            api.asked.append(asked)
            route = api.routes.get(parts.path, lambda _: Answer({"error": "no such path"}, 404))
            self._reply(route(asked))

        do_POST = do_GET  # noqa: N815

        def _reply(self, answer: Answer) -> None:
            body = answer.body
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.claimed_length or len(body)))
            self.end_headers()
            self.wfile.write(body)
            if answer.claimed_length:
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
