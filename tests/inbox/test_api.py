"""The API for tools: lists with a search, waiting, marks, deleting, refusals, versions."""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from flask_sentry_kit.inbox.api import LATEST
from flask_sentry_kit.inbox.live import MOST_WAITS
from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from flask_sentry_kit.inbox.storage.store import Store
from tests.support.inbox import EVENT_ID, RunningInbox, feedback_item

OTHER = "f" * 32
JSON = {"Content-Type": "application/json"}


def ask(
    served: RunningInbox, method: str, path: str, marks: object = None, /, **query: object
) -> urllib3.BaseHTTPResponse:
    sent = {} if marks is None else {"body": json.dumps(marks).encode(), "headers": JSON}
    return served.request(method, f"/api/v1/{path}{'?' if query else ''}{urlencode(query)}", **sent)


def said(answer: urllib3.BaseHTTPResponse, status: int = 200) -> Any:
    assert answer.status == status, answer.data
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def store_of(served: RunningInbox) -> Store:
    found: Store = served.server.app.extensions["sentry_kit_inbox"].store
    return found


def refusal(
    served: RunningInbox, status: int, method: str, path: str, *more: Any, **query: Any
) -> str:
    found = said(ask(served, method, path, *more, **query), status)
    assert list(found) == ["error"]
    sentence: str = found["error"]
    return sentence


@pytest.fixture
def empty(shared: RunningInbox) -> RunningInbox:
    """An inbox of the file's, emptied."""
    store_of(shared).delete(None)
    return shared


@pytest.fixture
def two(empty: RunningInbox) -> RunningInbox:
    """Two crashes: a ValueError with words, and a KeyError."""
    served = empty
    served.store(served.event(user={"username": "ada"}, release="shop@1.2"))
    served.store(served.event(OTHER, "KeyError"))
    served.report()
    served.envelope(feedback_item(1, "About nothing", None))
    return served


def types(served: RunningInbox, **query: object) -> list[str]:
    return [one["type"] for one in said(ask(served, "GET", "crashes", **query))["crashes"]]


def test_lists_take_a_search(two: RunningInbox) -> None:
    """The same one for crashes, events and words, as the page takes it."""
    assert types(two) == ["ValueError", "KeyError"]
    assert types(two, q="has:words -type:KeyError") == ["ValueError"]
    assert types(two, q="-user:ada") == ["KeyError"]
    events = said(ask(two, "GET", "events", q="release:shop@1.*"))["events"]
    assert [one["event_id"] for one in events] == [EVENT_ID]
    words = said(ask(two, "GET", "words", q="nothing"))["words"]
    assert [one["comments"] for one in words] == ["About nothing"]
    assert refusal(two, 400, "GET", "crashes", q="relese:1").startswith("There is no field")


@pytest.mark.parametrize("what", ["crashes", "events", "words"])
def test_a_list_is_read_in_parts(two: RunningInbox, what: str) -> None:
    """`next_offset` leads to the next part, until it is null."""
    whole = said(ask(two, "GET", what))
    first = said(ask(two, "GET", what, limit=1))
    second = said(ask(two, "GET", what, limit=1, offset=first["next_offset"]))
    assert first[what] + second[what] == whole[what] and len(whole[what]) == 2
    assert (first["next_offset"], second["next_offset"], whole["next_offset"]) == (1, None, None)


def test_long_words_come_in_parts_of_a_megabyte(empty: RunningInbox) -> None:
    """Where a part has less than `limit`, `next_offset` is right all the same."""
    for number in range(5):
        store_of(empty).put_report(f"{number:032x}", "Ann", "", "x" * 400_000)
    first = said(ask(empty, "GET", "words", limit=4))
    assert (len(first["words"]), first["next_offset"]) == (3, 3)
    rest = said(ask(empty, "GET", "words", limit=4, offset=3))
    assert (len(rest["words"]), rest["next_offset"]) == (2, None)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"limit": 0}, "limit is a whole number from 1 to 1,000."),
        ({"limit": 1_001}, "limit is a whole number from 1 to 1,000."),
        ({"limit": "ten"}, "limit is a whole number"),
        ({"offset": -1}, "offset is a whole number from 0"),
        ({"wait": 61}, "wait is a whole number from 0 to 60."),
        ({"query": "x"}, "There is no argument 'query' here. Accepted: q, limit, offset, wait."),
    ],
)
def test_wrong_arguments_are_explained(
    shared: RunningInbox, query: dict[str, object], sentence: str
) -> None:
    """Not silently replaced, as on the pages: a script would go on with other data."""
    assert refusal(shared, 400, "GET", "crashes", **query).startswith(sentence)


def test_one_crash_and_one_event_are_read(two: RunningInbox) -> None:
    """The crash with its latest event, the event as it was sent, with its words and files."""
    store_of(two).add_attachments(
        EVENT_ID, [Attachment("log <b>.txt", "text/html", b"<script>alert(1)</script>")]
    )
    key = said(ask(two, "GET", "crashes", q="type:ValueError"))["crashes"][0]["crash"]
    crash = said(ask(two, "GET", f"crashes/{key}"))
    assert (crash["latest_event_id"], crash["words"]) == (EVENT_ID, 1)
    event = said(ask(two, "GET", f"events/{EVENT_ID.upper()}"))
    assert event["event"]["user"] == {"username": "ada"}
    assert event["words"] == [event["latest_words"]] == [crash["latest_words"]]
    (file,) = event["attachments"]
    assert (file["name"], file["size"]) == ("log <b>.txt", 25)
    answer = two.request("GET", file["url"])
    assert answer.data == b"<script>alert(1)</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert refusal(two, 404, "GET", "crashes/0") == "There is no such crash here."
    assert "32 hex digits" in refusal(two, 404, "GET", "events/0")
    assert "event" in refusal(two, 404, "GET", f"events/{'0' * 32}")
    assert "attachment" in refusal(two, 404, "GET", f"events/{EVENT_ID}/attachments/{10**30}")


def waiting(served: RunningInbox, path: str, **query: object) -> tuple[threading.Thread, list[Any]]:
    """Ask in a thread of its own, and return once the request waits."""
    answers: list[Any] = []

    def run() -> None:
        answers.append(ask(served, "GET", path, wait=30, **query).json())

    thread = threading.Thread(target=run)
    before = places(served)
    thread.start()
    until(lambda: places(served) == before + 1)
    return thread, answers


def places(served: RunningInbox) -> int:
    taken: int = served.server.app.extensions["sentry_kit_inbox_waiting"].waits.taken
    return taken


def until(true: Any) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("path", "query", "mark"),
    [
        ("crashes", {"q": "type:KeyError"}, '"type": "KeyError"'),
        ("events", {"q": f"{OTHER} has:words"}, OTHER),
        ("events/" + OTHER, {}, OTHER),
        ("words", {"q": "pressed user:bob"}, OTHER),
    ],
)
def test_an_answer_waits_until_something_matches(
    empty: RunningInbox, path: str, query: dict[str, object], mark: str
) -> None:
    """With ``wait`` it comes at once when what is asked for arrives, and other arrivals do not end
    it."""
    thread, answers = waiting(empty, path, **query)
    empty.store()
    empty.report()
    assert not answers
    empty.store(empty.event(OTHER, "KeyError"))
    empty.report(event_id=OTHER, name="Bob")
    thread.join(10)
    found = answers[0].get(path, [answers[0]])
    assert len(found) == 1 and mark in json.dumps(found)


def test_an_answer_that_waited_in_vain_is_the_usual_one(empty: RunningInbox) -> None:
    """An empty list, or 404, when the seconds are over; at once without ``wait``."""
    began = time.monotonic()
    assert said(ask(empty, "GET", "crashes", wait=1))["crashes"] == []
    assert time.monotonic() - began > 0.9
    assert refusal(empty, 404, "GET", f"events/{OTHER}", wait=0)
    empty.store()
    assert len(said(ask(empty, "GET", "crashes", wait=60))["crashes"]) == 1


def test_no_answer_waits_in_a_thread_for_pages(empty: RunningInbox) -> None:
    """The threads that wait are chosen before the address is decoded."""
    answer = empty.request("GET", "/api/v1/crashes?%77ait=60")
    assert said(answer, 400)["error"] == "Write the argument wait without percent signs."


def test_few_answers_wait_at_a_time(empty: RunningInbox) -> None:
    """A further one is 503 with the time to come again; all end when the inbox is stopped."""
    asked = [waiting(empty, "crashes") for _ in range(MOST_WAITS)]
    answer = ask(empty, "GET", "crashes", wait=5)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "15 answers that wait" in answer.json()["error"]
    assert said(ask(empty, "GET", "crashes"))["crashes"] == []
    empty.store()
    for thread, answers in asked:
        thread.join(10)
        assert len(answers[0]["crashes"]) == 1
    until(lambda: places(empty) == 0)


def test_marks_are_set_on_one_crash_or_on_a_search(two: RunningInbox) -> None:
    """PATCH with a JSON object; the answer is the crash, or how many marks were changed."""
    key = said(ask(two, "GET", "crashes", q="type:KeyError"))["crashes"][0]["crash"]
    changed = said(ask(two, "PATCH", f"crashes/{key}", {"unread": False, "kept": True}))
    assert (changed["unread"], changed["resolved"], changed["kept"]) == (False, False, True)
    assert said(ask(two, "PATCH", "crashes", {"resolved": True}, q="type:ValueError")) == {
        "changed": 2
    }
    assert types(two, q="is:resolved") == ["ValueError"]
    assert said(ask(two, "PATCH", "crashes", {"unread": True})) == {"changed": 2}
    assert types(two, q="is:kept") == ["KeyError"]


def test_crashes_are_deleted_one_by_a_search_or_all(two: RunningInbox) -> None:
    """With their events and words; all together also those about no crash."""
    two.store(two.event("1" * 32, "TypeError"))
    key = said(ask(two, "GET", "crashes", q="type:TypeError"))["crashes"][0]["crash"]
    assert said(ask(two, "DELETE", f"crashes/{key}")) == {"deleted": 1}
    assert refusal(two, 404, "DELETE", f"crashes/{key}")
    assert said(ask(two, "DELETE", "crashes", q="type:KeyError")) == {"deleted": 1}
    assert types(two) == ["ValueError"]
    assert said(ask(two, "DELETE", "crashes")) == {"deleted": 1}
    for what in ("crashes", "events", "words"):
        assert said(ask(two, "GET", what))[what] == []


def test_a_mistake_deletes_nothing(two: RunningInbox) -> None:
    """An empty or misspelt ``q`` is not taken for all crashes."""
    assert "Leave it out" in refusal(two, 400, "DELETE", "crashes", q="")
    assert "Leave it out" in refusal(two, 400, "PATCH", "crashes", {"kept": True}, q=" ")
    assert "no argument 'query'" in refusal(two, 400, "DELETE", "crashes", query="type:KeyError")
    assert "no field" in refusal(two, 400, "DELETE", "crashes", q="typ:KeyError")
    assert len(types(two)) == 2


@pytest.mark.parametrize(
    ("body", "kind", "status", "sentence"),
    [
        (b'{"unread": false}', "text/plain", 415, "Send a JSON object such as"),
        (b"{", "application/json", 400, "The body is a JSON object such as"),
        (b"[" * 900, "application/json", 400, "The body is a JSON object such as"),
        (b"{}", "application/json", 400, "The body is a JSON object such as"),
        (b" " * 2_000, "application/json", 413, "The body is a JSON object such as"),
        (b'{"read": true}', "application/json", 400, "There is no mark 'read'."),
        (b'{"unread": 0}', "application/json", 400, "unread is true or false."),
    ],
)
def test_wrong_marks_are_explained(
    shared: RunningInbox, body: bytes, kind: str, status: int, sentence: str
) -> None:
    """The sentence has an example of what is accepted."""
    answer = shared.request("PATCH", "/api/v1/crashes", body=body, headers={"Content-Type": kind})
    assert said(answer, status)["error"].startswith(sentence)


def test_what_is_kept_has_a_limit(serve_inbox: Any) -> None:
    """409 with what to do, when the marked crashes would take more than half of the room."""
    served = serve_inbox(keep_bytes=1_000)
    served.store()
    assert "--keep-bytes" in refusal(served, 409, "PATCH", "crashes", {"kept": True})


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/api/v1/nothing", 404, "The API has no such address."),
        ("GET", "/api/v2/crashes", 404, "The API has no such address."),
        ("POST", "/api/v1/crashes", 405, "POST is not possible here. Possible: DELETE, GET"),
        ("DELETE", "/api/v1/status", 405, "DELETE is not possible here. Possible: GET"),
    ],
)
def test_refusals_are_json(
    shared: RunningInbox, method: str, path: str, status: int, sentence: str
) -> None:
    """With one sentence, and the headers that belong to the status."""
    answer = shared.request(method, path)
    assert said(answer, status)["error"].startswith(sentence)
    assert ("Allow" in answer.headers) is (status == 405)


def test_an_address_without_a_version_leads_to_the_newest(shared: RunningInbox) -> None:
    """307 keeps method and body."""
    for method, path in (
        ("GET", "crashes?q=type%3AKeyError&limit=1"),
        ("DELETE", "crashes/0123"),
        ("GET", f"events/{EVENT_ID}/attachments/1"),
        ("GET", "stream?after=3"),
        ("GET", "words?q=%22a+b%22"),
    ):
        answer = shared.request(method, f"/api/{path}")
        assert answer.status == 307
        assert answer.headers["Location"] == f"/api/{LATEST}/{path}"
    assert shared.request("GET", "/api/nothing").status == 404


def test_only_the_inboxs_pages_and_no_other_sites_change_anything(two: RunningInbox) -> None:
    """curl, which is no browser, may; and a page of our own. Another site's page may not, nor may
    one that hides where it comes from."""
    for sent in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert said(two.request("DELETE", "/api/v1/crashes", headers=sent), 403)
    assert len(types(two)) == 2
    own = {"Origin": two.url, "Sec-Fetch-Site": "same-origin"}
    assert said(two.request("DELETE", "/api/v1/crashes?q=type:KeyError", headers=own))
    assert said(two.request("DELETE", "/api/v1/crashes"))
    assert types(two) == []


def test_the_status_says_what_this_inbox_is(two: RunningInbox) -> None:
    """Its DSN under the address that was asked, what it holds, and its limits."""
    found = said(ask(two, "GET", "status"))
    assert found["dsn"] == two.dsn
    assert (found["crashes"], found["unread"], found["events"]) == (2, 2, 2)
    assert found["words_without_crash"] == 1
    assert found["limits"]["list"] == 1_000 and found["limits"]["events_per_minute"] is None
    assert found["changes"] == two.api("pulse")["changes"]
