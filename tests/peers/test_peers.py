"""The drill's own rules, on stand-ins alone: each answers as its server does, and words that are
nowhere are called lost."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.matrix.visitor import Words

from .book import End, Look, Notice, judge
from .glitchtip import GlitchTip5, GlitchTip6
from .runner import STANDINS, play, settings_for
from .standins import Old, Redirecting, SelfHosted
from .table import written

CRASH = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
WORDS = {"name": "Ada", "email": "ada@shop.example", "comments": "I pressed pay"}
FEEDBACK = {
    "event_id": OTHER,
    "contexts": {"feedback": {"message": "I pressed pay", "associated_event_id": CRASH}},
}
Bring = Callable[..., Any]


@pytest.fixture
def bring() -> Iterator[Bring]:
    """Bring a stand-in up."""
    with ExitStack() as stack:

        def start(kind: type[SelfHosted]) -> SelfHosted:
            server = kind()
            stack.callback(server.close)
            server.start()
            return server

        yield start


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def _ask(
    server: SelfHosted, path: str, body: bytes | None = None, key: str = "public"
) -> tuple[int, bytes, Any]:
    headers = {"X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key={key}"} if key else {}
    request = urllib.request.Request(f"{server.origins[0]}{path}", body, headers)
    try:
        answer = urllib.request.build_opener(_Stay).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.read(), answer.headers


def _store(server: SelfHosted, key: str = "public", **event: Any) -> tuple[int, bytes]:
    body = json.dumps({"event_id": CRASH, "message": "boom", **event}).encode()
    return _ask(server, "/api/1/store/", body, key)[:2]


def _envelope(server: SelfHosted, *items: tuple[str, object], key: str = "public") -> int:
    lines = [json.dumps({"event_id": OTHER})]
    for kind, payload in items:
        lines += [json.dumps({"type": kind}), json.dumps(payload)]
    return _ask(server, "/api/1/envelope/", "\n".join(lines).encode(), key)[0]


def _form(
    server: SelfHosted, key: str = "public", event_id: str = CRASH, **words: str
) -> tuple[int, bytes]:
    dsn = f"http://{key}@localhost/1" if key else ""
    query = urlencode({"eventId": event_id, "dsn": dsn})
    body = urlencode(words or WORDS).encode()
    return _ask(server, f"/api/embed/error-page/?{query}", body)[:2]


def _shown(server: SelfHosted) -> bool:
    return any("I pressed pay" in text for text in server.look(CRASH).beside)


@pytest.mark.parametrize(
    ("kind", "form", "feedback", "report"),
    [
        (SelfHosted, True, True, True),
        (Redirecting, False, True, True),
        (Old, True, False, True),
        (GlitchTip5, True, False, False),
        (GlitchTip6, False, True, True),
    ],
)
def test_a_stand_in_shows_what_its_server_shows(
    kind: type[SelfHosted], form: bool, feedback: bool, report: bool, bring: Bring
) -> None:
    """By form, ``feedback`` item and ``user_report`` item; envelopes are answered 200 always."""
    server = bring(kind)
    for shown, send in (
        (form, lambda: _form(server)),
        (feedback, lambda: _envelope(server, ("feedback", FEEDBACK))),
        (report, lambda: _envelope(server, ("user_report", {"event_id": CRASH, **WORDS}))),
    ):
        server.fresh()
        assert _store(server)[0] == 200
        answer = send()
        assert answer == 200 if isinstance(answer, int) else answer[0] in (200, 302)
        assert _shown(server) is shown
        assert "boom" in server.look(CRASH).crash


def test_self_hosted_answers_as_sentry_does(bring: Bring) -> None:
    """Store, and the dialog's form: every refusal of the table, and that name and address are
    required."""
    server = bring(SelfHosted)
    assert _store(server) == (200, json.dumps({"id": CRASH}).encode())
    assert _store(server, key="wrong")[0] == 401
    assert _ask(server, "/api/1/store/", b"{")[0] == 400
    assert _form(server) == (200, b"{}")
    assert _form(server, event_id="0123")[0] == 400
    assert _form(server, key="wrong")[0] == 404
    status, body = _form(server, **{**WORDS, "email": ""})
    assert (status, json.loads(body)) == (400, {"errors": {"email": ["This field is required."]}})
    status, script, headers = _ask(
        server, f"/api/embed/error-page/?eventId={CRASH}&dsn={server.dsn}"
    )
    assert (status, headers["Content-Type"]) == (200, "text/javascript")
    assert b"error-page" in script


def test_sentry_drops_a_user_report_about_an_old_event(bring: Bring) -> None:
    """And one about an event that never came; both after a 200."""
    server = bring(SelfHosted)
    report = ("user_report", {"event_id": CRASH, **WORDS})
    assert _envelope(server, report) == 200
    assert not _shown(server)
    _store(server, timestamp="2020-01-01T00:00:00Z")
    assert _envelope(server, report) == 200
    assert not _shown(server)


def test_an_ingest_host_redirects_all_but_events_and_envelopes(bring: Bring) -> None:
    """To the web server, which takes what is posted there."""
    server = bring(Redirecting)
    assert _store(server)[0] == _envelope(server) == 200
    query = urlencode({"eventId": CRASH, "dsn": server.dsn})
    status, _, headers = _ask(server, f"/api/embed/error-page/?{query}", b"")
    assert status == 302
    assert headers["Location"] == f"{server.web}/api/embed/error-page/?{query}"
    with urllib.request.urlopen(headers["Location"], urlencode(WORDS).encode()) as answer:
        assert answer.status == 200
    assert _shown(server)


def test_glitchtip_answers_as_it_does(bring: Bring) -> None:
    """Its own answers of store, envelope and form."""
    server = bring(GlitchTip5)
    assert _store(server) == (200, json.dumps({"event_id": CRASH}).encode())
    assert _form(server) == (200, b"")
    assert _form(server, key="")[0] == 401
    assert _form(server, key="wrong")[0] == 500
    assert _form(server, name="Ada", email="ada@shop.example")[0] == 422
    server.throttled = True
    status, _, headers = _ask(server, "/api/1/store/", b"{}")
    assert (status, headers["Retry-After"]) == (429, "600")
    assert _envelope(server, key="wrong") == 403
    assert _store(server, key="wrong")[0] == 401
    server.throttled = False
    assert _store(server)[0] == 401, "a wrong key blocks the good one for a while"


def test_glitchtip_5_drops_what_is_behind_a_feedback_item(bring: Bring) -> None:
    """So that such an item needs an envelope of its own."""
    server = bring(GlitchTip5)
    crash = ("event", {"event_id": CRASH, "message": "boom"})
    _envelope(server, ("feedback", FEEDBACK), crash)
    assert "boom" not in server.look(CRASH).crash
    _envelope(server, crash, ("feedback", FEEDBACK))
    assert "boom" in server.look(CRASH).crash


def test_glitchtip_keeps_the_first_words_and_links_them_to_a_known_event(bring: Bring) -> None:
    """Further words, and words before their event, are shown to nobody; all are answered 200."""
    server = bring(GlitchTip5)
    assert _form(server) == (200, b"")
    _store(server)
    assert not _shown(server)
    server.fresh()
    _store(server)
    _form(server, **{**WORDS, "comments": "something else"})
    assert _form(server) == (200, b"")
    assert not _shown(server)


ADA = Words("I pressed pay", "Ada", "ada@shop.example")
TEXT = "I pressed pay, Ada, ada@shop.example"


@pytest.mark.parametrize(
    ("notice", "look", "end", "fault"),
    [
        (Notice.SENT, Look("boom", (TEXT,)), End.READ, ""),
        (Notice.SENT, Look("boom", (), (f"{TEXT} about {CRASH}",)), End.KEPT, ""),
        (Notice.SENT, Look("boom"), End.LIE, ""),
        (Notice.PASSED, Look("boom"), End.PASSED, ""),
        (Notice.SAVED, Look("boom"), End.LOST, ""),
        (Notice.NOTHING, Look("boom"), End.LOST, ""),
        (Notice.NOT_SENT, Look("boom"), End.REFUSED, ""),
        (Notice.NOT_SENT, Look("boom", (TEXT,)), End.READ, "page said 'Not sent'"),
        (Notice.SENT, Look("", (TEXT,)), End.READ, "no reader has the crash"),
        (Notice.SENT, Look("boom", (TEXT, TEXT)), End.READ, "more than once"),
        (Notice.SENT, Look("boom", (), (TEXT,)), End.LIE, "does not name its crash"),
        (Notice.SENT, Look("boom", ("I pressed pay, Ada",)), End.READ, "ada@shop.example is not"),
    ],
)
def test_the_judge_calls_a_lie_a_lie(notice: Notice, look: Look, end: End, fault: str) -> None:
    """What the page said is compared with what a reader sees."""
    found, faults = judge(ADA, notice, look, CRASH, "boom")
    assert found is end
    assert (fault in "; ".join(faults)) if fault else not faults


class _Forgetful(SelfHosted):
    """Answers 200 to words and keeps none."""

    def take_form(self, event_id: str, form: dict[str, str]) -> Any:
        self.kept.beside.clear()
        return super().take_form(event_id, form)[0], {}, b"{}"

    def look(self, crash_id: str) -> Look:
        return Look(super().look(crash_id).crash)


def test_the_drill_sees_words_that_are_dropped_after_a_200(
    chromium: Any, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same course on a server that keeps them, and on one that does not."""
    monkeypatch.setattr("tests.peers.stage.PATIENCE", 0.3)
    for kind, end in ((SelfHosted, End.READ), (_Forgetful, End.LIE)):
        server = bring(kind)
        (setting,) = settings_for(server, ["JavaScript off"])
        verdict = play(setting, server, chromium)
        assert (verdict.end, verdict.notice, verdict.faults) == (end, Notice.SENT, ())
        assert verdict.good is (end is End.READ)


def test_the_document_has_a_cell_for_every_server_and_setting() -> None:
    """Of what runs without a network, and of the two real servers."""
    cells = written()
    heads = {head for _, head in cells}
    assert {kind.title for kind in STANDINS} <= heads
    assert any(head.startswith("Bugsink 2") for head in heads)
    assert any(head.startswith("Spotlight 4") for head in heads)
