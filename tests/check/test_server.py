"""Which server it is, whether SENTRY_KIT_SERVER fits, and whether the words are kept."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from flask_sentry_kit import sentry_kit
from flask_sentry_kit.check import deadline
from flask_sentry_kit.outbox import Item, Request
from flask_sentry_kit.outbox.spool import Spool
from tests.check.checked import KEY, Check, as_a_sentry
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.types import NewSentry

Shop = Callable[..., Flask]
JSON = {"Content-Type": "application/json"}


def as_bugsink(request: Received) -> Answer:
    if request.path == "/accounts/login/":
        return 200, {"Content-Type": "text/html"}, b'<img src="/static/images/bugsink-logo.png">'
    if request.path.endswith(("/store/", "/envelope/")):
        return 200, JSON, b'{"id": "0"}'
    return 404, {}, b""


def as_spotlight(request: Received) -> Answer:
    if request.path == "/health":
        return 200, {"X-Powered-By": "spotlight-by-sentry"}, b"OK"
    return (200, {}, b"") if request.path.endswith("/envelope/") else (404, {}, b"")


def as_glitchtip(request: Received) -> Answer:
    if request.path == "/api/settings/":
        return 200, JSON, b'{"iPaidForGlitchTip": false, "version": "6.0.5"}'
    if request.path.endswith("/store/"):
        return 200, JSON, b'{"event_id": "0"}'
    if request.path.endswith("/error-page/") and request.method == "POST":
        return 200, {"Content-Type": "text/html"}, b""
    return as_a_sentry(request)


def as_an_unknown_one(request: Received) -> Answer:
    """GlitchTip's answers behind a proxy that lets nothing else through."""
    if request.path.startswith("/api/settings") or request.path == "/api/0/":
        return 404, {}, b""
    return as_glitchtip(request)


def as_an_ingest_host(request: Received) -> Answer:
    if request.path.endswith("/error-page/"):
        return 302, {"Location": "https://elsewhere.example/"}, b""
    return as_a_sentry(request) if request.path.startswith("/api/1/") else (404, {}, b"")


@pytest.mark.parametrize(
    ("kind", "setting", "words"),
    [
        (as_bugsink, "bugsink", "Kept as an event of their own"),
        (as_spotlight, "spotlight", "Kept as an event of their own"),
        (as_glitchtip, "glitchtip", "Kept beside the event"),
        (as_an_unknown_one, "glitchtip", "Kept beside the event"),
    ],
)
def test_the_setting_that_fits_is_proposed(
    kind: Callable[[Received], Answer],
    setting: str,
    words: str,
    new_sentry: NewSentry,
    check: Check,
    shop: Shop,
) -> None:
    """Nothing is broken without it; with it there is nothing to say."""
    server = new_sentry(answer=kind)
    found = check(shop(SENTRY_DSN=server.dsn))
    assert found.code == 0, found.text
    assert f"SENTRY_KIT_SERVER = '{setting}'" in found["server"]["do"]
    assert found["event"]["level"] == found["words"]["level"] == "ok"
    assert words in found["words"]["what"]
    found = check(shop(SENTRY_DSN=server.dsn, SENTRY_KIT_SERVER=setting))
    assert found.code == 0 and found["server"]["level"] == "ok", found.text
    assert "dialog" not in found.levels


def test_a_setting_that_does_not_fit_is_noted(shop: Shop, check: Check) -> None:
    """The server shows itself as a Sentry."""
    found = check(shop(SENTRY_KIT_SERVER="bugsink"))
    assert found.code == 0
    assert "It is Sentry, and SENTRY_KIT_SERVER is 'bugsink'" in found["server"]["what"]
    assert "SENTRY_KIT_SERVER = 'auto'" in found["server"]["do"]


def test_words_that_may_not_be_kept_are_noted(
    new_sentry: NewSentry, check: Check, shop: Shop
) -> None:
    """Behind a form that is redirected."""
    found = check(shop(SENTRY_DSN=new_sentry(answer=as_an_ingest_host).dsn))
    assert found["words"]["level"] == "note"
    assert "Passed on" in found["words"]["what"]
    assert "SENTRY_KIT_SERVER = 'sentry'" in found["words"]["do"]


def test_words_that_are_refused_in_every_form_are_broken(
    shop: Shop, check: Check, server: RecordingSentry
) -> None:
    """With what the server says."""
    server.answers["POST", "error-page"] = (400, JSON, b'{"detail": "no words here"}')
    found = check(shop())
    assert found.code == 1
    assert "no words here" in found["words"]["what"]


def test_an_address_without_a_server_for_events_is_named(
    new_sentry: NewSentry, check: Check, shop: Shop
) -> None:
    """A 404 at both addresses is no wrong key."""
    found = check(shop(SENTRY_DSN=new_sentry(answer=lambda request: (404, {}, b"")).dsn))
    assert found.code == 1
    assert "host, path and project" in found["event"]["do"]


def test_a_server_that_is_silent_at_tls_is_given_up(
    shop: Shop, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and says nothing."""
    monkeypatch.setattr(deadline, "STEP_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = check(shop(SENTRY_DSN=f"https://public@127.0.0.1:{port}/1"))
    assert found.code == 1
    assert found["tls"]["level"] == "broken"


def test_all_crashes_together_have_a_time(
    shop: Shop,
    check: Check,
    server: RecordingSentry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An app that takes long for each answer is given up. The crash that comes in the end is
    neither sent nor logged."""
    from flask_sentry_kit.check import crash_page

    monkeypatch.setattr(crash_page, "CRASHES_SECONDS", 0.2)
    app = shop()
    came = threading.Event()
    app.before_request(lambda: time.sleep(0.4))
    app.teardown_request(lambda error: came.set())
    found = check(app, "--dry-run")
    assert found.code == 1
    assert "did not answer" in found["page"]["what"]
    assert came.wait(10)
    for thread in threading.enumerate():
        if thread.name == "sentry-kit-check":
            thread.join(10)
    assert [one for one in server.received if one.method == "POST"] == []
    assert "MarkedCrash" not in caplog.text


def test_nothing_that_is_queued_is_delivered_by_looking(
    check: Check, server: RecordingSentry, tmp_path: Path
) -> None:
    """What a worker left in the spool is counted, and stays."""
    path = str(tmp_path / "spool.sqlite")
    spool = Spool(path, 100, 10**6)
    spool.add(Item("event", "0" * 32, Request(f"{server.url}/api/1/store/", {}, b"{}")))
    spool.close()

    def make() -> Flask:
        app = Flask("shop")
        app.config.update(SENTRY_DSN=server.dsn, SECRET_KEY=KEY, SENTRY_KIT_SPOOL=path)
        app.register_blueprint(sentry_kit)
        return app

    for _ in range(2):
        found = check(make, "--dry-run")
        assert f"1 for {server.url}" in found["spool"]["what"]
    assert [one for one in server.received if one.method == "POST"] == []


def test_a_process_says_at_its_start_what_it_uses(
    shop: Shop, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """In one line: a command that runs elsewhere may see it otherwise."""
    with caplog.at_level(logging.INFO, "flask_sentry_kit"):
        shop(
            SENTRY_KIT_SPOOL=str(tmp_path / "spool"),
            SENTRY_KIT_SERVER="sentry",
            SENTRY_KIT_REPORTER="raven",
        )
    [line] = [one for one in caplog.messages if one.startswith("Crashes of the app 'shop'")]
    assert "the server is 'sentry'" in line and str(tmp_path) in line
    assert "secret" not in line


def test_the_list_for_machines_has_the_documented_keys(shop: Shop, check: Check) -> None:
    """``id``, ``level``, ``what`` and ``do``, and every id stands in the documentation."""
    from flask_sentry_kit.check.finding import TITLES

    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text("utf-8")
    assert all(f"`{id}`" in page for id in TITLES)
    for one in json.loads(json.dumps(check(shop(), "--dry-run").findings)):
        assert one.keys() == {"id", "level", "what", "do"}
        assert one["level"] in ("ok", "note", "broken")
