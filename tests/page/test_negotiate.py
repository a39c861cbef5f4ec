"""The page answers in the accepted form: HTML, problem details, text or a fragment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Blueprint, request

from flask_sentry_kit.page.negotiate import choose

EVENT = "9d2c6f5b1e0a4c7f8b3d6a5e4f1c2b0d"

HTML = "text/html"
PROBLEM = "application/problem+json"
TEXT = "text/plain"

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)
XHR = {"X_Requested_With": "XMLHttpRequest"}
FETCH = {"Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "cors"}

TABLE: list[tuple[str, dict[str, str], str]] = [
    # browsers
    (FIREFOX, {}, HTML),
    (CHROME, {}, HTML),
    ("*/*", {"Sec_Fetch_Dest": "document"}, HTML),
    # no Accept header: HTML, as Flask itself answers
    ("", {}, HTML),
    ("", XHR, PROBLEM),
    # curl and similar tools
    ("*/*", {}, TEXT),
    ("text/plain", {}, TEXT),
    ("text/*", {}, TEXT),
    # JSON clients
    ("application/json", {}, PROBLEM),
    ("application/problem+json", {}, PROBLEM),
    ("application/vnd.api+json", {}, PROBLEM),
    ("application/*", {}, PROBLEM),
    ("application/json, text/plain, */*", {}, PROBLEM),
    ("application/json, text/javascript, */*; q=0.01", XHR, PROBLEM),
    ("*/*", {"Content_Type": "application/json"}, PROBLEM),
    # fetch and XMLHttpRequest
    ("*/*", FETCH, PROBLEM),
    ("*/*", XHR, PROBLEM),
    ("text/html", FETCH, HTML),
    ("text/html, application/json", FETCH, PROBLEM),
    ("text/html, application/json", {}, HTML),
    # quality values
    ("text/html;q=0.5, application/json", {}, PROBLEM),
    ("text/html, application/json;q=0.9", XHR, HTML),
    ("text/html;q=0.2, text/plain;q=0.3", {}, TEXT),
    ("text/html;q=0, */*;q=0.1", {}, TEXT),
    ("text/html;q=0, application/json;q=0, */*", FETCH, TEXT),
    ("text/plain;q=0.1, text/*;q=0.5", {}, HTML),
    # no type that we have, or an unreadable header: plain text
    ("image/png", {}, TEXT),
    ("text/html;q=0", {}, TEXT),
    ("*/*;q=0", {}, TEXT),
    (";;;q=", {}, TEXT),
    # HTMX
    ("*/*", {"HX_Request": "true", **FETCH}, HTML),
]


@pytest.mark.parametrize(("accept", "headers", "mimetype"), TABLE)
def test_the_answer_is_the_one_asked_for(
    stand: Any, accept: str, headers: dict[str, str], mimetype: str
) -> None:
    """By quality first, then by how exactly a type is named, then by the kind of client."""
    answer = stand().get(Accept=accept, **headers)
    assert answer.status_code == 500
    assert answer.mimetype == mimetype
    assert EVENT in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_problem_details_are_those_of_the_rfc(stand: Any) -> None:
    """RFC 9457: type, title, status, detail, instance; and the event's id beside them."""
    answer = stand().get(Accept="application/json")
    assert json.loads(answer.text) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something broke on our side. We have a report of this.",
        "instance": "urn:uuid:9d2c6f5b-1e0a-4c7f-8b3d-6a5e4f1c2b0d",
        "event_id": EVENT,
    }


def test_problem_details_without_an_event_claim_nothing(stand: Any) -> None:
    """No event: no instance, no id, no report."""
    room = stand(crash={"event_id": None, "dsn": None})
    assert json.loads(room.html(Accept="application/json")) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something broke on our side.",
    }


def test_text_is_what_a_person_at_a_terminal_reads(stand: Any) -> None:
    """Two sentences and the reference, without any markup."""
    assert stand().html(Accept="*/*") == (
        f"Something broke on our side.\nWe have a report of this.\nReference: {EVENT}\n"
    )


def test_htmx_gets_a_fragment(stand: Any, parse: Any) -> None:
    """A part to swap in: no document, no script, no stylesheet, but an alert."""
    html = stand(form=True).html(HX_Request="true", Accept="*/*")
    page = parse(html)
    assert page.elements[0].attributes["role"] == "alert"
    assert not {"html", "head", "script", "link", "form"} & {one.tag for one in page.elements}
    assert "We have a report of this." in html


@pytest.mark.parametrize("header", ["HX_Boosted", "HX_History_Restore_Request"])
def test_htmx_gets_a_page_where_it_swaps_pages(stand: Any, parse: Any, header: str) -> None:
    """A boosted link and a history restore replace the whole document."""
    html = stand().html(HX_Request="true", Accept="*/*", **{header: "true"})
    assert parse(html).one("html")


def test_an_app_can_have_a_fragment_of_its_own(stand: Any) -> None:
    """The fragment is a template like the page."""
    room = stand({"flask_sentry_kit/fragment.html": "ours {{ event_id }}"})
    assert room.html(HX_Request="true", Accept="*/*") == f"ours {EVENT}"


def test_a_broken_fragment_of_the_apps_ends_in_the_bundled_one(stand: Any) -> None:
    """A broken fragment falls back in the same order as the page."""
    room = stand({"flask_sentry_kit/fragment.html": "{{ 1 / 0 }}"})
    assert 'role="alert"' in room.html(HX_Request="true", Accept="*/*")
    assert len(room.reported) == 1


def test_head_has_no_body(stand: Any) -> None:
    """Status and headers of the GET, and nothing else."""
    answer = stand().get(method="HEAD")
    assert answer.status_code == 500
    assert answer.data == b""
    assert answer.mimetype == HTML


@pytest.mark.parametrize(
    ("path", "accept", "mimetype"),
    [
        ("/api/boom", "*/*", PROBLEM),
        ("/api/boom", "", PROBLEM),
        ("/api/boom", CHROME, PROBLEM),
        ("/api/boom", "text/html", HTML),
        ("/api/boom", "text/plain;q=0.9, application/json;q=0.1", PROBLEM),
        ("/api/v2/boom", "*/*", PROBLEM),
        ("/web/boom", "*/*", TEXT),
        ("/web/boom", CHROME, HTML),
    ],
)
def test_a_blueprint_declared_as_an_api_speaks_json(
    stand: Any, path: str, accept: str, mimetype: str
) -> None:
    """To every client that accepts it, from nested blueprints too; others are unchanged."""
    room = stand()
    for name in ("api", "web"):
        blueprint = Blueprint(name, name, url_prefix=f"/{name}")
        blueprint.add_url_rule("/boom", "boom", lambda: str(1 // 0))
        inner = Blueprint("v2", "v2", url_prefix="/v2")
        inner.add_url_rule("/boom", "boom", lambda: str(1 // 0))
        blueprint.register_blueprint(inner)
        room.app.register_blueprint(blueprint)
    headers = {"Accept": accept} if accept else {}
    with room.app.test_request_context(path, headers=headers):
        kind = choose(request, apis=["api"])
    assert {"html": HTML, "problem": PROBLEM, "text": TEXT}[kind] == mimetype
