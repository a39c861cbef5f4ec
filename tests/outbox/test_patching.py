"""gevent under real servers: patched before or after the kit is imported, all crashes arrive."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest

import flask_sentry_kit
from tests.support.certificates import Certificates
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.types import NewSentry, Spawn, Until

APP = """
import os
from flask import Flask
from flask_sentry_kit import sentry_kit

app = Flask(__name__)
app.config.update(
    SENTRY_DSN=os.environ["TEST_DSN"],
    SECRET_KEY="key",
    SENTRY_KIT_SPOOL=os.environ.get("TEST_SPOOL"),
    SENTRY_KIT_LOGGING="ERROR",
)
app.register_blueprint(sentry_kit)

@app.get("/")
def front():
    return "fine"

@app.get("/log")
def log():
    app.logger.error("something is odd")
    return "fine"

@app.get("/crash")
def crash():
    raise LookupError("gone")

@app.get("/counters")
def counters():
    return app.extensions["sentry"].counters._asdict()
"""

UWSGI = ["--enable-threads", "--master", "--die-on-term", "--disable-logging"]
LATE = ["--gevent=60", "--gevent-monkey-patch"]

SERVERS = {
    "gunicorn, early": ["gunicorn", "--worker-class=gevent"],
    "gunicorn, early, preloaded": [
        "gunicorn",
        "--worker-class=gevent",
        "--preload",
        "--config=early.py",
    ],
    "gunicorn, late, preloaded": ["gunicorn", "--worker-class=gevent", "--preload"],
    "uwsgi, early, preloaded": ["uwsgi", "--gevent=60", "--gevent-early-monkey-patch"],
    "uwsgi, early, lazy": ["uwsgi", "--gevent=60", "--gevent-early-monkey-patch", "--lazy-apps"],
    "uwsgi, late, preloaded": ["uwsgi", *LATE],
    "uwsgi, late, lazy": ["uwsgi", *LATE, "--lazy-apps"],
    "uwsgi, threads": ["uwsgi", "--threads=4"],
}


Page = tuple[int, Message, str]
"""Status, headers and body."""


class Site:
    """The app on a real server."""

    def __init__(self, name: str, folder: Path, dsn: str, spool: str | None = None) -> None:
        kind, *arguments = SERVERS[name]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "wsgi.py").write_text(APP)
        (folder / "early.py").write_text("from gevent import monkey; monkey.patch_all()")
        if kind == "gunicorn":
            command = [sys.executable, "-m", "gunicorn", "--workers=1",
                       f"--bind={address}", *arguments, "wsgi:app"]  # fmt: skip
        else:
            program = Path(sys.executable).with_name("pyuwsgi")
            command = [str(program), *UWSGI, *arguments, f"--http-socket={address}",
                       f"--home={sys.prefix}", "--module=wsgi:app"]  # fmt: skip
        env = {
            "HOME": str(folder),
            "TEST_DSN": dsn,
            "PYTHONPATH": f"{Path(flask_sentry_kit.__file__).parent.parent}:{folder}",
            **({"TEST_SPOOL": spool} if spool else {}),
        }
        self.url = f"http://{address}/"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def get(self, path: str = "", data: bytes | None = None) -> Page:
        """Status, headers and body."""
        try:
            with urllib.request.urlopen(urljoin(self.url, path), data, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get()[0] == 200
        except OSError:
            return False

    def close(self) -> None:
        # With its workers; how they end in an orderly way is another test's.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path, server: RecordingSentry, until: Until) -> Iterator[Callable[..., Site]]:
    """Start the app: ``start(name, spool=None)``."""
    sites = []

    def start(name: str, spool: str | None = None) -> Site:
        site = Site(name, tmp_path, f"http://public@127.0.0.1:{server.port}/1", spool)
        sites.append(site)
        until(site.answers, 20)
        return site

    yield start
    for site in sites:
        site.close()


def many(site: Site, path: str, count: int) -> list[Page]:
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(site.get, [path] * count))


@pytest.mark.parametrize("name", SERVERS)
def test_fifty_crashes_are_fifty_events(
    name: str, start: Callable[..., Site], server: RecordingSentry, until: Until
) -> None:
    """Whenever gevent patches, and wherever the app was loaded: none is refused or lost."""
    site = start(name)
    answers = many(site, "crash", 50)
    assert {status for status, *_ in answers} == {500}
    ids = [headers["X-Sentry-ID"] for _, headers, _ in answers]
    assert len(set(ids) - {None}) == 50
    assert all("<form" in body for *_, body in answers)
    server.wait_for_requests(50)
    # What is logged as an event leaves the marks as they were, too.
    many(site, "log", 10)
    server.wait_for_requests(60)
    until(lambda: '"sent":60' in site.get("counters")[2].replace(" ", ""))
    assert re.search(r'"dropped":\s*0', site.get("counters")[2])
    assert set(ids) < set(server.ids)
    assert len(set(server.ids)) == len(server.ids) == 60


@pytest.mark.parametrize("name", ["gunicorn, late, preloaded", "uwsgi, late, preloaded"])
def test_a_visitor_who_waits_for_sentrys_answer_holds_nobody(
    name: str, start: Callable[..., Site], server: RecordingSentry, tmp_path: Path
) -> None:
    """With the spool as well: other requests are answered while a report waits for Sentry."""
    site = start(name, spool=str(tmp_path / "spool.db"))
    over = threading.Event()

    def answer(request: Received) -> Answer:
        if "error-page" in request.path:
            over.wait(10)
        return 200, {}, b"{}"

    server.answer = answer
    _, _, page = site.get("crash")
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None, page
    form = urlencode({"token": token[1], "comments": "I pressed the button"}).encode()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(site.get, "_sentry_kit/feedback", form)
        server.wait_for_requests(2)
        for _ in range(3):
            assert site.get()[0] == 200
            assert site.get("crash")[1]["X-Sentry-ID"]
        assert not report.done(), "the visitor did not wait at all"
        over.set()
        assert report.result(20)[0] in (200, 303)


# gevent warns that ssl was imported before: that is the case that is tested.
QUIET = 'import warnings; warnings.filterwarnings("ignore", "Monkey-patching ssl")\n'

LATE_IN_ONE_PROCESS = """
outbox = Outbox(timeout=20, ca_certs=sys.argv[3], spool=sys.argv[4] if sys.argv[4:] else None)
if sys.argv[2] == "used":
    assert outbox.put(event(sys.argv[1], "before")).wait(20) == "sent"
from gevent import monkey; monkey.patch_all(); import gevent
ticks = []
def tick():
    while True:
        ticks.append(1); gevent.sleep(0.002)
gevent.spawn(tick)
def crash(i): return outbox.put(event(sys.argv[1], str(i))).wait(20)
jobs = [gevent.spawn(crash, i) for i in range(50)]
gevent.joinall(jobs)
print({job.value for job in jobs}, len(ticks) > 20, outbox.flush(20))
print(*outbox.counters, flush=True)
"""


@pytest.mark.parametrize("kind", ["in memory", "on disk"])
@pytest.mark.parametrize("before", ["fresh", "used"])
def test_an_outbox_made_before_the_patch_serves_greenlets_after_it(
    before: str,
    kind: str,
    new_sentry: NewSentry,
    certificates: Certificates,
    spawn: Spawn,
    tmp_path: Path,
    until: Until,
) -> None:
    """Also over TLS, and also where a thread of it runs already; the hub goes on meanwhile."""
    tls = new_sentry(certificates.context("localhost"))
    tls.answer = lambda request: time.sleep(0.01) or (200, {}, b"{}")
    spool = [str(tmp_path / "spool.db")] if kind == "on disk" else []
    child = spawn(LATE_IN_ONE_PROCESS, tls.url, before, certificates.ca, *spool, prelude=QUIET)
    # A busy machine takes its time, which is not what is tested.
    out, err = child.communicate(timeout=45)
    count = 51 if before == "used" else 50
    assert (out, err) == (f"{{'sent'}} True True\n0 {count} 0 0\n", "")
    assert len(set(tls.ids)) == len(tls.ids) == count


def test_a_lock_made_before_the_patch_excludes_greenlets_after_it(spawn: Spawn) -> None:
    """And a thread-local is each greenlet's own."""
    child = spawn(
        """
from flask_sentry_kit.threads import local_at_use, lock_at_use
lock, local = lock_at_use(), local_at_use()
with lock.get(): local.get().name = "before"
from gevent import monkey; monkey.patch_all(); import gevent
inside, seen = [], []
def work(name):
    local.get().name = name
    with lock.get(), lock.get():
        inside.append(name); gevent.sleep(0.001); inside.append(name)
    seen.append(local.get().name == name)
gevent.joinall([gevent.spawn(work, name) for name in range(10)])
print(inside[::2] == inside[1::2], seen == [True] * 10)
""",
        prelude=QUIET,
    )
    assert child.communicate(timeout=20) == ("True True\n", "")
