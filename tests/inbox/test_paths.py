"""Where clients really send to: behind a proxy's prefix, without the last slash, and to addresses
of which the inbox keeps nothing."""

from __future__ import annotations

import json

import pytest

from flask_sentry_kit.inbox.paths import SKIPPED_PATHS, is_sentrys
from tests.support.inbox import EVENT_ID, RunningInbox


@pytest.mark.parametrize(
    "path",
    [
        "/api/1/store",
        "/api/1/store//",
        "//api/1/store/",
        "/sentry/api/1/store/",
        "/a/b/api/1/store",
        "/api/api/1/store/",
    ],
)
def test_an_event_is_taken_wherever_a_dsn_leads(shared: RunningInbox, path: str) -> None:
    """A DSN may have a path, which a proxy may leave in front; some clients lose the last slash."""
    query = f"?sentry_key={shared.key}"
    answer = shared.request("POST", path + query, body=json.dumps(shared.event()))
    assert (answer.status, answer.json()) == (200, {"id": EVENT_ID})


@pytest.mark.parametrize("path", ["/api/1/envelope", "/sentry/api/1/envelope/"])
def test_so_is_an_envelope(shared: RunningInbox, path: str) -> None:
    """By the key in its own header too."""
    body = f'{{"dsn":"{shared.dsn}"}}\n{{"type":"event"}}\n{{"event_id":"{EVENT_ID}"}}'
    assert shared.request("POST", path, body=body).json() == {"id": EVENT_ID}


@pytest.mark.parametrize("path", ["/api/embed/error-page", "/sentry/api/embed/error-page/"])
def test_so_is_the_dialog(shared: RunningInbox, path: str) -> None:
    """@sentry/browser keeps a DSN's path in its address."""
    answer = shared.request("GET", f"{path}?eventId={EVENT_ID}&dsn={shared.dsn}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")


@pytest.mark.parametrize("address", [*SKIPPED_PATHS, "unreal/abc", "integration/otlp/v1/traces"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_where_nothing_is_kept_it_says_so(shared: RunningInbox, method: str, address: str) -> None:
    """CSP reports, native crashes, cron jobs: 404 with the reason, and they are counted."""
    name = address.partition("/")[0]
    before = shared.api("skipped")["skipped"].get(name, 0)
    for path in (f"/api/1/{address}", f"/api/1/{address}/"):
        answer = shared.request(method, path, body=b"\xff" if method == "POST" else None)
        assert answer.status == 404
        assert name in answer.json()["error"]
    assert shared.api("skipped")["skipped"][name] == before + 2


@pytest.mark.parametrize("path", ["/api/1/unknown/", "/api/0/projects/", "/api/1/unknown"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_any_other_address_is_a_clear_404(shared: RunningInbox, method: str, path: str) -> None:
    """In Sentry's form: JSON, with the reason."""
    answer = shared.request(method, path)
    assert answer.status == 404
    assert answer.json() == {"error": answer.headers["X-Sentry-Error"]}


@pytest.mark.parametrize(
    "path", ["/events/", "/", "/api/v1/crashes", "/inbox/api/events", "/apix/"]
)
def test_a_readers_addresses_are_none_of_sentrys(path: str) -> None:
    """They are guarded as pages are, and no drill concerns them."""
    assert not is_sentrys(path)
