"""Who answers a crash, with what, and what the app's policy blocks of it (check/rehearsal.py)."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable
from logging.handlers import SMTPHandler
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort, g, jsonify, redirect, render_template
from raven.contrib.flask import Sentry as RavenSentry
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_sentry_kit import SentryKit, csp_sources, sentry_kit
from tests.check.checked import KEY, Check
from tests.support.sentry import RecordingSentry

Shop = Callable[..., Flask]


def with_policy(app: Flask, policy: str, name: str = "Content-Security-Policy") -> Flask:
    @app.after_request
    def add(response: Response) -> Response:
        response.headers.add(name, policy)
        return response

    return app


@pytest.fixture
def own_page(shop: Shop, tmp_path: Path) -> Callable[..., Flask]:
    """Make an app with a 500.html of its own."""

    def make(template: str, name: str = "500.html", config: dict[str, Any] | None = None) -> Flask:
        app = shop(register=None, **(config or {}))
        app.root_path = str(tmp_path)
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "templates" / name).write_text(template)
        app.register_blueprint(sentry_kit)
        return app

    return make


def test_the_apps_own_template_is_named(own_page: Callable[..., Flask], check: Check) -> None:
    """With what it shows, and what it leaves out."""
    found = check(own_page("<h1>Sorry</h1>{{ sentry_crash() }}"))
    assert "templates/500.html" in found["page"]["what"]
    assert found["page"]["level"] == "ok"
    assert "dialog and form" in found["page"]["what"]
    found = check(own_page("<h1>Sorry</h1>{{ sentry_crash_form() }}"))
    assert found["page"]["level"] == "note"
    assert "without dialog" in found["page"]["what"]
    assert "sentry_crash()" in found["page"]["do"]


@pytest.mark.parametrize(
    "template, says",
    [
        ("{{ price / 0 }}", "UndefinedError"),
        ("{% if %}", "TemplateSyntaxError"),
        ('{{ url_for("gone") }}', "BuildError"),
    ],
)
def test_a_broken_template_is_broken(
    own_page: Callable[..., Flask], check: Check, template: str, says: str
) -> None:
    """With its error and its place, though the bundled page stands in for it."""
    found = check(own_page(f"<p>\n{template}"))
    assert found.code == 1
    broken = [one for one in found.findings if one["level"] == "broken"]
    assert len(broken) == 1
    assert says in broken[0]["what"]
    assert "templates/500.html, line 2" in broken[0]["what"]


def test_a_page_without_the_sdk_that_it_needs_is_noted(
    own_page: Callable[..., Flask], check: Check, shop: Shop
) -> None:
    """With SENTRY_KIT_RAVEN_JS = "browser" the dialog needs a script of the page's own."""
    found = check(shop(SENTRY_KIT_RAVEN_JS="browser"))
    assert found["page"]["level"] == "note"
    assert "with form, without dialog" in found["page"]["what"]
    assert "no script of the page loads @sentry/browser" in found["page"]["what"]
    head = "{% extends 'flask_sentry_kit/crash.html' %}{% block head %}{}{% endblock %}"
    for script in ("<script src=/static/shop.js></script>", "<script>import('/shop.js')</script>"):
        app = own_page(head.replace("{}", script), config={"SENTRY_KIT_RAVEN_JS": "browser"})
        found = check(app)
        assert found["page"]["level"] == "ok"
        assert "with dialog and form" in found["page"]["what"]


def test_the_apps_own_handler_is_named(
    own_page: Callable[..., Flask], check: Check, server: RecordingSentry
) -> None:
    """With its function and its template; the recipe of raven's documentation is recognised."""
    app = own_page(
        "<script>Raven.showReportDialog({eventId: '{{ g.sentry_event_id }}'})</script>",
        "sorry.html",
    )
    reported = []

    @app.errorhandler(500)
    def sorry(error: Exception) -> tuple[str, int]:
        reported.append((g.sentry_event_id, app.extensions["sentry"].captureException()))
        return render_template("sorry.html"), 500

    found = check(app, "--dry-run")
    assert "sorry)" in found["page"]["what"]
    assert "sorry.html" in found["page"]["what"]
    assert "with dialog, without form" in found["page"]["what"]
    assert reported[0][0]
    assert server.events == []


def test_a_handler_that_fails_is_broken(shop: Shop, check: Check) -> None:
    """One for 500 and one for all exceptions, with the error and the line."""
    for takes in (500, Exception):
        app = shop()

        @app.errorhandler(takes)
        def sorry(error: Exception) -> str:
            raise LookupError("the handler's own")

        found = check(app)
        assert found.code == 1
        (broken,) = (one for one in found.findings if one["level"] == "broken")
        assert "LookupError: the handler's own" in broken["what"]


def test_a_json_api_is_described(shop: Shop, check: Check) -> None:
    """A handler of the app's that answers JSON, and the blueprints in SENTRY_KIT_APIS."""
    from flask import Blueprint

    app = shop(register=None, SENTRY_KIT_APIS=["api"])
    api = Blueprint("api", __name__, url_prefix="/api")
    api.add_url_rule("/goods", "goods", lambda: {})
    app.register_blueprint(api)
    app.register_blueprint(sentry_kit)
    found = check(app)
    assert found["api"]["level"] == "ok"
    assert "application/problem+json, with its reference" in found["api"]["what"]
    app = shop()
    app.register_error_handler(500, lambda error: (jsonify(error="sorry"), 500))
    found = check(app)
    assert found["page"]["level"] == "note"
    assert "application/json" in found["page"]["what"]
    assert "SENTRY_KIT_REPLACE_HANDLERS" in found["page"]["do"]


def test_a_login_wall_hides_no_crash(shop: Shop, check: Check) -> None:
    """A hook that redirects or aborts ends no check: its visitors are signed in."""
    app = shop()
    app.before_request(lambda: redirect("/login"))
    assert check(app)["page"]["level"] == "ok"
    app = shop()
    app.before_request(lambda: abort(401))
    assert check(app)["page"]["level"] == "ok"


def test_a_hook_that_fails_is_broken(shop: Shop, check: Check) -> None:
    """Every request of the app would crash with it."""
    app = shop()

    @app.before_request
    def connect() -> None:
        raise ConnectionError("database gone")

    found = check(app)
    assert found.code == 1
    broken = [one["what"] for one in found.findings if one["level"] == "broken"]
    assert "before_request" in broken[0]
    assert "database gone" in broken[0]


def test_middleware_that_answers_hides_the_crash(shop: Shop, check: Check) -> None:
    """Said with its status; middleware that raises is broken."""
    app = shop()

    def closed(environ: Any, start_response: Any) -> Any:
        start_response("503 Service Unavailable", [])
        return [b"closed"]

    def broken(environ: Any, start_response: Any) -> Any:
        raise OSError("no session store")

    app.wsgi_app = closed  # type: ignore[method-assign]
    found = check(app)
    assert "503" in found["page"]["what"]
    assert found["page"]["level"] == "note"
    app = shop()
    app.wsgi_app = broken  # type: ignore[method-assign]
    found = check(app)
    assert found["page"]["level"] == "broken"
    assert "no session store" in found["page"]["what"]


def test_no_mail_is_sent(shop: Shop, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SMTPHandler on the app's logger gets no record of the marked crash."""
    mails = []
    monkeypatch.setattr(smtplib, "SMTP", lambda *args, **options: mails.append(args))
    app = shop()
    handler = SMTPHandler("localhost", "a@shop.example", ["b@shop.example"], "Crash")
    handler.setLevel(logging.ERROR)
    app.logger.addHandler(handler)
    try:
        assert check(app).code == 0
    finally:
        app.logger.removeHandler(handler)
    assert mails == []


@pytest.mark.filterwarnings("ignore:Client.get_ident:DeprecationWarning")  # raven's own call
def test_a_foreign_raven_is_checked_and_sends_no_crash(
    shop: Shop, check: Check, server: RecordingSentry
) -> None:
    """The marked event comes once; the marked crash does not come at all."""
    app = shop(register=None)
    RavenSentry(app)
    app.register_blueprint(sentry_kit)
    found = check(app)
    assert found["reporter"]["level"] == "note"
    assert "raven" in found["reporter"]["what"]
    assert "with dialog and form" in found["page"]["what"]
    assert [event["message"] for event in server.wait_for(1)] == ["flask sentry-kit check"]


def test_a_sampled_app_is_told_about_the_rest(shop: Shop, check: Check) -> None:
    """The page is looked at as with an event, and the rate is noted."""
    found = check(shop(SENTRY_SAMPLE_RATE=0.0, SENTRY_CONFIG={"sample_rate": 0.0}))
    assert found["reporter"]["level"] == "note"
    assert "with dialog and form" in found["page"]["what"]


def test_modes_that_pass_a_crash_on_are_told(shop: Shop, check: Check) -> None:
    """Debug mode is noted; TESTING and PROPAGATE_EXCEPTIONS are broken; the page is seen all the
    same."""
    app = shop()
    app.debug = True
    found = check(app)
    assert found["mode"]["level"] == "note"
    assert found["page"]["level"] == "ok"
    for config in ({"TESTING": True}, {"PROPAGATE_EXCEPTIONS": True}):
        found = check(shop(**config))
        assert found.code == 1
        assert found["mode"]["level"] == "broken"
        assert found["page"]["level"] == "ok"


def test_the_secret_key_is_judged_and_not_shown(shop: Shop, check: Check) -> None:
    """Missing: no form. Short: noted. Without a form it is not needed."""
    found = check(shop(SECRET_KEY=None))
    assert found["secret-key"]["level"] == "broken"
    assert "with dialog" in found["page"]["what"]
    found = check(shop(SECRET_KEY="pssst"))
    assert found["secret-key"]["level"] == "note"
    assert "pssst" not in found.text
    assert "secret-key" not in check(shop(SECRET_KEY=KEY)).levels
    found = check(shop(SECRET_KEY=None, SENTRY_KIT_FEEDBACK=False))
    assert found.code == 0
    assert "words" not in found.levels


def test_proxy_fix_is_seen_where_it_is(shop: Shop, check: Check) -> None:
    """Also inside other middleware, and with what it trusts."""
    app = shop()
    assert check(app)["proxy-fix"]["level"] == "note"
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=0, x_proto=1)  # type: ignore[method-assign]
    assert "x_for=1" in check(app)["proxy-fix"]["do"]
    app = shop()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start_response: inner(environ, start_response)  # type: ignore[method-assign]
    assert check(app)["proxy-fix"]["level"] == "ok"


def test_a_policy_that_blocks_the_dialog_is_noted(
    shop: Shop, check: Check, server: RecordingSentry
) -> None:
    """Which directive blocks what, and what to allow."""
    found = check(with_policy(shop(), "default-src 'self'; form-action 'none'"))
    said = found["policy"]["what"]
    for part in (
        "the inline script that opens the dialog (default-src)",
        f"the dialog's script from {server.url} (default-src)",
        f"what the dialog sends to {server.url} (default-src)",
        "the dialog's styles (default-src)",
        "the dialog's picture (default-src)",
        "the form (form-action)",
    ):
        assert part in said
    assert "crash.css" not in said
    assert f"script-src: a nonce, {server.url}; connect-src: {server.url}" in found["policy"]["do"]
    assert "csp_sources" in found["policy"]["do"]


def test_a_report_only_policy_blocks_nothing(shop: Shop, check: Check) -> None:
    """And says so."""
    app = with_policy(shop(), "default-src 'none'", "Content-Security-Policy-Report-Only")
    found = check(app)
    assert "report-only policy blocks nothing" in found["policy"]["what"]


def test_sandbox_and_trusted_types_are_noted(shop: Shop, check: Check) -> None:
    """Both stop a dialog though every source is allowed."""
    found = check(with_policy(shop(), "sandbox allow-forms"))
    assert "allow-scripts" in found["policy"]["do"]
    found = check(with_policy(shop(), "require-trusted-types-for 'script'; trusted-types other"))
    assert "sentry-kit" in found["policy"]["do"]


def test_trusted_types_for_the_pages_own_sdk(own_page: Callable[..., Flask], check: Check) -> None:
    """The kit's own policy is none of @sentry/browser's."""
    page = "<script src=/static/shop.js></script>{{ sentry_crash() }}"
    app = own_page(page, config={"SENTRY_KIT_RAVEN_JS": "browser"})
    found = check(with_policy(app, "require-trusted-types-for 'script'; trusted-types other"))
    assert "named default" in found["policy"]["what"]
    assert "sentry-kit" not in found["policy"]["do"]


def test_talisman_with_csp_sources_is_in_order(shop: Shop, check: Check) -> None:
    """The policy that the documentation recommends blocks nothing, with its nonces as sent."""
    from flask_talisman import Talisman

    app = shop()
    policy = {"default-src": "'self'", **csp_sources(app)}
    Talisman(
        app,
        force_https=False,
        content_security_policy=policy,
        content_security_policy_nonce_in=["script-src"],
    )
    found = check(app)
    assert found["policy"] == {"id": "policy", "level": "ok", "do": ""} | {
        "what": found["policy"]["what"]
    }
    app = shop()
    Talisman(app, force_https=True)
    assert "dialog" in check(app)["policy"]["what"]


def test_the_blueprint_may_be_anywhere(shop: Shop, check: Check) -> None:
    """Under another prefix, and for an app that is mounted."""
    app = shop(register=None)
    app.register_blueprint(SentryKit(), url_prefix="/oops")
    found = check(app, "--url", "https://shop.example/tea/")
    assert "with dialog and form" in found["page"]["what"]
