"""Which words are taken a second time (feedback/taken.py)."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable

import pytest
from flask import Flask

from flask_sentry_kit.feedback.relay import Report
from flask_sentry_kit.feedback.taken import TakenReports
from flask_sentry_kit.outbox import Ticket
from flask_sentry_kit.outbox.item import Outcome
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit
from tests.support.visitor import Answer, Visitor

EVENT = secrets.token_hex(16)
AGAIN = "there is a report from this page already"


def ticket(*outcome: str) -> Ticket:
    made = Ticket(threading.Condition())
    if outcome:
        made.settle(Outcome(*outcome))  # type: ignore[arg-type]  # its three values, as text
    return made


@pytest.mark.parametrize(
    ("outcome", "others"),
    [
        ((), False),
        (("sent", "form"), False),
        (("sent", "feedback"), True),
        (("sent", "event"), True),
        (("passed", "form"), True),
        (("passed", "event"), True),
        (("passed", None), True),
        (("refused", None, "400: no"), True),
    ],
    ids=str,
)
def test_when_other_words_are_taken(outcome: tuple[str, ...], others: bool) -> None:
    """Not while words are queued, nor where a form post brought them to a server; else they are,
    and the same words are known."""
    taken, first = TakenReports(), ticket(*outcome)
    assert taken.takes_others(EVENT)
    taken.note(Report(EVENT, "Words"), first)
    assert taken.takes_others(EVENT) is others
    assert taken.takes_others(secrets.token_hex(16))
    assert taken.find(Report(EVENT, "Words")) is first
    for other in (Report(EVENT, "Other words"), Report(EVENT, "Words", "Ada")):
        assert taken.find(other) is None


def test_the_last_words_decide() -> None:
    """After words that were refused, others are taken; while those are queued, no more are."""
    taken = TakenReports()
    taken.note(Report(EVENT, "First"), ticket("refused"))
    second = ticket()
    taken.note(Report(EVENT, "Second"), second)
    assert not taken.takes_others(EVENT)
    second.settle(Outcome("refused"))
    assert taken.takes_others(EVENT)


def test_what_is_remembered_is_bounded() -> None:
    """A fixed number of events, and of reports on each; the oldest are forgotten. An event that is
    written to again counts as new."""
    taken = TakenReports(events=10, reports=3)
    events = [secrets.token_hex(16) for _ in range(20)]
    for event_id in (*events, events[10]):
        for words in "abcde":
            taken.note(Report(event_id, words), ticket("refused"))
    assert len(taken) == 10 * 3
    assert taken.find(Report(events[9], "e")) is None
    assert [taken.find(Report(events[10], words)) is None for words in "abcde"] == [
        True,
        True,
        False,
        False,
        False,
    ]
    taken.note(Report("another", "a"), ticket())
    assert taken.find(Report(events[10], "e")) and not taken.find(Report(events[11], "e"))


def test_remembering_is_safe_under_threads() -> None:
    """Many threads at once neither lose the bound nor fail."""
    taken = TakenReports(events=50, reports=2)

    def note() -> None:
        for _ in range(300):
            taken.note(Report(secrets.token_hex(16), "Words"), ticket())

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 50


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.text)["outcome"]


def words_at(sentry: RecordingSentry) -> list[str]:
    return [seen.fields["comments"] for seen in sentry.reports if "error-page" in seen.path]


@pytest.mark.parametrize("in_place", [False, True])
def test_words_that_may_not_be_kept_are_passed_on(
    crashing_app: MakeApp,
    visit: Visit,
    sentry: RecordingSentry,
    may_not_keep_words: Callable[[Flask], None],
    in_place: bool,
) -> None:
    """Nothing says that they were sent. The same words are the same report, and other words are
    taken."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    may_not_keep_words(app)
    visitor = visit(app)
    page = visitor.crash()
    for words in ("First", "First", "Second", "First"):
        answer = visitor.send(page, in_place, comments=words)
        if in_place:
            assert json.loads(answer.text) == {
                "outcome": "passed",
                "message": "Passed on. Thank you.",
                "errors": {},
            }
        else:
            thanks = visitor.follow(answer)
            assert "<h1>Passed on. Thank you.</h1>" in thanks.text and "<form" not in thanks.text
            assert page.headers["X-Sentry-ID"] in thanks.text
    assert words_at(sentry) == ["First", "Second"]


def test_after_a_refusal_other_words_are_taken(shop: Visitor, sentry: RecordingSentry) -> None:
    """The form that comes back works. The words that were refused stay so, and are not sent again;
    nor does the visitor read that there is a report already."""
    for last in ("error-page", "envelope"):
        sentry.answers["POST", last] = (400, {}, b"{}")
    page = shop.crash()
    refused = shop.send(page, comments="First")
    assert refused.status == 502
    sentry.answers.clear()
    arrived = len(sentry.reports)
    again = shop.send(refused)
    assert again.status == 502 and AGAIN not in again.text
    assert len(sentry.reports) == arrived
    assert said(shop.send(again, json=True, comments="Second")) == (200, "sent")
    assert said(shop.send(again, json=True, comments="First")) == (502, "refused")
    assert said(shop.send(again, json=True, comments="Second")) == (200, "sent")
    third = shop.send(again, comments="Third")
    assert third.status == 409 and AGAIN in third.text
    assert words_at(sentry)[-1] == "Second"


@pytest.mark.usefixtures("hurried")
def test_the_same_words_get_the_state_of_now(
    crashing_app: MakeApp, visit: Visit, free_port: int
) -> None:
    """Saved while Sentry is down, and sent as soon as they are; while they are queued, other words
    are not taken."""
    app = crashing_app(SENTRY_DSN=f"http://public@127.0.0.1:{free_port}/7")
    visitor = visit(app)
    page = visitor.crash()
    for _ in range(2):
        assert said(visitor.send(page, json=True, comments="Words")) == (200, "saved")
    answer = visitor.send(page, json=True, comments="Other words")
    assert said(answer) == (409, "refused") and AGAIN in answer.text
    with RecordingSentry(port=free_port, project="7") as back:
        assert app.extensions["sentry_kit"].outbox.flush(20)
        assert said(visitor.send(page, json=True, comments="Words")) == (200, "sent")
        assert words_at(back) == ["Words"]
