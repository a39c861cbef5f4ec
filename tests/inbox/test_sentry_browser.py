"""The current @sentry/browser from npm, in real Chromium, sends to the inbox.

npm has it as modules, without a bundle; the browser loads them as they are, by an import map.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, Response, request, send_from_directory
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.inbox import RunningInbox
from tests.support.serving import serving

MODULES = Path(__file__).parents[1] / "js" / "node_modules"
IMPORTS = {
    name: f"/modules/@sentry/{path}"
    for name, path in {
        "@sentry/browser": "browser/build/npm/esm/prod/index.js",
        "@sentry/core": "core/build/esm/index.js",
        "@sentry/core/browser": "core/build/esm/browser.js",
        "@sentry/browser-utils": "browser-utils/build/esm/index.js",
        "@sentry/feedback": "feedback/build/npm/esm/index.js",
        "@sentry/replay": "replay/build/npm/esm/index.js",
        "@sentry/replay-canvas": "replay-canvas/build/npm/esm/index.js",
        "@sentry/conventions/attributes": "conventions/dist/attributes.mjs",
        "@sentry/conventions/metrics": "conventions/dist/metrics.mjs",
        "@sentry/conventions/op": "conventions/dist/op.mjs",
    }.items()
} | {"web-vitals": "/modules/web-vitals/dist/web-vitals.js"}


OPTIONS = {"release": "shop@1.2.3", "environment": "staging"}


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of a page with @sentry/browser, for any DSN, on another origin than the inbox."""
    assert (MODULES / "@sentry/browser").exists(), "@sentry/browser is missing: make test brings it"
    app = Flask("shop")

    @app.get("/")
    def page() -> str:
        options = json.dumps({"dsn": request.args["dsn"], **OPTIONS})
        return (
            "<!doctype html><html lang=en><title>Shop</title><link rel=icon href=data:,>"
            f'<script type="importmap">{json.dumps({"imports": IMPORTS})}</script>'
            '<h1>Shop</h1><script type="module">import * as Sentry from "@sentry/browser";'
            "const widget = Sentry.feedbackIntegration({colorScheme: 'light'});"
            f"Sentry.init({{...{options}, integrations: [widget]}});"
            "Sentry.setUser({id: 'u-7'}); Sentry.setTag('plan', 'gold');"
            "window.Sentry = Sentry;</script>"
        )

    @app.get("/modules/<path:path>")
    def module(path: str) -> Response:
        return send_from_directory(MODULES, path, mimetype="text/javascript", max_age=600)

    with serving(app) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One for all tests here, so that it loads the 300 modules once."""
    with closing(chromium.new_context()) as context:
        yield context


@pytest.fixture
def sentry(served: RunningInbox, shop: str, context: BrowserContext) -> Iterator[Page]:
    """The shop's page, which has loaded @sentry/browser."""
    with closing(context.new_page()) as page:
        page.goto(f"{shop}?{urlencode({'dsn': served.dsn})}")
        page.wait_for_function("window.Sentry")
        yield page


def capture(sentry: Page) -> str:
    event_id: str = sentry.evaluate(
        "() => { const id = Sentry.captureException(new TypeError('no sum'));"
        " return Sentry.flush(10000).then(() => id); }"
    )
    return event_id


def kept(served: RunningInbox, event_id: str) -> Any:
    return served.api(f"events/{event_id}")


def test_a_crash_and_what_is_said_about_it_arrive(served: RunningInbox, sentry: Page) -> None:
    """An error of the page's, feedback about it and about nothing, anonymous or not."""
    crash = capture(sentry)
    sentry.evaluate(
        "(about) => { Sentry.captureFeedback({message: 'first', associatedEventId: about,"
        " name: 'Ann', email: 'ann@shop.example'});"
        " Sentry.captureFeedback({message: 'second', associatedEventId: about});"
        " Sentry.captureFeedback({message: 'the shop is slow'});"
        " return Sentry.flush(10000); }",
        crash,
    )
    event = kept(served, crash)
    assert event["event"]["exception"]["values"][0]["type"] == "TypeError"
    # They are sent at the same time, and may have been written in the same millisecond.
    reports = sorted(event["words"], key=lambda one: one["comments"])
    assert [(one["comments"], one["name"], one["email"]) for one in reports] == [
        ("first", "Ann", "ann@shop.example"),
        ("second", "", ""),
    ]
    assert reports[0]["url"] == reports[1]["url"] == sentry.url
    facts = {tuple(pair) for pair in reports[0]["facts"]}
    assert {("environment", "staging"), ("release", "shop@1.2.3"), ("plan", "gold")} <= facts
    assert ("user id", "u-7") in facts
    sentry.goto(f"{served.url}/")
    expect(sentry.locator("#words")).to_contain_text("the shop is slow")
    sentry.goto(f"{served.url}/events/{crash}/")
    expect(sentry.locator(".speech")).to_have_count(2)


def test_its_report_dialog_is_the_inboxs(served: RunningInbox, sentry: Page) -> None:
    """showReportDialog loads the inbox's dialog, whose words are beside the crash."""
    crash = capture(sentry)
    sentry.evaluate("(eventId) => Sentry.showReportDialog({eventId})", crash)
    dialog = sentry.get_by_role("dialog")
    dialog.get_by_label("What were you doing?").fill("I pressed pay")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("heading", name="Sent. Thank you.")).to_be_visible()
    assert [one["comments"] for one in kept(served, crash)["words"]] == ["I pressed pay"]


def test_its_feedback_widget_is_taken(served: RunningInbox, sentry: Page) -> None:
    """The button of feedbackIntegration(): words about no crash, which have no name."""
    sentry.get_by_role("button", name="Report a Bug").click()
    sentry.get_by_label("Description").fill("the shop is slow")
    sentry.get_by_role("button", name="Send Bug Report").click()
    expect(sentry.get_by_text("Thank you for your report!")).to_be_visible()
    (report,) = served.api("words")["words"]
    assert (report["comments"], report["event_id"]) == ("the shop is slow", None)
