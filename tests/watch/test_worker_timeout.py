"""A gunicorn worker that its arbiter ends in the middle of a request is reported as what it is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import sentry_kit
from tests.support.beside import ENVIRONMENT
from tests.support.sentry import RecordingSentry

APP = """
import os, sys, time
from flask import Flask
from flask_sentry_kit import sentry_kit

app = Flask(__name__)
app.config.update(
    SENTRY_DSN=os.environ["TEST_DSN"], SECRET_KEY="key", SENTRY_KIT_USER=lambda: {"id": "u7"}
)
app.register_blueprint(sentry_kit)

@app.get("/")
def front():
    return "ok"

@app.get("/orders/<int:number>")
def order(number):
    waits_for = "the stock"
    time.sleep(60)

@app.get("/exit")
def leave():
    sys.exit(1)
"""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _ask(port: int, path: str) -> bytes:
    """The beginning of the answer; nothing if the connection is closed without one."""
    until = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
                return client.recv(12)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        except ConnectionResetError:
            return b""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What Sentry got for a request that hung and for one whose view left, by the type."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "slow_site.py").write_text(APP)
    port = _free_port()
    with RecordingSentry() as sentry:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "slow_site:app", "-b", f"127.0.0.1:{port}"),
                *("--timeout", "1"),
            ],
            env={**ENVIRONMENT, "PYTHONPATH": str(folder), "TEST_DSN": sentry.dsn},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert _ask(port, "/").endswith(b"200")
            _ask(port, "/orders/7")
            sentry.wait_for(1)
            _ask(port, "/exit")
            found = sentry.wait_for(2)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
    assert len(found) == 2
    yield {event["exception"]["values"][-1]["type"]: event for event in found}


def test_the_event_says_that_it_was_a_time_out(events: dict[str, Any]) -> None:
    """It comes before the worker is gone, once, and has the configured seconds in it."""
    event = events["WorkerTimeout"]
    [value] = event["exception"]["values"]
    assert value["value"] == (
        "worker time-out: gunicorn ended this worker, which had not answered for 1 s"
    )
    assert event["message"].startswith("WorkerTimeout: worker time-out")


def test_it_has_the_route_and_the_user_and_is_grouped_by_route(events: dict[str, Any]) -> None:
    """As every crash in a view has them."""
    event = events["WorkerTimeout"]
    assert event["transaction"] == "/orders/<int:number>"
    assert event["user"]["id"] == "u7"
    assert event["request"]["url"].endswith("/orders/7")
    assert event["fingerprint"] == ["worker time-out", "/orders/<int:number>"]


def test_the_stack_ends_where_the_worker_was(events: dict[str, Any]) -> None:
    """Not in gunicorn's handler of the signal."""
    [value] = events["WorkerTimeout"]["exception"]["values"]
    last = value["stacktrace"]["frames"][-1]
    assert last["function"] == "order"
    assert "time.sleep(60)" in last["context_line"]
    assert last["vars"]["waits_for"] == "the stock"


def test_a_views_own_exit_stays_an_exit(events: dict[str, Any]) -> None:
    """Only the handler's SystemExit is a time-out."""
    event = events["SystemExit"]
    assert event["exception"]["values"][-1]["value"] == "1"
    assert "fingerprint" not in event


def test_without_gunicorn_no_request_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a request is Flask's own, where no arbiter can end a worker."""
    for name in [name for name in sys.modules if name.split(".")[0] == "gunicorn"]:
        monkeypatch.delitem(sys.modules, name)
    app = Flask(__name__)
    app.register_blueprint(sentry_kit)
    for name in ("do_teardown_request", "should_ignore_error"):
        assert getattr(type(app), name) is getattr(Flask, name)
