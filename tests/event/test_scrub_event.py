"""The rules of docs/masking.md hold for events of sentry-sdk too, tested on real events."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from flask_sentry_kit.event.masked_values import MaskedValues
from flask_sentry_kit.event.noted_secrets import noted_secrets
from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.scrub_event import scrub_event

from .sdk_events import ROOT, SECRET

_STORED = Path(__file__).with_name("sdk_events_2.0.0.json")
_EVENTS = ("crash", "form", "log", "message", "transaction")
_PLACES = {
    "crash": "Asked Bearer Bytes Chained Context Cookie Crumb Extra Header JSON Literal Local"
    " Nested Object Pair Parameter Path Query Referer Rule Tag User",
    "form": "Form",
    "log": "Param Record",
    "message": "Message Param",
    "transaction": "Asked Bearer Context Cookie Extra Header JSON Parameter Path Query Referer Rule"
    " Tag User",
}
"""Places whose secrets are in the event before it is scrubbed."""
scrubber = Scrubber()


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    """Events that the installed sentry-sdk makes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.event.sdk_events"],
        cwd=ROOT,
        timeout=60,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(params=["oldest", "installed"])
def events(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Events of one release of sentry-sdk."""
    if request.param == "oldest":
        found: dict[str, Any] = json.loads(_STORED.read_text("utf-8"))
        return found
    return copy.deepcopy(request.getfixturevalue("installed"))


def _places(event: dict[str, Any]) -> set[str]:
    return set(re.findall(rf"{SECRET}(\w+)", json.dumps(event)))


def _scrubbed(event: dict[str, Any], **options: Any) -> Any:
    shown = copy.deepcopy(event)
    scrub_event(shown, scrubber, **options)
    return shown


def _crash(**variables: Any) -> dict[str, Any]:
    frame = {"function": "view", "in_app": True, "vars": variables}
    return {"exception": {"values": [{"type": "KeyError", "stacktrace": {"frames": [frame]}}]}}


def _variables(**variables: Any) -> Any:
    shown = _scrubbed(_crash(**variables))
    return shown["exception"]["values"][0]["stacktrace"]["frames"][0]["vars"]


@pytest.mark.parametrize("name", _EVENTS)
def test_no_secret_is_left(events: dict[str, Any], name: str) -> None:
    """No place of an event holds a secret afterwards, and each did before."""
    assert set(_PLACES[name].split()) <= _places(events[name])
    assert not _places(_scrubbed(events[name]))


@pytest.mark.parametrize("name", _EVENTS)
def test_it_takes_nothing_more_the_second_time(events: dict[str, Any], name: str) -> None:
    """An event that is already scrubbed stays as it is."""
    once = _scrubbed(events[name])
    assert _scrubbed(once) == once


def test_what_is_harmless_stays(events: dict[str, Any]) -> None:
    """Names, numbers, addresses, statements and the program's facts are there afterwards."""
    before, event = events["crash"], _scrubbed(events["crash"])
    for name in ("event_id", "timestamp", "transaction", "release", "sdk", "server_name", "level"):
        assert event[name] == before[name]
    assert event["contexts"]["trace"] == before["contexts"]["trace"]
    assert event["contexts"]["order"] == {"number": 7, "deep": {"token": MASK}}
    assert event["user"] == {**before["user"], "pin": MASK}
    assert event["extra"] == {"held": {"name": "bob", "password": MASK}}
    assert event["request"]["url"] == f"http://localhost/crash/{MASK}"
    assert event["request"]["query_string"] == f"page=2&password={MASK}"
    assert event["request"]["cookies"] == {"theme": MASK, "session": MASK}
    crumbs = {one["category"]: one for one in event["breadcrumbs"]["values"]}
    statement, called, logged = crumbs["query"], crumbs["httplib"], crumbs["shop"]
    assert statement["message"] == "INSERT INTO users (name, password) VALUES (?, ?)"
    assert statement["data"]["db.params"] == MASK
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/reset/\*{8}", called["data"]["url"])
    assert called["data"]["http.query"] == f"page=2&token={MASK}"
    assert logged["message"] == f"trying password={MASK}"
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["vars"]["held"] == {"page": "2", "config": [{"secret_key": MASK}]}
    assert frame["vars"]["login"] == f"_Login(user='bob', password='{MASK}')"
    assert frame["vars"]["header"] == ["'X-Api-Key'", MASK]
    assert frame["vars"]["text"] == f"\"no user for '{MASK}', 2\""
    assert frame["context_line"].strip().startswith("raise KeyError(text, login.user")
    spans = _scrubbed(events["transaction"])["spans"]
    assert [span["op"] for span in spans] == ["db", "http.client"]
    assert spans[1]["description"].startswith("GET http://127.0.0.1:")


def test_only_own_frames_keep_variables(events: dict[str, Any]) -> None:
    """Variables of Python's, Flask's and other installed packages' frames are not sent."""
    for name in ("crash", "message"):
        before, event = events[name], _scrubbed(events[name])
        part = "exception" if name == "crash" else "threads"
        for old, new in zip(
            before[part]["values"][-1]["stacktrace"]["frames"],
            event[part]["values"][-1]["stacktrace"]["frames"],
            strict=True,
        ):
            library = "site-packages/" in old["abs_path"]
            assert ("vars" in new) is not library
            assert len(new["pre_context"]) == len(old["pre_context"])


def test_a_value_that_the_sdk_removed_is_masked_where_a_text_repeats_it(
    installed: dict[str, Any],
) -> None:
    """The SDK's own scrubber removes a variable named password; the error's text that repeats it
    is masked as well, if ``noted_secrets`` saw the event before."""
    assert "Local" in _places(_scrubbed(installed["filtered"]))
    assert not _places(installed["scrubbed"])


def test_noted_secrets_looks_into_all_parts(events: dict[str, Any]) -> None:
    """A value under a sensitive name in any part is masked in a text without a name."""
    for place in ("Local", "Nested", "Extra", "Context", "User", "Tag", "Header", "JSON"):
        noted = noted_secrets(events["crash"], scrubber)
        shown = _scrubbed({"message": f"it was {SECRET}{place} then"}, noted=noted)
        assert shown["message"] == f"it was {MASK} then"


def test_secrets_of_the_request_are_masked_where_they_are_repeated() -> None:
    """A cookie, a header and an argument of the rule, which the SDK does not send, are masked in a
    text; and the argument in the address, even if it is a common word."""
    app = Flask("app")
    app.add_url_rule("/reset/<token>", "reset")
    headers = Headers({"Cookie": f"session={SECRET}", "X-Api-Key": f"{SECRET}2"})
    builder = EnvironBuilder("/reset/sunshine", headers=headers)
    with app.request_context(builder.get_environ()) as context:
        event: dict[str, Any] = {
            "message": f"{SECRET} and {SECRET}2 and 'sunshine'",
            "request": {"url": "http://localhost/reset/sunshine"},
        }
        scrub_event(event, scrubber, request=context.request)
    assert event["message"] == f"{MASK} and {MASK} and '{MASK}'"
    assert event["request"] == {"url": f"http://localhost/reset/{MASK}"}


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("note", "'hunter2'", "'hunter2'"),
        ("password", "'hunter2'", MASK),
        ("password", "None", "None"),
        ("password", "''", "''"),
        ("password", "False", "False"),
        ("password", "[Filtered]", "[Filtered]"),
        ("pin", "1234", MASK),
        ("tokens", "1500", "1500"),
        ("token", "<Token object at 0x7f00>", MASK),
        ("note", "'it\\'s password=hunter2'", f'"it\'s password={MASK}"'),
        ("note", "'a\\nb'", "'a\\nb'"),
        ("note", "b'token=abc&x=1'", f"b'token={MASK}&x=1'"),
        ("note", "'password=hunter2...", f"'password={MASK}'"),
        ("note", "Config(password='hunter2', page=2)", f"Config(password='{MASK}', page=2)"),
        ("note", "4111111111111111", MASK),
        ("number", "4000000000000", "4000000000000"),
        ("rows", ["'password'", "'hunter2'"], ["'password'", MASK]),
        ("rows", ["'user'", "'bob'"], ["'user'", "'bob'"]),
        ("body", '\'{"password": "hunter2"}\'', f'\'{{"password": "{MASK}"}}\''),
        ("held", {"a": {"pin": "1234", "b": "5"}}, {"a": {"pin": MASK, "b": "5"}}),
        ("card", {}, {}),
    ],
)
def test_variables_are_judged_by_what_they_stand_for(name: str, text: Any, shown: Any) -> None:
    """A variable's text is read as the value of which it is the repr, and stays in that form."""
    assert _variables(**{name: text})[name] == shown


def test_lines_are_masked_with_what_the_file_shows_before_them() -> None:
    """The name that a literal belongs to may be above the lines that are sent."""
    password = (
        "one 1"
        "two 2"
        "three 3"
        "four 4"
        "five 5"
        "six 6"
        "seven 7"
        "eight 8"
    )  # fmt: skip
    lines = Path(__file__).read_text("utf-8").splitlines()
    at = next(place for place, line in enumerate(lines) if line.strip() == '"seven 7"')
    frame = {
        "abs_path": __file__,
        "module": __name__,
        "lineno": at + 1,
        "pre_context": lines[at - 5 : at],
        "context_line": lines[at],
        "post_context": lines[at + 1 : at + 6],
    }
    event = _scrubbed({"stacktrace": {"frames": [frame]}})
    shown = event["stacktrace"]["frames"][0]
    assert password
    assert shown["context_line"].strip() == f'"{MASK}"'
    assert "two 2" not in json.dumps(shown)
    assert len(shown["pre_context"]) == 5


def test_a_file_that_nothing_ran_is_not_read(tmp_path: Path) -> None:
    """An event that names any file gets no lines of it."""
    path = tmp_path / "other.py"
    path.write_text("a = 1\nb = 2\n")
    frame = {"abs_path": str(path), "lineno": 1, "context_line": "x", "pre_context": []}
    shown = _scrubbed({"stacktrace": {"frames": [frame]}})["stacktrace"]["frames"][0]
    assert shown["context_line"] == "x"
    assert shown["post_context"] == []


def test_an_address_is_no_name_of_a_transaction() -> None:
    """A transaction that is named after the address that was asked for is masked like it, and
    keeps no secret readable elsewhere. One named after a rule stays."""
    event = _crash(token=f"'{SECRET}'")
    event.update(transaction=f"/a/{SECRET}", message=f"it was {SECRET}")
    shown = _scrubbed({**event, "transaction_info": {"source": "url"}})
    assert (shown["transaction"], shown["message"]) == (f"/a/{MASK}", f"it was {MASK}")
    event.update(transaction="/a/<token>", transaction_info={"source": "route"})
    assert _scrubbed(event)["transaction"] == "/a/<token>"


def test_sys_argv_is_not_sent() -> None:
    """The command line, which the SDK adds, may hold a password."""
    assert _scrubbed({"extra": {"sys.argv": ["app", SECRET], "a": 1}}) == {"extra": {"a": 1}}


def test_words_of_a_visitor_are_not_scrubbed() -> None:
    """What a visitor wrote into the SDK's feedback was written to be read."""
    words = {"message": "my password=hunter2 fails", "contact_email": "bob@example.org"}
    event = {"type": "feedback", "contexts": {"feedback": words}}
    assert _scrubbed(event) == event


def test_a_context_stays_a_dict() -> None:
    """Sentry takes no text as a context, so that all values of a sensitive one are masked."""
    shown = _scrubbed({"contexts": {"session": {"a": "hunter2", "b": 5}}})
    assert shown == {"contexts": {"session": {"a": MASK, "b": MASK}}}


def test_notes_about_what_was_cut_stay() -> None:
    """``_meta`` says what the SDK cut, under the names of the event. It has no value to mask."""
    meta = {"extra": {"password": {"": {"rem": [["!limit", "x", 1021, 1024]], "len": 2000}}}}
    assert _scrubbed({"_meta": meta}) == {"_meta": meta}


class _Broken(Scrubber):
    """Fails at one text."""

    def text(self, text: str) -> str:
        if "explode" in text:
            raise ValueError
        return super().text(text)


def test_what_cannot_be_scrubbed_is_masked() -> None:
    """A part that makes the scrubber fail is replaced; the other parts are there."""
    event = _crash(bad=f"'explode {SECRET}'", good="'fine'")
    event.update(extra={"a": f"explode {SECRET}"}, message="fine", event_id="e" * 32)
    event["breadcrumbs"] = {"values": [{"message": f"explode {SECRET}"}, {"message": "fine"}]}
    scrub_event(event, _Broken())
    assert not re.search(SECRET, json.dumps(event))
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][0]
    assert frame["vars"] == {"bad": MASK, "good": "'fine'"}
    assert event["breadcrumbs"]["values"] == [MASK, {"message": "fine"}]
    assert event["extra"] == "<dict: could not be read>"
    assert (event["message"], event["event_id"]) == ("fine", "e" * 32)


def test_if_all_fails_an_outline_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event of which nothing is sure keeps its id, time and level, and no value of the app's."""
    event = {"event_id": "e" * 32, "level": "error", "extra": {"a": SECRET}, 5: SECRET}
    monkeypatch.setattr(MaskedValues, "walk", lambda *_: 1 / 0)
    scrub_event(event, scrubber)  # type: ignore[arg-type]  # no SDK makes such a key
    assert event == {"event_id": "e" * 32, "level": "error", "message": MASK}


class _Odd:
    def __repr__(self) -> str:
        raise ValueError


_CYCLE: dict[str, Any] = {}
_CYCLE["again"] = [_CYCLE, _CYCLE, {"password": SECRET}]
_DEEP: Any = SECRET
for _ in range(1000):
    _DEEP = [{"a": _DEEP}]
_ODD: tuple[Any, ...] = (
    None, 5, 1.5, "x", b"x", [], {}, [None, 5], (1,), {5: 6}, {("a",): 1}, _CYCLE, _DEEP, _Odd(),
    10**5000, {"values": 5}, {"frames": 5}, {"values": [None, 5, {"stacktrace": 5}]},
    {"values": [{"stacktrace": {"frames": [None, 5, {"vars": [1], "context_line": 5}]}}]},
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    "exception threads stacktrace logentry message request user extra contexts breadcrumbs spans"
    " transaction _meta tags level sdk modules fingerprint unknown".split(),
)
def test_no_event_makes_it_raise(name: str) -> None:
    """Odd types, cycles and depth are bounded, and what comes out is JSON."""
    for odd in _ODD:
        for event in ({name: odd}, {name: {"values": [odd], "data": odd, "headers": odd}}):
            scrub_event(event, scrubber)
            noted_secrets(event, scrubber)
            assert SECRET not in json.dumps(event)


def test_beyond_its_bound_an_event_costs_no_more() -> None:
    """Eight times as many values, breadcrumbs and frames take no longer than a few of them."""

    def seconds(times: int) -> float:
        text = "'" + "lorem ipsum dolor " * 50 + "'"
        event = _crash(**{f"v{n}": f"{n}{text}" for n in range(200 * times)})
        frames = event["exception"]["values"][0]["stacktrace"]["frames"]
        frames *= 10
        event["extra"] = {f"v{n}": f"{n}{text}" for n in range(200 * times)}
        event["breadcrumbs"] = {"values": [{"message": f"{n}{text}"} for n in range(250 * times)]}
        begun = time.process_time()
        scrub_event(event, scrubber)
        return time.process_time() - begun

    assert min(seconds(8) for _ in range(2)) <= 2 * min(seconds(1) for _ in range(2)) + 0.05
