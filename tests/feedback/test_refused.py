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


def test_an_old_page_is_told_so(
    shop: Visitor, sentry: RecordingSentry, later: PutClockAhead
) -> None:
    """After 30 minutes Sentry would refuse the words, so the visitor hears it from us."""
    page = shop.crash()
    later(30 * 60 + 2)
    answer = shop.send(page, comments="Words after lunch")
    assert answer.status == 410
    assert "30 minutes" in answer.text
    assert answer.typed["comments"] == "Words after lunch"
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
