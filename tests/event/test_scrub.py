"""Secrets stay home: one list of names and looks, over every place of an event."""

from __future__ import annotations

import json
import logging
import time
from collections import ChainMap, OrderedDict, UserDict, namedtuple
from collections.abc import Callable
from dataclasses import make_dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask, render_template_string, request, session
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders, Headers, MultiDict

from flask_sentry_kit import sentry
from flask_sentry_kit.event.scrub import (
    MASK,
    SENSITIVE_NAMES,
    SENSITIVE_PARTS,
    SENSITIVE_WORDS,
    Scrubber,
)
from flask_sentry_kit.event.serialize import Serializer

Make = Callable[..., Flask]
Crash = Callable[..., dict[str, Any]]

SECRET = "Zq9xhunter2"
LISTED = sorted({*SENSITIVE_PARTS, *SENSITIVE_WORDS, *SENSITIVE_NAMES})

Credentials = namedtuple("Credentials", "user password")

_scrubber = Scrubber(["shoe_size"])


def _dressed(name: str, how: int) -> str:
    """A listed name as it is met: as it is, in capitals, with company, with a header's dashes."""
    return (
        name,
        name.upper(),
        name.capitalize(),
        f"X-{name.title()}",
        f"user_{name}",
        f"{name}_1",
        f"app.{name}",
    )[how % (3 if name in SENSITIVE_NAMES else 7)]


_names = st.builds(_dressed, st.sampled_from([*LISTED, "shoe_size"]), st.integers(0, 6))
_secrets = st.builds(
    "".join,
    st.tuples(
        st.text("abc XYZ.'\"\\=&;,[](){}<>é€", max_size=5),
        st.just(SECRET),
        st.text("abc XYZ.'\"\\=&;,[](){}<>é€", max_size=5),
    ),
)

_VALUES: dict[str, Callable[[str, str], Any]] = {
    "dict": lambda n, s: {n: s},
    "bytes": lambda n, s: {n: s.encode()},
    "bytes key": lambda n, s: {n.encode(): s.encode()},
    "list inside": lambda n, s: {n: [s, {"deep": s}]},
    "nested": lambda n, s: [{"a": ({"b": {n: s}},)}],
    "OrderedDict": lambda n, s: OrderedDict({n: s}),
    "UserDict": lambda n, s: UserDict({n: s}),
    "ChainMap": lambda n, s: ChainMap({n: s}),
    "MappingProxyType": lambda n, s: MappingProxyType({n: s}),
    "pair": lambda n, s: (n, s),
    "pairs": lambda n, s: [("a", "b"), (n, s)],
    "list pair": lambda n, s: [[n, s]],
    "items": lambda n, s: {n: s}.items(),
    "MultiDict": lambda n, s: MultiDict([(n, s), (n, s)]),
    "form of a script": lambda n, s: [{"name": n, "value": s}],
    "json": lambda n, s: json.dumps({n: s, "b": 1}),
    "json in json": lambda n, s: json.dumps({"body": json.dumps({n: s})}),
    "repr": lambda n, s: repr({n: s, "b": 1}),
    "repr of bytes": lambda n, s: repr({n: s.encode()}),
    "repr of a list": lambda n, s: repr({n: [s, s]}),
    "repr of a dict": lambda n, s: f"got { ({n: {'a': s, 'b': [s]}, 'c': 1})!r}",
    "exception": lambda n, s: ValueError({n: s}),
}


@pytest.mark.parametrize("shape", _VALUES)
@settings(max_examples=40, deadline=None)
@given(name=_names, secret=_secrets)
def test_no_listed_secret_survives_in_a_value(shape: str, name: str, secret: str) -> None:
    """What goes by a listed name is masked, whatever it is wrapped in and whatever is in it."""
    shown = json.dumps(Serializer(_scrubber).value(_VALUES[shape](name, secret)))
    assert SECRET not in shown


_plain_secrets = st.builds(
    "".join,
    st.tuples(st.text("abcXYZ019._~-", max_size=5), st.just(SECRET), st.text("abcXYZ", max_size=5)),
)

_TEXTS = {
    "query": "/x?a=1&{name}={secret}&b=2",
    "assignment": "could not sign in: {name}={secret}",
    "spaced": "{name} = {secret}",
    "compared": "{name} == {secret}",
    "json": '{{"{name}": "{secret}"}}',
    "escaped": '{{\\"{name}\\": \\"{secret}\\"}}',
    "bracketed": "user[{name}]={secret}",
    "arrow": "{{:{name}=>'{secret}'}}",
    "object": "User(id=5, {name}=Secret(value='{secret}'))",
    "repr": "<User {name}=<Secret {secret}>>",
    "command line": "mysql --{name}={secret} --verbose",
    "xml": "<{name}>{secret}</{name}>",
    "xml attribute": '<user {name}="{secret}"/>',
    "tuple": "('{name}', '{secret}')",
}


@pytest.mark.parametrize("shape", _TEXTS)
@settings(max_examples=40, deadline=None)
@given(name=_names, secret=_plain_secrets)
def test_no_listed_secret_survives_in_a_text(shape: str, name: str, secret: str) -> None:
    """In messages and reprs what a listed name is given is masked, in every usual notation."""
    assert SECRET not in _scrubber.text(_TEXTS[shape].format(name=name, secret=secret))


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}==",
        f'Authorization: Digest username="x", response="{SECRET}"',
        f"Cookie: a=1; b={SECRET}",
        f"Set-Cookie: s={SECRET}; HttpOnly",
        f"curl -H 'Authorization: Token {SECRET}' https://example.org",
        f"got Bearer {SECRET} instead",
        f"https://user:{SECRET}@example.org/",
        f"redis://:{SECRET}@localhost/0",
        f"postgresql+psycopg://u:p@{SECRET}@db/shop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJacTl4aHVudGVyMiJ9." + SECRET,
        f"mysql --password {SECRET} shop",
        f"Command '['mysql', '--password', '{SECRET}']' returned 1",
        str(EnvironHeaders({"HTTP_COOKIE": f"a=1; b={SECRET}", "HTTP_HOST": "x"})),
        repr(Headers([("X-Api-Key", SECRET), ("Cookie", f"a={SECRET}")])),
        repr(SimpleNamespace(password=SECRET)),
        repr(make_dataclass("Login", ["user", "otp"])("a", SECRET)),
        repr(Credentials("a", SECRET)),
        f"password: '{SECRET[:5]}\\'{SECRET}'",
    ],
)
def test_secrets_that_messages_hold(text: str) -> None:
    """Headers, addresses and reprs in a message give away no secret."""
    assert SECRET not in _scrubber.text(text)


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005"]
)
def test_card_numbers_are_known_by_their_check_digit(number: str) -> None:
    """A number that passes Luhn's check is masked; order numbers and timestamps are not."""
    assert _scrubber.text(f"card was {number}.") == f"card was {MASK}."
    assert _scrubber.text("order 4111111111111112") == "order 4111111111111112"


@pytest.mark.parametrize(
    "text",
    [
        "error code: 404",
        "the password is wrong",
        "discard: 5, cardinal=3, author: Bob, passenger=3, spinner: 1",
        "No module named 'shop.tokens'",
        "2026-11-22 08:00:00,123 INFO shop: ready",
        "password=None",
        "{'session_length': 30, 'error_code': 5}",
        "http://localhost/x?page=2",
        "KeyError: 'name'",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    """Words that only contain a listed one, and prose about secrets, are left as they are."""
    assert _scrubber.text(text) == text


def test_masking_twice_changes_nothing() -> None:
    """What was masked once stays as it is, quotes and all."""
    once = _scrubber.text(f"password='{SECRET}' token={SECRET} {{'pin': 5}}")
    assert once == f"password='{MASK}' token={MASK} {{'pin': {MASK}}}"
    assert _scrubber.text(once) == once


@pytest.mark.parametrize(
    "evil",
    [
        "password" * 2000,
        "a." * 8000 + "password",
        "-" * 16000,
        "1 " * 8000,
        'token="' * 2000,
        "token=" + "\\" * 16000,
        "token=" + '\\"' * 8000,
        "eyJ" * 5000,
        "a://b:" * 2500,
        "a://" * 4000,
        "token=[" * 2000,
        "<" * 16000,
        "<a" * 8000,
        "<" + "a" * 16000,
        "a" + " " * 16000,
        "token:" + " " * 16000,
        "bearer " * 2000,
        "é" * 16000,
    ],
)
def test_no_text_takes_long(evil: str) -> None:
    """Scrubbing takes time in proportion to the text, whatever is in it."""
    begun = time.process_time()
    _scrubber.text(evil)
    assert time.process_time() - begun < 0.3


# over the wire


def _assert_home(event: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(event)


def test_headers_cookies_and_query(make_app: Make, wire: Any) -> None:
    """Sensitive headers, all cookies and sensitive query values are masked; the rest is there."""
    app = make_app()
    app.test_client(use_cookies=False).get(
        f"/boom?page=2&token={SECRET}&p%61ssword={SECRET}&code={SECRET}&user%5Bpwd%5D={SECRET}"
        f"&next={quote(f'/a?token={SECRET}', safe='')}&data={quote(json.dumps({'pin': SECRET}))}",
        headers={
            "Cookie": f"session={SECRET}; theme=dark-{SECRET}",
            "Authorization": f"Bearer {SECRET}",
            "Proxy-Authorization": f"Basic {SECRET}",
            "X-Api-Key": SECRET,
            "X-Auth-Token": SECRET,
            "X-Csrf-Token": SECRET,
            "X-CSRFToken": SECRET,
            "Referer": f"https://example.org/a?token={SECRET}&x=1#access_token={SECRET}",
            "X-Original-Url": f"/x?password={SECRET}",
            "X-Trace": "visible",
        },
    )
    event = wire.one_event(app)
    _assert_home(event)
    assert event["request"]["query_string"].startswith("page=2&token=")
    assert event["request"]["headers"]["X-Trace"] == "visible"
    assert event["request"]["headers"]["Cookie"] == MASK
    assert set(event["request"]["cookies"]) == {"session", "theme"}


@pytest.mark.parametrize("name", ["pwd", "password", "token", "pin", "cvv", "card_number", "otp"])
@pytest.mark.parametrize("kind", ["form", "multipart", "json", "text", "raw form"])
def test_bodies(make_app: Make, wire: Any, name: str, kind: str) -> None:
    """Form fields and JSON keys of the list are masked, at any depth; the others are there."""
    app = make_app()

    @app.post("/raw")
    def raw() -> str:
        request.get_data()
        raise ValueError

    fields = {"amount": "12", name: SECRET}
    kinds: dict[str, dict[str, Any]] = {
        "form": {"data": fields},
        "multipart": {"data": fields, "content_type": "multipart/form-data"},
        "json": {"json": {"amount": "12", "deep": [{name: SECRET}], name: {"a": [SECRET]}}},
        "text": {"data": f"amount=12 {name}={SECRET}", "content_type": "text/plain"},
        "raw form": {
            "data": urlencode(fields).replace("w", "%77"),
            "content_type": "application/x-www-form-urlencoded",
        },
    }
    app.test_client().post("/raw" if kind == "raw form" else "/boom", **kinds[kind])
    event = wire.one_event(app)
    _assert_home(event)
    assert "12" in json.dumps(event["request"]["data"])


def test_a_secret_in_the_path(make_app: Make, wire: Any) -> None:
    """What a rule like /reset/<token> takes from the path is masked in the address."""
    app = make_app()

    @app.get("/reset/<token>/<page>")
    def reset(token: str, page: str) -> str:
        raise ValueError

    app.test_client().get(f"/reset/{SECRET}%20é/2")
    event = wire.one_event(app)
    _assert_home(event)
    assert event["request"]["url"] == f"http://localhost/reset/{MASK}/2"
    assert event["transaction"] == "/reset/<token>/<page>"


def test_locals(make_app: Make, wire: Any) -> None:
    """Local variables by a listed name are masked, and secrets inside of others."""
    app = make_app()

    @app.get("/locals")
    def leaky() -> str:
        token = pwd = card = SECRET  # noqa: F841  # read from the frame
        headers = Headers([("Cookie", f"a={SECRET}")])  # noqa: F841
        login = Credentials("bob", SECRET)  # noqa: F841
        body = json.dumps({"password": SECRET}).encode()  # noqa: F841
        command = ["mysql", "--password", SECRET]  # noqa: F841
        environ = request.environ  # noqa: F841
        user = "bob"  # noqa: F841
        raise ValueError

    app.test_client().get("/locals", headers={"Cookie": f"a={SECRET}", "X-Api-Key": SECRET})
    event = wire.one_event(app)
    _assert_home(event)
    variables = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["vars"]
    assert variables["token"] == variables["pwd"] == variables["card"] == MASK
    assert variables["user"] == "bob"
    assert variables["login"] == {"user": "bob", "password": MASK}


def test_template_locals(make_app: Make, wire: Any) -> None:
    """A crash in a template shows the template's variables without app.config's secrets."""
    app = make_app()

    @app.get("/template")
    def page() -> str:
        session["cart"] = SECRET
        return render_template_string(
            "{{ config.x }}{{ session.cart }}{% set password = secret %}{{ 1 / 0 }}", secret=SECRET
        )

    app.test_client().get("/template")
    event = wire.one_event(app)
    _assert_home(event)
    assert "app-secret" not in json.dumps(event)
    assert "hidden-secret" not in json.dumps(event)


def test_messages_params_and_chains(make_app: Make, wire: Any) -> None:
    """Exception texts, notes, chained ones, log records and their params hold no secret."""
    app = make_app(sentry={"logging": True})

    @app.get("/log")
    def log() -> str:
        app.logger.error("sign in: password=%s for %s", SECRET, "bob")
        app.logger.error({"password": SECRET})
        app.logger.error("headers %s", {"Authorization": f"Bearer {SECRET}"})
        sentry.captureMessage("token=%s", params=(SECRET,))
        try:
            raise ValueError(f"token={SECRET}")
        except ValueError as error:
            last = KeyError(f"password={SECRET}")
            last.__notes__ = [f"api_key={SECRET}"]  # type: ignore[attr-defined]  # as add_note does
            try:
                raise last from error
            except KeyError:
                logging.getLogger("x").exception("login failed, password=%r", SECRET)
        return "ok"

    app.test_client().get("/log")
    assert app.extensions["sentry"].flush(5)
    assert len(wire.events) == 5
    for event in wire.events:
        _assert_home(event)
    assert wire.events[0]["message"] == f"sign in: password={MASK} for bob"


def test_context_tags_breadcrumbs_and_user(make_app: Make, wire: Any) -> None:
    """What the app adds to an event by hand is scrubbed like the rest."""
    app = make_app()
    app.extensions["sentry"].client.enable_breadcrumbs = True
    client = app.extensions["sentry"].client
    client.context._breadcrumbs = True

    @app.get("/context")
    def leaky() -> str:
        sentry.tags_context({"auth_token": SECRET, "note": f"password={SECRET}"})
        sentry.extra_context({"request": {"headers": {"Cookie": SECRET}}, "args": f"pin={SECRET}"})
        sentry.user_context({"id": 5, "password": SECRET, "email": "a@example.org"})
        client.http_context(
            {
                "url": f"http://x/?token={SECRET}",
                "query_string": f"token={SECRET}",
                "data": {"pwd": SECRET},
                "headers": {"X-Api-Key": SECRET},
            }
        )
        client.captureBreadcrumb(message=f"GET /x?token={SECRET}", data={"password": SECRET})
        raise ValueError

    app.test_client().get("/context")
    event = wire.one_event(app)
    _assert_home(event)
    assert event["user"]["email"] == "a@example.org"
    assert len(event["breadcrumbs"]["values"]) == 1


def test_sanitize_keys_add_to_the_list(make_app: Make, wire: Any) -> None:
    """SENTRY_SANITIZE_KEYS masks further names everywhere, and takes none off the list."""
    app = make_app(SENTRY_SANITIZE_KEYS=["shoe_size", "Colour"])

    @app.post("/keys")
    def leaky() -> str:
        shoe_size = SECRET  # noqa: F841  # read from the frame
        raise ValueError(f"shoe_size={SECRET}, colour: {SECRET}")

    app.test_client().post(
        f"/keys?SHOE_SIZE={SECRET}",
        json={"colour": SECRET, "password": SECRET, "my_shoe_size_eu": SECRET},
        headers={"X-Colour": SECRET},
    )
    _assert_home(wire.one_event(app))


def test_locals_of_framework_frames_are_left_out(make_app: Make, crash_event: Crash) -> None:
    """Flask's and Werkzeug's frames carry no locals: environ and req would repeat all secrets."""
    event = crash_event(make_app(), headers={"X-Trace": SECRET})
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert any(frame["module"] == "flask.app" for frame in frames)
    assert all("vars" not in frame for frame in frames if not frame["in_app"])


def test_the_command_line_stays_home(make_app: Make, crash_event: Crash) -> None:
    """raven sends sys.argv with every event; it may hold a password, so ours does not."""
    assert "sys.argv" not in crash_event(make_app()).get("extra", {})
