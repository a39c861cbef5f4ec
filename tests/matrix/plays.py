"""The settings: each prepares a stage, then plays ``Stage.crash_and_write`` or a course of its own.

The order is that of the table.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Flask, redirect, request
from flask.sessions import SecureCookieSessionInterface
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as WerkzeugResponse

from flask_sentry_kit import csp_sources

from .book import setting
from .shop import RECIPES, add_header
from .stage import Stage
from .visitor import Hand, Words

PHONE: dict[str, Any] = {
    "viewport": {"width": 320, "height": 568},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


@setting("nothing in the way", "dialog")
def plain(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop())


@setting("JavaScript off", "form")
def no_javascript(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), visitor=stage.visitor(java_script_enabled=False))


@setting("Sentry's host blocked", "form")
def host_blocked(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), visitor=stage.visitor(block=stage.blocked_host))


@setting("every `.js` blocked", "form")
def scripts_blocked(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), visitor=stage.visitor(block="**/*.js"))


def _with_policy(app: Flask, policy: str) -> Flask:
    return add_header(app, "Content-Security-Policy", policy)


@setting("Content-Security-Policy `default-src 'self'`", "form")
def policy_self(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(_with_policy(stage.shop(), "default-src 'self'"))


def _talisman(app: Flask, policy: dict[str, Any]) -> Flask:
    Talisman(
        app,
        force_https=False,
        session_cookie_secure=False,
        content_security_policy=policy,
        content_security_policy_nonce_in=["script-src"],
    )
    return app


@setting("Flask-Talisman with nonces", "form")
def talisman(stage: Stage) -> None:
    stage.sentry.start()
    policy = {"default-src": "'self'", "script-src": "'self'"}
    stage.crash_and_write(_talisman(stage.shop(), policy))


@setting("Flask-Talisman with the dialog allowed", "dialog")
def talisman_allowing(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop()
    if stage.who not in RECIPES:
        sources = csp_sources(app)
    else:
        # The recipes' documentation does not name these; this user knows them.
        hosts = ["'self'", stage.sentry.origin]
        sources = {"script-src": hosts, "connect-src": hosts}
    stage.crash_and_write(_talisman(app, {"default-src": "'self'", **sources}))


@setting("Flask-WTF's CSRFProtect, a crash on a POST", "dialog")
def csrf(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop()
    CSRFProtect(app)
    crash = stage.visitor().crash(stage.serve(app), "/order/{}", press="Order")
    words = Words.new()
    crash.tab.write(words)
    crash.tab.send(words)
    stage.judge(crash, words)


@setting("captured in the view, then raised again", "dialog")
def captured(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), "/captured/{}")


@setting("`abort(500)`", "dialog")
def aborted(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), "/abort/{}", kind="InternalServerError")


@setting("the app's `500.html` is broken", "dialog")
def broken_template(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(broken_template=True))


@setting("a context processor is broken", "dialog")
def broken_context(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop()

    @app.context_processor
    def basket() -> dict[str, Any]:
        raise sqlite3.OperationalError("no such table: basket")

    stage.crash_and_write(app)


@setting("mounted under a prefix", "dialog")
def mounted(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(
        DispatcherMiddleware(NotFound(), {"/shop": stage.shop()}), "/shop/crash/{}"
    )


@setting("behind a TLS proxy, with ProxyFix", "dialog")
def tls(stage: Stage) -> None:
    stage.sentry.behind_tls()
    app = stage.shop()
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]  # as documented
    address = stage.tls(stage.serve(app))
    # Only the address that visitors know is allowed, so the origin has to be the right one.
    stage.sentry.allowed_origins = (address,)
    stage.sentry.start()
    stage.crash_and_write(address, visitor=stage.visitor(ignore_https_errors=True))


@setting("Sentry down at the crash, back later", "form", away=True)
def down_at_crash(stage: Stage) -> None:
    crash = stage.visitor().crash(stage.serve(stage.shop()))
    words = Words.new()
    crash.tab.write(words)
    crash.tab.send(words)
    stage.sentry.start()
    stage.judge(crash, words)


@setting("Sentry down at sending, back later", "form")
def down_at_sending(stage: Stage) -> None:
    stage.sentry.start()
    crash = stage.visitor().crash(stage.serve(stage.shop()))
    words = Words.new()
    crash.tab.write(words)
    stage.sentry.stop()
    crash.tab.send(words)
    stage.sentry.start()
    stage.judge(crash, words)


@setting("worker killed while Sentry is down, another started", "form", away=True)
def killed(stage: Stage) -> None:
    words = Words.new()
    with stage.worker() as (address, process):
        crash = stage.visitor().crash(address)
        crash.tab.write(words)
        crash.tab.send(words)
        process.kill()
        process.wait()
    stage.sentry.start()
    with stage.worker():
        stage.judge(crash, words)


@setting("keyboard only", "dialog")
def keyboard(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), visitor=stage.visitor(Hand.KEYBOARD))


@setting("a phone, 320 pixels wide", "dialog")
def phone(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), visitor=stage.visitor(Hand.TOUCH, **PHONE))


@setting("sent twice by a double click", "dialog")
def twice(stage: Stage) -> None:
    stage.sentry.start()
    crash = stage.visitor().crash(stage.serve(stage.shop()))
    words = Words.new()
    crash.tab.write(words)
    crash.tab.send(words, twice=True)
    stage.judge(crash, words)


@setting("two tabs, two crashes", "dialog")
def two_tabs(stage: Stage) -> None:
    stage.sentry.start()
    address = stage.serve(stage.shop())
    visitor = stage.visitor()
    crashes = [visitor.crash(address), visitor.crash(address)]
    written = [(crash, Words.new()) for crash in crashes]
    for crash, words in written:
        crash.tab.write(words)
    for crash, words in reversed(written):
        crash.tab.send(words)
    for crash, words in written:
        stage.judge(crash, words)


@setting("the visitor stays anonymous, the dialog insists on name and address", "form")
def anonymous(stage: Stage) -> None:
    stage.sentry.start()
    crash = stage.visitor().crash(stage.serve(stage.shop()))
    words = Words.new(name="", email="")
    crash.tab.write(words)
    crash.tab.send(words)
    stage.judge(crash, words)


@setting("Sentry refuses the app's origin", "form")
def refused(stage: Stage) -> None:
    stage.sentry.allowed_origins = ("https://another.example",)
    stage.sentry.start()
    stage.crash_and_write(stage.shop())


# Our own questions.


@setting("the database is down: `before_request` raises", "dialog", asked=False)
def no_database(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop()

    @app.before_request
    def connect() -> None:
        if request.endpoint != "static":
            raise sqlite3.OperationalError("unable to open database file")

    stage.crash_and_write(app, kind="OperationalError")


@setting("a login wall whose own page crashes", "dialog", asked=False)
def login_wall(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop()

    @app.before_request
    def wall() -> WerkzeugResponse | None:
        return redirect("/") if request.endpoint not in ("crash", "static") else None

    stage.crash_and_write(app)


@setting("the session store is down", "dialog", asked=False)
def no_sessions(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop()

    class Down(SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: Any) -> Any:
            raise ConnectionError("redis is away")

    app.session_interface = Down()
    stage.crash_and_write(app, kind="ConnectionError")


@setting("`MAX_CONTENT_LENGTH` of 64 bytes", "dialog", asked=False)
def tiny_bodies(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(MAX_CONTENT_LENGTH=64, MAX_FORM_MEMORY_SIZE=64))


@setting("`SERVER_NAME` is another than the visitor's", "dialog", asked=False)
def server_name(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(SERVER_NAME="shop.example"))


@setting("`subdomain_matching`, a crash on a subdomain", "dialog", asked=False)
def subdomain(stage: Stage) -> None:
    stage.sentry.start()
    app = stage.shop(flask={"subdomain_matching": True})
    app.add_url_rule("/crash/<mark>", "there", app.view_functions["crash"], subdomain="admin")
    address = stage.serve(app, host="admin.shop.localhost")
    app.config["SERVER_NAME"] = address.removeprefix("http://admin.")
    stage.crash_and_write(address)


@setting("`host_matching`", "dialog", asked=False)
def host_matching(stage: Stage) -> None:
    stage.sentry.start()
    shops: list[Flask] = []
    address = stage.serve(lambda environ, start_response: shops[0](environ, start_response))
    host = address.removeprefix("http://")
    shops.append(stage.shop(flask={"host_matching": True, "static_host": host}))
    shops[0].add_url_rule("/crash/<mark>", "there", shops[0].view_functions["crash"], host=host)
    stage.crash_and_write(address)


@setting("a blocker stops all that scripts send", "form", asked=False)
def fetches_blocked(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(), visitor=stage.visitor(block="fetch"))


@setting("the kit at another `url_prefix`", "dialog", asked=False)
def moved(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(stage.shop(kit={"url_prefix": "/oops"}))


@setting("Sentry hangs at the crash and at sending, back later", "form", asked=False, away=True)
def hanging(stage: Stage) -> None:
    stage.sentry.hang()
    crash = stage.visitor().crash(stage.serve(stage.shop()))
    words = Words.new()
    crash.tab.write(words)
    crash.tab.send(words)
    stage.sentry.start()
    stage.judge(crash, words)


@setting("`default-src 'none'`", "form", asked=False)
def policy_none(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(_with_policy(stage.shop(), "default-src 'none'"))


@setting("`require-trusted-types-for 'script'`", "form", asked=False)
def trusted_types(stage: Stage) -> None:
    stage.sentry.start()
    stage.crash_and_write(_with_policy(stage.shop(), "require-trusted-types-for 'script'"))


@setting("a double click without JavaScript", "form", asked=False)
def twice_without_javascript(stage: Stage) -> None:
    stage.sentry.start()
    crash = stage.visitor(java_script_enabled=False).crash(stage.serve(stage.shop()))
    words = Words.new()
    crash.tab.write(words)
    crash.tab.send(words, twice=True)
    stage.judge(crash, words)


@setting("another worker takes the words, Sentry's host blocked", "form", asked=False)
def another_worker(stage: Stage) -> None:
    stage.sentry.start()
    workers = [stage.shop(), stage.shop()]

    def balanced(environ: Any, start_response: Any) -> Any:
        return workers[environ["REQUEST_METHOD"] == "POST"](environ, start_response)

    stage.crash_and_write(balanced, visitor=stage.visitor(block=stage.blocked_host))
