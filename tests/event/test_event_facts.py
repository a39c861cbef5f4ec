"""What a visitor's words repeat of their event: bounded, and as the event has it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit.event.event_facts import EVENTS_MAX, EventFacts, LatestEvents, facts_of
from flask_sentry_kit.event.page_url import page_url
from flask_sentry_kit.event.scrub import Scrubber


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"environment": 7, "release": ["1"], "user": "ada", "tags": [["a", "b"]], "request": "/"},
        {"user": {"id": {"a": 1}, "email": "x" * 10_000}, "tags": {1: "b", "a": None}},
        {"request": {"url": 7}, "release": "x" * 10_000},
        {"request": {"url": "http://shop.example/" + "x" * 10_000}},
    ],
)
def test_what_a_processor_of_the_apps_made_of_an_event_is_left_out(odd: dict[str, Any]) -> None:
    """Its parts may be anything; what is not of the expected kind and length is not repeated."""
    assert facts_of(odd) == EventFacts()


def test_an_address_that_is_too_long_with_its_query_is_there_without_it() -> None:
    """2,000 characters, as in events."""
    request = {"url": "http://shop.example/basket", "query_string": "q=" + "x" * 1_990}
    assert facts_of({"request": request}).url == "http://shop.example/basket"
    assert facts_of({"request": {**request, "query_string": "q=1"}}).url.endswith("/basket?q=1")


def test_the_latest_events_are_remembered_and_no_more() -> None:
    """1,000 of them, in less than 10 MB with the largest facts that there can be."""
    latest = LatestEvents()
    text = "x" * 200
    tracemalloc.start()
    try:
        for number in range(EVENTS_MAX + 10):
            tags = {f"{number}-{tag}-{'t' * 100}": f"{number}{'v' * 90}" for tag in range(100)}
            user = {name: f"{text[:150]}{number}" for name in ("id", "email", "username", "name")}
            url = f"http://shop.example/{number}/{'p' * 1_900}"
            latest.note(
                {"event_id": str(number), "tags": tags, "user": user, "request": {"url": url}}
            )
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert latest.get("9") is None
    assert latest.get("10") is not None
    assert used < 10 * 2**20


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://shop.example/mount/reset/hello?page=2", "/mount/reset/********?page=2"),
        ("http://shop.example/mount/basket?token=hello", "/mount/basket?token=********"),
        ("http://shop.example/other/reset/hello", "/other/reset/hello"),
        ("http://shop.example:8080/mount/basket", "/mount/basket"),
        ("http://ada:hunter2@shop.example/mount/basket", "/mount/basket"),
    ],
)
def test_a_pages_address_is_masked_below_a_mount_point(url: str, shown: str) -> None:
    """By the rule that the app has for it, as in the event of a request to it."""
    app = Flask("shop")
    app.add_url_rule("/reset/<token>", "reset", lambda token: token, methods=["POST"])
    with app.test_request_context("/", environ_overrides={"SCRIPT_NAME": "/mount"}):
        found = page_url(app, url, Scrubber(()))
    assert found.partition("shop.example")[2].removeprefix(":8080") == shown
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/basket",
        "javascript:alert(1)",
        "http://",
        "http://[::1/",
        "http://shop.example:port/",
        "http://shop.example/" + "x" * 10_000,
    ],
)
def test_what_is_no_address_of_a_page_is_left_out(url: str) -> None:
    """No error, and nothing of it in the words."""
    app = Flask("shop")
    with app.test_request_context("/"):
        assert page_url(app, url, Scrubber(())) == ""
