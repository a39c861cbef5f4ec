"""A server on loopback that events are sent to: it accepts them, or never answers.

It runs in a process of its own, so that its work is not measured too, and keeps nothing.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.sentry import JSON, Answer, Received, RecordingSentry


def _forget(request: Received) -> Answer:
    sentry.received.clear()
    return 200, JSON, b'{"id": "0"}'


@contextmanager
def sink(silent: bool = False) -> Iterator[str]:
    """Run a server; gives the DSN that leads to it."""
    arguments = ["--silent"] if silent else []
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield f"http://public:secret@127.0.0.1:{int(process.stdout.readline())}/1"
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    sentry = RecordingSentry(answer=_forget, hold="--silent" in sys.argv)
    print(sentry.port, flush=True)
    threading.Event().wait()
