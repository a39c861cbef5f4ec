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
    connection = _connection(environ)
    if connection is None:
        yield passed
        return
    encrypted = isinstance(connection, ssl.SSLSocket)
    if encrypted:
        before = connection.gettimeout()
        connection.settimeout(seconds)
    timer = threading.Timer(seconds, _end_input, (connection, passed))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread to be had: as patient as before
        timer.start()
    try:
        yield passed
    finally:
        timer.cancel()
        if encrypted:
            if timer.is_alive():
                timer.join()
            connection.settimeout(before)
        if "uwsgi.version" in environ:
            connection.close()  # our own copy of the descriptor


def _connection(environ: Mapping[str, Any]) -> Any:
    """The client's socket, or None. Under uWSGI it is a copy, to be closed."""
    if "uwsgi.version" in environ:
        try:
            # The module that uWSGI itself puts there, and the descriptor of this thread's request.
            return socket.socket(fileno=os.dup(sys.modules["uwsgi"].connection_fd()))
        except Exception:
            return None
    found = (
        environ.get("werkzeug.socket")
        or environ.get("gunicorn.socket")
        or getattr(environ.get("wsgi.input"), "socket", None)
    )
    return found if hasattr(found, "shutdown") else None


def _end_input(connection: Any, passed: threading.Event) -> None:
    passed.set()
    with contextlib.suppress(OSError):  # the client is gone
        if isinstance(connection, ssl.SSLSocket):
            # OpenSSL sends nothing more after an end without its own farewell, so here reading
            # ends with an error: the next time that nothing has arrived.
            connection.settimeout(0)
        else:
            connection.shutdown(socket.SHUT_RD)
