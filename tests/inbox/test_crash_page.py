"""What a crash's page answers from top to bottom, each thing once, and what can be done there."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug.exceptions import InternalServerError

from flask_sentry_kit.inbox import InboxError, create_inbox
from tests.support.inbox import EVENT_ID, RunningInbox


def page_of(inbox: RunningInbox, event_id: str = EVENT_ID) -> str:
    answer = inbox.request("GET", f"/events/{event_id}/")
    assert answer.status == 200
    return answer.data.decode()


def crash_of(inbox: RunningInbox) -> dict[str, Any]:
    found: dict[str, Any] = inbox.api("crashes")["crashes"][0]
    return found


def press(inbox: RunningInbox, deed: str) -> str:
    """Press a button of the page. Returns the address that it leads to."""
    path = f"/crashes/{crash_of(inbox)['crash']}/{deed}"
    answer = inbox.request("POST", path, headers={"Origin": inbox.url})
    assert answer.status == 303
    return answer.headers["Location"]


def frames(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {"module": "shop", "function": name, "lineno": 3, "in_app": True,
         "context_line": f"{name}()",
         "abs_path": "/srv/shop.py", "vars": {f"local_{name}": "1"}, **more}
        for name in names
    ]  # fmt: skip


def test_each_call_is_shown_once(shared: RunningInbox) -> None:
    """The place is not repeated in the stack; the app's own come first, with source and locals."""
    library = frames("dumps", in_app=False, module="json")
    body = shared.event(f"{1:032x}")
    body["exception"]["values"][0]["stacktrace"]["frames"] = [*frames("view", "total"), *library]
    shared.store(body)
    page = page_of(shared, f"{1:032x}")
    for name in ("view", "total", "dumps"):
        assert page.count(f"<code>{name}()") == 1
        assert page.count(f"local_{name}") == 1
    assert re.search(r"total\(\).*From here it went on: 1 call in json.*view\(\)", page, re.S)
    own = re.findall(r'<details class="frame ours"( open)?>', page)
    assert own == [" open"]


def test_where_no_frame_is_ours_the_innermost_is_shown_once(shared: RunningInbox) -> None:
    """And it is said."""
    body = shared.event(f"{2:032x}")
    failure = body["exception"]["values"][0]
    failure["stacktrace"]["frames"] = frames(
        "run", "loads", in_app=False, abs_path="/usr/lib/python3.12/json.py"
    )
    shared.store(body)
    page = page_of(shared, f"{2:032x}")
    assert "None of our own code is in this stack." in page
    assert "Called by" in page
    assert page.count("<code>loads()") == page.count("<code>run()") == 1


def test_nothing_called_it_where_it_is_alone(shared: RunningInbox) -> None:
    """No heading without anything below it."""
    body = shared.event(f"{8:032x}")
    stack = body["exception"]["values"][0]["stacktrace"]
    stack["frames"] = [*frames("job"), *frames("dumps", in_app=False)]
    shared.store(body)
    assert "Called by" not in page_of(shared, f"{8:032x}")


def test_an_aborted_request_is_named_by_its_place(shared: RunningInbox) -> None:
    """Not by Werkzeug's sentence."""
    body = shared.event(f"{3:032x}", kind="InternalServerError")
    body["exception"]["values"][0]["value"] = str(InternalServerError())
    shared.store(body)
    page = page_of(shared, f"{3:032x}")
    assert "<title>abort(500) in total</title>" in page
    assert "The server encountered" not in page


def test_what_a_person_needs_of_a_request_comes_first(shared: RunningInbox) -> None:
    """Sec-* and Accept are folded behind the rest, and it can be copied as curl."""
    names = ["Accept", "Sec-Ch-Ua", "Connection", "X-Tenant", "Referer", "Cookie", "Content-Type"]
    request = {
        "url": "http://shop.example/pay", "method": "POST", "data": {"a": "it's"},
        "headers": [[name, "a value"] for name in names],
    }  # fmt: skip
    shared.store(shared.event(f"{4:032x}", request=request))
    page = page_of(shared, f"{4:032x}")
    headers = re.findall(r"<dt><bdi>([A-Z][\w-]+)</bdi>", page.partition("<h3>Headers</h3>")[2])
    assert headers == [
        "Content-Type", "Cookie", "Referer", "X-Tenant", "Accept", "Sec-Ch-Ua", "Connection",
    ]  # fmt: skip
    assert "3 more headers: Accept, Sec-Ch-Ua, Connection" in page
    assert "curl http://shop.example/pay" in page
    assert 'data-clip="#curl"' in page


def test_breadcrumbs_are_on_a_time_line(shared: RunningInbox) -> None:
    """Each with how long before the crash it was."""
    crumbs = [
        {"timestamp": 1795332800, "category": "old", "message": "x", "level": "info"},
        {"timestamp": 1795333999.58, "category": "sql", "message": "SELECT 1", "data": {"ms": 3}},
        # raven says an event's time in whole seconds.
        {"timestamp": 1795334000.2, "category": "late"},
        {"category": "odd"},
    ]
    shared.store(shared.event(f"{5:032x}", timestamp=1795334000, breadcrumbs={"values": crumbs}))
    page = page_of(shared, f"{5:032x}")
    line = page.partition('<ol class="crumbs">')[2].partition("</ol>")[0]
    times = re.findall(r"<time[^>]*>([^<]*)</time>", line)
    assert times[1] == "−0.42 s"
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", times[at]) for at in (0, 2, 4))
    assert '<bdi class="quiet">ms</bdi>' in line


def test_locals_are_legible_and_long_ones_are_folded(shared: RunningInbox) -> None:
    """Structures on several lines; only what would push the rest away needs a click."""
    body = shared.event(f"{6:032x}")
    body["exception"]["values"][0]["stacktrace"]["frames"][-1]["vars"] = {
        "cart": {"items": [{"name": f"a good number {n}"} for n in range(5)]},
        "page": "x" * 3_000,
    }
    shared.store(body)
    page = page_of(shared, f"{6:032x}")
    assert "<bdi>{\n  items: [\n    {name: a good number 0},\n" in page
    assert page.count('<details class="long">') == 1
    assert "3,000 characters" in page


def test_how_often_is_counted_and_drawn(served: RunningInbox) -> None:
    """Bars from the first to the last event, without a style that the policy forbids."""
    for number, at in enumerate((1795332000, 1795332100, 1795339999), 1):
        event_id = f"{number:032x}"
        served.store(served.event(event_id, timestamp=at, user={"id": str(number % 2)}))
    page = page_of(served, f"{1:032x}")
    assert "<strong>3</strong> times, <strong>2</strong> people" in page
    assert page.count("<rect ") == 2
    assert "style=" not in page
    served.store(served.event("f" * 32, kind="Other"))
    assert "<rect " not in page_of(served, "f" * 32)


def test_resolving_and_keeping(served: RunningInbox) -> None:
    """Resolved until it happens again; kept until the mark is taken away."""
    served.store()
    assert press(served, "resolve") == "/"
    assert "Resolved, until it happens again." in page_of(served)
    press(served, "keep")
    page = page_of(served)
    assert "Reopen</button>" in page and "Keep no longer</button>" in page
    found = crash_of(served)
    assert (found["resolved"], found["kept"], found["unread"]) == (True, True, False)
    assert press(served, "reopen") == f"/crashes/{found['crash']}/"
    press(served, "unkeep")
    found = crash_of(served)
    assert (found["resolved"], found["kept"]) == (False, False)
    press(served, "resolve")
    served.store(served.event("f" * 32))
    assert (crash_of(served)["resolved"], crash_of(served)["unread"]) == (False, True)


def test_more_than_may_be_kept_is_said(served: RunningInbox) -> None:
    """The mark is refused with a sentence, not with a fault of the database."""
    served.store()
    served.server.app.extensions["sentry_kit_inbox"].store.keep_bytes = 10
    path = f"/crashes/{crash_of(served)['crash']}/keep"
    answer = served.request("POST", path, headers={"Origin": served.url})
    assert answer.status == 409
    assert "--keep-bytes" in answer.data.decode()
    assert crash_of(served)["kept"] is False


@pytest.mark.parametrize("deed", ["resolve", "reopen", "keep", "unkeep"])
def test_another_site_changes_nothing(served: RunningInbox, deed: str) -> None:
    """As with every other change."""
    served.store()
    before = served.api("pulse")
    path = f"/crashes/{crash_of(served)['crash']}/{deed}"
    assert served.request("POST", path, headers={"Origin": "https://evil.example"}).status == 403
    assert served.request("GET", path).status == 405
    assert served.api("pulse") == before


def test_the_event_alone_is_json(shared: RunningInbox) -> None:
    """As it was sent."""
    body = shared.event(f"{7:032x}", extra={"a": [1, None, "é"]})
    shared.store(body)
    answer = shared.request("GET", f"/events/{7:032x}.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.data) == body
    assert shared.request("GET", "/events/x.json").status == 404


def test_files_open_in_the_editor(serve_inbox: Any) -> None:
    """At their line, where the inbox was started with an editor."""
    inbox = serve_inbox(editor="vscode", source_roots=["/srv=/home/ann"])
    body = inbox.event()
    body["exception"]["values"][0]["stacktrace"]["frames"] += frames("total")
    inbox.store(body)
    assert 'href="vscode://file/home/ann/shop.py:3:1"' in page_of(inbox)


def test_options_that_cannot_be_used_are_said(tmp_path: Any) -> None:
    """At the start."""
    for options in ({"editor": "http://{path}"}, {"source_roots": ["/a=/b"]}, {"forward_to": "x"}):
        with pytest.raises(InboxError):
            create_inbox(tmp_path / "a.sqlite", **options)
    assert not list(tmp_path.iterdir())
