"""The visitor's words over the wire: browser to app to Sentry, and back (feedback/)."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, PutClockAhead, Visit
from tests.support.visitor import Visitor

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_the_words_reach_sentry_with_their_event(shop: Visitor, sentry: RecordingSentry) -> None:
    """What was typed arrives at the dialog's own address, tied to the event of the page."""
    page = shop.crash()
    answer = shop.send(
        page, comments="I pressed “Pay” twice.\r\nThen this.", name="Zoë", email="z@shop.example"
    )
    report = sentry.wait_for_report()
    assert report.path == "/api/embed/error-page/"
    assert report.query == {"eventId": page.headers["X-Sentry-ID"], "dsn": sentry.public_dsn}
    assert report.fields == {
        "name": "Zoë",
        "email": "z@shop.example",
        "comments": "I pressed “Pay” twice.\nThen this.",
    }
    assert report.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert shop.follow(answer).status == 200


def test_the_words_come_after_their_event(shop: Visitor, sentry: RecordingSentry) -> None:
    """Sentry knows the event before the words on it come."""
    shop.send(shop.crash(), comments="Words")
    sentry.wait_for_report()
    assert [seen.path.split("/")[-2] for seen in sentry.received] == ["store", "error-page"]


def test_who_stays_anonymous_is_named_so(shop: Visitor, sentry: RecordingSentry) -> None:
    """Empty fields become values that say so and pass Sentry's own form."""
    shop.send(shop.crash(), comments="Words")
    fields = sentry.wait_for_report().fields
    assert fields["name"] == "Anonymous"
    assert fields["email"] == "anonymous@example.invalid"


def test_sent_is_said_when_sentry_took_it(shop: Visitor) -> None:
    """Without JavaScript: a page that thanks, at an address that a reload does not send again."""
    page = shop.crash()
    thanks = shop.follow(shop.send(page, comments="Words"))
    assert thanks.status == 200
    assert "Sent. Thank you." in thanks.text
    assert page.headers["X-Sentry-ID"] in thanks.text
    assert thanks.headers["Cache-Control"] == "no-store"


def test_in_place_the_answer_is_json(shop: Visitor) -> None:
    """With JavaScript: the same outcome, in words to show."""
    answer = shop.send(shop.crash(), json=True, comments="Words")
    assert answer.status == 200
    assert json.loads(answer.text) == {
        "outcome": "sent",
        "message": "Sent. Thank you.",
        "errors": {},
    }
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("hurried")
def test_saved_is_said_while_sentry_is_down(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, free_port: int
) -> None:
    """Nothing is called sent that was not; when Sentry is back, the words arrive."""
    dsn = f"http://public@127.0.0.1:{free_port}/7"
    visitor = visit(crashing_app(SENTRY_DSN=dsn))
    answer = visitor.send(visitor.crash(), comments="Words from the outage")
    assert "Saved. It will be sent as soon as we can." in visitor.follow(answer).text
    with RecordingSentry(port=free_port, project="7") as back:
        assert back.wait_for_report().fields["comments"] == "Words from the outage"


@pytest.mark.usefixtures("hurried")
def test_with_a_spool_the_words_survive_a_restart(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, free_port: int, tmp_path: Path
) -> None:
    """Saved by one process while Sentry is down, sent by the next one when it is back."""
    config = {
        "SENTRY_DSN": f"http://public@127.0.0.1:{free_port}/7",
        "SENTRY_KIT_SPOOL": str(tmp_path / "spool"),
    }
    before = crashing_app(**config)
    visitor = visit(before)
    page = visitor.crash()
    assert visitor.send(page, comments="Words from before").status == 303
    before.extensions["sentry_kit"].outbox.close(0.1)
    with RecordingSentry(port=free_port, project="7") as back:
        after = visit(crashing_app(**config))
        after.crash()
        report = back.wait_for_report()
    assert report.fields["comments"] == "Words from before"
    assert report.query["eventId"] == page.headers["X-Sentry-ID"]


def test_a_refusal_is_said_and_logged(
    shop: Visitor, sentry: RecordingSentry, caplog: pytest.LogCaptureFixture
) -> None:
    """When no door of Sentry's takes the words, the visitor hears it and the log has the reason."""
    sentry.answers["POST", "error-page"] = (400, {}, b'{"errors": {}}')
    sentry.answers["POST", "envelope"] = (400, {}, b"{}")
    answer = shop.send(shop.crash(), comments="Words")
    assert answer.status == 502
    assert "This could not be sent:" in answer.text
    assert answer.typed["comments"] == "Words"
    assert [record for record in caplog.records if "400" in record.getMessage()]


def test_sending_twice_sends_once(shop: Visitor, sentry: RecordingSentry) -> None:
    """The same words again get the same answer, and Sentry gets them once."""
    page = shop.crash()
    for _ in range(2):
        assert "Sent. Thank you." in shop.follow(shop.send(page, comments="Words")).text
    assert len(sentry.reports) == 1


def test_clicks_at_once_send_once(shop: Visitor, sentry: RecordingSentry) -> None:
    """Of several submissions at the same moment one is relayed and waits for the answer; the
    others hear what is known by then."""
    page = shop.crash()
    outcomes: list[str] = []

    def click() -> None:
        outcomes.append(json.loads(shop.send(page, json=True, comments="Words").text)["outcome"])

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "sent" in outcomes and set(outcomes) <= {"sent", "saved"}
    assert len(outcomes) == 6
    assert len(sentry.reports) == 1


def test_one_report_a_token(shop: Visitor, sentry: RecordingSentry) -> None:
    """Other words for the same event would overwrite the first: they are refused, and kept."""
    page = shop.crash()
    shop.send(page, comments="First words")
    answer = shop.send(page, comments="Other words")
    assert answer.status == 409
    assert answer.typed["comments"] == "Other words"
    assert [report.fields["comments"] for report in sentry.reports] == ["First words"]


def test_two_crashes_have_a_report_each(shop: Visitor, sentry: RecordingSentry) -> None:
    """Two tabs, two crashes: each token writes to its own event."""
    first, second = shop.crash(), shop.crash()
    shop.send(second, comments="second")
    shop.send(first, comments="first")
    arrived = {seen.query["eventId"]: seen.fields["comments"] for seen in sentry.reports}
    assert arrived == {
        first.headers["X-Sentry-ID"]: "first",
        second.headers["X-Sentry-ID"]: "second",
    }


def test_no_cookie_and_no_session(shop: Visitor) -> None:
    """Neither page, answer nor thanks set a cookie."""
    page = shop.crash()
    answer = shop.send(page, comments="Words")
    thanks = shop.follow(answer)
    assert all("Set-Cookie" not in each.headers for each in (page, answer, thanks))


def test_what_was_typed_never_becomes_markup(shop: Visitor) -> None:
    """Whatever is typed, the page that gives it back shows it as text."""
    nasty = "</textarea><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    answer = shop.send(shop.crash(), comments=nasty, name=nasty, email=nasty, token=nasty)
    assert answer.status == 403
    assert "<script>alert" not in answer.text and "<img src=x" not in answer.text
    assert answer.typed["comments"] == nasty


def test_thanks_stay_thanks(shop: Visitor, later: PutClockAhead) -> None:
    """A browser that opens its tabs again after a week shows what it showed."""
    answer = shop.send(shop.crash(), comments="Words")
    later(7 * 24 * 60 * 60)
    assert "Sent. Thank you." in shop.follow(answer).text


def test_thanks_cannot_be_made_up(shop: Visitor) -> None:
    """A link that thanks without a report behind it is not found."""
    page = shop.crash()
    action, typed = shop.form_of(page)
    assert shop.request("GET", f"{action}/sent/{typed['token']}").status == 404
    saved = shop.send(page, comments="Words").headers["Location"]
    assert shop.request("GET", saved.replace("/sent/", "/saved/")).status == 404
