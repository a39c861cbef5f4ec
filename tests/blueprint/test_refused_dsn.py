"""A DSN that the server refuses: the page claims no report."""

from __future__ import annotations

from typing import Any

import pytest

CLAIM = "We have a report of this."
ACCEPTS = ["text/html", "application/json", "text/plain"]


def crash(app: Any, accept: str, **headers: str) -> tuple[str, str]:
    """The page, and the id on it, once the event was accepted or refused."""
    answer = app.test_client().get("/boom", headers={"Accept": accept, **headers})
    assert app.extensions["sentry"].flush(10)
    assert answer.status_code == 500
    return answer.text, answer.headers["X-Sentry-ID"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("accept", ACCEPTS)
def test_the_page_claims_no_report_once_that_is_known(
    kit_app: Any, wire: Any, accept: str, status: int
) -> None:
    """The reference stays, which the app's own log has; and with the first event that is taken
    the sentence is back on the next page."""
    app = kit_app()
    wire.answer = lambda request: (status, {}, b"")
    text, _ = crash(app, accept)
    assert CLAIM in text
    text, event_id = crash(app, accept)
    assert CLAIM not in text and event_id in text
    wire.answer = None
    crash(app, accept)
    text, _ = crash(app, accept)
    assert CLAIM in text


def test_a_part_of_a_page_claims_none_either(kit_app: Any, wire: Any) -> None:
    """For HTMX as for a whole page."""
    app = kit_app()
    wire.answer = lambda request: (401, {}, b"")
    for known in (False, True):
        text, event_id = crash(app, "text/html", **{"HX-Request": "true"})
        assert "<section" in text and event_id in text
        assert (CLAIM in text) is not known


def test_the_last_resort_claims_none_either(
    kit_app: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every template fails."""
    app = kit_app()
    wire.answer = lambda request: (401, {}, b"")
    crash(app, "text/html")
    monkeypatch.setattr(app.extensions["sentry_kit"].page, "_html", lambda *_: 1 / 0)
    text, event_id = crash(app, "text/html")
    assert event_id in text and CLAIM not in text


def test_one_event_that_is_refused_says_nothing_of_others(kit_app: Any, wire: Any) -> None:
    """413 refuses one event, 401 refuses the DSN."""
    app = kit_app()
    wire.answer = lambda request: (413, {}, b"")
    for _ in range(2):
        assert CLAIM in crash(app, "text/html")[0]


def test_an_apps_own_page_can_see_it(kit_app: Any, wire: Any, tmp_path: Any) -> None:
    """Templates can read crash.refused."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "500.html").write_text("refused: {{ crash.refused }}")
    app = kit_app()
    app.jinja_loader.searchpath.insert(0, str(tmp_path / "templates"))
    wire.answer = lambda request: (401, {}, b"")
    assert crash(app, "text/html")[0] == "refused: False"
    assert crash(app, "text/html")[0] == "refused: True"
