"""The fixture sentry_kit_inbox: a real inbox for one test."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from flask import Flask

from flask_sentry_kit.testing import Reports, RunningInbox, run_inbox

MakeShop = Callable[..., Flask]


def test_event_and_words_arrive(shop: MakeShop, sentry_kit_inbox: RunningInbox) -> None:
    """Over HTTP, and are read as what sentry_kit_reports has."""
    client = shop(SENTRY_DSN=sentry_kit_inbox.dsn).test_client()
    ids = [client.get("/checkout").headers["X-Sentry-ID"] for _ in range(2)]
    second = sentry_kit_inbox.wait_for_event(ids[1])
    assert second.type == "ZeroDivisionError" and second.where.endswith(".checkout")
    assert [sentry_kit_inbox.wait_for_event().id for _ in ids] == ids
    assert [event.id for event in sentry_kit_inbox.events()] == ids
    assert urllib3.request("GET", f"{sentry_kit_inbox.url}/").status == 200


def test_beside_the_other_fixture_the_inbox_gets_what_is_for_it(
    shop: MakeShop, sentry_kit_reports: Reports, sentry_kit_inbox: RunningInbox
) -> None:
    """And sentry_kit_reports all else."""
    answer = shop(SENTRY_DSN=sentry_kit_inbox.dsn).test_client().get("/checkout")
    page = sentry_kit_reports.page(answer)
    page.write("I pressed pay", email="ann@shop.example")
    words = sentry_kit_inbox.wait_for_words(page.event_id)
    assert (words.comments, words.name, words.email) == ("I pressed pay", "", "ann@shop.example")
    assert sentry_kit_inbox.wait_for_words() == words
    assert sentry_kit_inbox.wait_for_event().id == page.event_id
    sentry_kit_reports.none()
    shop().test_client().get("/checkout")
    assert sentry_kit_reports.one().id not in [one.id for one in sentry_kit_inbox.events()]


def test_waiting_in_vain_says_what_has_arrived(
    shop: MakeShop, sentry_kit_inbox: RunningInbox
) -> None:
    """In a message of the test's, after the time that it gave."""
    with pytest.raises(AssertionError, match=r"No further event .* There is none at all\."):
        sentry_kit_inbox.wait_for_event(timeout=0.01)
    with pytest.raises(AssertionError, match=r"No such words .* There are: none\Z"):
        sentry_kit_inbox.wait_for_words(timeout=0.01)
    app = shop(SENTRY_DSN=sentry_kit_inbox.dsn)
    app.test_client().get("/checkout")
    sentry_kit_inbox.wait_for_event()
    with pytest.raises(AssertionError, match=r"(?s)No event 0000.*1\. ZeroDivisionError"):
        sentry_kit_inbox.wait_for_event("0" * 32, timeout=0.01)


def test_it_fails_as_asked_and_recovers(shop: MakeShop, sentry_kit_inbox: RunningInbox) -> None:
    """A test sees what becomes of an event that is refused at first."""
    sentry_kit_inbox.fail("500")
    app = shop(SENTRY_DSN=sentry_kit_inbox.dsn)
    answer = app.test_client().get("/checkout")
    assert not app.extensions["sentry_kit"].outbox.flush(0.1)
    with pytest.raises(AssertionError, match="It fails as asked: 500:1"):
        sentry_kit_inbox.wait_for_event(timeout=0.01)
    sentry_kit_inbox.recover()
    assert app.extensions["sentry_kit"].outbox.flush(10)
    assert sentry_kit_inbox.wait_for_event().id == answer.headers["X-Sentry-ID"]


@pytest.mark.parametrize(("kind", "probability"), [("418", 1.0), ("429", 0.0), ("429", 1.5)])
def test_a_drill_that_does_not_exist_is_an_error(
    kind: str, probability: float, sentry_kit_inbox: RunningInbox
) -> None:
    """Its text says what there is."""
    with pytest.raises(ValueError, match="drill"):
        sentry_kit_inbox.fail(kind, probability)


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its threads end, and its port is free again."""
    before = threading.active_count()
    with run_inbox(tmp_path / "inbox.sqlite") as inbox:
        assert threading.active_count() > before
        assert not inbox.events()
    assert threading.active_count() == before
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        urllib3.request("GET", f"{inbox.url}/", retries=0)


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixture fails with it."""
    from flask_sentry_kit.inbox.errors import InboxError

    module: Any = "flask_sentry_kit.inbox.server.connections"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "waitress.server", None)
    with (
        pytest.raises(InboxError, match=r"pip install 'flask-sentry-kit\[inbox\]'"),
        run_inbox(tmp_path / "inbox.sqlite"),
    ):
        pass
