"""How processes begin and end: forks, exits, signals, gunicorn, gevent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.outbox import run
from tests.support.sentry import RecordingSentry
from tests.support.types import NewSentry, Spawn


def test_d6_exit_sends_what_waits_and_prints_nothing(server: RecordingSentry, spawn: Spawn) -> None:
    """A script that ends at once still delivers, silently."""
    child = spawn(
        "outbox = Outbox()\nfor i in range(10): outbox.put(event(sys.argv[1], str(i)))",
        server.url,
    )
    assert run(child)[:2] == ("", "")
    assert child.returncode == 0
    assert server.ids == [str(index) for index in range(10)]


def test_d6_exit_waits_two_seconds_at_most_for_all_outboxes_together(
    hung: RecordingSentry, spawn: Spawn
) -> None:
    """A server that never answers delays the end by two seconds, not two for each app."""
    child = spawn(
        """
for i in range(5):
    globals()[f"outbox{i}"] = Outbox(timeout=30)
    globals()[f"outbox{i}"].put(event(sys.argv[1], str(i)))
print("exiting", flush=True)
""",
        hung.url,
    )
    assert child.stdout.readline() == "exiting\n"
    out, err, took = run(child)
    assert (out, err, child.returncode) == ("", "", 0)
    # Two for each of the five would be ten.
    assert 1.5 < took < 6.0


def test_d6_exit_with_a_dead_server_prints_nothing(dead_port: int, spawn: Spawn) -> None:
    """What two seconds cannot send is lost, and the terminal stays clean."""
    child = spawn("Outbox().put(event(sys.argv[1], 'a'))", f"http://127.0.0.1:{dead_port}")
    out, err, took = run(child)
    assert (out, err, child.returncode) == ("", "", 0)
    assert took < 6


def test_d6_exit_finds_a_server_that_comes_back_within_two_seconds(
    dead_port: int, new_sentry: NewSentry, spawn: Spawn
) -> None:
    """While the process waits it tries again and again, back-off or not."""
    child = spawn(
        "Outbox().put(event(sys.argv[1], 'a')); print('exiting', flush=True)",
        f"http://127.0.0.1:{dead_port}",
    )
    assert child.stdout.readline() == "exiting\n"
    server = new_sentry(port=dead_port)
    assert run(child)[:2] == ("", "")
    assert server.ids == ["a"]


def test_exit_does_not_wait_for_a_spool_that_keeps(
    dead_port: int, spawn: Spawn, tmp_path: Path
) -> None:
    """What is on disk is safe: a dead server does not delay the end."""
    child = spawn(
        """
outbox = Outbox(spool=sys.argv[2])
outbox.put(event(sys.argv[1], "a"))
while not outbox.counters.retried: time.sleep(0.01)
print("exiting", flush=True)
""",
        f"http://127.0.0.1:{dead_port}",
        tmp_path / "spool.db",
    )
    assert child.stdout.readline() == "exiting\n"
    out, err, took = run(child)
    assert (out, err) == ("", "")
    assert took < 1.5


def test_an_item_put_while_the_process_ends_is_sent(server: RecordingSentry, spawn: Spawn) -> None:
    """A crash in an exit handler of the app's is reported too, on every Python."""
    child = spawn(
        """
import atexit
outbox = Outbox()
atexit.register(lambda: outbox.put(event(sys.argv[1], "late")))
""",
        server.url,
    )
    assert run(child)[:2] == ("", "")
    assert server.ids == ["late"]


def test_what_waits_is_sent_though_no_thread_can_be_started(
    server: RecordingSentry, spawn: Spawn
) -> None:
    """Python 3.12.0 starts no threads at exit, a full system none at all: exit sends itself."""
    child = spawn(
        """
def refuse(self): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
outbox = Outbox()
print(outbox.put(event(sys.argv[1], "a")) is not None)
print(outbox.flush(2), outbox.counters)
outbox.put(event(sys.argv[1], "b"))
""",
        server.url,
    )
    out, err, _ = run(child)
    assert (out, err) == ("True\nTrue Counters(queued=0, sent=1, retried=0, dropped=0)\n", "")
    assert server.ids == ["a", "b"]


APP = """
import os
from flask_sentry_kit.outbox import Item, Outbox, Request

outbox = Outbox(timeout=2.0)
url = os.environ["SENTRY_TEST_URL"]
count = 0

def app(environ, start_response):
    global count
    for _ in range(10):
        body = b'{"event_id": "%d-%d"}' % (os.getpid(), count)
        outbox.put(Item("event", "", Request(url + "/api/1/store/", {}, body)))
        count += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--worker-class=sync"],
        ["--worker-class=sync", "--preload"],
        ["--worker-class=gthread", "--threads=2"],
        ["--worker-class=gthread", "--threads=2", "--preload"],
        ["--worker-class=gevent"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_d6_sigterm_under_gunicorn_loses_nothing(
    arguments: list[str], server: RecordingSentry, tmp_path: Path, bare: str
) -> None:
    """gunicorn's workers end in an orderly way: what two seconds can send is sent."""
    server.answer = lambda request: time.sleep(0.03) or (200, {}, b"")
    (tmp_path / "wsgi.py").write_text(bare + APP)
    # One worker, which has answered before it is stopped: one that still boots takes SIGTERM with
    # the handler it inherited, and gunicorn then waits thirty seconds for it.
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind=127.0.0.1:0", "--workers=1", "--chdir",
         str(tmp_path), *arguments, "wsgi:app"],
        env={**os.environ, "SENTRY_TEST_URL": server.url, "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        log = ""
        while not (found := re.search(r"Listening at: (http://\S+)", log)):
            log += (line := gunicorn.stderr.readline())
            assert line, log
        for _ in range(2):
            with urllib.request.urlopen(found[1], timeout=10) as answer:
                answer.read()
        gunicorn.send_signal(signal.SIGTERM)
        log += gunicorn.communicate(timeout=20)[1]
    finally:
        if gunicorn.poll() is None:
            gunicorn.kill()
            gunicorn.communicate()
    assert len(server.ids) == len(set(server.ids)) == 20
    assert "Traceback" not in log
    assert gunicorn.returncode == 0


def test_gevent_greenlets_share_the_outbox(
    server: RecordingSentry, certificates: Certificates, new_sentry: NewSentry, spawn: Spawn
) -> None:
    """Monkey-patched, everything works the same, TLS and time-outs too, and nobody blocks."""
    tls = new_sentry(certificates.context("localhost"))
    over = threading.Event()
    slow = new_sentry()
    slow.answer = lambda request: over.wait(20) and None
    child = spawn(
        """
outbox, ticks = Outbox(timeout=0.5, ca_certs=sys.argv[4]), []
def tick():
    while True:
        ticks.append(1); gevent.sleep(0.01)
gevent.spawn(tick)
def crash(i): return outbox.put(event(sys.argv[1 + i % 2], str(i))).wait(10)
jobs = [gevent.spawn(crash, i) for i in range(20)]
gevent.joinall(jobs)
print({job.value for job in jobs}, type(threading.current_thread()).__name__, flush=True)
ticks.clear()
outbox.put(event(sys.argv[3], "slow"))
while not outbox.counters.retried: gevent.sleep(0.01)
print(len(ticks) > 20, flush=True)
os._exit(0)
""",
        server.url,
        tls.url,
        slow.url,
        certificates.ca,
        prelude="from gevent import monkey; monkey.patch_all(); import gevent\n",
    )
    out, err, _ = run(child)
    over.set()
    assert (out.splitlines(), err) == (["{'sent'} _MainThread", "True"], "")
    assert server.ids == [str(i) for i in range(0, 20, 2)]
    assert tls.ids == [str(i) for i in range(1, 20, 2)]


def test_gevent_flushes_at_exit(server: RecordingSentry, spawn: Spawn) -> None:
    """The exit hook runs the greenlet that sends."""
    # The first one waits: gevent looks names up in threads, and Python 3.12.0 and 3.12.1 start
    # no first thread at exit.
    child = spawn(
        """
outbox = Outbox()
assert outbox.put(event(sys.argv[1], "a")).wait(5) == "sent"
for id in "bcd": outbox.put(event(sys.argv[1], id))
""",
        server.url,
        prelude="from gevent import monkey; monkey.patch_all()\n",
    )
    assert run(child)[:2] == ("", "")
    assert server.ids == ["a", "b", "c", "d"]
