"""Page and form of a whole app under attack: addresses, names, frames, headers."""

from __future__ import annotations

import html
import json
import re
import time
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_sentry_kit import SentryKit

FORM = "application/x-www-form-urlencoded"
HOST = "http://localhost"


def ask(app: Flask, path: str = "/boom", body: bytes = b"", **environ: str) -> tuple[int, Any, str]:
    """One request, with the environment as a server would make it: status, headers, text."""
    made = EnvironBuilder(
        method="POST" if body else "GET",
        headers=[("Accept", "text/html")],
        data=body or None,
        content_type=FORM if body else None,
    ).get_environ()
    for name in ("RAW_URI", "REQUEST_URI"):
        del made[name]
    chunks, status, headers = run_wsgi_app(app, {**made, "PATH_INFO": path, **environ}, True)
    return int(status[:3]), headers, b"".join(chunks).decode()


def addresses(page: str) -> list[str]:
    """Every address that the page can lead a browser to, except Sentry's own."""
    found = re.findall(r'\b(?:href|src|action)="([^"]*)"', page)
    return [html.unescape(address) for address in found if not address.startswith("mailto:")]


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found
    return found[1]


SCRIPTS = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "///evil.example/x",
    "/\t/evil.example",
    "/%2f%2fevil.example",
    "https://evil.example",
    "/.//evil.example",
]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("path", ["/boom", "//evil.example/boom", "/\\evil.example"])
def test_no_address_of_the_page_leaves_the_host(kit_app: Any, script: str, path: str) -> None:
    """Form, stylesheet, script, retry, home and the redirect after the form, wherever the server
    or a header says that the app is mounted."""
    app = kit_app(SENTRY_KIT_BRAND={"support_email": "help@tea.example"})
    app.add_url_rule("/<path:any>", "any", lambda any: 1 // 0)
    app.url_map.merge_slashes = False
    status, _, page = ask(app, path, SCRIPT_NAME=script)
    assert status == 500
    found = addresses(page)
    assert len(found) >= 4
    body = urlencode({"token": token_of(page), "comments": "Words"}).encode()
    status, headers, _ = ask(app, "/_sentry_kit/feedback", body, SCRIPT_NAME=script)
    assert status == 303
    for address in [*found, headers["Location"]]:
        assert address.isascii() and "\\" not in address
        # As a browser reads it: white space at the ends and tabs within are dropped.
        joined = urlsplit(urljoin(f"{HOST}/x/y", re.sub(r"[\t\r\n]", "", address.strip())))
        assert (joined.scheme, joined.netloc) == ("http", "localhost"), address


def test_a_forwarded_prefix_leads_nowhere_else_in_a_browser(
    kit_app: Any, serve: Any, page: Any
) -> None:
    """In Chromium, with X-Forwarded-Prefix: //evil.example believed by ProxyFix: no link, form,
    style or script is another host's."""
    app = kit_app(SENTRY_KIT_DIALOG=False)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)
    base = serve(app)
    page.set_extra_http_headers({"X-Forwarded-Prefix": "//evil.example"})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}/boom")
    assert page.evaluate("document.querySelector('form').action").startswith(base)
    links = page.evaluate("Array.from(document.links, link => link.href)")
    assert links and all(link.startswith(f"{base}/") for link in links)
    assert all(address.startswith(f"{base}/") for address in asked), asked
    # The address that asked_for() makes of the path "//evil.example/a".
    stays = page.evaluate("new URL('/.//evil.example/a', location.href).href")
    assert stays == f"{base}//evil.example/a"


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
def test_trying_again_keeps_what_was_encoded(kit_app: Any, name: str) -> None:
    """A slash within a segment stays encoded, as the server read it."""
    app = kit_app()
    app.add_url_rule("/files/<path:any>", "any", lambda any: 1 // 0)
    given = {name: "/files/a%2Fb%3Fc?d=%2F+e", "QUERY_STRING": "d=%2F+e"}
    _, _, page = ask(app, "/files/a/b?c", b"", **given)
    assert "/files/a%2Fb%3Fc?d=%2F+e" in addresses(page)


def test_a_long_address_is_not_offered_again(kit_app: Any) -> None:
    """A query of 250 kB makes no page of 250 kB, and no link that leads elsewhere."""
    _, _, page = ask(kit_app(), QUERY_STRING="q=" + "x" * 250_000)
    assert len(page) < 10_000
    assert "Try again" not in page


NAMES = {
    "half surrogates": "Ada\ud800 \udfffLovelace",
    "NUL": "Ada\x00 Lovelace",
    "lines": "Ada\r\n\t Lovelace\n",
    "bidi": "\u202eAda\u202c \u2066Lovelace",
    "a megabyte": "Ada Lovelace" + " \x00" * 500_000,
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_is_one_clean_line(kit_app: Any, snippet_options: Any, case: str) -> None:
    """In the form, and in the dialog's options, which encodeURIComponent must be able to read."""
    name = NAMES[case]
    app = kit_app(SENTRY_KIT_USER=lambda: {"id": 1, "name": name, "email": f"{name}@tea.example"})
    status, _, page = ask(app)
    assert status == 500
    assert 'name="name" autocomplete="name" maxlength="128" value="Ada Lovelace' in page
    user = snippet_options(page)["user"]
    assert user["name"].startswith("Ada Lovelace") and len(user["name"]) <= 128
    assert not re.search(
        "[\x00-\x1f\ud800-\udfff\u202a-\u202e\u2066-\u2069]",
        json.dumps(user) + user["name"] + user["email"],
    )


def test_an_address_is_shown_whole_or_not_at_all(kit_app: Any) -> None:
    """Cut to the limit of Sentry's form, it would be a different person's."""
    address = "a" * 64 + "@tea.example"
    app = kit_app(SENTRY_KIT_USER=lambda: {"id": 1, "email": address})
    _, _, page = ask(app)
    assert "aaa" not in page
    address = address[1:]
    assert f'value="{address}"' in ask(app)[2]


def test_markup_in_a_name_stays_text(kit_app: Any) -> None:
    """With any name of a user."""
    nasty = '"><script>alert(1)</script>'
    app = kit_app(SENTRY_KIT_USER=lambda: {"id": 1, "name": nasty, "email": nasty})
    assert "<script>alert" not in ask(app)[2]


@pytest.mark.parametrize(
    "destination", ["iframe", "frame", "embed", "object", "fencedframe", "document"]
)
def test_a_framed_page_names_nobody(kit_app: Any, destination: str) -> None:
    """Neither in the form nor in the dialog's options, nor in the snippet on an app's own page."""
    app = kit_app(
        SENTRY_KIT_USER=lambda: {"id": 1, "name": "Ada Lovelace", "email": "ada@tea.example"}
    )
    framed = destination != "document"

    @app.errorhandler(ZeroDivisionError)
    def own(error: Exception) -> Any:
        from flask import render_template_string

        from flask_sentry_kit import sentry

        sentry.captureException()
        return render_template_string("{{ sentry_crash_dialog() }}"), 500

    app.add_url_rule("/own", "own", lambda: 1 // 0)
    for path in ("/boom", "/own"):
        _, headers, page = ask(app, path, HTTP_SEC_FETCH_DEST=destination)
        assert "showReportDialog" in page
        assert ("Ada" in page) != framed
        assert ("ada@tea.example" in page) != framed
    _, headers, _ = ask(app, HTTP_SEC_FETCH_DEST=destination)
    assert "Sec-Fetch-Dest" in headers["Vary"]
    assert headers["Cache-Control"] == "no-store"


def test_apps_with_one_key_do_not_take_each_others_tokens(kit_app: Any, wire: Any) -> None:
    """An app refuses tokens for another project's crash too; no feedback is sent."""
    shop, admin = kit_app("shop", SentryKit()), kit_app("admin", SentryKit())
    elsewhere = kit_app("shop", SentryKit(), SENTRY_DSN=wire.dsn.replace("/1", "/2"))
    body = urlencode({"token": token_of(ask(shop)[2]), "comments": "Words"}).encode()
    for app, status in ((admin, 403), (elsewhere, 403), (shop, 303)):
        assert ask(app, "/_sentry_kit/feedback", body)[0] == status
    assert shop.extensions["sentry_kit"].outbox.flush(10)
    assert len(wire.reports) == 1


def test_a_receipt_is_good_for_its_own_outcome_and_app(kit_app: Any) -> None:
    """Another outcome, by any spelling, or another app does not accept it."""
    shop, admin = kit_app("shop", SentryKit()), kit_app("admin", SentryKit())
    body = urlencode({"token": token_of(ask(shop)[2]), "comments": "Words"}).encode()
    thanks = urlsplit(ask(shop, "/_sentry_kit/feedback", body)[1]["Location"]).path
    assert ask(shop, thanks)[0] == 200
    assert ask(admin, thanks)[0] == 404
    _, _, _, _, receipt = thanks.split("/")
    for outcome in ("saved" if "/sent/" in thanks else "sent", "refused", "x" * 100_000):
        assert ask(shop, f"/_sentry_kit/feedback/{outcome}/{receipt}")[0] == 404
    assert ask(shop, thanks + "x" * 1_000_000)[0] == 404


def test_another_sites_words_are_not_shown_as_the_visitors(kit_app: Any) -> None:
    """A form that another site makes a visitor send is refused, and its text is not shown."""
    app = kit_app()
    body = urlencode({"token": "x", "comments": "Call 0900-EVIL", "name": "Support"}).encode()
    status, _, page = ask(app, "/_sentry_kit/feedback", body, HTTP_SEC_FETCH_SITE="cross-site")
    assert status == 403
    assert "0900-EVIL" not in page and "Support" not in page
    _, _, page = ask(app, "/_sentry_kit/feedback", body, HTTP_SEC_FETCH_SITE="same-origin")
    assert "0900-EVIL" in page


def test_half_surrogates_in_the_form_come_back_as_text(kit_app: Any, wire: Any) -> None:
    """Sent encoded, they are kept as U+FFFD, and the text arrives."""
    app = kit_app()
    token = token_of(ask(app)[2])
    body = f"token={token}&comments=a%ED%A0%80b&name=%ED%BF%BF&email=x%ED%A0%80".encode()
    status, _, page = ask(app, "/_sentry_kit/feedback", body)
    assert status == 400 and "\ufffd" in page
    body = body.partition(b"&email")[0]
    assert ask(app, "/_sentry_kit/feedback", body)[0] == 303


def test_a_made_up_host_is_no_origin(kit_app: Any, wire: Any) -> None:
    """The Origin sent to Sentry is short, with any Host header of the visitor."""
    app = kit_app()
    body = urlencode({"token": token_of(ask(app)[2]), "comments": "Words"}).encode()
    assert ask(app, "/_sentry_kit/feedback", body, HTTP_HOST="a." * 500_000)[0] == 303
    assert app.extensions["sentry_kit"].outbox.flush(10)
    [report] = wire.reports
    assert "Origin" not in report.headers


@pytest.mark.parametrize("event_id", ["x\r\nSet-Cookie: a=b", "\ud800", "é"])
def test_an_odd_event_id_is_no_header(kit_app: Any, event_id: str) -> None:
    """An odd event id from the app's own client may show on the page; the page still shows."""
    app = kit_app()
    app.extensions["sentry"].client_of(app).captureException = lambda *_, **__: event_id
    status, headers, _ = ask(app)
    assert status == 500
    assert "Set-Cookie" not in headers and "X-Sentry-ID" not in headers


@pytest.mark.parametrize("name", ["crash.css", "dialog.js"])
@pytest.mark.parametrize("header", ["IF_NONE_MATCH", "IF_MODIFIED_SINCE", "RANGE", "IF_RANGE"])
def test_twice_the_condition_is_not_four_times_the_wait(
    kit_app: Any, name: str, header: str
) -> None:
    """The page's files answer conditions and ranges of up to a megabyte in linear time."""
    app = kit_app()

    def seconds(piece: str, size: int) -> float:
        given = {f"HTTP_{header}": piece * (size // len(piece))}
        best = 10.0
        for _ in range(3):
            begun = time.process_time()
            assert ask(app, f"/_sentry_kit/static/{name}", b"", **given)[0] < 500
            best = min(best, time.process_time() - begun)
        return best

    for piece in ('"a",', "a-", '"\\', " ", "bytes=0-1,", "W/"):
        # A busy machine may add the time of ten short requests to a few milliseconds.
        line, half, whole = (seconds(piece, size) for size in (100, 500_000, 1_000_000))
        assert whole <= 2.5 * half + 10 * line, piece
