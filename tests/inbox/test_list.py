"""The list: what it shows, what a search finds, and what is done to several crashes at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.inbox import EVENT_ID, RunningInbox


def page(served: RunningInbox, q: str | None = None, **more: Any) -> str:
    """The list's HTML."""
    query = urlencode({**({} if q is None else {"q": q}), **more})
    answer = served.request("GET", f"/?{query}")
    assert answer.status == 200
    return answer.data.decode()


def shown(served: RunningInbox, q: str | None = None, **more: Any) -> list[str]:
    """The types of the crashes that the list shows."""
    return re.findall(r'<bdi class="type">([^<]*)<', page(served, q, **more))


def keys(served: RunningInbox) -> dict[str, str]:
    """The crashes' keys by type, resolved ones too."""
    text = page(served) + page(served, "is:resolved")
    found = re.findall(r'data-crash="([^"]*)".*?class="type">([^<]*)<', text, re.DOTALL)
    return {kind: key for key, kind in found}


def changes(served: RunningInbox) -> int:
    """How many changes there have been."""
    number: int = served.server.app.extensions["sentry_kit_inbox"].store.changes()
    return number


def change(served: RunningInbox, action: str, *types: str, **more: str) -> Any:
    by_type = keys(served)
    body = [("action", action), *(("key", by_type[one]) for one in types), *more.items()]
    return served.request(
        "POST",
        "/crashes/",
        body=urlencode(body),
        headers={"Origin": served.url, "Content-Type": "application/x-www-form-urlencoded"},
    )


@pytest.fixture
def filled(served: RunningInbox) -> RunningInbox:
    """An inbox with AError, BError and CError, the last being the latest."""
    for number, kind in enumerate(("AError", "BError", "CError"), 1):
        served.store(served.event(f"{number:08x}{'0' * 24}", kind=kind))
    return served


def test_a_word_is_searched_for_and_not_taken_for_a_reference(filled: RunningInbox) -> None:
    """The name of an exception finds it; a word that finds nothing is said to find nothing."""
    assert shown(filled, "BError") == ["BError"]
    text = page(filled, "DError")
    assert "No crash matches <code>DError</code>" in text
    assert "Clear the search" in text and "reference" not in text.partition("<main")[2]


def test_a_reference_leads_to_its_event(filled: RunningInbox) -> None:
    """Whole, with dashes, or its first eight digits."""
    whole = f"{2:08x}{'0' * 24}"
    for q in (whole, "00000002-0000-0000-0000-000000000000", "00000002"):
        answer = filled.request("GET", f"/?q={q}")
        assert (answer.status, answer.headers["Location"]) == (302, f"/events/{whole}/")
    assert "No crash matches" in page(filled, "f" * 32)


def test_a_faulty_search_says_why_and_is_kept(filled: RunningInbox) -> None:
    """The sentence is beside the box, which still holds the text."""
    answer = filled.request("GET", "/?" + urlencode({"q": "colour:<b>"}))
    text = answer.data.decode()
    assert answer.status == 400
    assert 'value="colour:&lt;b&gt;"' in text and 'aria-invalid="true"' in text
    assert re.search(r'<p class="fault"[^>]*>[^<]+colour', text)
    assert filled.request("GET", "/?q=" + "a" * 501).status == 400


def test_an_emptied_box_leads_to_the_plain_address(filled: RunningInbox) -> None:
    """So that one list has one address."""
    answer = filled.request("GET", "/?q=")
    assert (answer.status, answer.headers["Location"]) == (302, "/")


def test_resolved_crashes_leave_the_list_until_they_happen_again(filled: RunningInbox) -> None:
    """A link says how many there are, a search finds them, and the next event reopens one."""
    assert change(filled, "resolve", "AError", "BError").headers["Location"] == "/"
    assert shown(filled) == ["CError"]
    assert "Resolved (2)" in page(filled)
    assert shown(filled, "is:resolved") == ["BError", "AError"]
    assert shown(filled, "AError") == ["AError"]
    filled.store(filled.event("f" * 32, kind="AError"))
    assert shown(filled) == ["AError", "CError"]
    change(filled, "reopen", "BError")
    assert "Resolved (" not in page(filled)


def test_several_are_marked_at_once(filled: RunningInbox) -> None:
    """Read, unread, kept; the others stay as they are, and the title counts what is unread."""
    assert "<title>(3) Inbox</title>" in page(filled)
    change(filled, "read", "AError", "CError")
    assert shown(filled, "is:unread") == ["BError"]
    assert "<title>(1) Inbox</title>" in page(filled) and "unread.svg" in page(filled)
    change(filled, "unread", "AError")
    assert shown(filled, "is:unread") == ["BError", "AError"]
    change(filled, "keep", "AError", "BError")
    change(filled, "unkeep", "AError")
    assert shown(filled, "is:kept") == ["BError"]


def test_what_is_resolved_is_no_longer_unread(filled: RunningInbox) -> None:
    """Nothing is counted as unread that the list does not show."""
    change(filled, "resolve", "AError", "BError", "CError")
    text = page(filled)
    assert "<title>Inbox</title>" in text and "Nothing is open" in text


def test_all_are_marked_read(filled: RunningInbox) -> None:
    """With the words that belong to no crash; of a search, those that it finds."""
    filled.report("lost words", event_id="f" * 32)
    change(filled, "read-all", q="type:BError")
    assert shown(filled, "is:unread") == ["CError", "AError"]
    assert "lost words" in page(filled, "is:unread")
    change(filled, "read-all")
    assert "lost words" not in page(filled, "is:unread")
    assert "<title>Inbox</title>" in page(filled)


def test_deleting_asks_once(filled: RunningInbox) -> None:
    """The question names the number; only its answer deletes, and leads back to the same list."""
    asked = change(filled, "delete", "AError", "BError", q="-type:CError", page="1")
    assert asked.status == 200 and "Delete 2 crashes?" in asked.data.decode()
    assert len(keys(filled)) == 3
    done = change(filled, "delete", "AError", "BError", q="-type:CError", page="1", confirm="yes")
    assert (done.status, done.headers["Location"]) == (303, "/?q=-type:CError")
    assert list(keys(filled)) == ["CError"]


@pytest.mark.parametrize("action", ["", "drop", "read-all"])
def test_an_action_that_is_none_is_refused(filled: RunningInbox, action: str) -> None:
    """400, and so is marking all that a faulty search finds, or more than a page has."""
    assert change(filled, action, "AError", q="colour:red").status == 400
    assert change(filled, "read", *["AError"] * 101).status == 400


def test_what_cannot_be_kept_is_said(serve_inbox: Callable[..., RunningInbox]) -> None:
    """409 with the reason, where kept crashes would take too much room."""
    served = serve_inbox(keep_bytes=100)
    served.store(served.event(kind="AError"))
    answer = change(served, "keep", "AError")
    assert answer.status == 409 and "--keep-bytes" in answer.data.decode()
    assert shown(served, "is:kept") == []


@pytest.mark.parametrize("action", ["read", "resolve", "delete", "keep"])
def test_no_other_site_can_do_anything(filled: RunningInbox, action: str) -> None:
    """A form elsewhere sends another Origin, and changes nothing."""
    before = changes(filled)
    body = urlencode({"action": action, "key": keys(filled)["AError"], "confirm": "yes"})
    headers = {
        "Origin": "https://evil.example",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert filled.request("POST", "/crashes/", body=body, headers=headers).status == 403
    assert changes(filled) == before


def test_a_change_leads_back_to_the_same_page_of_the_same_search(filled: RunningInbox) -> None:
    """303, with the search and the page in the address."""
    answer = change(filled, "read", "AError", q="is:unread", page="3")
    assert (answer.status, answer.headers["Location"]) == (303, "/?q=is:unread&page=3")
    assert "There is no page 3" in page(filled, "is:unread", page=3)


def test_rows_say_who_where_and_which_release(served: RunningInbox) -> None:
    """People are counted, and environment and release are shown if there is more than one."""
    for number, release in enumerate(("1.0", "1.0", "2.0"), 1):
        served.store(
            served.event(
                f"{number:032x}",
                kind="AError" if number < 3 else "BError",
                user={"id": str(number)},
                release=release,
                environment="staging",
                level="warning",
            )
        )
    text = page(served)
    assert "2 people" in text and "1 person" in text
    assert '<span class="level warning">warning</span>' in text
    assert "2.0</bdi>" in text and "staging</bdi>" not in text
    assert shown(served, "-is:resolved release:2.0") == ["BError"]
    assert "-is%3Aresolved%20release%3A2.0" in text.replace("+", "%20") or (
        "q=-is:resolved+release:2.0" in text
    )


def test_words_that_match_are_shown_on_a_page_of_their_own(filled: RunningInbox) -> None:
    """With a link to their event, if it is here."""
    filled.report("voucher at the till", event_id=f"{1:08x}{'0' * 24}")
    filled.report("voucher by mail", event_id="e" * 32)
    assert "2 messages from visitors match" in page(filled, "voucher")
    assert "from visitors match" not in page(filled, "has:words")
    text = filled.request("GET", "/words/?q=voucher").data.decode()
    assert "at the till" in text and "by mail" in text
    assert text.count("their event</a>") == 1
    assert filled.request("GET", "/words/?q=colour:red").headers["Location"] == "/?q=colour:red"


def test_times_are_for_programs_too(filled: RunningInbox) -> None:
    """RFC 3339 in the element, the full time as its title, and the zone's name once."""
    text = page(filled)
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z" title="\d{4}-', text)
    assert text.count("Times are in") == 1
    assert EVENT_ID not in text
