"""A proxy that ends TLS, as one stands before many a Flask app. Its certificate is made when it
starts."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CERTIFICATE = "tls.crt"


def _context(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "tls.key", folder / CERTIFICATE
    if not certificate.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            + ["-nodes", "-subj", "/CN=127.0.0.1", "-days", "1"]
            + ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
            + ["-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser opens connections ahead and closes them unused, in the middle of a handshake.
        pass


@contextmanager
def tls_proxy(address: str, folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Stand before ``address``; yields the address for visitors, with the given name of this host.

    Says in ``X-Forwarded-*`` what ProxyFix reads. The certificate is ``CERTIFICATE`` in the folder.
    """
    upstream = urlsplit(address).netloc

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items())
            headers |= {
                "X-Forwarded-For": self.client_address[0],
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": headers.pop("Host"),
                "Host": upstream,
                "Connection": "close",
            }
            connection = http.client.HTTPConnection(upstream, timeout=20)
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    # The handshake is each connection's own thread's, so that no visitor waits for another.
    server.socket = _context(folder).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"https://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
