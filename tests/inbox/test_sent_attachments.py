"""Files that clients send in an envelope: kept with their event, bounded, under a clean name."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from flask_sentry_kit.inbox.protocol.attachment_item import read_attachment
from flask_sentry_kit.inbox.protocol.body import MAX_WIRE
from flask_sentry_kit.inbox.storage.store import Store
from tests.support.inbox import EVENT_ID, RunningInbox, feedback_item

OTHER = EVENT_ID[::-1]


def envelope(header: dict[str, Any], *items: tuple[dict[str, Any], bytes]) -> bytes:
    """Each item with its length, as attachments have it."""
    lines = [json.dumps(header).encode()]
    for head, payload in items:
        lines += [json.dumps({**head, "length": len(payload)}).encode(), payload]
    return b"\n".join(lines)


def file(name: str, data: bytes, **more: Any) -> tuple[dict[str, Any], bytes]:
    return {"type": "attachment", "filename": name, **more}, data


def send(served: RunningInbox, body: bytes) -> Any:
    query = f"?sentry_key={served.key}"
    return served.request("POST", f"/api/1/envelope/{query}", body=body)


def kept(served: RunningInbox, event_id: str = EVENT_ID) -> list[tuple[str, str, bytes]]:
    store: Store = served.server.app.extensions["sentry_kit_inbox"].store
    found = [store.attachment(event_id, one.id) for one in store.attachments(event_id)]
    return [(one.name, one.content_type, one.data) for one in found if one]


def event_item(served: RunningInbox, event_id: str = EVENT_ID) -> tuple[dict[str, Any], bytes]:
    return {"type": "event"}, json.dumps(served.event(event_id)).encode()


def test_attachments_are_kept_with_their_event(served: RunningInbox) -> None:
    """Byte for byte, in front of the event or behind it."""
    body = envelope(
        {"event_id": EVENT_ID},
        file("shot.png", b"\x89PNG\n\r\n\0", content_type="image/png"),
        event_item(served),
        file("log.txt", b"two\nlines\n", content_type="text/plain; charset=utf-8"),
    )
    assert send(served, body).json() == {"id": EVENT_ID}
    assert kept(served) == [
        ("shot.png", "image/png", b"\x89PNG\n\r\n\0"),
        ("log.txt", "text/plain", b"two\nlines\n"),
    ]


def test_a_later_envelope_adds_to_its_event(served: RunningInbox) -> None:
    """It names the event in its header. Where the event is not here, its files are skipped."""
    served.store()
    assert send(served, envelope({"event_id": EVENT_ID}, file("a", b"1"))).status == 200
    assert send(served, envelope({"event_id": OTHER}, file("b", b"2"))).status == 200
    assert send(served, envelope({}, file("c", b"3"))).status == 200
    assert [name for name, _, _ in kept(served)] == ["a"]
    assert served.api("skipped")["skipped"] == {"attachment": 2}


def test_a_picture_of_the_page_belongs_to_the_crash_that_is_spoken_of(served: RunningInbox) -> None:
    """@sentry/browser sends it in the envelope of the words."""
    served.store()
    words = json.dumps(feedback_item(7, "It broke")).encode()
    body = envelope(
        {"event_id": f"{7:032x}"},
        ({"type": "feedback"}, words),
        file("screenshot.png", b"\x89PNG", content_type="application/png"),
    )
    assert send(served, body).status == 200
    assert kept(served) == [("screenshot.png", "application/png", b"\x89PNG")]


def test_no_more_than_twenty_are_kept(served: RunningInbox) -> None:
    """Further ones are counted as skipped."""
    files = [file(f"{number}.txt", str(number).encode()) for number in range(23)]
    send(served, envelope({}, event_item(served), *files))
    assert [name for name, _, _ in kept(served)] == [f"{number}.txt" for number in range(20)]
    assert served.api("skipped")["skipped"] == {"attachment": 3}


def test_a_picture_of_a_large_screen_is_taken(served: RunningInbox) -> None:
    """Up to the bytes that a body may have; beyond them it is 413, and nothing is kept."""
    picture = os.urandom(MAX_WIRE - 10_000)
    body = envelope({}, event_item(served), file("shot.png", picture))
    assert send(served, body).status == 200
    assert kept(served) == [("shot.png", "application/octet-stream", picture)]
    more = envelope({}, event_item(served, OTHER), file("shot.png", picture + picture[:10_000]))
    assert send(served, more).status == 413
    assert served.request("GET", f"/api/v1/events/{OTHER}").status == 404


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ann\\shot.png", "shot.png"),
        ("../../x", "x"),
        ("..", "attachment"),
        ("", "attachment"),
        (None, "attachment"),
        (["a"], "attachment"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie: b"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("é" * 300 + ".png", "é" * 196 + ".png"),
        ("\ud800.txt", "txt"),
    ],
)
def test_a_name_is_one_line_without_a_path(given: object, name: str) -> None:
    """Whatever a client calls it."""
    assert read_attachment({"filename": given}, b"").name == name


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("Text/HTML; charset=utf-8", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
        ("text/html\r\nX: y", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("", "application/octet-stream"),
        (7, "application/octet-stream"),
        ("a/" + "b" * 100_000, "application/octet-stream"),
    ],
)
def test_a_type_has_the_form_of_one(given: object, kind: str) -> None:
    """Anything else is bytes of an unknown kind."""
    assert read_attachment({"content_type": given}, b"").content_type == kind


def test_an_event_remembers_its_project(served: RunningInbox) -> None:
    """The one that its client sent it to."""
    assert served.store(project="shop").status == 200
    store: Store = served.server.app.extensions["sentry_kit_inbox"].store
    found = store.event(EVENT_ID)
    assert found is not None and found.project == "shop"


def test_a_transaction_is_no_event(served: RunningInbox) -> None:
    """Also where an old client sends it as one: it is counted and skipped."""
    assert served.store(served.event(type="transaction")).json() == {"id": EVENT_ID}
    assert served.api("events")["events"] == []
    assert served.api("skipped")["skipped"] == {"transaction": 1}


@pytest.mark.parametrize("kind", ["event", "default", "error"])
def test_an_event_is_one_by_any_of_its_types(served: RunningInbox, kind: str) -> None:
    """As Relay reads them."""
    served.envelope(served.event(), kind=kind)
    assert [one["event_id"] for one in served.api("events")["events"]] == [EVENT_ID]
