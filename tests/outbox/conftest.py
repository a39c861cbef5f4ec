"""Real servers on loopback for the outbox to speak to, and outboxes that are closed again."""

from __future__ import annotations

import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import flask_sentry_kit
from flask_sentry_kit.outbox import Item, Outbox, Request, backoff, delivery

SECRET = "5ec7e75ec7e75ec7e75ec7e75ec7e75e"


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    client: tuple[str, int]
    handler: BaseHTTPRequestHandler = field(repr=False)

    @property
    def body(self) -> bytes:
        if self.headers.get("content-encoding") == "gzip":
            return gzip.decompress(self.raw)
        return self.raw

    @property
    def id(self) -> str:
        return str(json.loads(self.body)["event_id"])


# Status, headers, body; or None where the answerer has spoken to the socket itself.
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """A recording HTTP server. ``answer`` decides what each request is told."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.names: list[str | None] = []
        self.answer: Callable[[Received], Answer | None] = lambda request: (200, {}, b"{}")
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20
            disable_nagle_algorithm = True

            def setup(self) -> None:
                if context is not None:
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()
                server._sockets.append(self.request)
                server.connections += 1

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    pass
                self.request.close()

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(
                    self.command,
                    self.path,
                    headers,
                    self.rfile.read(length),
                    self.client_address,
                    self,
                )
                with server._changed:
                    server.received.append(received)
                    server._changed.notify_all()
                answer = server.answer(received)
                if answer is None:
                    self.close_connection = True
                    return
                status, extra, body = answer
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *args: Any) -> None:
                pass

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *args: Any) -> None:
                # A client that hangs up, or dislikes the certificate, is what is tested.
                pass

        if context is not None:

            def named(sock: Any, name: str | None, context: ssl.SSLContext) -> None:
                self.names.append(name)

            context.sni_callback = named
        self._http = Http(("127.0.0.1", port), Handler)
        self.port = self._http.server_address[1]
        scheme, host = ("https", "localhost") if context else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def ids(self) -> list[str]:
        return [request.id for request in self.received]

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Received]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, timeout), (
                f"{len(self.received)} of {count} requests arrived"
            )
            return list(self.received)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start a server: ``serve(context=None, port=0)``."""
    servers: list[Server] = []

    def start(context: ssl.SSLContext | None = None, port: int = 0) -> Server:
        servers.append(Server(context, port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.fixture
def dead_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def workers() -> Callable[[], list[threading.Thread]]:
    """The workers that this test started and that still run. Tests of other rooms leave apps
    whose last event waits for a server that is gone."""
    others = set(threading.enumerate())

    def running() -> list[threading.Thread]:
        return [
            thread
            for thread in threading.enumerate()
            if thread.name == "sentry-kit-outbox" and thread not in others
        ]

    return running


@pytest.fixture
def new_outbox(workers: Callable[[], list[threading.Thread]]) -> Iterator[Callable[..., Outbox]]:
    """Make an outbox that the test need not close."""
    made: list[Outbox] = []

    def make(**options: Any) -> Outbox:
        made.append(Outbox(**options))
        return made[-1]

    yield make
    for outbox in made:
        outbox.close(0)
    wait_until(lambda: not workers())


@pytest.fixture
def outbox(new_outbox: Callable[..., Outbox]) -> Outbox:
    return new_outbox(timeout=2.0)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are minutes in earnest are hundredths of a second here."""
    monkeypatch.setattr(backoff, "BACKOFF_BASE", 0.01)
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 0.05)
    monkeypatch.setattr(delivery, "SPOOL_LOOKS_EVERY", 0.02)
    monkeypatch.setattr(delivery, "SPOOL_IDLE_LOOKS_EVERY", 0.1)


def make_event(server: Server | str, id: str, size: int = 0, path: str = "/api/1/store/") -> Item:
    url = server if isinstance(server, str) else server.url
    headers = {
        "Content-Type": "application/json",
        "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key=public, sentry_secret={SECRET}",
    }
    body = json.dumps({"event_id": id, "padding": "x" * size}).encode()
    return Item("event", id, Request(f"{url}{path}", headers, body))


@pytest.fixture
def event() -> Callable[..., Item]:
    """Make an event: ``event(server, id, size=0, path=…)``."""
    return make_event


def wait_until(holds: Callable[[], Any], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until a condition holds: ``until(lambda: …)``."""
    return wait_until


# The room needs nothing of Flask or raven, whose import would take each child a second: a package
# that is only a path stands in for ours.
BARE = f"""
import sys, types
bare = sys.modules["flask_sentry_kit"] = types.ModuleType("flask_sentry_kit")
bare.__path__ = {list(flask_sentry_kit.__path__)!r}
"""

_PRELUDE = f"""{BARE}
import json, os, signal, sys, threading, time
from flask_sentry_kit.outbox import Item, Outbox, Request, delivery
from flask_sentry_kit.outbox import backoff
def event(url, id, size=0):
    body = json.dumps({{"event_id": id, "padding": "x" * size}}).encode()
    auth = "Sentry sentry_version=7, sentry_key=public, sentry_secret={SECRET}"
    return Item("event", id, Request(url + "/api/1/store/", {{"X-Sentry-Auth": auth}}, body))
delivery.SPOOL_LOOKS_EVERY, delivery.SPOOL_IDLE_LOOKS_EVERY = 0.02, 0.1
"""


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run a script in a Python of its own: ``spawn(script, *argv, prelude="", env={})``.

    ``prelude`` runs before our package is imported.
    """
    children: list[subprocess.Popen[str]] = []

    def start(
        script: str, *argv: object, prelude: str = "", env: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore:This process:DeprecationWarning",
                "-c",
                prelude + _PRELUDE + script,
                *map(str, argv),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def bare() -> str:
    """Python code with which a child imports this room alone."""
    return BARE


@dataclass
class Certificates:
    """Made anew for each session by OpenSSL: a CA of our own, and what it signed."""

    folder: Path
    home_made: bool = False
    """Without what RFC 5280 asks of a CA: Python 3.13 minds, the older ones do not."""

    def __post_init__(self) -> None:
        self.ca = str(self.folder / "ca.pem")
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
            " -subj /CN=test-ca -keyout ca.key -out ca.pem"
            + ("" if self.home_made else " -addext keyUsage=critical,keyCertSign,cRLSign")
        )

    def context(self, name: str) -> ssl.SSLContext:
        """A server's context with a certificate for the DNS name given."""
        if not (self.folder / f"{name}.pem").exists():
            self._openssl(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
                f" -subj /CN={name} -keyout {name}.key -out {name}.csr"
            )
            extensions = f"subjectAltName=DNS:{name}\nauthorityKeyIdentifier=keyid\n"
            (self.folder / f"{name}.ext").write_text(extensions)
            self._openssl(
                f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
                f" -extfile {name}.ext -out {name}.pem"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def _openssl(self, arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments.split()], cwd=self.folder, check=True, capture_output=True
        )


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def home_made_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("home-made"), home_made=True)
