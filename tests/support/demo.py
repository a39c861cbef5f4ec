"""The demo's own program, started for a test as `make demo` starts it, and its inbox."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]


class Inbox:
    """An inbox's read API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def read(self, path: str) -> Any:
        with urlopen(f"{self.url}api/v1/{path}", timeout=15) as answer:
            return json.load(answer)

    def event(self, event_id: str, *, with_report: bool = False) -> dict[str, Any]:
        """The event, as soon as it has arrived, and the visitor's words where they are awaited."""
        if with_report:
            assert self.read(f"words?q={event_id}&wait=10")["words"], f"no words on {event_id} came"
        found: dict[str, Any] = self.read(f"events/{event_id}?wait=10")
        return found


class Demo:
    """The running demo: ``first`` is the page to open first, ``shop`` its address, ``inbox`` its
    inbox."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            # Warnings are errors here too, as in the rest of the suite.
            [sys.executable, "-W", "error", "-m", "demo_app", "--port", "0", "--inbox-port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        said = "".join(self.process.stdout.readline() for _ in range(5))
        found = dict(re.findall(r"^([\w ]+): +(http\S+)", said, re.MULTILINE))
        if set(found) != {"Open first", "Shop", "Inbox", "DSN"}:
            self.process.kill()
            raise AssertionError(f"the demo did not start: {said}{self.process.communicate()[1]}")
        self.first = found["Open first"]
        self.shop = found["Shop"]
        self.inbox = Inbox(found["Inbox"])
        self.dsn = found["DSN"]

    def stop(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Stop it as Ctrl-C does. Its exit status, and what it wrote to stderr."""
        self.process.send_signal(how)
        try:
            stderr = self.process.communicate(timeout=20)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, stderr
