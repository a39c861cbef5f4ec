"""What a developer reads, and who may read and change it."""

from __future__ import annotations

import sqlite3

import pytest

from tests.support.inbox import RunningInbox

EVENT_ID = "0123456789abcdef0123456789abcdef"


def crash_key(served: RunningInbox) -> str:
    key: str = served.api("crashes")["crashes"][0]["crash"]
    return key


def own(served: RunningInbox) -> dict[str, str]:
    return {"Origin": served.url}


def test_an_empty_inbox_teaches(served: RunningInbox) -> None:
    """The DSN under the address it was asked for, and three lines to paste."""
    text = served.request("GET", "/").data.decode()
    assert f'<code class="dsn" id="dsn">{served.dsn}</code>' in text
    assert "app.register_blueprint(sentry_kit)" in text


def test_the_list_shows_count_place_and_words(served: RunningInbox) -> None:
    """One row a crash, however many events; unread until it is opened."""
    for number in range(1, 4):
        served.store(served.event(f"{number:032x}"))
    served.report("the pay button", event_id=f"{2:032x}")
    text = served.request("GET", "/").data.decode()
    assert text.count("data-row") == 1
    assert '3<span class="aside-only"> times,</span>' in text
    for words in ("ValueError", "no sum", "shop.cart.total", "the pay button", 'class="unread '):
        assert words in text


def test_the_crash_page_shows_it_all(served: RunningInbox) -> None:
    """What broke, where with source and locals, request, user, tags, crumbs, and their words."""
    served.store(
        {
            **served.event(),
            "request": {
                "url": "http://shop.example/pay",
                "method": "POST",
                "query_string": "step=2",
                "data": {"amount": "12"},
                "headers": [["User-Agent", "Firefox"]],
            },
            "user": {"id": "7", "email": "ann@shop.example"},
            "tags": {"plan": "gold"},
            "extra": {"cart": [1, 2]},
            "release": "a1b2c3",
            "breadcrumbs": {"values": [{"category": "sql", "message": "SELECT 1"}]},
        }
    )
    served.report("It broke when I pressed pay")
    text = served.request("GET", f"/events/{EVENT_ID}/").data.decode()
    for shown in (
        "ValueError",
        "no sum",
        "shop/cart.py",
        "return cart[&#39;sum&#39;]",
        "{&#39;items&#39;: 3}",
        "http://shop.example/pay",
        "step=2",
        "amount",
        "Firefox",
        "ann@shop.example",
        "gold",
        "[1, 2]",
        "a1b2c3",
        "SELECT 1",
        "It broke when I pressed pay",
        EVENT_ID,
        "1 call in flask",
    ):
        assert shown in text
    latest = served.request("GET", f"/crashes/{crash_key(served)}/")
    assert latest.data.decode() == text


def test_the_events_of_a_crash_are_linked(served: RunningInbox) -> None:
    """From each event to the older and the newer one of the same crash."""
    for number in range(1, 4):
        served.store(served.event(f"{number:032x}"))
    text = served.request("GET", f"/events/{2:032x}/").data.decode()
    assert f'href="/events/{1:032x}/" data-key="p"' in text
    assert f'href="/events/{3:032x}/" data-key="n"' in text
    assert "2 of 3 kept" in text


def test_words_without_their_event_are_shown(served: RunningInbox) -> None:
    """They are worth reading even if the event was lost."""
    served.report("nothing works")
    assert "nothing works" in served.request("GET", "/").data.decode()


@pytest.mark.parametrize("path", ["/events/x/", f"/events/{EVENT_ID}/", "/crashes/x/", "/nothing"])
def test_what_is_not_there_is_404(shared: RunningInbox, path: str) -> None:
    """With a page that leads back."""
    answer = shared.request("GET", path)
    assert answer.status == 404
    assert 'href="/"' in answer.data.decode()


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&"


def test_nothing_in_an_event_becomes_markup(served: RunningInbox) -> None:
    """Every text an event or visitor can bring, on list and page, in the title too."""
    frames = [
        {name: EVIL for name in ("module", "function", "filename", "abs_path", "context_line")}
    ]
    frames[0]["vars"] = {EVIL: {EVIL: EVIL}}  # type: ignore[assignment]
    evil = {EVIL: EVIL}
    served.store(
        {
            "event_id": EVENT_ID,
            "exception": {
                "values": [
                    {"type": EVIL, "value": EVIL, "stacktrace": {"frames": frames}},
                    {"type": EVIL, "value": EVIL},
                ]
            },
            "level": "warning",
            "transaction": EVIL,
            "message": EVIL,
            "release": EVIL,
            "request": {
                "url": f"javascript:{EVIL}",
                "method": EVIL,
                "query_string": evil,
                "data": evil,
                "headers": evil,
                "cookies": evil,
                "env": evil,
            },
            "user": {"id": EVIL, "email": EVIL},
            "tags": evil,
            "extra": evil,
            "breadcrumbs": {"values": [{"category": EVIL, "message": EVIL, "data": evil}]},
        }
    )
    served.store({"message": EVIL, "logger": EVIL})
    served.report(EVIL)
    served.report(EVIL, event_id="f" * 32)
    for path in ("/", f"/events/{EVENT_ID}/", f"/crashes/{crash_key(served)}/"):
        text = served.request("GET", path).data.decode()
        assert "alert(1)" in text
        assert "<script>alert" not in text and "<img" not in text
        assert 'href="javascript' not in text


def test_the_pages_allow_nothing_but_their_own(shared: RunningInbox) -> None:
    """A policy without inline script or style, no framing, no sniffing, nothing stored."""
    headers = shared.request("GET", "/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    api = shared.request("GET", "/api/v1/events", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in api.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1234", 200),
        ("127.0.0.1", 200),
        ("[::1]:99", 200),
        ("inbox.localhost", 200),
        ("Tools.Example:80", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_a_rebound_name_reads_nothing(choosy: RunningInbox, host: str, status: int) -> None:
    """DNS rebinding brings an attacker's name in Host; addresses and known names are fine.

    Sentry's addresses stay open: a DSN may name this machine in any way.
    """
    for path in ("/", "/api/v1/events"):
        assert choosy.request("GET", path, headers={"Host": host}).status == status
    asked = {"Host": host, "Origin": "https://shop.example"}
    assert choosy.store(headers=asked).status == 200
    assert choosy.error_page("GET", headers=asked).status == 200


@pytest.mark.parametrize(
    "host", ["a..b", "a" * 64, "a" * 5_000, "xn--a", "[::1", "a b", "\xff", "x:99999", "", "a/b"]
)
def test_a_host_that_is_none_is_refused_and_never_500(shared: RunningInbox, host: str) -> None:
    """Names no DNS has, and what is no name at all, on every kind of address."""
    for path in ("/", "/nothing", "/api/v1/events", "/inbox/static/inbox.css"):
        assert shared.request("GET", path, headers={"Host": host}).status in (400, 421)
    assert shared.request("GET", "/api/1/store/", headers={"Host": host}).status in (400, 405)


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Origin": "OWN"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("deed", ["delete", "read", "unread"])
def test_only_our_own_pages_may_change_anything(
    served: RunningInbox, deed: str, headers: dict[str, str], allowed: bool
) -> None:
    """A form on another site gets 403, and nothing has changed."""
    served.store()
    before = served.api("pulse")
    sent = {name: served.url if value == "OWN" else value for name, value in headers.items()}
    answer = served.request("POST", f"/crashes/{crash_key(served)}/{deed}", headers=sent)
    assert answer.status == (303 if allowed else 403)
    if not allowed:
        assert served.api("pulse") == before


def test_reading_marks_nothing(served: RunningInbox) -> None:
    """A GET changes nothing: a link on another site could do it else."""
    served.store()
    before = served.api("pulse")
    served.request("GET", f"/crashes/{crash_key(served)}/")
    served.request("GET", f"/crashes/{crash_key(served)}/read")
    assert served.api("pulse") == before


def test_marking_and_deleting(served: RunningInbox) -> None:
    """Read, unread, and gone with its events and words; a new event makes it unread again."""
    served.store()
    served.report()
    path = f"/crashes/{crash_key(served)}"

    def unread() -> bool:
        return bool(served.api("crashes")["crashes"][0]["unread"])

    assert unread()
    served.request("POST", f"{path}/read", headers=own(served))
    assert not unread()
    served.request("POST", f"{path}/unread", headers=own(served))
    assert unread()
    served.request("POST", f"{path}/read", headers=own(served))
    served.store(served.event("f" * 32))
    assert unread()
    served.request("POST", f"{path}/delete", headers=own(served))
    assert served.api("events")["events"] == served.api("words")["words"] == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_have_no_surprises(shared: RunningInbox, method: str) -> None:
    """HEAD is GET without its body; OPTIONS says what there is."""
    answer = shared.request(method, "/")
    assert (answer.status, answer.data) == (200, b"")
    if method == "OPTIONS":
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_the_list_has_pages(served: RunningInbox) -> None:
    """A hundred crashes a page, the newest first."""
    for number in range(1, 103):
        served.store(served.event(f"{number:032x}", kind=f"Error{number}"))
    first = served.request("GET", "/").data.decode()
    second = served.request("GET", "/?page=2").data.decode()
    assert (first.count("data-row"), second.count("data-row")) == (100, 2)
    assert "Error102" in first and "Error1<" in second
    assert "?page=2" in first and "?page=1" in second
    assert served.request("GET", "/?page=x").status == 200


def test_a_file_that_cannot_be_written_is_said_and_may_be_tried_again(
    served: RunningInbox,
) -> None:
    """503 with Retry-After, so that an outbox keeps the event."""
    app = served.server.app
    store = app.extensions["sentry_kit_inbox"].store
    with store._write() as db:
        db.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert served.request("GET", "/").status == 200
    answer = served.store()
    other.close()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert served.store().status == 200
