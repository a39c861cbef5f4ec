"""Slowly sent bodies on real servers: the response does not wait until they are complete."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.beside import ENVIRONMENT

HERE = Path(__file__).parent

_PYWSGI = """
from gevent import monkey; monkey.patch_all()
import sys, dripping_app
from gevent.pywsgi import WSGIServer
WSGIServer(("127.0.0.1", int(sys.argv[1])), dripping_app.app).serve_forever()
"""
SERVERS = {
    "gunicorn sync": ["-m", "gunicorn", "dripping_app:app", "-b", "127.0.0.1:{port}"],
    "gunicorn gevent": [
        *("-m", "gunicorn", "dripping_app:app", "-k", "gevent", "-b", "127.0.0.1:{port}"),
    ],
    "werkzeug": ["-m", "flask", "--app", "dripping_app", "run", "-p", "{port}"],
    "pywsgi": ["-c", _PYWSGI, "{port}"],
}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _connect(port: int) -> socket.socket:
    until = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 10)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _drips_until_answer(port: int, content_type: str) -> int:
    """The number of bytes, one each 50 ms, that are sent before the response begins, or 100."""
    with _connect(port) as client:
        client.sendall(
            f"POST /boom HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
            "Content-Length: 500\r\n\r\n".encode()
        )
        client.settimeout(0.05)
        for sent in range(100):
            try:
                client.send(b"a")
                return sent if client.recv(12) else 100
            except TimeoutError:
                continue
    return 100


@pytest.mark.beside
@pytest.mark.parametrize("server", SERVERS)
def test_a_dripping_body_has_one_deadline(server: str) -> None:
    """Half a second for all of a body, not one for each byte of it: five seconds would be 100."""
    port = _free_port()
    arguments = [one if one == _PYWSGI else one.format(port=port) for one in SERVERS[server]]
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**ENVIRONMENT, "PYTHONPATH": str(HERE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for content_type in ("application/json", "application/x-www-form-urlencoded"):
            assert _drips_until_answer(port, content_type) < 80
    finally:
        # With its workers, and without the grace that gunicorn gives them.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
