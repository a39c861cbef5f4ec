"""Which origin a visitor's words are passed on with (feedback/origin.py)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, Request, request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import EnvironBuilder

from flask_sentry_kit.feedback.origin import origin_of, well_formed
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit
from tests.support.visitor import Visitor

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "http://shop.example:8080",
        "https://shop.example:65535",
        "http://localhost",
        "http://127.0.0.1:5000",
        "http://[::1]:5000",
        "https://[2001:db8::1]",
        "https://xn--bcher-kva.example",
        "https://my_shop.example",
        "https://shop.example.",
    ],
)
def test_what_browsers_write_is_an_origin(origin: str) -> None:
    """A name, an IPv4 or IPv6 address, with a port or without; capitals become small letters."""
    assert well_formed(origin) == origin
    assert well_formed(origin.upper()) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "https://",
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "file://",
        "chrome-extension://abcdefghijklmnop",
        "https://shop.example/",
        "https://shop.example/account?token=hunter2",
        "https://shop.example#top",
        "https://ada:secret@shop.example",
        "https://a.example https://b.example",
        "https://a.example,https://b.example",
        "https://a.example, https://b.example",
        " https://shop.example",
        "https://shop.example\n",
        "https://shop.example\r\nX-Evil: 1",
        "https://shop\x00.example",
        "https://b\xfccher.example",
        "https://shop.example\u212a",
        "https://shop.example:",
        "https://shop.example:0",
        "https://shop.example:65536",
        "https://shop.example:\u0661",
        "https://shop..example",
        "https://.example",
        "https://[::1",
        "https://[::1%25eth0]",
        "https://[1:2]",
        "https://[...]",
        "https://::1",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 150 + "example",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    """Not one http(s) origin in ASCII, or more than one."""
    assert well_formed(text) == ""


@given(st.text(max_size=40) | st.from_regex(r"https?://[a-z.:\[\]0-9@/]{0,30}", fullmatch=True))
def test_whatever_arrives_is_an_origin_or_nothing(text: str) -> None:
    """What is passed on has a scheme and a host, and nothing that ends a header."""
    origin = well_formed(text)
    assert origin in ("", text.lower())
    assert not origin or (origin.isprintable() and origin.count("/") == 2 and "@" not in origin)


APP = "http://10.0.0.5:8000"
BROWSER = "https://shop.example"


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, APP),
        ({"Origin": BROWSER}, BROWSER),
        ({"Origin": BROWSER, "Sec-Fetch-Site": "same-origin"}, BROWSER),
        ({"Origin": BROWSER, "Sec-Fetch-Site": "same-site"}, APP),
        ({"Origin": BROWSER, "Sec-Fetch-Site": "cross-site"}, APP),
        ({"Origin": BROWSER, "Sec-Fetch-Site": "none"}, APP),
        ({"Origin": BROWSER, "Sec-Fetch-Site": ""}, APP),
        ({"Origin": BROWSER, "Sec-Fetch-Site": "same-origin,cross-site"}, APP),
        ({"Origin": BROWSER, "Sec-Fetch-Site": "same-origin" + " " * 5000}, APP),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, APP),
        ({"Origin": f"{BROWSER},{BROWSER}"}, APP),
        ({"Origin": BROWSER + "/" * 1_000_000}, APP),
    ],
)
def test_the_browsers_origin_counts_where_the_form_is_the_apps_own(
    headers: dict[str, str], origin: str
) -> None:
    """Else it is the app's, as its server knows it."""
    with Flask("shop").test_request_context("/", base_url=APP, method="POST", headers=headers):
        assert origin_of(request) == origin


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("xn--bcher-kva.example", "http://xn--bcher-kva.example"),
        ("SHOP.example:80", "http://shop.example"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("shop.example/path", ""),
        ("ada@shop.example", ""),
        ("shop.example:port", ""),
    ],
)
def test_the_apps_own_origin_is_well_formed_or_none(host: str, origin: str) -> None:
    """An international name is written as browsers write it; a made-up Host is no origin."""
    with Flask("shop").test_request_context("/", headers={"Host": host}):
        assert origin_of(request) == origin


def test_a_host_that_is_not_trusted_is_no_origin() -> None:
    """Where the app says which hosts it has."""

    class OnlyShop(Request):
        trusted_hosts = ["shop.example"]

    for host, origin in (("shop.example", "http://shop.example"), ("evil.example", "")):
        environ = EnvironBuilder(base_url=f"http://{host}").get_environ()
        assert origin_of(OnlyShop(environ)) == origin


def test_the_words_come_from_the_apps_own_origin(shop: Visitor, sentry: RecordingSentry) -> None:
    """Origin and Referer name the app and nothing of the page: its address may hold secrets."""
    shop.send(shop.crash("/boom?token=hunter2"), comments="Words")
    report = sentry.wait_for_report()
    assert report.headers["Origin"] == shop.base
    assert report.headers["Referer"] == f"{shop.base}/"


@pytest.mark.parametrize("fix", [True, False], ids=["ProxyFix", "no ProxyFix"])
def test_behind_a_proxy_the_origin_is_the_browsers(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, fix: bool
) -> None:
    """With ProxyFix the app knows it; without, the browser says it: the proxy rewrote Host."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    headers: dict[str, Any] = {**FORM, **forwarded}
    if fix:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)  # type: ignore[method-assign]  # as documented
    else:
        headers |= {"Origin": "https://shop.example", "Sec-Fetch-Site": "same-origin"}
    visitor = visit(app)
    action, typed = visitor.form_of(visitor.crash())
    visitor.request("POST", action, urlencode({**typed, "comments": "Hi"}).encode(), headers)
    report = sentry.wait_for_report()
    assert report.headers["Origin"] == "https://shop.example"
    assert report.headers["Referer"] == "https://shop.example/"
