"""docs/inbox-api.md: its examples are asked of a real inbox, in their order, and its tables name
every field."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from flask_sentry_kit.inbox.storage.search import FIELDS, parse
from tests.support.inbox import RunningInbox, running

DOC = (Path(__file__).parents[2] / "docs" / "inbox-api.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```console\n\$ (curl .*?)\n```\n\n```(?:json|text)\n(.*?)```", re.DOTALL)

EVENT_ID = "4f2a91c08d3e4b5f9a6c7d8e9f0a1b2c"

# What differs from run to run, and where the inbox runs.
VARIES = ("received_at", "file", "dsn", "version", "bytes")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """The inbox of the examples: one crash, with words and a file."""
    with running(tmp_path_factory.mktemp("example")) as start:
        served = start()
        served.store(
            served.event(
                EVENT_ID,
                "KeyError",
                timestamp="2025-11-03T13:03:22.250Z",
                release="shop@1.2.0",
                environment="production",
                server_name="web-1",
                user={"id": "7", "username": "ada"},
            )
        )
        served.envelope(
            {
                "event_id": "9" * 32,
                "timestamp": 1_762_175_050,
                "contexts": {
                    "feedback": {
                        "message": "I pressed pay.",
                        "name": "Ada",
                        "contact_email": "ada@shop.example",
                        "associated_event_id": EVENT_ID,
                        "url": "https://shop.example/checkout",
                    }
                },
                "environment": "production",
            },
            {"event_id": "8" * 32},
        )
        store = served.server.app.extensions["sentry_kit_inbox"].store
        store.add_attachments(EVENT_ID, [Attachment("cart.txt", "text/plain", b"3 lamps\n")])
        yield served


def request(served: RunningInbox, command: str) -> urllib3.BaseHTTPResponse:
    """Do what a curl command does."""
    method, url, body, headers = "GET", "", None, {}
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    for word in words:
        if word == "-X":
            method = next(words)
        elif word in ("-H", "--header"):
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word in ("-d", "--data"):
            body = next(words)
        elif not word.startswith("-"):
            url = word
    parts = urlsplit(url)
    assert parts.netloc == "127.0.0.1:9000", command
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return served.request(method, path, body=body, headers=headers, preload_content=False)


def alike(real: Any, shown: Any, name: str = "") -> bool:
    """Whether the example is what is answered, but for what varies, and for ``…``."""
    if shown == "…":
        return True
    if isinstance(shown, dict):
        return (
            isinstance(real, dict)
            and list(real) == list(shown)
            and all(alike(real[key], shown[key], key) for key in shown)
        )
    if isinstance(shown, list):
        pairs = zip(real, shown, strict=True)
        return isinstance(real, list) and all(alike(one, other, name) for one, other in pairs)
    return type(real) is type(shown) and (name in VARIES or real == shown)


def blocks(text: str) -> list[dict[str, Any]]:
    """The blocks of a stream, with their data read."""
    found = []
    for block in filter(None, text.strip().split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = json.loads(fields["data"].replace("{…}", '"…"')) if "data" in fields else None
        found.append({**fields, "data": data})
    return found


def fields(heading: str) -> list[str]:
    """The names in the table below a heading."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", DOC, re.DOTALL | re.MULTILINE)
    assert section, heading
    return re.findall(r"^\| `([\w.]+)`", section[1], re.MULTILINE)


def test_every_field_is_explained(example: RunningInbox) -> None:
    """In the order of the answers, and nothing that is not there."""
    event = example.api(f"events/{EVENT_ID}")
    crash = example.api("crashes")["crashes"][0]
    assert fields("A crash") == [*crash, "latest_event_id"]
    assert fields("An event in a list") == list(example.api("events")["events"][0])
    assert fields("An event") == list(event)
    assert fields("An attachment") == list(event["attachments"][0])
    assert fields("Words") == list(event["words"][0])
    status = example.api("status")
    limits = [f"limits.{name}" for name in status.pop("limits")]
    assert fields("Status") == [*status, *limits]


def test_every_example_is_what_the_inbox_answers(example: RunningInbox) -> None:
    """Fields, their order, types and values."""
    found = EXAMPLE.findall(DOC)
    assert len(found) > 12
    for command, shown in found:
        answer = request(example, command)
        if "/stream" in command:
            text = b""
            for piece in answer.stream(2**16):
                text += piece
                if text.count(b"\n\n") == shown.count("\n\n"):
                    break
            answer.close()
            real, expected = blocks(text.decode()), blocks(shown)
        elif answer.headers["Content-Type"] != "application/json":
            assert answer.read().decode() == shown
            continue
        else:
            real, expected = answer.json(), json.loads(shown.replace("{…}", '"…"'))
        assert alike(real, expected), (command, json.dumps(real, indent=2))


def test_every_field_of_the_search_is_explained() -> None:
    """With an example that is a search."""
    section = DOC.partition("## The search\n")[2].partition("\n## ")[0]
    terms = "".join(line.split("|")[1] for line in section.splitlines() if line[:3] == "| `")
    assert set(re.findall(r"`(\w+|tag\.NAME):", terms)) == {*FIELDS, "tag.NAME"}
    for example in re.findall(r"`([^`]+)`", terms):
        assert parse(example).terms
