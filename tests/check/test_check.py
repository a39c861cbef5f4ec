"""``flask sentry-kit check``: the findings, the exit code, and what it leaves alone."""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask, got_request_exception
from flask.cli import ScriptInfo

from flask_sentry_kit.check import deadline
from flask_sentry_kit.cli import plugin
from tests.check.checked import KEY, Check, as_a_sentry
from tests.support.certificates import Certificates
from tests.support.sentry import SECRET_KEY, RecordingSentry
from tests.support.types import NewSentry

Shop = Callable[..., Flask]


def text_of(app: Flask, *args: str) -> str:
    info = ScriptInfo(create_app=lambda: app)
    return CliRunner().invoke(plugin, ["check", *args], obj=info).output


def test_an_app_in_order_gets_few_lines(shop: Shop, check: Check) -> None:
    """Nothing is broken: it exits with 0, on at most 22 lines of at most 79 columns."""
    found = check(shop())
    assert found.code == 0
    assert {one["level"] for one in found.findings} <= {"ok", "note"}
    assert found.levels["event"] == found.levels["dialog"] == found.levels["page"] == "ok"
    lines = text_of(shop()).splitlines()
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 79


def test_every_finding_has_the_documented_keys(shop: Shop, check: Check) -> None:
    """id, level, what and do; what is not ok says what to do."""
    for app in (shop(), shop(SECRET_KEY="short", SENTRY_DSN=None)):
        for one in check(app).findings:
            assert one.keys() == {"id", "level", "what", "do"}
            assert one["level"] in ("ok", "note", "broken")
            assert one["what"]
            assert bool(one["do"]) is (one["level"] != "ok"), one


def test_the_marked_event_and_words_arrive(shop: Shop, check: Check, server: Any) -> None:
    """A reader recognises them, and one event comes; the words are about it."""
    found = check(shop(), "--url", "https://shop.example/tea")
    (event,) = server.wait_for(1)
    assert event["message"] == "flask sentry-kit check"
    assert event["level"] == "info"
    assert event["tags"]["sentry-kit"] == "check"
    assert event["fingerprint"] == ["flask-sentry-kit-check"]
    assert event["event_id"] in found["event"]["what"]
    report = server.wait_for_report()
    assert report.query["eventId"] == event["event_id"]
    assert report.headers["Origin"] == "https://shop.example"
    assert "not a visitor" in report.fields["comments"]
    assert len(server.events) == 1


def test_a_dry_run_sends_nothing(shop: Shop, check: Check, server: RecordingSentry) -> None:
    """The server gets questions alone: no event, no words."""
    found = check(shop(), "--dry-run")
    assert found.code == 0
    assert "event" not in found.levels
    assert {request.method for request in server.received} == {"GET"}


def test_nothing_secret_is_printed(shop: Shop, server: RecordingSentry) -> None:
    """Not the DSN's secret, not the key, nor a password that a server repeats."""
    server.answers["POST", "store"] = (400, {}, json.dumps({"detail": server.dsn}).encode())
    app = shop(SENTRY_DSN=server.dsn_of(1, "?verify_ssl=0"))
    for args in ((), ("--json",)):
        said = text_of(app, *args)
        assert SECRET_KEY not in said
        assert KEY not in said
        assert server.public_dsn in said.replace("\n", "").replace(" " * 19, "")


def test_the_app_is_as_before(shop: Shop, check: Check, tmp_path: Path) -> None:
    """Routes, configuration, handlers, client and logging are the same; the spool is not made, and
    no log record reaches the app's handlers."""
    spool = tmp_path / "spool.sqlite"
    app = shop(SENTRY_KIT_SPOOL=str(spool))
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment, method-assign]
    logging.getLogger().addHandler(handler)

    def state() -> object:
        client = app.extensions["sentry"].client_of(app)
        return (
            {name: value for name, value in vars(app).items() if name != "_got_first_request"},
            dict(app.config),
            list(map(repr, app.url_map.iter_rules())),
            dict(vars(client)),
            logging.root.manager.disable,
            len(got_request_exception.receivers),
        )

    check(app)  # makes what is made at the first request
    gc.collect()  # apps of other tests, whose receivers would go meanwhile
    before = state()
    try:
        assert check(app).code == 0
    finally:
        logging.getLogger().removeHandler(handler)
    assert state() == before
    assert not spool.exists()
    assert [record for record in records if "check" in record.getMessage()] == []


def test_a_wrong_key_is_broken(shop: Shop, check: Check, server: RecordingSentry) -> None:
    """The server's words are shown; the dialog's address says it too."""
    server.answers["POST", "store"] = (401, {}, b'{"detail": "unknown key"}')
    server.answers["GET", "error-page"] = (404, {}, b'{"dsn":"Missing or invalid parameter."}')
    found = check(shop())
    assert found.code == 1
    assert "unknown key" in found["event"]["what"]
    assert "Client Keys" in found["event"]["do"]
    assert found["dialog"]["level"] == "broken"
    assert "words" not in found.levels


def test_allowed_domains_are_asked_with_the_apps_origin(
    shop: Shop, check: Check, server: RecordingSentry
) -> None:
    """403 with the app's origin is broken; without one it asks for the address."""
    server.answers["GET", "error-page"] = (403, {}, b"{}")
    found = check(shop(), "--url", "https://shop.example")
    asked = [one for one in server.received if one.path.endswith("/error-page/")]
    assert "https://shop.example/" in [one.headers.get("Referer") for one in asked]
    assert found["dialog"]["level"] == "broken"
    assert "Allowed Domains" in found["dialog"]["do"]
    found = check(shop())
    assert found["dialog"]["level"] == "note"
    assert "--url" in found["dialog"]["do"]
    found = check(shop(SERVER_NAME="shop.example", PREFERRED_URL_SCHEME="https"))
    assert "https://shop.example" in found["dialog"]["what"]


def test_the_dialog_is_followed_to_its_regional_host(
    shop: Shop, check: Check, server: RecordingSentry, new_sentry: NewSentry
) -> None:
    """Redirects are followed as a browser does, and the host that its form goes to is named."""
    script = b'var endpoint = "https:\\/\\/us.errors.example\\/api\\/embed\\/error-page\\/?x=1";'
    region = new_sentry(answer=lambda _: (200, {"Content-Type": "text/javascript"}, script))
    server.answers["GET", "error-page"] = (302, {"Location": f"{region.url}/there"}, b"")
    app = shop()

    @app.after_request
    def policy(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = "connect-src 'self'"
        return response

    found = check(app)
    assert region.url.partition("//")[2] in found["dialog"]["what"]
    assert "https://us.errors.example" in found["dialog"]["what"]
    assert "https://us.errors.example" in found["policy"]["do"]


def test_a_closed_port_is_broken(shop: Shop, check: Check, server: RecordingSentry) -> None:
    """The page is looked at all the same, and nothing else is asked."""
    app = shop()
    server.close()
    found = check(app)
    assert found.code == 1
    assert found["network"]["level"] == "broken"
    assert found["page"]["level"] == "ok"
    assert not {"event", "words", "server"} & found.levels.keys()


def test_a_server_that_hangs_is_given_up(
    shop: Shop, check: Check, server: RecordingSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first question without an answer no other one is asked."""
    monkeypatch.setattr(deadline, "STEP_SECONDS", 0.2)
    server.hold()
    started = time.monotonic()
    found = check(shop())
    took = time.monotonic() - started
    assert found.code == 1
    assert found["server"]["level"] == "broken"
    # On a busy machine it may read the question only after that.
    assert len(server.wait_for_requests(1)) == 1
    assert took < deadline.NETWORK_SECONDS


def test_an_unknown_ca_is_broken_until_it_is_named(
    new_sentry: NewSentry, check: Check, shop: Shop, certificates: Certificates
) -> None:
    """The certificate's fault is named; with ca_certs all is well; verify_ssl=0 is noted."""
    secured = new_sentry(certificates.context("localhost"), answer=as_a_sentry)
    found = check(shop(SENTRY_DSN=secured.dsn))
    assert found["tls"]["level"] == "broken"
    assert "certificate" in found["tls"]["what"]
    assert "ca_certs" in found["tls"]["do"]
    found = check(shop(SENTRY_DSN=secured.dsn_of(1, f"?ca_certs={certificates.ca}")))
    assert found.code == 0
    assert "TLS" in found["network"]["what"]
    found = check(shop(SENTRY_DSN=secured.dsn_of(1, "?verify_ssl=0")))
    assert found["tls"]["level"] == "note"


def test_reporting_that_is_off_on_purpose_is_no_fault(shop: Shop, check: Check) -> None:
    """An empty DSN exits with 0; no DSN at all is broken."""
    found = check(shop(SENTRY_DSN=""))
    assert found.code == 0
    assert "on purpose" in found["dsn"]["what"]
    found = check(shop(SENTRY_DSN=None))
    assert found.code == 1
    assert found["dsn"]["level"] == "broken"


@pytest.mark.parametrize(
    "config, says",
    [
        ({"SENTRY_DSN": "http://public:hid/den@host/1"}, "SENTRY_DSN"),
        ({"SENTRY_KIT_DIALOGUE": False}, "SENTRY_KIT_DIALOG"),
        ({"SENTRY_KIT_FEEDBACK": "yes"}, "SENTRY_KIT_FEEDBACK"),
    ],
)
def test_a_malformed_setting_is_one_finding(
    shop: Shop, check: Check, config: dict[str, Any], says: str
) -> None:
    """The registration's own error, without a traceback and without a secret."""
    found = check(lambda: shop(**config))
    assert found.code == 1
    assert [one["id"] for one in found.findings] == ["settings"]
    assert says in found["settings"]["what"]
    assert "hid/den" not in found.text


def test_an_app_that_does_not_load_says_why(check: Check) -> None:
    """Its exception in one line."""

    def create_app() -> Flask:
        raise RuntimeError("no database\nhere")

    found = check(create_app)
    assert found.code == 1
    assert "RuntimeError: no database here" in found["app"]["what"]


def test_an_app_without_the_kit_says_so(check: Check) -> None:
    """And how to register it."""
    found = check(Flask("bare"))
    assert found.code == 1
    assert "register_blueprint" in found["app"]["do"]


def test_the_command_is_there_though_the_app_fails_to_load(tmp_path: Path) -> None:
    """By Flask's own command line, for an app factory: one clear line and no traceback."""
    (tmp_path / "tea.py").write_text(
        "from flask import Flask\n"
        "from flask_sentry_kit import sentry_kit\n"
        "def create_app():\n"
        "    app = Flask('tea')\n"
        "    app.config['SENTRY_DSN'] = 'ftp://key:hidden@host/1'\n"
        "    app.register_blueprint(sentry_kit)\n"
        "    return app\n"
    )
    command = [sys.executable, "-m", "flask", "--app", "tea:create_app", "sentry-kit", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "neither http nor https" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
    assert "hidden" not in done.stdout + done.stderr


def test_the_spool_is_looked_into(
    shop: Shop, check: Check, server: RecordingSentry, tmp_path: Path
) -> None:
    """What is queued for whom, the last refusal, and whether it can be written."""
    from flask_sentry_kit.outbox import Item, Request
    from flask_sentry_kit.outbox.spool import Spool

    path = tmp_path / "spool.sqlite"
    spool = Spool(str(path), 100, 10**6)
    entries = []
    for number in range(3):
        item = Item("event", f"{number:032x}", Request("https://gone.example/x", {}, b"{}"))
        entries.append(spool.add(item))
    spool.close()
    app = shop(SENTRY_KIT_SPOOL=str(path))
    found = check(app)
    assert "3 for https://gone.example" in found["spool"]["what"]
    os.chmod(path, 0o666)
    found = check(app)
    assert found["spool"]["level"] == "broken"
    assert "chmod 600" in found["spool"]["what"]
    app.extensions["sentry_kit"].outbox.close(0)


def test_an_address_that_is_none_is_a_usage_error(shop: Shop) -> None:
    """The command says what --url takes."""
    assert "https://shop.example" in text_of(shop(), "--url", "shop.example")
