"""What the page does with the answer to its form, in a real browser (static/dialog.js)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, PutClockAhead, Visit

FORM = "#sentry-kit-feedback"
OUTCOME = "#sentry-kit-outcome"
SEND = f"{FORM} button"


@pytest.fixture
def app(crashing_app: MakeApp, sentry: RecordingSentry) -> Flask:
    """A crashing app without the hosted dialog."""
    return crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_DIALOG=False)


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def crash(request: Any, chromium: Any, app: Flask, visit: Visit) -> Iterator[Any]:
    """The page of a crash, in a browser with JavaScript and in one without."""
    context = chromium.new_context(java_script_enabled=request.param)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{visit(app).base}/boom")
    yield page
    context.close()


def test_an_old_page_sends_at_the_second_press(
    crash: Any, sentry: RecordingSentry, later: PutClockAhead
) -> None:
    """After days it says what to do. Nothing has to be typed again, by whatever way it is sent."""
    words = {"comments": "After the weekend", "name": "Ada", "email": "ada@shop.example"}
    for name, value in words.items():
        crash.fill(f"{FORM} [name={name}]", value)
    later(3 * 24 * 60 * 60)
    crash.click(SEND)
    crash.wait_for_selector("text=Please press Send once more.")
    assert sentry.reports == []
    crash.click(SEND)
    crash.wait_for_selector("text=Sent. Thank you.")
    assert sentry.wait_for_report().fields == words


IN_WINDOW = """id => {
    const { top, bottom } = document.getElementById(id).getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
}"""


@pytest.mark.parametrize("crash", [True], indirect=True)
def test_what_is_said_is_in_the_window(crash: Any, later: PutClockAhead) -> None:
    """On a phone, where the button that was pressed is at the lower edge."""
    crash.set_viewport_size({"width": 320, "height": 400})
    crash.fill(f"{FORM} textarea", "Words")
    crash.evaluate("send => document.querySelector(send).scrollIntoView(false)", SEND)
    later(3 * 24 * 60 * 60)
    crash.click(SEND)
    crash.wait_for_function(f"!document.querySelector('{FORM}').hasAttribute('aria-busy')")
    assert crash.evaluate(IN_WINDOW, "sentry-kit-outcome")


def test_what_is_passed_on_is_not_called_sent(
    crash: Any, app: Flask, sentry: RecordingSentry, may_not_keep_words: Callable[[Flask], None]
) -> None:
    """The form is put away, and the outcome alone is there."""
    may_not_keep_words(app)
    crash.fill(f"{FORM} textarea", "Words")
    crash.click(SEND)
    crash.wait_for_selector("text=Passed on. Thank you.")
    assert not crash.is_visible(FORM) and "Sent" not in crash.inner_text("body")
    assert sentry.wait_for_report().fields["comments"] == "Words"
