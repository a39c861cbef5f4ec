"""What cannot be sent is said, and what was typed is kept; nothing is relayed."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, PutClockAhead, Visit
from tests.support.visitor import Visitor

SPOILED = {
    "forged": ({"token": "IjAwIg.aaaa.bbbb"}, 403, "which crash"),
    "no token": ({"token": ""}, 403, "which crash"),
    "too large": ({"comments": "ä" * 9000}, 413, "too long"),
    "empty": ({"comments": " \n "}, 400, "what happened"),
    "bad email": ({"email": "ada at shop"}, 400, "not an email address"),
    "email with no dot": ({"email": "ada@shop"}, 400, "not an email address"),
    "long email": ({"email": f"{'a' * 70}@shop.example"}, 400, "at most 75"),
    "long name": ({"name": "n" * 129}, 400, "at most 128"),
    "honeypot": ({"website": "http://spam.example"}, 400, "stays empty"),
}

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("case", SPOILED)
@pytest.mark.parametrize("in_place", [False, True])
def test_what_cannot_be_sent_is_said_and_kept(
    shop: Visitor, sentry: RecordingSentry, case: str, in_place: bool
) -> None:
    """A clear page in the visitor's words, with what was typed still in it; nothing is relayed."""
    fields, status, words = SPOILED[case]
    typed = {"comments": "My <b>long</b> story & more", "name": "Ada", "email": "a@shop.example"}
    answer = shop.send(shop.crash(), in_place, None, **{**typed, **fields})
    assert answer.status == status
    if in_place:
        said = json.loads(answer.text)
        assert said["outcome"] == "refused"
        assert words in said["message"] + " ".join(said["errors"].values())
    else:
        assert words in answer.text
        for name, value in {**typed, **fields}.items():
            if name in typed:
                assert answer.typed[name].strip() == value.strip()
    assert sentry.reports == []


def test_a_wrong_field_is_mended_and_sent(shop: Visitor, sentry: RecordingSentry) -> None:
    """The page that refuses has a working form: mend the field, send again."""
    refused = shop.send(shop.crash(), comments="Words", email="ada at shop")
    assert "Sent. Thank you." in shop.follow(shop.send(refused, email="")).text
    assert sentry.wait_for_report().fields["comments"] == "Words"


DAY = 24 * 60 * 60


def test_words_are_taken_all_day(
    shop: Visitor, sentry: RecordingSentry, later: PutClockAhead
) -> None:
    """A page that was left open over lunch, or until the evening, works as it did."""
    page = shop.crash()
    later(DAY - 60)
    assert "Sent. Thank you." in shop.follow(shop.send(page, comments="After lunch")).text


@pytest.mark.parametrize("in_place", [False, True])
def test_an_old_page_asks_for_a_second_press(
    crashing_app: MakeApp,
    visit: Visit,
    sentry: RecordingSentry,
    later: PutClockAhead,
    in_place: bool,
) -> None:
    """Days later the form comes back with all that was typed, says what to do, and sends then:
    under a new secret key, and with a limit of one report."""
    app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_FEEDBACK_LIMIT="1/day")
    visitor = visit(app)
    page = visitor.crash()
    app.config["SECRET_KEY_FALLBACKS"] = [app.config["SECRET_KEY"]]
    app.config["SECRET_KEY"] = "a newer one"
    later(3 * DAY)
    words = {"comments": "After the weekend", "name": "Ada", "email": "ada@shop.example"}
    answer = visitor.send(page, in_place, None, **words)
    assert answer.status == 410 and sentry.reports == []
    if in_place:
        said = json.loads(answer.text)
        assert said["outcome"] == "refused" and said["errors"] == {}
        assert "Please press Send once more." in said["message"]
        again = visitor.send(page, in_place, None, **words, token=said["token"])
        assert json.loads(again.text)["outcome"] == "sent"
    else:
        assert "Please press Send once more." in answer.text
        assert {name: answer.typed[name] for name in words} == words
        assert "Sent. Thank you." in visitor.follow(visitor.send(answer)).text
    assert sentry.wait_for_report().fields == words
    assert sentry.reports[0].query["eventId"] == page.headers["X-Sentry-ID"]


def test_who_is_asked_to_mend_or_to_wait_has_time_for_it(
    shop: Visitor, later: PutClockAhead
) -> None:
    """Each answer that has the form in it has a new token, which lives a day from then."""
    page = shop.crash()
    for _ in range(3):
        later(DAY - 60)
        page = shop.send(page, comments="Words", email="ada at shop")
        assert page.status == 400
    assert shop.send(page, email="").status == 303


def test_a_forged_token_stays_refused(shop: Visitor, sentry: RecordingSentry) -> None:
    """Its form has no new token in it, by whatever way it is sent."""
    answer = shop.send(shop.crash(), comments="Words", token="0" * 32 + ".aaaaaa.bbbb")
    assert answer.status == 403 and answer.typed["token"] == "0" * 32 + ".aaaaaa.bbbb"
    answer = shop.send(answer, json=True)
    assert answer.status == 403 and "token" not in json.loads(answer.text)
    assert sentry.reports == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"comments": "x"}', 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"comments=x", 415),
        ("application/x-www-form-urlencoded", b"", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 50), 400),
        ("application/x-www-form-urlencoded", b"\xff\x00%zz=%", 403),
    ],
)
def test_what_is_no_form_gets_a_clear_page(
    shop: Visitor, sentry: RecordingSentry, kind: str, body: bytes, status: int
) -> None:
    """Another content type, nothing at all, or noise: a page, never an error of ours."""
    action, _ = shop.form_of(shop.crash())
    answer = shop.request("POST", action, body, {"Content-Type": kind})
    assert answer.status == status
    assert "This could not be sent:" in answer.text
    assert sentry.reports == []


def test_the_limit_holds_without_a_length(shop: Visitor, sentry: RecordingSentry) -> None:
    """A chunked body has no Content-Length; 16 kB is 16 kB all the same."""
    action, typed = shop.form_of(shop.crash())
    body = urlencode({**typed, "comments": "w" * 20_000}).encode()
    pieces = iter([body[:7000], body[7000:14000], body[14000:]])
    answer = shop.request("POST", action, pieces, FORM)
    assert answer.status == 413
    assert answer.typed["comments"] == "w" * 20_000
    assert sentry.reports == []


def test_a_huge_body_is_not_kept(shop: Visitor) -> None:
    """Of megabytes, the visitor gets the first 64 kB back, and an answer, not a reset."""
    action, typed = shop.form_of(shop.crash())
    body = urlencode({**typed, "comments": "w" * 1_000_000}).encode()
    answer = shop.request("POST", action, body, FORM)
    assert answer.status == 413
    assert 60_000 < len(answer.typed["comments"]) < 65_536


@pytest.mark.parametrize("limit", [64, 50_000_000])
def test_the_apps_own_limit_is_for_its_own_routes(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, limit: int
) -> None:
    """A smaller MAX_CONTENT_LENGTH loses no words, and a larger one lifts no limit of ours."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, MAX_CONTENT_LENGTH=limit))
    page = visitor.crash()
    assert visitor.send(page, comments="w" * 20_000).status == 413
    assert visitor.send(page, comments="w" * 10_000).status == 303


def test_there_is_no_form_where_no_words_can_be_sent(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """A connection whose options cannot be used does not get better while somebody types."""
    app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_DIALOG=None)
    assert "<form" in visit(app).crash().text
    outbox = app.extensions["sentry_kit"].outbox
    outbox.connection = outbox.connection._replace(unusable="its CAs cannot be read")
    assert "<form" not in visit(app).crash().text
