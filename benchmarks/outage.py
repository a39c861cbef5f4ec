"""An outage drill: events and feedback with ``SENTRY_KIT_SPOOL`` while the server goes down and
comes back and workers are killed (SIGKILL) at random. All have to arrive, once and in order.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.sentry import JSON, Answer, Received, RecordingSentry

ITEMS = 1000
SHORT = 15
WORKERS = 3
PATIENCE = 120.0  # seconds for the rest to arrive once the server is back for good


class Server:
    """A Sentry that can be up, answer 503, or be gone; remembers what it took, in order."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.up = True
        self.port = 0
        self._lock = threading.Lock()
        self._sentry: RecordingSentry | None = None
        self.open()

    def open(self) -> None:
        if self._sentry is None:
            self._sentry = RecordingSentry(answer=self._take, port=self.port)
            self.port = self._sentry.port

    def close(self) -> None:
        sentry, self._sentry = self._sentry, None
        if sentry is not None:
            sentry.close()

    def _take(self, request: Received) -> Answer | None:
        if self._sentry is None:
            return None
        if not self.up:
            return 503, {}, b""
        key = request.id if request.project else request.fields["comments"]
        with self._lock:
            self.taken.append(key)
        return 200, JSON, b"{}"


def work(name: str, dsn: str, spool: str, ledger: str, items: str) -> None:
    """A worker: crashes, now and then writes feedback, and notes what was accepted."""
    from flask_sentry_kit import sentry_kit
    from flask_sentry_kit.feedback.relay import Report, put

    from .contender import caller, shop

    app = shop()
    app.config.update(SENTRY_DSN=dsn, SENTRY_KIT_SPOOL=spool)
    app.register_blueprint(sentry_kit)
    app.logger.disabled = True
    ids: list[str] = []

    @app.after_request
    def note(response: Any) -> Any:
        ids.append(response.headers.get("X-Sentry-ID") or "")
        return response

    kit = app.extensions["sentry_kit"]
    call = caller(app, "/crash")
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(int(items)):
        key = f"{name} {number}"
        if number % 5 == 4 and ids[-1]:
            accepted = put(kit, Report(ids[-1], key), "http://shop.test")
            key = key if accepted else ""
        else:
            call()
            key = ids[-1]
        if key:
            os.write(file, f"{name}\t{number}\t{key}\n".encode())
        time.sleep(0.02)
    threading.Event().wait()


def _ledger(path: Path) -> list[tuple[str, int, str]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [(name, int(number), key) for name, number, key in (line.split("\t") for line in lines)]


def outage(short: bool = False) -> bool:
    """Run the drill. Linux and macOS: it kills."""
    items = SHORT if short else ITEMS
    seed = random.randrange(10_000)
    chance = random.Random(seed)
    print(f"\nOutage drill, {items:,} events and feedback, {WORKERS} workers (seed {seed})")
    server = Server()
    workers: list[subprocess.Popen[bytes]] = []
    started = killed = outages = 0
    with tempfile.TemporaryDirectory() as folder:
        ledger, spool = Path(folder, "ledger"), str(Path(folder, "spool"))
        dsn = f"http://public:secret@127.0.0.1:{server.port}/1"

        def start() -> subprocess.Popen[bytes]:
            nonlocal started
            started += 1
            command = [sys.executable, "-m", "benchmarks.outage", f"w{started}", dsn, spool]
            return subprocess.Popen([*command, str(ledger), str(items)])

        try:
            workers = [start() for _ in range(WORKERS)]
            while len(_ledger(ledger)) < items:
                time.sleep(chance.uniform(0.2, 0.8))
                doing = chance.choice(("kill", "kill", "refuse", "away", "back"))
                if doing == "kill":
                    at = chance.randrange(WORKERS)
                    workers[at].kill()
                    workers[at].wait()
                    workers[at] = start()
                    killed += 1
                elif doing == "back":
                    server.up = True
                    server.open()
                else:
                    outages += 1
                    server.up = server.up and doing != "refuse"
                    if doing == "away":
                        server.close()
            for worker in workers[1:]:
                worker.kill()
                killed += 1
            # The one process that is left delivers what the others spooled.
            server.up = True
            server.open()
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if {key for _, _, key in _ledger(ledger)} <= set(server.taken):
                    break
                time.sleep(0.2)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
            server.close()
        return _judge(_ledger(ledger), server.taken, killed, outages)


def _judge(ledger: list[tuple[str, int, str]], taken: list[str], killed: int, outages: int) -> bool:
    accepted = {key for _, _, key in ledger}
    lost = accepted - set(taken)
    repeats = sum(count - 1 for count in Counter(taken).values())
    first = {key: at for at, key in reversed(list(enumerate(taken)))}
    late = 0
    seen: dict[str, int] = {}
    for name, _, key in ledger:
        if key in first:
            late += first[key] < seen.get(name, -1)
            seen[name] = max(seen.get(name, -1), first[key])
    feedback = sum(bool(re.search(r"\s", key)) for key in accepted)
    print(
        f"  {outages} outages, {killed} workers killed;"
        f" accepted {len(accepted) - feedback} events, {feedback} feedback"
    )
    print(
        f"  lost {len(lost)}, out of order within a process {late},"
        f" sent again by event id {repeats} (at most one for each kill and outage;"
        f" Sentry ignores them)"
    )
    reached = not lost and not late and repeats <= killed + outages
    print(f"  nothing lost, nothing twice, in order: {'reached' if reached else 'MISSED'}")
    return reached


if __name__ == "__main__":
    work(*sys.argv[1:])
