"""Runs the reporters and counts what came out at the sink, class by class."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .corpus import CLASSES, Planted, corpus, marker

ROOT = Path(__file__).parents[2]
LIMIT = 300  # seconds of one reporter; it takes about ten


@dataclass
class Result:
    """What one reporter let out."""

    who: str
    events: int
    total: dict[str, int]
    out: dict[str, list[Planted]] = field(default_factory=dict)
    """Of each class, those whose value arrived."""

    def wrong(self, kind: str) -> list[Planted]:
        """Secrets that came out, or harmless values that did not."""
        if not kind.startswith("harmless"):
            return self.out[kind]
        arrived = set(self.out[kind])
        return [one for one in self.planted if one.kind == kind and one not in arrived]

    planted: list[Planted] = field(default_factory=list)


def _text(body: bytes, encoding: str) -> str:
    if encoding == "gzip":
        body = gzip.decompress(body)
    elif encoding == "deflate":
        body = zlib.decompress(body)
    elif not body.startswith(b"{"):
        # raven's older form: deflated, then base64.
        body = zlib.decompress(b64decode(body))
    lines = []
    for line in body.split(b"\n"):
        try:
            lines.append(json.dumps(json.loads(line), ensure_ascii=False))
        except ValueError:
            lines.append(line.decode("utf-8", "replace"))
    return "\n".join(lines)


@contextmanager
def _sink() -> Iterator[tuple[str, list[str]]]:
    texts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if body:
                texts.append(_text(body, self.headers.get("Content-Encoding", "")))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://public:half@127.0.0.1:{server.server_port}/1", texts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(who: str, share: int = 1) -> Result:
    """Let one reporter crash with one in ``share`` of the corpus.

    :raises RuntimeError: the reporter's process failed, or sent less than an event a case.
    """
    planted = corpus(share)
    with _sink() as (dsn, texts):
        done = subprocess.run(
            [sys.executable, "-m", "tests.leaks.reporter", who, dsn, str(share)],
            cwd=ROOT,
            timeout=LIMIT,
            capture_output=True,
            text=True,
        )
    if done.returncode or len(texts) < len(planted):
        raise RuntimeError(f"{who}: {len(texts)} events of {len(planted)}\n{done.stderr[-3000:]}")
    everything = "\n".join(texts)
    total = {kind: sum(one.kind == kind for one in planted) for kind in CLASSES}
    out = {
        kind: [one for one in planted if one.kind == kind and marker(one) in everything]
        for kind in CLASSES
    }
    return Result(who, len(texts), total, out, planted)
