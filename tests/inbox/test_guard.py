"""Who may read and change the inbox: the rules for all that is not one of Sentry's addresses."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path

import pytest

from flask_sentry_kit.inbox import create_inbox
from flask_sentry_kit.inbox.guard import is_for_sentry
from tests.support.inbox import EVENT_ID, RunningInbox

EVIL = "https://evil.example"

GUARDED = [
    "/",
    "/nothing",
    "/words/",
    f"/events/{EVENT_ID}/",
    "/api/v1/pulse",
    "/inbox/static/inbox.css",
    # They begin as Sentry's addresses do.
    "/api/",
    "/api/v1/",
    "/api/v1/crashes",
    "/api/v1/stream",
    f"/api/v1/events/{EVENT_ID}",
    "/api/1/store/more/",
    "/api/embed/",
]


def status(served: RunningInbox, path: str, method: str = "GET", **headers: str) -> int:
    """The status of a request whose path goes out as it is written here."""
    connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("path", GUARDED)
def test_all_that_is_not_sentrys_is_guarded(shared: RunningInbox, path: str) -> None:
    """A rebound name is 421, and another site's page 403: also under /api/, where the API is."""
    assert status(shared, path, Host="evil.example") == 421
    assert status(shared, path, Origin=EVIL) == 403
    assert status(shared, path, method="POST", Origin=EVIL) == 403
    assert status(shared, path, method="DELETE", Origin=EVIL) == 403


@pytest.mark.parametrize("path", ["/api/1/store", "/api/1/envelope", "/api/embed/error-page"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_sentrys_addresses_are_open_to_all_pages(
    shared: RunningInbox, path: str, slash: str
) -> None:
    """By any name of this machine and from any page; the DSN's key is what they ask for."""
    found = status(shared, path + slash, method="POST", Host="shop.example", Origin=EVIL)
    assert found in (400, 401)


SPELLINGS = [
    "/%61pi/v1/crashes",
    "/inbox%2Fapi/pulse",
    "/api/v1/%70ulse",
    "//api/v1/pulse",
    "/inbox//api/pulse",
    "/api/1/store/../../../api/v1/pulse",
    "/api/1/store/%2e%2e/%2e%2e/%2e%2e/api/v1/pulse",
    "/api/embed/error-page/..%2f..%2fv1/pulse",
    "/api/1/store/;/api/v1/pulse",
    "/api/v1/pulse?/api/1/store/",
    "/api/v1/pulse%3F/api/1/store/",
    "/api/1/store/%0a",
    "/api/1%2Fx/store/",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_path_goes_round_the_guard(shared: RunningInbox, path: str) -> None:
    """Guard and router see the same path, however it is escaped (as GHSA-8r62-w5wh-fc5m)."""
    assert status(shared, path, Host="evil.example") == 421
    assert status(shared, path, Origin=EVIL) == 403


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, False),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        (
            {
                "Sec_Fetch_Site": "cross-site",
                "Sec_Fetch_Mode": "navigate",
                "Sec_Fetch_Dest": "iframe",
            },
            False,
        ),
        ({"Origin": "null"}, False),
        ({"Origin": "OWN"}, True),
        ({}, True),
    ],
)
def test_another_site_may_link_to_a_page_and_no_more(
    shared: RunningInbox, headers: dict[str, str], allowed: bool
) -> None:
    """It may not load one into its own page, not even where it could not read the answer."""
    sent = {name: shared.url if value == "OWN" else value for name, value in headers.items()}
    assert status(shared, "/", **sent) == (200 if allowed else 403)


@pytest.mark.parametrize(
    ("path", "kind", "allowed"),
    [
        ("/api/v1/crashes/x", "", True),
        ("/api/v1/crashes/x", "text/plain", True),
        ("/crashes/x/delete", "application/json", True),
        ("/crashes/x/delete", "", False),
        ("/crashes/x/delete", "text/plain", False),
        ("/crashes/x/delete", "text/plain; charset=json", False),
        ("/crashes/x/delete", "application/x-www-form-urlencoded", False),
        ("/crashes/x/delete", "multipart/form-data; boundary=x", False),
    ],
)
def test_what_is_no_browser_may_use_the_api(
    shared: RunningInbox, path: str, kind: str, allowed: bool
) -> None:
    """curl sends neither Origin nor Sec-Fetch-Site. Elsewhere its type must be none of a form's."""
    sent = {"Content_Type": kind} if kind else {}
    assert (status(shared, path, method="POST", **sent) != 403) is allowed
    assert status(shared, path, method="POST", Origin=EVIL, **sent) == 403
    assert status(shared, path, method="POST", Sec_Fetch_Site="none", **sent) == 403


@pytest.mark.parametrize("scheme", ["chrome-extension", "file", "ftp"])
def test_an_origin_is_a_web_page(shared: RunningInbox, scheme: str) -> None:
    """What has our host in it under another scheme is not our page."""
    own = shared.url.replace("http", scheme, 1)
    assert status(shared, "/crashes/x/delete", method="POST", Origin=own) == 403


def test_every_answer_keeps_itself_apart(shared: RunningInbox) -> None:
    """Pages, files, JSON and refusals: no framing, no sniffing, no window or file for others."""
    for path in GUARDED:
        # The stream has no end.
        answer = shared.request("GET", path, preload_content=False)
        answer.close()
        headers = answer.headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "geolocation=()" in headers["Permissions-Policy"]
        policy = headers["Content-Security-Policy"].split("; ")
        for rule in (
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ):
            assert rule in policy
        assert not [name for name in headers if name.startswith("Access-Control-")]


def test_the_routers_choice_decides_what_is_sentrys(tmp_path: Path) -> None:
    """A page that somebody puts under such a path is guarded all the same."""
    app = create_inbox(tmp_path / "inbox.sqlite")
    view: Callable[[], str] = lambda: "page"  # noqa: E731  # the smallest view there is
    app.add_url_rule("/api/mine/store/", view_func=view, endpoint="mine")
    for path, expected in (("/api/mine/store/", False), ("/api/1/store/", True)):
        with app.test_request_context(path, method="GET" if path[5] == "m" else "POST"):
            assert is_for_sentry() is expected
