"""One deadline for all of a body (body_deadline.py). tests/feedback has it under a real server."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.body_deadline import body_deadline


def test_a_drip_ends_at_the_deadline_and_the_answer_is_still_sent() -> None:
    """Whatever reads gets the end of the input; the other direction stays open."""
    server, client = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        # Once the other side reads no more, the system refuses to send.
        with suppress(BrokenPipeError):
            while not stop.wait(0.02):
                client.sendall(b"w")

    dripping = threading.Thread(target=drip)
    with server, client:
        server.settimeout(10)
        dripping.start()
        with body_deadline({"werkzeug.socket": server}, 0.2) as passed:
            read = bytearray()
            while data := server.recv(1):
                read += data
        stop.set()
        dripping.join()
        assert passed.is_set() and read
        server.sendall(b"answer")
        assert client.recv(10) == b"answer"


def test_a_body_in_time_leaves_the_connection_as_it_was() -> None:
    """The next request on it is read as ever."""
    server, client = socket.socketpair()
    with server, client:
        client.sendall(b"body")
        with body_deadline({"gunicorn.socket": server}, 5) as passed:
            assert server.recv(10) == b"body"
        client.sendall(b"next")
        assert server.recv(10) == b"next"
        assert not passed.is_set()


def test_no_timer_is_left() -> None:
    """Nothing goes on running for a body that has been read, also where reading raised."""
    server, client = socket.socketpair()
    with server, client:
        with pytest.raises(ConnectionResetError), body_deadline({"gunicorn.socket": server}, 60):
            raise ConnectionResetError
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join(10)
                assert not thread.is_alive()


@pytest.mark.parametrize("found", [None, object(), -1])
def test_a_server_that_shows_no_socket_is_read_as_before(found: Any) -> None:
    """waitress has read the whole body before the app runs."""
    with body_deadline({"werkzeug.socket": found}, 0) as passed:
        pass
    assert not passed.is_set()


def test_a_body_in_a_file_is_read_as_before(tmp_path: Path) -> None:
    """A server may keep it there: no descriptor is left over."""
    (tmp_path / "body").write_bytes(b"body")
    with (tmp_path / "body").open("rb") as file:
        environ = {"wsgi.input": types.SimpleNamespace(rfile=file)}
        with body_deadline(environ, 0.01) as passed:
            assert file.read() == b"body"
        free = os.dup(file.fileno())
        os.close(free)
        with body_deadline(environ, 0.01):
            pass
        again = os.dup(file.fileno())
        os.close(again)
    assert again == free
    assert not passed.is_set()


def test_uwsgi_shows_its_connection_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptor stays uWSGI's: it is neither closed nor kept."""
    server, client = socket.socketpair()
    module = types.SimpleNamespace(connection_fd=server.fileno)
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    with server, client:
        server.settimeout(10)
        with body_deadline({"uwsgi.version": b"2.0"}, 0.05) as passed:
            assert server.recv(1) == b""
        assert passed.is_set()
        os.fstat(server.fileno())
        server.sendall(b"answer")
        assert client.recv(10) == b"answer"


def test_under_tls_the_answer_is_still_sent(tmp_path: Path) -> None:
    """OpenSSL would not send anything after an end of input that it was not warned of."""
    key, certificate = tmp_path / "key", tmp_path / "crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-subj", "/CN=localhost", "-days", "1"]
        + ["-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    for_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for_server.load_cert_chain(certificate, key)
    for_client = ssl.create_default_context(cafile=str(certificate))
    plain_server, plain_client = socket.socketpair()
    got: list[bytes] = []
    passed = threading.Event()

    def visit() -> None:
        with for_client.wrap_socket(plain_client, server_hostname="localhost") as client:
            client.sendall(b"w")
            while not passed.wait(0.02):
                client.sendall(b"w")
            got.append(client.recv(10))

    visiting = threading.Thread(target=visit)
    visiting.start()
    with for_server.wrap_socket(plain_server, server_side=True) as server:
        server.settimeout(10)
        with pytest.raises(OSError), body_deadline({"werkzeug.socket": server}, 0.2) as late:
            try:
                while server.recv(1):
                    pass
            finally:
                assert late.is_set()
                passed.set()
        assert server.gettimeout() == 10
        server.sendall(b"answer")
        visiting.join()
    assert got == [b"answer"]
