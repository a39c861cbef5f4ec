"""A deadline for reading a request's body: one for all of it, however slowly it drips.

Ground floor. A time-out of a socket begins anew with every byte, so a client that sends one byte
a second holds a worker for as long as it likes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def body_deadline(environ: Mapping[str, Any], seconds: float) -> Iterator[threading.Event]:
    """Let reading from ``wsgi.input`` go on for at most ``seconds``; then the body is at its end.

    At the deadline the receiving half of the connection is shut (``shutdown(2)``, ``SHUT_RD``):
    whatever reads gets what has arrived and then the end, at any depth of parsers and buffers; the
    answer can still be sent. Under TLS reading ends with an error, at most ``seconds`` later.
    Servers that read from the client while the app runs show their socket (Werkzeug, gunicorn,
    gevent, uWSGI); waitress has the whole body before. For a server that shows none, nothing is
    done.

    :return: an event that is set when the deadline has passed.
    """
    passed = threading.Event()
    try:
        connection = _connection(environ)
        encrypted = isinstance(connection, ssl.SSLSocket)
        receiver = connection if encrypted else _second_socket(connection)
    except Exception:
        yield passed
        return
    if encrypted:
        before = receiver.gettimeout()
        receiver.settimeout(seconds)
    timer = threading.Timer(seconds, _end_input, (receiver, passed))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread to be had: as patient as before
        timer.start()
    try:
        yield passed
    finally:
        timer.cancel()
        if timer.is_alive():
            timer.join()
        if encrypted:
            receiver.settimeout(before)
        else:
            receiver.close()


def _connection(environ: Mapping[str, Any]) -> Any:
    """What the server reads this request from: a socket, a file on one, or its number."""
    if "uwsgi.version" in environ:
        return sys.modules["uwsgi"].connection_fd()
    body = environ.get("wsgi.input")
    return (
        environ.get("werkzeug.socket")
        or environ.get("gunicorn.socket")
        or getattr(body, "socket", None)
        or getattr(body, "rfile", None)  # gevent's pywsgi
    )


def _second_socket(connection: Any) -> socket.socket:
    """A socket of our own on the same connection, so that none of the server's is touched."""
    number = os.dup(connection if isinstance(connection, int) else connection.fileno())
    try:
        return socket.socket(fileno=number)
    except OSError:
        os.close(number)  # a file, or a pipe
        raise


def _end_input(receiver: socket.socket, passed: threading.Event) -> None:
    passed.set()
    with contextlib.suppress(OSError):  # the client is gone
        if isinstance(receiver, ssl.SSLSocket):
            # OpenSSL sends nothing more after an end without its own farewell, so here reading
            # ends with an error: the next time that nothing has arrived.
            receiver.settimeout(0)
        else:
            receiver.shutdown(socket.SHUT_RD)
