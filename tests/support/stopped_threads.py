"""A WSGI server that keeps Python's lock while it waits for the next request, as uWSGI before
2.0.27 does, so that no other thread runs meanwhile.

``python -m tests.support.stopped_threads PORT`` runs it.

It stands in for one where none is installed. It serves ``app`` of the module ``wsgi``, one request
at a time.
"""

from __future__ import annotations

import ctypes
import select
import socket
import sys
import types
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer


class _PollFd(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]  # noqa: RUF012  # ctypes asks for a list


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(port: int) -> None:
    uwsgi: Any = types.ModuleType("uwsgi")
    uwsgi.has_threads = 0
    uwsgi.version = b"2.0.21"
    uwsgi.worker_id = lambda: 1
    sys.modules["uwsgi"] = uwsgi
    # One that closes its connection, so that a client knows when a request has ended.
    ServerHandler.http_version = "1.0"
    with WSGIServer(("127.0.0.1", port), _Handler) as server:
        from wsgi import app  # type: ignore[import-not-found]  # the test wrote it

        server.set_app(app)
        waits = _PollFd(server.fileno(), select.POLLIN, 0)
        # PyDLL, unlike CDLL, keeps Python's lock during a call.
        poll = ctypes.PyDLL(None).poll
        while True:
            poll(ctypes.byref(waits), 1, -1)
            # Accepted here, because the server's own loop waits without the lock.
            connection: socket.socket
            connection, address = server.get_request()
            server.process_request(connection, address)


if __name__ == "__main__":
    main(int(sys.argv[1]))
