"""A server whose threads run only while a request does: what is queued goes before it ends.

uWSGI before 2.0.27 without ``--enable-threads`` is one. Debian 12 has it: ``apt-get install
uwsgi-core uwsgi-plugin-python3``. Where none is installed for this Python, a server that also
keeps Python's lock between requests stands in for it alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import flask_sentry_kit
from flask_sentry_kit.outbox import Outbox, backoff, delivery, request_end, worker
from flask_sentry_kit.outbox.lease import Lease
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox

from .conftest import wait_until

APP = """
import os
from flask import Flask, send_file, stream_with_context
from flask_sentry_kit import sentry, sentry_kit

app = Flask(__name__)
app.config.update(SENTRY_DSN=os.environ["TEST_DSN"], SECRET_KEY="key")
app.config["SENTRY_KIT_SPOOL"] = os.environ.get("TEST_SPOOL")
app.register_blueprint(sentry_kit)

@app.get("/")
def front():
    return sentry.counters._asdict()

@app.get("/crash")
def crash():
    raise LookupError("gone")

@app.get("/stream")
def stream():
    @stream_with_context
    def rows():
        yield "one "
        sentry.captureMessage("after the first row")
        yield "two"
    return rows(), {"Content-Type": "text/plain"}

@app.get("/file")
def file():
    return send_file(__file__)
"""


def old_uwsgi() -> list[str] | None:
    """The command of an installed uWSGI before 2.0.27 with a plugin for this Python, or None."""
    program = shutil.which("uwsgi")
    if program is None:
        return None

    def ask(what: str) -> tuple[int, ...]:
        """A version that it prints; 0 where it has no such plugin."""
        asked = subprocess.run(
            [program, "--plugin=python3", what],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        found = re.match(r"[0-9]+(\.[0-9]+)+", asked.stdout)
        return tuple(map(int, found[0].split("."))) if found else (0,)

    if ask("--version") < (2, 0, 27) and ask("--python-version")[:2] == sys.version_info[:2]:
        return [program, "--plugin=python3"]
    return None


class Site:
    """The app on a server whose threads stop between requests."""

    def __init__(self, command: list[str], folder: Path, dsn: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "wsgi.py").write_text(APP)
        if command[0] == sys.executable:
            arguments = [str(port)]
        else:
            arguments = [f"--http-socket=127.0.0.1:{port}", "--master", "--module=wsgi:app"]
        package = Path(flask_sentry_kit.__file__).parent.parent
        paths = [str(folder), str(package), *(path for path in sys.path if "site-packages" in path)]
        self.url = f"http://127.0.0.1:{port}/"
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *arguments],
                env={**os.environ, "TEST_DSN": dsn, "PYTHONPATH": os.pathsep.join(paths)},
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str = "", data: bytes | None = None) -> str:
        try:
            with urllib.request.urlopen(self.url + path, data, timeout=20) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return bool(self.get())
        except OSError:
            return False

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


SERVERS = {"stand-in": [sys.executable, "-m", "tests.support.stopped_threads"]}
if (_found := old_uwsgi()) is not None:
    SERVERS["uwsgi"] = _found


@pytest.fixture(scope="module")
def sentry() -> Iterator[RecordingSentry]:
    with RecordingSentry() as sentry:
        yield sentry


@pytest.fixture(scope="module", params=SERVERS)
def running_site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sentry: RecordingSentry,
) -> Iterator[Site]:
    site = Site(SERVERS[request.param], tmp_path_factory.mktemp("site"), sentry.dsn)
    try:
        wait_until(site.answers, 30)
        yield site
    finally:
        site.close()


@pytest.fixture
def site(running_site: Site, sentry: RecordingSentry) -> Site:
    """The app on a server that has nothing left to deliver from the test before."""
    wait_until(lambda: json.loads(running_site.get())["queued"] == 0)
    sentry.received.clear()
    return running_site


def test_an_event_and_words_arrive_while_no_other_request_comes(
    site: Site, sentry: RecordingSentry
) -> None:
    """A crash's own request delivers it, and so does the request that brings the words."""
    page = site.get("crash")
    assert sentry.wait_for()[0]["exception"]["values"][0]["type"] == "LookupError"
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None, page
    form = urlencode({"token": token[1], "comments": "Why is it gone?"}).encode()
    site.get("_sentry_kit/feedback", form)
    assert b"gone" in sentry.wait_for_requests(2)[1].body


def test_what_a_stream_queues_arrives_too(site: Site, sentry: RecordingSentry) -> None:
    """Its request ends with its last byte."""
    assert site.get("stream") == "one two"
    assert sentry.wait_for()[0]["message"] == "after the first row"


def test_a_file_is_sent_whole(site: Site) -> None:
    """By the server's own file wrapper, where it has one."""
    assert site.get("file") == APP


def test_the_log_says_once_what_becomes_of_events_and_what_to_do(site: Site) -> None:
    """At registration, in one line."""
    site.get("crash")
    [line] = re.findall(r"This uWSGI .*", site.log)
    assert "2.0.2" in line
    assert "before the request ends" in line
    assert "enable-threads = true" in line


def test_a_slow_answer_is_taken_at_a_later_request_and_nothing_is_sent_twice(
    site: Site, sentry: RecordingSentry
) -> None:
    """A request waits for half a second at most; the attempt goes on where it stopped."""
    sentry.hold()
    try:
        site.get("crash")
        sentry.wait_for_requests(1)
        # Others are answered, although Sentry still holds the event.
        assert json.loads(site.get())["queued"] == 1
    finally:
        sentry.release()
    wait_until(lambda: json.loads(site.get())["queued"] == 0)
    assert len(sentry.received) == 1


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is one whose threads are said to stop between requests."""
    uwsgi: Any = types.ModuleType("uwsgi")
    uwsgi.has_threads, uwsgi.worker_id = 0, lambda: 1
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)


@pytest.fixture
def patient(stopped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request waits as long as a busy machine takes."""
    monkeypatch.setattr(delivery, "REQUEST_WAIT", 20.0)
    monkeypatch.setattr(request_end, "REQUEST_WAIT", 20.0)
    monkeypatch.setattr(worker, "REQUEST_WAIT", 20.0)


def took(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.usefixtures("stopped")
def test_requests_wait_once_for_an_attempt_that_takes_long(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Those behind the one that waited for half a second are not slowed down by a dead Sentry."""
    outbox = new_outbox()
    request_end.begin()
    outbox.put(event(hung, "a"))
    first = took(request_end.finish)
    assert first > 0.2
    assert sum(took(request_end.finish) for _ in range(3)) < first


@pytest.mark.usefixtures("patient")
def test_a_request_waits_for_nothing_while_nothing_is_due(
    server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Once all is sent, a healthy request takes one look."""
    outbox = new_outbox()
    request_end.begin()
    ticket = outbox.put(event(server, "a"))
    delivers = took(request_end.finish)
    assert ticket is not None
    assert ticket.state == "sent"
    assert 10 * took(request_end.finish) < delivers


@pytest.mark.usefixtures("patient")
def test_outside_of_requests_putting_delivers(
    server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """A task of uWSGI's (a mule, a timer, the spooler) has no request that ends."""
    ticket = new_outbox().put(event(server, "a"))
    assert ticket is not None
    assert ticket.state == "sent"


@pytest.mark.usefixtures("patient")
def test_a_process_whose_threads_stop_leaves_the_spool_to_others(
    dead_port: int,
    new_outbox: NewOutbox,
    event: MakeEvent,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it waits before it tries again, another process may deliver: this one may get no
    request for long."""
    monkeypatch.setattr(backoff, "backoff", lambda failures: 60.0)
    outbox = new_outbox(spool=path)
    outbox.put(event(f"http://127.0.0.1:{dead_port}", "a"))
    assert outbox.counters.retried == 1
    lease = Lease(path)
    assert lease.take()
    lease.release()


def test_with_threads_that_run_no_request_waits_at_its_end(
    hung: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Other servers, and uWSGI from 2.0.27 on, are as they were."""
    outbox.put(event(hung, "a"))
    hung.wait_for_requests(1)
    one = outbox._current_worker()
    without = took(request_end.finish)
    one.stops_between_requests = True
    assert 10 * without < took(request_end.finish)
