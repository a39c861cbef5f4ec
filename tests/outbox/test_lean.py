"""What only delivery needs is loaded by what delivers, not by every process that could crash."""

from __future__ import annotations

import subprocess
import sys

from tests.support.sentry import RecordingSentry

SHOP = """
import os, sys
from flask import Flask
from flask_sentry_kit import sentry_kit
app = Flask("shop")
app.config.update(SENTRY_DSN=sys.argv[1], SECRET_KEY="k")
app.register_blueprint(sentry_kit)

@app.get("/")
def index():
    return "fine"

@app.get("/boom")
def boom():
    raise ValueError("boom")

visitor = app.test_client()
assert visitor.get("/").text == "fine"
HEAVY = {"urllib3", "sqlite3", "waitress"}
def loaded():
    return sorted(HEAVY & set(sys.modules))
"""


def run(code: str, url: str) -> str:
    dsn = url.replace("://", "://public@") + "/1"
    done = subprocess.run(
        [sys.executable, "-c", SHOP + code, dsn], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_healthy_process_loads_nothing_of_delivery(server: RecordingSentry) -> None:
    """Importing, registering and a healthy request load neither urllib3 nor SQLite."""
    assert run("print(loaded())", server.url) == "[]"


def test_an_event_at_the_very_end_is_delivered(server: RecordingSentry) -> None:
    """The thread that delivers loads what it needs, also while the process ends."""
    assert run("visitor.get('/boom'); print('done')", server.url) == "done"
    assert len(server.ids) == 1


def test_a_child_delivers_what_its_parent_never_loaded(server: RecordingSentry) -> None:
    """After a fork the child loads it for itself."""
    code = """
child = os.fork()
if child == 0:
    visitor.get("/boom")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(loaded())
"""
    assert run(code, server.url) == "[]"
    assert len(server.ids) == 1


def test_forks_while_it_is_being_loaded_deliver_too(server: RecordingSentry) -> None:
    """A fork waits for an import under way, so that no child finds half a module."""
    code = """
visitor.get("/boom")
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        visitor.get("/boom")
        sys.exit(0)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""
    run(code, server.url)
    assert len(server.ids) == 6
