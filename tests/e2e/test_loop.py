"""The whole loop, in real Chromium against the demo's own program: a visitor breaks the shop,
says what happened in the dialog, and both are read together in the inbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from demo_app import create_app
from tests.support.demo import Demo
from tests.support.types import Serve

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = re.compile(r"\b[0-9a-f]{32}\b")


def look_at_a_product_without_price(page: Page) -> None:
    page.get_by_role("link", name="Marbled paper").click()


def open_the_account(page: Page) -> None:
    page.get_by_role("link", name="Ways to break").click()
    page.get_by_role("link", name="Open your account").click()
    page.get_by_role("button", name="Sign in").click()


def order_with_a_voucher(page: Page) -> None:
    page.get_by_role("link", name="Stitched notebook").click()
    page.get_by_role("button", name="Put in the basket").click()
    page.get_by_label("Voucher").fill("WELCOME10")
    page.get_by_role("button", name="Place the order").click()


def open_the_stock_address(page: Page) -> None:
    page.get_by_role("link", name="Walnut ink").click()
    link = page.get_by_role("link", name="How long will the stock last?")
    page.goto(page.evaluate("link => link.href", link.element_handle()))


def buy_a_gift_card(page: Page) -> None:
    page.get_by_role("link", name="Gift cards").click()


# Each way to break the shop, what is raised there, and the route it is raised in.
WAYS = [
    pytest.param(look_at_a_product_without_price, "TypeError", id="view"),
    pytest.param(open_the_account, "IndexError", id="signed-in"),
    pytest.param(order_with_a_voucher, "ValueError", id="form-post"),
    pytest.param(open_the_stock_address, "ZeroDivisionError", id="api"),
    pytest.param(buy_a_gift_card, "InternalServerError", id="abort"),
]


def crash(page: Page, shop: str, way: Callable[[Page], None]) -> str:
    """Break the shop this way; the reference that the page shows."""
    page.goto(shop)
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status))
    way(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("broke")
    assert 500 in statuses
    found = REFERENCE.search(page.locator("body").inner_text())
    assert found, "the page shows no reference"
    return found[0]


def send_the_dialog(page: Page, words: str, **fields: str) -> None:
    """Fill the dialog as a visitor does, and send it."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for name, value in {"comments": words, **fields}.items():
        dialog.locator(f"[name={name}]").fill(value)
    dialog.get_by_role("button", name=re.compile("send|submit", re.IGNORECASE)).click()
    expect(page.get_by_text("Thank you").first).to_be_visible()


@pytest.mark.parametrize(("way", "exception"), WAYS)
def test_a_crash_and_the_visitors_words_are_read_together(
    page: Page, demo: Demo, way: Callable[[Page], None], exception: str
) -> None:
    """However the shop is broken, the dialog opens for the event, and the inbox shows the
    exception and the words on one page and ties them in its read API."""
    words = f"I wanted to {way.__name__.replace('_', ' ')}."
    event_id = crash(page, demo.shop, way)
    send_the_dialog(page, words, name="Grace Hopper", email="grace@example.com")

    kept = demo.inbox.event(event_id, with_report=True)
    assert kept["event"]["exception"]["values"][-1]["type"] == exception
    report = kept["latest_words"]
    assert (report["name"], report["email"]) == ("Grace Hopper", "grace@example.com")
    assert report["comments"] == words

    page.goto(demo.inbox.url)
    shown = "abort(500)" if exception == "InternalServerError" else exception
    page.get_by_role("link").filter(has_text=shown).first.click()
    expect(page.locator("body")).to_contain_text(shown)
    expect(page.locator("body")).to_contain_text(words)
    expect(page.locator("body")).to_contain_text(event_id)


def test_the_dialog_knows_who_is_signed_in(page: Page, demo: Demo) -> None:
    """Name and email address are filled in already, and the event names the same customer."""
    event_id = crash(page, demo.shop, open_the_account)
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[name=name]")).to_have_value("Ada Lovelace")
    expect(dialog.locator("[name=email]")).to_have_value("ada@example.com")
    user = demo.inbox.event(event_id)["event"]["user"]
    assert (user["id"], user["email"], user["is_authenticated"]) == ("1", "ada@example.com", True)


def test_a_script_that_asks_the_broken_api_is_told_the_reference(page: Page, demo: Demo) -> None:
    """Where the shop's own script meets the crash, it gets JSON with the reference of an event
    that has arrived, and no page is put in its way."""
    page.goto(demo.shop)
    page.get_by_role("link", name="Walnut ink").click()
    with page.expect_response(re.compile("/api/stock")) as answered:
        page.get_by_role("link", name="How long will the stock last?").click()
    assert answered.value.status == 500
    expect(page.get_by_role("status").last).to_contain_text(REFERENCE)
    found = REFERENCE.search(page.get_by_role("status").last.inner_text())
    assert found
    event = demo.inbox.event(found[0])["event"]
    assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"


def test_real_raven_js_opens_the_same_dialog(page: Page, demo: Demo, serve: Serve) -> None:
    """With raven-js 3.27.2 in place of our loader, from another host as a CDN is, the loop closes
    in the same way."""
    dist = ROOT / "tests" / "js" / "node_modules" / "raven-js" / "dist"
    assert dist.is_dir(), "raven-js is missing: `make test` brings it, or npm ci"
    cdn = serve(Flask("cdn", static_folder=str(dist)))
    shop = serve(create_app(dsn=demo.dsn, SENTRY_KIT_RAVEN_JS=f"{cdn}/dist/raven.min.js"))
    event_id = crash(page, shop, look_at_a_product_without_price)
    page.wait_for_function("window.Raven && Raven.VERSION === '3.27.2'")
    send_the_dialog(page, "With the real one.", name="Grace", email="grace@example.com")
    kept = demo.inbox.event(event_id, with_report=True)
    assert kept["latest_words"]["comments"] == "With the real one."
