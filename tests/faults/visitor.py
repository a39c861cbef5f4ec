"""V: the visitor's data: read only at a crash, true, the visitor's own, and without secrets."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from typing import Any

import flask_login
from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from .book import row
from .rig import Rig, Visit, errors, expect, flat, frames

LIMIT = 200_000  # bytes of an event


def _multipart(fields: list[tuple[str, str]]) -> tuple[bytes, dict[str, str]]:
    mark = secrets.token_hex(12)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    body = "".join(parts) + f"--{mark}--\r\n"
    return body.encode(), {"Content-Type": f"multipart/form-data; boundary={mark}"}


FORM = (b"item=lamp", {"Content-Type": "application/x-www-form-urlencoded"})
JSON = (b'{"item": "lamp"}', {"Content-Type": "application/json"})


@row("V1a", "request.stream of a form", FORM, seen="0 bytes")
@row("V1b", "request.stream of a multipart form", _multipart([("item", "lamp")]), seen="0 bytes")
@row("V1c", "request.stream of JSON", JSON, seen="0 bytes")
def stream(sentry_class: Any, rig: Rig, sent: tuple[bytes, dict[str, str]]) -> None:
    """A view that reads the body itself finds it there."""
    app, _ = rig.crashing(sentry_class, lambda: f"{len(request.stream.read())} bytes")
    body, headers = sent
    visit = rig.visit(app, body=body, headers=headers)
    expect(visit.text == f"{len(body)} bytes", visit.text)


if "MAX_FORM_PARTS" in Flask.default_config:
    # Limits that a view sets for itself: Flask 3.1.

    @row("V1d", "a view's own max_content_length", seen="200")
    def own_limit(sentry_class: Any, rig: Rig) -> None:
        """A limit that the view sets on its request holds: 413 for a body above it."""

        def view() -> str:
            request.max_content_length = 10
            return f"{len(request.form)} fields"

        app, _ = rig.crashing(sentry_class, view)
        visit = rig.visit(app, form={"item": "a lamp that is too long"})
        expect(visit.status == 413, visit.status)

    @row("V1e", "1,500 fields where the view allows them", seen=r"^\d+ of 1500 fields")
    def many_fields(sentry_class: Any, rig: Rig) -> None:
        """A view that allows more fields than Flask does gets all of them."""

        def view() -> str:
            request.max_form_parts = 5000
            return str(len(request.form))

        app, _ = rig.crashing(sentry_class, view)
        body, headers = _multipart([(f"field{number}", "x") for number in range(1500)])
        visit = rig.visit(app, body=body, headers=headers)
        expect(visit.text == "1500", f"{visit.text[:40]} of 1500 fields")


class _User(flask_login.UserMixin):  # Flask-Login carries no types
    email = "ada@example.org"

    def __init__(self, id: str) -> None:
        self.id = id


def _logins(app: Flask) -> list[str]:
    """Flask-Login on an app, with ``/login/<id>``; returns the list of what user_loader did."""
    app.secret_key = secrets.token_hex()
    loaded: list[str] = []
    manager = flask_login.LoginManager(app)

    @manager.user_loader  # Flask-Login carries no types
    def load(user_id: str) -> _User:
        loaded.append(user_id)
        return _User(user_id)

    @app.route("/login/<user_id>")
    def login(user_id: str) -> str:
        flask_login.login_user(_User(user_id))
        return "welcome"

    return loaded


def _signed_in(rig: Rig, app: Flask, user_id: str = "ada") -> dict[str, str]:
    visit = rig.visit(app, f"/login/{user_id}")
    return {"Cookie": visit.headers["Set-Cookie"].partition(";")[0]}


def _user(event: dict[str, Any]) -> dict[str, Any]:
    return event.get("user") or {}


def _shown(event: dict[str, Any], name: str) -> Any:
    """An attribute of the user, of the interface's own or among its data."""
    user = _user(event)
    return user.get(name, (user.get("data") or {}).get(name))


@row("V2a", "user_loader on a healthy request", "/", seen="1 loads")
@row("V2b", "user_loader on a static file", "/static/site.css", seen="1 loads")
@row("V2c", "user_loader on a 404", "/nowhere", seen="1 loads")
def loads(sentry_class: Any, rig: Rig, path: str) -> None:
    """No user is loaded for a request that did not crash and did not ask who is there."""
    folder = rig.folder()
    (folder / "site.css").write_text("body {}")
    app = rig.flask()
    app.static_folder = str(folder)
    app.add_url_rule("/static/<path:filename>", "files", app.send_static_file)
    loaded = _logins(app)
    sentry_class(app, dsn=rig.wire.dsn)
    app.add_url_rule("/", "view", lambda: "fine")
    cookie = _signed_in(rig, app)
    del loaded[:]
    rig.visit(app, path, headers=cookie)
    expect(not loaded, f"{len(loaded)} loads")


@row("V2d", "user_loader before the app's before_request", seen="loaded before")
def load_order(sentry_class: Any, rig: Rig) -> None:
    """The user is loaded after the app's own before_request, which may open the database."""
    app = rig.flask()
    loaded = _logins(app)
    sentry_class(app, dsn=rig.wire.dsn)
    order: list[str] = []

    @app.before_request
    def open_database() -> None:
        order.extend(loaded)
        order.append("open")

    @app.route("/")
    def view() -> str:
        return str(flask_login.current_user.get_id())

    cookie = _signed_in(rig, app)
    del loaded[:], order[:]
    visit = rig.visit(app, headers=cookie)
    if visit.text != "ada":
        raise RuntimeError(visit)
    expect(order == ["open"], f"loaded before: {order}")


def _address(sentry_class: Any, rig: Rig, header: str, proxies: int = 0) -> str:
    app, sentry = rig.crashing(sentry_class, lambda: str(1 / 0))
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask's documentation does
            app.wsgi_app, x_for=proxies
        )
    event = rig.crash(sentry, app, headers={"X-Forwarded-For": header})
    return str(_user(event).get("ip_address"))


@row("V3a", "X-Forwarded-For without ProxyFix", "203.0.113.7", seen="address 203.0.113.7")
@row("V3b", "… even <script>", "<script>alert(1)</script>", seen="address <script>")
def spoofed(sentry_class: Any, rig: Rig, header: str) -> None:
    """The visitor's address is the connection's, whatever a header says."""
    address = _address(sentry_class, rig, header)
    expect(address == "127.0.0.1", f"address {address}")


@row("V3c", "the visitor's own entry, with ProxyFix", seen="address 203.0.113.7")
def spoofed_behind_proxy(sentry_class: Any, rig: Rig) -> None:
    """Behind ProxyFix the address is the one the proxy saw, not the one the visitor claimed."""
    address = _address(sentry_class, rig, "203.0.113.7, 198.51.100.4", proxies=1)
    expect(address == "198.51.100.4", f"address {address}")


@row("V4", "another visitor's id on the crash", seen="the crash is alice's")
def user_of_another(sentry_class: Any, rig: Rig) -> None:
    """A crash has the user of its own request or none."""
    app = rig.flask(PROPAGATE_EXCEPTIONS=True)
    _logins(app)

    @app.before_request
    def database() -> None:
        if "mallory" in request.args:
            raise OSError("database away")

    sentry = sentry_class(app, dsn=rig.wire.dsn)
    app.add_url_rule("/", "view", lambda: str(1 / 0))
    rig.visit(app, headers=_signed_in(rig, app, "alice"))
    rig.visit(app, "/?mallory=1")
    events = rig.settle(sentry, app)
    mallory = [event for event in events if ("OSError", "database away") in errors(event)]
    expect(mallory, "no event of the second crash")
    for event in mallory:
        expect("alice" not in flat(_user(event)), "the crash is alice's")


@row("V5", "login_user() in the request that crashes", seen="no user")
def just_signed_in(sentry_class: Any, rig: Rig) -> None:
    """Who signed in during the crashing request is the event's user."""

    def view() -> None:
        flask_login.login_user(_User("ada"))
        raise KeyError("lamp")

    app, sentry = rig.crashing(sentry_class, view)
    _logins(app)
    event = rig.crash(sentry, app)
    expect(_user(event).get("id") == "ada", f"no user: {_user(event)}")


@row("V6a", "is_authenticated", "is_authenticated", True, seen="is_authenticated None")
@row("V6b", "is_anonymous", "is_anonymous", False, seen="is_anonymous None")
def promised(sentry_class: Any, rig: Rig, name: str, value: bool) -> None:
    """The event's user has what raven's documentation promises."""
    app, sentry = rig.crashing(sentry_class, lambda: str(1 / 0))
    _logins(app)
    event = rig.crash(sentry, app, headers=_signed_in(rig, app))
    expect(_user(event).get("id") == "ada", f"no user: {_user(event)}")
    shown = _shown(event, name)
    expect(shown is value, f"{name} {shown}")


def _header(name: str, value: str = "{}") -> Callable[[str], dict[str, Any]]:
    return lambda secret: {"headers": {name: value.format(secret)}}


def _query(name: str) -> Callable[[str], dict[str, Any]]:
    return lambda secret: {"path": f"/?{name}={secret}&page=2"}


def _field(name: str) -> Callable[[str], dict[str, Any]]:
    return lambda secret: {"form": {name: secret, "item": "lamp"}}


def _json(secret: str) -> dict[str, Any]:
    body = f'{{"user": "ada", "password": "{secret}"}}'.encode()
    return {"body": body, "headers": {"Content-Type": "application/json"}}


@row("V7a", "Cookie", _header("Cookie", "sid={}; lang=en"), seen="in request")
@row("V7b", "X-Api-Key", _header("X-Api-Key"), seen="in request")
@row("V7c", "X-Auth-Token", _header("X-Auth-Token"), seen="in request")
@row("V7d", "X-Csrf-Token", _header("X-Csrf-Token"), seen="in request")
@row("V7e", "Referer", _header("Referer", "http://shop.test/reset?token={}"), seen="in request")
@row("V7f", "token= in the query", _query("token"), seen="in request")
@row("V7g", "code= in the query", _query("code"), seen="in request")
@row("V7h", "a password in a JSON body", _json, seen="in request")
@row("V7i", "form field pwd", _field("pwd"), seen="in request")
@row("V7j", "form field token", _field("token"), seen="in request")
@row("V7k", "form field pin", _field("pin"), seen="in request")
@row("V7l", "form field cvv", _field("cvv"), seen="in request")
def leaked(sentry_class: Any, rig: Rig, sent: Callable[[str], dict[str, Any]]) -> None:
    """A secret that the request carried is nowhere in the event."""
    app, sentry = rig.crashing(sentry_class, lambda: str(1 / 0))
    secret = secrets.token_hex(16)
    event = rig.crash(sentry, app, **sent(secret))
    places = [name for name, value in event.items() if secret in flat(value)]
    expect(not places, f"in {', '.join(places)}")
    expect("lamp" in flat(event) or "form" not in sent(""), "the form's other fields are missing")


def _token_local(rig: Rig) -> None:
    token = rig.kept.secret
    raise KeyError(len(token))


def _pwd_local(rig: Rig) -> None:
    pwd = rig.kept.secret
    raise KeyError(len(pwd))


def _card_local(rig: Rig) -> None:
    card = rig.kept.secret
    raise KeyError(len(card))


@row("V7m", "a local called token", _token_local, seen="in exception")
@row("V7n", "a local called pwd", _pwd_local, seen="in exception")
@row("V7o", "a local called card", _card_local, seen="in exception")
def leaked_local(sentry_class: Any, rig: Rig, fail: Callable[[Rig], None]) -> None:
    """A local whose name says that it is secret is masked."""
    app, sentry = rig.crashing(sentry_class, lambda: fail(rig))
    rig.kept.secret = secrets.token_hex(16)
    event = rig.crash(sentry, app)
    places = [name for name, value in event.items() if rig.kept.secret in flat(value)]
    expect(not places, f"in {', '.join(places)}")


@row("V7p", "sys.argv", seen="in extra")
def leaked_argv(sentry_class: Any, rig: Rig) -> None:
    """The command line stays out of the event."""
    secret = secrets.token_hex(16)
    sys.argv = ["shop", f"--database=postgres://shop:{secret}@db/shop"]
    app, sentry = rig.crashing(sentry_class, lambda: str(1 / 0))
    event = rig.crash(sentry, app)
    places = [name for name, value in event.items() if secret in flat(value)]
    expect(not places, f"in {', '.join(places)}")


@row("V7q", "a masked query, again in Flask's frames", "environ", seen="in locals .*environ")
@row("V7r", "… and in their req", "req", seen="in locals .*req")
def leaked_by_frames(sentry_class: Any, rig: Rig, local: str) -> None:
    """The framework's frames do not show what is masked in the request."""
    app, sentry = rig.crashing(sentry_class, lambda: str(1 / 0))
    secret = secrets.token_hex(16)
    event = rig.crash(sentry, app, path=f"/?password={secret}")
    if secret in flat(event["request"]):
        raise RuntimeError("not masked in the request either")
    leaking = {
        name
        for frame in frames(event)
        for name, value in (frame.get("vars") or {}).items()
        if secret in flat(value)
    }
    expect(local not in leaking, f"in locals {', '.join(sorted(leaking))}")


def _small(rig: Rig, app: Flask, sentry: Any, visit: Visit) -> dict[str, Any]:
    expect(visit.page, f"page lost: {visit.status}")
    rig.settle(sentry, app)
    hits = [hit for hit in rig.wire.received if hit.event and errors(hit.event)]
    expect(len(hits) == 1, f"{len(hits)} events")
    size, event = len(hits[0].body), hits[0].event
    count = len(frames(event or {}))
    expect(size <= LIMIT, f"{size:,} bytes, {count} frames")
    return event or {}


@row("V8a", "an 8 MB form", seen=r"[4-9],\d{3},\d{3} bytes")
def big_form(sentry_class: Any, rig: Rig) -> None:
    """A large form makes no large event."""

    def view() -> None:
        raise KeyError(len(request.form))

    app, sentry = rig.crashing(sentry_class, view, MAX_FORM_MEMORY_SIZE=None, MAX_FORM_PARTS=None)
    form = {f"field{number}": "x" * 8000 for number in range(1000)}
    _small(rig, app, sentry, rig.visit(app, form=form))


@row("V8b", "a 20 MB message", seen=r"\d\d,\d{3},\d{3} bytes")
def big_message(sentry_class: Any, rig: Rig) -> None:
    """A large message makes no large event."""

    def view() -> None:
        raise ValueError("x" * 20_000_000)

    app, sentry = rig.crashing(sentry_class, view)
    _small(rig, app, sentry, rig.visit(app))


@row("V8c", "nested lists as extra", seen=r"\d,\d{3},\d{3} bytes")
def nested_lists(sentry_class: Any, rig: Rig) -> None:
    """Nested lists make no large event."""
    rig.kept.nested = [[[["x" * 40] * 20] * 20] * 20] * 10

    def view() -> None:
        try:
            raise KeyError("lamp")
        except KeyError:
            sentry.captureException(extra={"basket": rig.kept.nested})
            raise

    app, sentry = rig.crashing(sentry_class, view)
    rig.visit(app)
    rig.settle(sentry, app)
    sizes = [len(hit.body) for hit in rig.wire.received if hit.event and errors(hit.event)]
    expect(sizes, "no event")
    expect(max(sizes) <= LIMIT, f"{max(sizes):,} bytes")


def _deeper(depth: int) -> int:
    return _deeper(depth + 1)


@row("V8d", "a RecursionError", seen=r"9\d\d frames")
def recursion(sentry_class: Any, rig: Rig) -> None:
    """A RecursionError's frames are cut in the middle: its event stays small and has both ends."""
    app, sentry = rig.crashing(sentry_class, lambda: str(_deeper(0)))
    event = _small(rig, app, sentry, rig.visit(app))
    found = frames(event)
    names = [frame["function"] for frame in found]
    expect(len(found) <= 250, f"{len(found)} frames")
    expect(names[-1] == "_deeper" and "_deeper" != names[0], names)
