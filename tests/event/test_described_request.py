"""An app's own description of a request, from ``http_context`` or a hook: bounded and masked."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from flask_sentry_kit.event.request import BODY_MAX, described_request
from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.serialize import Serializer


def shown(**given: Any) -> dict[str, Any]:
    return described_request(given, Serializer(Scrubber(())))


def test_each_part_is_masked_as_ours_is() -> None:
    """Address, query, headers and cookies; what has another name is a value like any other."""
    assert shown(
        url="http://localhost/reset?token=hunter2",
        query_string=b"token=hunter2&page=2",
        headers={"X-Api-Key": "hunter2", "Host": "localhost", 5: None},
        cookies={"session": "hunter2"},
        env={"password": "hunter2", "SERVER_PORT": 80},
        method="POST",
    ) == {
        "url": f"http://localhost/reset?token={MASK}",
        "query_string": f"token={MASK}&page=2",
        "headers": {"X-Api-Key": MASK, "Host": "localhost", "5": "None"},
        "cookies": {"session": MASK},
        "env": {"password": MASK, "SERVER_PORT": 80},
        "method": "POST",
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            MultiDict([("size", "1"), ("size", "2"), ("pwd", "x")]),
            {"size": ["1", "2"], "pwd": MASK},
        ),
        (b'{"item": "lamp", "pwd": "x"}', {"item": "lamp", "pwd": MASK}),
        ('{"item": "lamp", "pwd": "x"}', {"item": "lamp", "pwd": MASK}),
        (b"item=lamp\xff", "item=lamp\N{REPLACEMENT CHARACTER}"),
        (b"[" * 60_000, "["),
        (b" " * (BODY_MAX + 1), f"<body of {BODY_MAX + 1} bytes>"),
        ({"pwd": "x"}, {"pwd": MASK}),
    ],
    ids=["form", "JSON", "JSON text", "bytes", "nested", "long", "dict"],
)
def test_a_body_of_any_kind(data: Any, expected: Any) -> None:
    """A body may be a form, JSON, text or a dict. If it is too long, only its length is sent."""
    found = shown(data=data)["data"]
    assert found == expected or (expected == "[" and len(found) <= 8_000)


def test_it_is_bounded() -> None:
    """A huge description of a request is cut to a small size."""
    found = shown(
        headers={f"X-{number}": "a" * 9_000 for number in range(500)},
        cookies={f"c{number}": "x" for number in range(500)},
        url="http://localhost/" + "a" * 99_000,
        **{f"more{number}": "a" * 9_000 for number in range(500)},
    )
    assert len(str(found)) < 140_000
    assert len(found) <= 20
