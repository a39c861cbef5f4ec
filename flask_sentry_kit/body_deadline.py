"""A deadline for reading a request's whole body, however slowly it arrives.

Ground floor. A socket's time-out starts again with every byte, so a client that sends one byte
a second could hold a worker for as long as it likes.
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
    """Allow reading from ``wsgi.input`` for at most ``seconds``; then the body ends.

    At the deadline the receiving half of the connection is shut (``shutdown(2)``, ``SHUT_RD``).
    The reader gets the data that has arrived, and then the end of the body, through any parsers
    and buffers; the response can still be sent. Under TLS, reading ends with an error, at most
    ``seconds`` later. Servers that read from the client while the app runs give access to their
    socket (Werkzeug, gunicorn, gevent, uWSGI); waitress reads the whole body before. With a server
    that gives no access, there is no deadline.

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
    with contextlib.suppress(RuntimeError):  # no thread can start: there is no deadline
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
    """The server's source of this request: a socket, a file on one, or its file descriptor."""
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
    """A second socket on the same connection, so that the server's own socket is not changed."""
    number = os.dup(connection if isinstance(connection, int) else connection.fileno())
    try:
        return socket.socket(fileno=number)
    except OSError:
        os.close(number)  # the connection is a file or a pipe
        raise


def _end_input(receiver: socket.socket, passed: threading.Event) -> None:
    passed.set()
    with contextlib.suppress(OSError):  # the client is gone
        if isinstance(receiver, ssl.SSLSocket):
            # After an end of input without a TLS close message, OpenSSL sends nothing more. So here
            # the next read that finds no data raises an error instead.
            receiver.settimeout(0)
        else:
            receiver.shutdown(socket.SHUT_RD)
