"""``feedback`` items: every one is kept, beside its crash or where words without a crash are."""

from __future__ import annotations

import json
import logging

import pytest

from flask_sentry_kit.inbox.content.feedback_item import MAX_WORDS, read_feedback
from tests.support.inbox import EVENT_ID, RunningInbox, feedback_item

OTHER = "f" * 32


def words(served: RunningInbox) -> list[str]:
    return [report["comments"] for report in served.api("words")["words"]]


def text(served: RunningInbox, path: str) -> str:
    return served.request("GET", path).data.decode()


def in_order(page: str, *parts: str) -> bool:
    places = [page.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


def test_several_on_one_event_are_all_kept_beside_it(served: RunningInbox) -> None:
    """From one envelope or several, the oldest first, with the form's words among them."""
    served.store()
    served.envelope(feedback_item(1, "first words", timestamp=1_700_000_000.0))
    served.report("words by form")
    served.envelope(
        feedback_item(2, "second words", timestamp=1_700_000_001.0),
        feedback_item(3, "third words", timestamp=1_700_000_002.0),
    )
    page = text(served, f"/events/{EVENT_ID}/")
    assert in_order(page, "first words", "second words", "third words", "words by form")
    kept = served.api(f"events/{EVENT_ID}")
    assert [one["comments"] for one in kept["words"]] == [
        "first words",
        "second words",
        "third words",
        "words by form",
    ]
    assert kept["latest_words"]["comments"] == "words by form"
    assert served.api("crashes")["crashes"][0]["words"] == 4


def test_the_form_still_overwrites_its_own_words_alone(served: RunningInbox) -> None:
    """As at Sentry: a second form on the same event replaces the first, and no feedback item."""
    served.store()
    served.envelope(feedback_item(1, "an item"))
    served.report("form, first")
    served.report("form, second")
    assert sorted(words(served)) == ["an item", "form, second"]


def test_a_repeated_delivery_of_an_item_changes_nothing(served: RunningInbox) -> None:
    """A client that lost the answer sends again. An item that merely has the same id is kept."""
    served.envelope(feedback_item(1, "words"))
    before = served.api("pulse")
    served.envelope(feedback_item(1, "words"))
    assert served.api("pulse") == before
    served.envelope(feedback_item(1, "other words"))
    assert sorted(words(served)) == ["other words", "words"]


def test_items_without_an_id_are_kept_each(served: RunningInbox) -> None:
    """Two visitors may write the same; neither item says which one it is."""
    one = {"contexts": {"feedback": {"message": "broken"}}}
    for _ in range(2):
        body = f'{json.dumps({"dsn": served.dsn})}\n{{"type":"feedback"}}\n{json.dumps(one)}\n'
        assert served.request("POST", "/api/1/envelope/", body=body.encode()).status == 200
    assert words(served) == ["broken", "broken"]


def test_an_item_before_its_event_joins_it(served: RunningInbox) -> None:
    """It is where words without a crash are until the event comes, and then beside the crash."""
    served.envelope(feedback_item(1, "too early"), feedback_item(2, "early too"))
    assert "too early" in text(served, "/words/") and EVENT_ID in text(served, "/words/")
    served.store()
    assert "too early" not in text(served, "/words/")
    page = text(served, f"/events/{EVENT_ID}/")
    assert "too early" in page and "early too" in page


@pytest.mark.parametrize("about", [None, "", "nonsense", 7, OTHER])
def test_words_without_a_crash_are_the_first_row_of_the_list(
    served: RunningInbox, about: object
) -> None:
    """About no crash, or about one that is not here: a row above all crashes leads to them, unread
    until they were seen."""
    served.store()
    served.envelope(feedback_item(1, "the shop is slow", about))
    page = text(served, "/")
    assert in_order(page, 'href="/words/"', "the shop is slow", "ValueError")
    assert "<title>(2) Inbox" in page
    assert "the shop is slow" in text(served, "/words/")
    assert (OTHER in text(served, "/words/")) == (about == OTHER)
    number = served.api("words")["words"][0]["id"]
    read = served.request("POST", f"/words/{number}/read", headers={"Origin": served.url})
    assert read.status == 303
    assert "<title>(1) Inbox" in text(served, "/")
    served.envelope(feedback_item(2, "still slow", about))
    assert "<title>(2) Inbox" in text(served, "/")


def test_a_reference_finds_words_too(served: RunningInbox) -> None:
    """The id of a feedback item leads to its crash, or to the words without one; so does the id of
    an event that never came and has words."""
    served.store()
    served.envelope(
        feedback_item(1, "beside"), feedback_item(2, "loose", None), feedback_item(3, "lost", OTHER)
    )
    found = {
        reference: served.request("GET", f"/?q={reference}").headers.get("Location")
        for reference in (f"{1:032x}", f"{2:032x}", OTHER, "e" * 32)
    }
    assert list(found.values()) == [
        f"/events/{EVENT_ID}/",
        f"/words/?q={2:032x}",
        f"/words/?q={OTHER}",
        None,
    ]


def test_words_without_a_crash_can_be_deleted(served: RunningInbox) -> None:
    """One by one, from our own page alone; words beside a crash go with their crash."""
    served.store()
    served.envelope(
        feedback_item(1, "one", None), feedback_item(2, "two", None), feedback_item(3, "beside")
    )
    number = {report["comments"]: report["id"] for report in served.api("words")["words"]}
    own = {"Origin": served.url}
    path = f"/words/{number['one']}/delete"
    assert served.request("POST", path).status == 403
    assert served.request("POST", path, headers=own).headers["Location"] == "/words/"
    served.request("POST", f"/words/{number['beside']}/delete", headers=own)
    served.request("POST", f"/words/{10**30}/delete", headers=own)
    assert sorted(words(served)) == ["beside", "two"]


def test_the_words_have_pages(served: RunningInbox) -> None:
    """Fifty a page, the latest first."""
    for start in (1, 31):
        served.envelope(
            *(feedback_item(n, f"w{n}.", None, timestamp=n) for n in range(start, start + 30))
        )
    first, second = text(served, "/words/"), text(served, "/words/?page=2")
    assert (first.count("<figure"), second.count("<figure")) == (50, 10)
    assert "w60." in first and "w1." in second
    assert "/words/?page=2" in first and "/words/?page=1" in second


def test_what_an_item_says_is_shown(served: RunningInbox) -> None:
    """Name, address, time and URL; environment, release, user and tags."""
    more = {
        "said": {
            "name": "Ann",
            "contact_email": "ann@shop.example",
            "url": "https://shop.example/pay",
        },
        "timestamp": "2023-11-14T22:13:20Z",
        "environment": "staging",
        "release": "a1b2c3",
        "user": {"id": "u-7", "geo": {"city": "Graz"}},
        "tags": {"plan": "gold"},
    }
    served.store()
    served.envelope(feedback_item(1, "beside", **more), feedback_item(2, "loose", None, **more))
    for path in (f"/events/{EVENT_ID}/", "/words/"):
        page = text(served, path)
        for shown in ("Ann", "mailto:ann%40shop.example", "https://shop.example/pay", "staging"):
            assert shown in page
        for shown in ("a1b2c3", "u-7", "Graz", "plan", "gold", 'datetime="2023-11-14'):
            assert shown in page
        assert 'href="https://shop.example' not in page
    found = served.api("words")["words"][0]
    assert found["feedback_id"] in (f"{1:032x}", f"{2:032x}")
    assert ["environment", "staging"] in found["facts"] and ["plan", "gold"] in found["facts"]


def test_the_page_may_be_named_in_the_request_alone() -> None:
    """As by @sentry/browser's captureFeedback without a url."""
    here = {"request": {"url": "https://shop.example/pay"}}
    found = read_feedback(feedback_item(1, "words", **here), None)
    assert found is not None and found.url == "https://shop.example/pay"
    found = read_feedback(
        feedback_item(1, "words", said={"url": "https://shop.example/cart"}, **here), None
    )
    assert found is not None and found.url == "https://shop.example/cart"


def test_an_anonymous_visitor_stays_anonymous(served: RunningInbox) -> None:
    """Neither name nor address: none is made up."""
    served.store()
    served.envelope(feedback_item(1, "no name"))
    assert "Someone" in text(served, f"/events/{EVENT_ID}/")
    found = served.api("words")["words"][0]
    assert (found["name"], found["email"]) == ("", "")


def test_words_beyond_the_limit_are_cut_and_said_so() -> None:
    """4,096 characters, by the specification; names, addresses and facts have bounds as well."""
    long = "w" * (MAX_WORDS + 1_000)
    found = read_feedback(
        feedback_item(
            1,
            long,
            said={"name": long, "contact_email": long, "url": long},
            tags={f"{n}": long for n in range(500)},
            user=[[n] for n in range(10_000)],
        ),
        None,
    )
    assert found is not None
    assert found.words == "w" * MAX_WORDS + "… (1,000 more characters)"
    assert len(found.name) == len(found.email) == 200
    assert len(found.url) < 2_100 and len(repr(found.facts)) < 6_000
    whole = read_feedback(feedback_item(1, "w" * MAX_WORDS), None)
    assert whole is not None and whole.words == "w" * MAX_WORDS


MALFORMED: list[object] = [
    {},
    {"contexts": None},
    {"contexts": {"feedback": []}},
    feedback_item(1, None),
    feedback_item(1, " \n"),
    feedback_item(1, ["words"]),
    [1],
    "no json",
    "[" * 5_000,
]


def test_a_malformed_item_is_skipped_counted_and_logged(
    served: RunningInbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The other items of its envelope are kept."""
    caplog.set_level(logging.WARNING, "flask_sentry_kit.inbox")
    served.envelope(feedback_item(1, "before"), *MALFORMED, feedback_item(2, "behind"))
    assert sorted(words(served)) == ["before", "behind"]
    assert served.api("skipped") == {"skipped": {"feedback": len(MALFORMED)}}
    (record,) = caplog.records
    assert f"skipped: {len(MALFORMED)}," in record.getMessage()


def test_other_items_are_counted_and_skipped(served: RunningInbox) -> None:
    """By their type; the number of types is bounded, whatever a client sends."""
    served.envelope({"a": 1}, kind="transaction")
    served.envelope({"a": 1}, {}, kind="session")
    counted = served.api("skipped")["skipped"]
    assert counted == {"transaction": 1, "session": 2}
    for number in range(60):
        served.envelope({}, kind=f"{number}" * 1_000)
    counted = served.api("skipped")["skipped"]
    assert sum(counted.values()) == 63 and len(json.dumps(counted)) < 4_000


def test_an_event_of_type_feedback_is_feedback(served: RunningInbox) -> None:
    """sentry-sdk's capture_event sends it as an item of type event. Without words, it is an event
    as any other: nothing is lost."""
    assert served.envelope({**feedback_item(1, "words"), "type": "feedback"}, kind="event") == {
        "id": f"{1:032x}"
    }
    served.envelope({"type": "feedback", "message": "odd", "event_id": OTHER}, kind="event")
    assert words(served) == ["words"]
    assert [event["event_id"] for event in served.api("events")["events"]] == [OTHER]


@pytest.mark.parametrize("tags", [{"crash.event_id": EVENT_ID}, [["crash.event_id", EVENT_ID]]])
def test_words_as_an_event_of_their_own_lead_to_their_crash(
    served: RunningInbox, tags: object
) -> None:
    """By the tag that names it, once that crash is here."""
    served.store(
        {"event_id": OTHER, "level": "info", "message": "I pressed pay", "tags": tags},
    )
    link = f'about <a href="/events/{EVENT_ID}/">this crash</a>'
    assert link not in text(served, f"/events/{OTHER}/")
    served.store()
    assert link in text(served, f"/events/{OTHER}/")
    assert "this crash</a>" not in text(served, f"/events/{EVENT_ID}/")


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&"


def test_nothing_in_an_item_becomes_markup(served: RunningInbox) -> None:
    """Beside the crash, in the list and among words without a crash."""
    more = {
        "said": {"name": EVIL, "contact_email": EVIL, "url": f"javascript:{EVIL}"},
        **{name: EVIL for name in ("environment", "release")},
        "user": {EVIL: EVIL},
        "tags": {EVIL: EVIL},
    }
    served.store({**served.event(), "tags": {"crash.event_id": EVIL}})
    served.envelope(
        feedback_item(1, EVIL, **more),
        feedback_item(2, EVIL, None, **more),
        feedback_item(3, EVIL, EVIL, **more),
    )
    for path in ("/", f"/events/{EVENT_ID}/", "/words/"):
        page = text(served, path)
        assert "alert(1)" in page
        assert "<script>alert" not in page and "<img" not in page
        assert 'href="javascript' not in page
