"""How ``/api/<project>/store/`` answers: the first table of what real servers were seen to do."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest

from tests.support.inbox import RunningInbox

EVENT_ID = "0123456789abcdef0123456789abcdef"


def test_a_valid_event_is_answered_with_its_id(served: RunningInbox) -> None:
    """200 and ``{"id": …}``; the event is there afterwards, as it was sent."""
    answer = served.store()
    assert (answer.status, answer.json()) == (200, {"id": EVENT_ID})
    assert served.api(f"events/{EVENT_ID}")["event"] == served.event()


def test_credentials_in_the_query_do_as_well(served: RunningInbox) -> None:
    """A browser's reporter sends them there, and its body as text/plain, to need no preflight."""
    answer = served.request(
        "POST",
        f"/api/1/store/?sentry_version=7&sentry_client=raven-js%2F3.27.2&sentry_key={served.key}",
        body=json.dumps(served.event()),
        headers={"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://shop.example"},
    )
    assert (answer.status, answer.json()) == (200, {"id": EVENT_ID})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"


def test_credentials_in_authorization_do_as_well(served: RunningInbox) -> None:
    """As a proxy may pass them on, in the same form."""
    auth = f"Sentry sentry_version=7, sentry_key={served.key}"
    for name in ("Authorization", "x-sentry-auth"):
        answer = served.request(
            "POST", "/api/1/store/", body=json.dumps(served.event()), headers={name: auth}
        )
        assert (answer.status, answer.json()) == (200, {"id": EVENT_ID})


def _bare_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return machine.compress(data) + machine.flush()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("deflate", zlib.compress),
        ("gzip", gzip.compress),
        ("deflate", _bare_deflate),
        ("br", brotli.compress),
        ("BR", brotli.compress),
    ],
)
def test_a_compressed_event_is_read(shared: RunningInbox, encoding: str, encode: Any) -> None:
    """raven deflates, others gzip, sentry-sdk uses brotli where it is installed; both kinds of
    "deflate" in the world are read."""
    body = encode(json.dumps(shared.event()).encode())
    assert shared.store(body, headers={"Content-Encoding": encoding}).status == 200


@pytest.mark.parametrize(
    "auth", [{}, {"X-Sentry-Auth": "Sentry sentry_version=6"}, {"X-Sentry-Auth": "Bearer x"}]
)
def test_without_a_key_it_is_401(shared: RunningInbox, auth: dict[str, str]) -> None:
    """No credentials, or none that name a key: 401, and the reason in ``X-Sentry-Error``."""
    answer = shared.request("POST", "/api/1/store/", body=b"{}", headers=auth)
    assert answer.status == 401
    assert answer.json() == {"error": answer.headers["X-Sentry-Error"]}


def test_an_unknown_key_is_401(choosy: RunningInbox) -> None:
    """Whatever project it is sent to."""
    assert choosy.store(key="f" * 32).status == 401
    assert choosy.store(key="f" * 32, project="2").status == 401


def test_the_key_of_another_project_is_400(choosy: RunningInbox) -> None:
    """A key that exists, used on a project that is not its own."""
    assert choosy.store(project="2").status == 400


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"{", b"[1]", b'"text"', b"\xff\xfe\xff", b"[" * 100_000, b"1" * 5_000]
)
def test_what_is_no_json_object_is_400(shared: RunningInbox, body: bytes) -> None:
    """Empty, cut short, of another kind, not text, absurdly deep, a number too long to read."""
    before = shared.api("pulse")
    assert shared.store(body).status == 400
    assert shared.api("pulse") == before


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"{}"),
        ("deflate", b"\x00\x01"),
        ("gzip", gzip.compress(b"{}")[:-4]),
        ("deflate", zlib.compress(b"{}") + b"more"),
        ("br", b"{}"),
        ("br", brotli.compress(b"{}")[:-1]),
        ("br", brotli.compress(b"{}") + b"more"),
        ("br", brotli.compress(b"{}") * 2),
        ("br", brotli.compress(b" " * 500_000)[:-1]),
        ("br", brotli.compress(b" " * 500_000) + b"more"),
        ("br", brotli.compress(b" " * 500_000) * 3_000),
        ("br", b""),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says_is_400(
    shared: RunningInbox, encoding: str, body: bytes
) -> None:
    """Not compressed at all, cut short, or with something behind it."""
    assert shared.store(body, headers={"Content-Encoding": encoding}).status == 400


def test_an_encoding_we_cannot_read_is_415(shared: RunningInbox) -> None:
    """And the answer names those that can be read (RFC 9110, 12.5.3)."""
    answer = shared.store(b"{}", headers={"Content-Encoding": "compress"})
    assert answer.status == 415
    assert answer.headers["Accept-Encoding"] == "gzip, deflate, br, zstd"


@pytest.mark.parametrize("encode", [zlib.compress, lambda data: data])
def test_a_bomb_is_413(shared: RunningInbox, encode: Any) -> None:
    """Too large as sent, or once decompressed: refused, and the next event is taken."""
    body = encode(b" " * 40_000_000)
    how = {"Content-Encoding": "deflate"} if len(body) < 1_000_000 else {}
    try:
        answer = shared.store(body, headers=how)
    except OSError:
        # A body this far over is not read to its end: the connection may close under it.
        assert not how
    else:
        assert answer.status == 413
    assert shared.store().status == 200


@pytest.mark.parametrize("event_id", ["xyz", "", 7, None, EVENT_ID[:-1]])
def test_a_malformed_event_id_gets_a_new_one(shared: RunningInbox, event_id: object) -> None:
    """200 with the new id: the event is worth more than its name."""
    answer = shared.store({**shared.event(), "event_id": event_id})
    new = answer.json()["id"]
    assert answer.status == 200
    assert len(new) == 32 and int(new, 16) and new != event_id
    assert shared.api(f"events/{new}")["event"]["event_id"] == new


def test_an_event_id_may_have_dashes(shared: RunningInbox) -> None:
    """A UUID in either spelling is the same id."""
    spelt = "01234567-89AB-cdef-0123-456789abcdef"
    assert shared.store({**shared.event(), "event_id": spelt}).json() == {"id": EVENT_ID}


def test_a_repeated_delivery_changes_nothing(served: RunningInbox) -> None:
    """A client that lost the answer sends again: the same answer, and one event."""
    first, second = served.store(), served.store()
    assert (first.status, first.json()) == (second.status, second.json())
    assert len(served.api("events")["events"]) == 1
    assert served.api("crashes")["crashes"][0]["count"] == 1


def test_too_many_events_are_429(serve_inbox: Callable[..., Any]) -> None:
    """With ``Retry-After`` in seconds, and the same in Sentry's own header."""
    served = serve_inbox(events_per_minute=2)
    statuses = [served.store(served.event(f"{n:032x}")).status for n in range(1, 4)]
    assert statuses == [200, 200, 429]
    answer = served.store(served.event(f"{9:032x}"))
    seconds = int(answer.headers["Retry-After"])
    assert 0 < seconds <= 60
    assert answer.headers["X-Sentry-Rate-Limits"] == f"{seconds}:error:project"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://shop.example", 200),
        ("http://a.b.shop.test:8080", 200),
        ("https://evil.example", 403),
        ("http://shop.example", 403),
        ("https://notshop.test", 403),
        ("null", 200),
        (None, 200),
    ],
)
def test_a_refused_origin_is_403(choosy: RunningInbox, origin: str | None, status: int) -> None:
    """A page of a site that is not allowed; servers send no origin, and are let in."""
    headers = {"Origin": origin} if origin else {}
    assert choosy.store(headers=headers).status == status


def test_preflight_and_other_methods(shared: RunningInbox) -> None:
    """OPTIONS allows what a browser's reporter sends; GET is 405, and says what is taken."""
    preflight = shared.request(
        "OPTIONS",
        "/api/1/store/",
        headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "X-Sentry-Auth" in preflight.headers["Access-Control-Allow-Headers"]
    wrong = shared.request("GET", "/api/1/store/")
    assert wrong.status == 405
    assert "POST" in wrong.headers["Allow"]
    assert wrong.headers["Content-Type"] == "application/json"


def envelope(header: dict[str, Any], *items: tuple[dict[str, Any], bytes]) -> bytes:
    lines = [json.dumps(header).encode()]
    for head, payload in items:
        lines += [json.dumps(head).encode(), payload]
    return b"\n".join(lines)


def test_an_envelope_brings_events_and_reports(served: RunningInbox) -> None:
    """``length`` is optional, unknown items are skipped, even ones with line breaks in them."""
    event = json.dumps({**served.event(), "event_id": None}).encode()
    report = {"event_id": EVENT_ID, "name": "Ann", "email": "a@b.example", "comments": "Hm"}
    body = envelope(
        {"event_id": EVENT_ID, "dsn": served.dsn},
        ({"type": "attachment", "length": 11}, b"two\nlines\n."),
        ({"type": "event", "length": len(event)}, event),
        ({"type": "session"}, b'{"sid": "x"}'),
        ({"type": "user_report"}, json.dumps(report).encode()),
    )
    answer = served.request(
        "POST",
        "/api/1/envelope/",
        body=gzip.compress(body),
        headers={"Content-Encoding": "gzip"},
    )
    assert (answer.status, answer.json()) == (200, {"id": EVENT_ID})
    arrived = served.api("events")["events"]
    assert [(item["event_id"], item["latest_words"]["comments"]) for item in arrived] == [
        (EVENT_ID, "Hm")
    ]


def test_an_envelope_brings_newer_feedback(served: RunningInbox) -> None:
    """A ``feedback`` item is an event of its own that names the crash's."""
    words = {
        "associated_event_id": EVENT_ID,
        "name": "Ann",
        "contact_email": "a@b.example",
        "message": "It broke",
    }
    body = envelope(
        {"dsn": served.dsn},
        ({"type": "feedback"}, json.dumps({"contexts": {"feedback": words}}).encode()),
    )
    assert served.request("POST", "/api/1/envelope/", body=body).status == 200
    assert served.api("words")["words"][0]["comments"] == "It broke"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no json", 400),
        (b"{}", 401),
        (b'{"dsn": "nonsense"}', 401),
        (b'{"dsn": "DSN"}\n{"type": "event", "length": 99}\n{}', 400),
        (b'{"dsn": "DSN"}\n{"type": "event", "length": -1}\n{}', 400),
        (b'{"dsn": "DSN"}\n{"type": "event"}\n[]', 400),
        (b'{"dsn": "DSN"}\nno json\n{}', 400),
        (b'{"dsn": "DSN"}\n{"type": "user_report"}\n{"comments": "no event"}', 400),
        (b'{"dsn": "DSN"}\n' + b'{"type": "x"}\n{}\n' * 101, 400),
        (b'{"dsn": "DSN"}\n\n\n', 200),
    ],
)
def test_a_broken_envelope_is_refused_and_never_500(
    shared: RunningInbox, body: bytes, status: int
) -> None:
    """400 for what cannot be read, 401 for what says no known key."""
    body = body.replace(b'"DSN"', json.dumps(shared.dsn).encode())
    assert shared.request("POST", "/api/1/envelope/", body=body).status == status
