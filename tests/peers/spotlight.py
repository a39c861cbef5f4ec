"""Spotlight, from npm: read by the stream of envelopes that its own pages are made from."""

from __future__ import annotations

import http.client
import json
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.browsers.processes import running

from .book import End, Look
from .port import Port
from .waiting import answers, until

NPM = Path(__file__).with_name("npm")
PACKAGE = NPM / "node_modules" / "@spotlightjs" / "spotlight"
_READS = 0.5
"""Seconds without a further envelope after which the stream is taken to have replayed all."""


class Spotlight:
    """One process, which forgets everything when it ends."""

    name = "spotlight"
    server = "spotlight"
    keeps = End.KEPT
    dialog_keeps = True
    may_have_words_twice = False
    uses = "auto"

    def __init__(self) -> None:
        if not PACKAGE.exists():
            raise SystemExit(f"Spotlight is not in {NPM}: `make peers` installs it there")
        version = json.loads((PACKAGE / "package.json").read_text("utf-8"))["version"]
        self.title = f"Spotlight {version}"
        self._port = Port()
        self._url = f"http://{self._port.netloc}"
        self._stack = ExitStack()
        self.dsn = f"http://public@{self._port.netloc}/1"
        self.origins = (self._url,)

    def start(self) -> None:
        command = (
            str(Path(sys.executable).with_name("node")),
            f"--import={NPM / 'loopback.mjs'}",
            str(PACKAGE / "dist" / "run.js"),
            "server",
            f"--port={self._port.number}",
        )
        # It reports its own errors to its makers; there is nothing at the port of this proxy.
        environment = {"https_proxy": "http://127.0.0.1:9"}
        self._stack.enter_context(running(*command, environment=environment))
        until(lambda: answers(f"{self._url}/health"), "Spotlight answers", 30)

    def stop(self) -> None:
        self._stack.close()

    def close(self) -> None:
        self.stop()
        self._port.close()

    def fresh(self) -> None:
        request = urllib.request.Request(f"{self._url}/clear", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def _envelopes(self) -> list[Any]:
        """What the stream replays to a new reader: header and items of each envelope."""
        connection = http.client.HTTPConnection(self._port.netloc, timeout=_READS)
        connection.request("GET", "/stream?client=peers", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        found = []
        try:
            while line := answer.readline():
                if line.startswith(b"data: "):
                    found.append(json.loads(line.removeprefix(b"data: ")))
        except TimeoutError:
            pass  # it stays open for what comes later
        finally:
            connection.close()
        return found

    def look(self, crash_id: str) -> Look:
        crash, beside, others = "", [], []
        for _, items in self._envelopes():
            for header, payload in items:
                page = json.dumps(payload, ensure_ascii=False)
                if header["type"] == "event":
                    if payload["event_id"] == crash_id:
                        crash = page
                    else:
                        others.append(page)
                elif header["type"] == "feedback":
                    words = payload["contexts"]["feedback"]
                    if words.get("associated_event_id") == crash_id:
                        beside.append(page)
        return Look(crash, tuple(beside), tuple(others))
