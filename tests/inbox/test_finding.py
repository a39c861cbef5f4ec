"""What a search finds in an inbox's file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from flask_sentry_kit.inbox.storage.search import parse
from flask_sentry_kit.inbox.storage.store import Store


def add(store: Store, number: int, kind: str, files: Any = (), **more: Any) -> str:
    event_id = f"{number:08x}" + "0" * 24
    frames = [{"module": "shop.cart", "function": "total", "in_app": True, "lineno": number}]
    failure = {"type": kind, "value": "no sum", "stacktrace": {"frames": frames}}
    body = {"event_id": event_id, "exception": {"values": [failure]}, **more}
    store.add_event(event_id, json.dumps(body).encode(), body, attachments=files)
    return event_id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("found") / "inbox.sqlite")
    first = add(
        made,
        0xABCDEF01,
        "ValueError",
        user={"username": "ada"},
        release="shop@1.2",
        request={"url": "http://shop/checkout", "method": "POST"},
        tags={"plan": "gold"},
    )
    add(made, 2, "KeyError", files=[Attachment("a", "", b"a")], environment="staging")
    add(made, 3, "IndexError", breadcrumbs={"values": [{"message": "opened the till"}]})
    made.put_report(first, "Ann", "ann@shop.example", "I pressed pay")
    made.mark([key for key in made.keys(parse("type:IndexError"))], resolved=True)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "IndexError KeyError ValueError"),
        ("ValueError", "ValueError"),
        ("value", "ValueError"),
        ("is:unread", "KeyError ValueError"),
        ("is:resolved", "IndexError"),
        ("has:words", "ValueError"),
        ("pressed", "ValueError"),
        ('"opened the till"', "IndexError"),
        ("user:ada", "ValueError"),
        ("release:shop@1.2", "ValueError"),
        ("app:shop", "ValueError"),
        ("url:/checkout method:POST", "ValueError"),
        ("tag.plan:gold", "ValueError"),
        ("has:attachment environment:staging", "KeyError"),
        ("-type:KeyError", "IndexError ValueError"),
        ("abcdef01", "ValueError"),
        ("user:ada type:KeyError", ""),
        ("after:1h", "IndexError KeyError ValueError"),
        ("before:1h", ""),
    ],
)
def test_a_search_finds(store: Store, text: str, found: str) -> None:
    """By words, marks, fields and references, all of them in one search."""
    search = parse(text)
    assert " ".join(sorted(crash.type for crash in store.find(search, 10).crashes)) == found
    assert store.count(search) == len(store.keys(search)) == len(found.split())
    assert " ".join(sorted(event["type"] for event in store.find_events(search, 10))) == found


def test_words_are_found_by_what_they_and_their_crash_say(store: Store) -> None:
    for text in ("pressed", "user:Ann", "type:ValueError", "is:unread"):
        assert [one.name for one in store.find_words(parse(text), 10)] == ["Ann"]
    assert store.find_words(parse("type:KeyError"), 10) == []
