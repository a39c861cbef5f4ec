"""An open list is brought up to date: in real Chromium."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.support.inbox import RunningInbox
from tests.support.inbox_list import press, ready, rows, wait_for_rows

# Milliseconds, as live.js has them.
POLLS_EVERY = 10_000
AT_REST = 20_000


def test_what_arrives_shows_up_without_a_reload(
    served: RunningInbox, page: Page, console: list[str]
) -> None:
    """The list fills, its icon says that there is something unread, and words join an open crash
    page."""
    page.goto(served.url)
    expect(page.get_by_text("Nothing has crashed yet.")).to_be_visible()
    served.store()
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("unread.svg"))
    page.locator(".row").click()
    expect(page.get_by_text("Nothing, so far.")).to_be_visible()
    served.report("I pressed pay")
    expect(page.get_by_text("I pressed pay")).to_be_visible()
    assert console == []


def test_nothing_moves_under_the_pointer(
    filled: RunningInbox, page: Page, console: list[str]
) -> None:
    """What arrives while the mouse is over the list is counted on a button; rows that are there are
    brought up to date in their places. It comes in when the button is pressed or the mouse leaves.
    """
    page.goto(filled.url)
    ready(page)
    page.locator(".row").nth(1).hover()
    filled.store(filled.event("e" * 32, kind="EError"))
    filled.store(filled.event("f" * 32, kind="AError"))
    news = page.get_by_role("button", name="2 new")
    expect(news).to_be_visible()
    assert rows(page) == ["DError", "CError", "BError", "AError"]
    expect(page.locator(".list .count").last).to_contain_text("2")
    expect(page).to_have_title("(5) Inbox")
    news.click()
    wait_for_rows(page, "AError", "EError", "DError", "CError", "BError")
    expect(page.locator("#news")).to_be_hidden()
    page.locator(".row").nth(1).hover()
    filled.store(filled.event("9" * 32, kind="BError"))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.mouse.move(5, 5)
    wait_for_rows(page, "BError", "AError", "EError", "DError", "CError")
    assert console == []


def test_a_mouse_that_rests_holds_nothing(filled: RunningInbox, page: Page) -> None:
    """On a second screen it may lie on the list for hours: what waits comes in after a while."""
    page.clock.install()
    page.goto(filled.url)
    ready(page)
    page.locator(".row").nth(1).hover()
    filled.store(filled.event("e" * 32, kind="EError"))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.clock.fast_forward(AT_REST + 1_000)
    page.clock.fast_forward(1_000)
    wait_for_rows(page, "EError", "DError", "CError", "BError", "AError")


def test_what_the_reader_is_doing_goes_on(filled: RunningInbox, page: Page) -> None:
    """Selection, an unfolded part, what is typed and the focus outlive an update."""
    page.goto(filled.url)
    ready(page)
    page.locator(".foot summary").click()
    page.get_by_label("Select BError").check()
    press(page, "/")
    page.keyboard.type("half a wo")
    filled.store(filled.event("e" * 32, kind="EError"))
    news = page.locator("#news")
    expect(news).to_have_text("1 new")
    # Rows are selected, so that the list waits.
    news.click()
    wait_for_rows(page, "EError", "DError", "CError", "BError", "AError")
    expect(page.get_by_label("Select BError")).to_be_checked()
    expect(page.locator("#dsn")).to_be_visible()
    expect(page.get_by_label("Search", exact=True)).to_have_value("half a wo")


def test_many_arrivals_cost_few_readings(filled: RunningInbox, page: Page) -> None:
    """However many arrive one after the other, the page is read again once a second at most."""
    read: list[str] = []
    page.goto(filled.url)
    ready(page)
    page.on("request", lambda one: read.append(one.url) if one.resource_type == "xhr" else None)
    began = time.monotonic()
    for number in range(12):
        filled.store(filled.event(f"{number + 100:032x}", kind="ManyErrors"))
        # Longer than the stream gathers what arrives.
        page.wait_for_timeout(120)
    expect(page.locator(".list .count").first).to_contain_text("12")
    assert 2 <= len(read) <= 2 + (time.monotonic() - began)


def test_without_a_stream_it_asks(filled: RunningInbox, page: Page) -> None:
    """A refused stream (503) is replaced by a question every ten seconds."""
    page.clock.install()
    page.route("**/stream*", lambda route: route.fulfill(status=503))
    with page.expect_response("**/stream*"):
        page.goto(filled.url)
    ready(page)
    filled.store(filled.event("e" * 32, kind="EError"))
    with page.expect_response("**/pulse"):
        page.clock.fast_forward(POLLS_EVERY)
    page.clock.fast_forward(1_000)
    wait_for_rows(page, "EError", "DError", "CError", "BError", "AError")


def test_a_hidden_tab_keeps_its_title_and_no_connection(filled: RunningInbox, page: Page) -> None:
    """It asks now and then; when it is seen again, the list is up to date."""
    page.clock.install()
    page.add_init_script(
        "window.away = false;"
        "Object.defineProperty(document, 'hidden', {get: () => window.away});"
        "window.go = (away) => {window.away = away;"
        " document.dispatchEvent(new Event('visibilitychange'))};"
    )
    page.goto(filled.url)
    ready(page)
    page.evaluate("go(true)")
    filled.store(filled.event("e" * 32, kind="EError"))
    with page.expect_response("**/pulse"):
        page.clock.fast_forward(POLLS_EVERY)
    page.clock.fast_forward(1_000)
    expect(page).to_have_title("(5) Inbox")
    assert len(rows(page)) == 4
    page.evaluate("go(false)")
    page.clock.fast_forward(1_000)
    wait_for_rows(page, "EError", "DError", "CError", "BError", "AError")
