"""More than the inbox can take at once, and an end without warning: what was said to be kept is."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import urllib3

from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.inbox.protocol import body
from flask_sentry_kit.inbox.server import request_parser
from tests.support.inbox import RunningInbox


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_flood_is_asked_to_come_again_before_anything_is_written(served: RunningInbox) -> None:
    """Over a hundred requests in line: 429 with Retry-After for long bodies, and an ordinary event
    is taken. What is answered 200 is kept, and what is answered 429 is not."""
    store = served.server.app.extensions["sentry_kit_inbox"].store
    waiting = served.server._server.task_dispatcher.waiting
    many = body._QUEUED + 30
    with ExitStack() as stack:
        # A disk that does not answer for a while.
        store._writing.acquire()
        try:
            sent = [
                stack.enter_context(post(served, number, long=number > 0)) for number in range(many)
            ]
            wait_until(lambda: waiting("events") > body._QUEUED)
            # Pages have threads of their own.
            assert served.request("GET", "/").status == 200
        finally:
            store._writing.release()
        answers = [answer(sock) for sock in sent]
    assert answers[0][0] == 200
    assert {status for status, _ in answers} == {200, 429}
    for number, (status, head) in enumerate(answers):
        kept = store.event(f"{number + 1:032x}") is not None
        assert kept is (status == 200)
        if status == 429:
            assert "retry-after: 5" in head and "x-sentry-rate-limits: 5:error:project" in head


@contextmanager
def post(served: RunningInbox, number: int, *, long: bool) -> Iterator[socket.socket]:
    text = "m" * (body._ORDINARY if long else 9)
    data = json.dumps({"event_id": f"{number + 1:032x}", "message": text})
    lines = [
        "POST /api/1/store/ HTTP/1.1",
        "Host: localhost",
        f"X-Sentry-Auth: Sentry sentry_key={served.key}",
        f"Content-Length: {len(data)}",
        "Connection: close",
    ]
    with socket.create_connection(("127.0.0.1", served.server.port), 20) as sock:
        sock.sendall(("\r\n".join([*lines, "", ""]) + data).encode())
        yield sock


def answer(sock: socket.socket) -> tuple[int, str]:
    head = sock.makefile("rb").read().decode().partition("\r\n\r\n")[0].lower()
    return int(head.split()[1]), head


def test_a_full_disk_is_503_and_nothing_is_lost_by_it(
    served: RunningInbox, caplog: pytest.LogCaptureFixture
) -> None:
    """As by SQLite's own limit: clients may try again, pages are still read, it is said once and
    not for each event, and with room again events are kept."""
    store = served.server.app.extensions["sentry_kit_inbox"].store
    assert served.store().status == 200
    with store._write() as db:
        full = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {full}")
    text = os.urandom(60_000).hex()
    for _ in range(3):
        refused = served.store({**served.event("a" * 32), "extra": {"text": text}})
        assert refused.status == 503 and int(refused.headers["Retry-After"]) > 0
    assert caplog.text.count("disk is full") == 1
    assert served.request("GET", f"/events/{served.event_id}/").status == 200
    with store._write() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    again = served.store({**served.event("a" * 32), "extra": {"text": text}})
    assert again.status == 200 and store.event("a" * 32) is not None


@contextmanager
def inbox_process(path: Path) -> Iterator[tuple[subprocess.Popen[str], Dsn]]:
    with subprocess.Popen(
        [sys.executable, "-m", "flask_sentry_kit.inbox", "--port", "0", "--db", str(path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            said = dict(process.stdout.readline().split() for _ in range(2))
            yield process, Dsn.parse(said["DSN:"])
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_what_was_answered_200_survives_kill_9(tmp_path: Path) -> None:
    """Four clients send when the inbox is killed: each event and word that was answered 200 is
    there when it is started again, under the same DSN, in a file that is in order."""
    path = tmp_path / "inbox.sqlite"
    answered: list[str] = []
    words: list[str] = []

    def send(dsn: Dsn, sender: int) -> None:
        auth = {"X-Sentry-Auth": f"Sentry sentry_key={dsn.public_key}"}
        with (
            urllib3.PoolManager(timeout=10, retries=False) as http,
            suppress(urllib3.exceptions.HTTPError),
        ):
            for number in range(5_000):
                event_id = f"{sender + 1:016x}{number:016x}"
                event = {
                    "event_id": event_id,
                    "message": f"m{number % 7}",
                    "extra": {"a": "b" * 999},
                }
                data = json.dumps(event)
                if http.request("POST", dsn.store_url, body=data, headers=auth).status == 200:
                    answered.append(event_id)
                report = {"event_id": event_id, "name": "a", "email": "b", "comments": event_id}
                item = f'{{}}\n{{"type":"user_report"}}\n{json.dumps(report)}\n'
                if http.request("POST", dsn.envelope_url, body=item, headers=auth).status == 200:
                    words.append(event_id)

    with inbox_process(path) as (process, dsn):
        senders = [threading.Thread(target=send, args=(dsn, number)) for number in range(4)]
        for sender in senders:
            sender.start()
        try:
            wait_until(lambda: len(answered) >= 150)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            for sender in senders:
                sender.join(20)
    assert len(answered) < 1_000  # none was pushed out
    with inbox_process(path) as (_, again), urllib3.PoolManager(timeout=10) as http:
        assert (again.public_key, again.project) == (dsn.public_key, dsn.project)
        page = f"{again.origin}/events/"
        assert http.request("GET", f"{page}{answered[-1]}/").status == 200
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    kept = {row[0] for row in db.execute("SELECT event_id FROM events")}
    said = {row[0] for row in db.execute("SELECT comments FROM reports")}
    db.close()
    assert set(answered) <= kept and set(words) <= said


def test_the_bodies_that_arrive_are_bounded_together(
    served: RunningInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many clients that send long bodies fill no disk: further ones are 429 with Retry-After, and
    an ordinary event is taken. All is let go with its connection."""
    monkeypatch.setattr(request_parser, "MOST_HELD", 2**21)
    limits = served.server._server.adj
    head = b"POST /api/1/store/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n"
    with ExitStack() as stack:
        address = ("127.0.0.1", served.server.port)
        socks = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(40)]
        for sock in socks:
            sock.sendall(head + b"a" * 100_000)
        # Only a client that is refused has an answer: the others still send.
        answered = select.select(socks, [], [], 20)[0]
        assert answered[0].recv(4_096).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert served.store().status == 200
        assert limits.held < 2**21 + 40 * 2**16
    wait_until(lambda: limits.held == 0)
