"""A crash's page as a developer meets it: in real Chromium, with all that an event can bring."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from tests.support.inbox import EVENT_ID, RunningInbox, running

AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
LONG = "a" * 300
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)  # one pixel
HEBREW = "שלום עולם ‏(42)"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """An inbox with three events, the second of which has everything that a page shows."""
    with running(tmp_path_factory.mktemp("full")) as start:
        inbox = start(editor="vscode", forward_to="http://a@127.0.0.1:1/1")
        fill(inbox)
        yield inbox


def fill(inbox: RunningInbox) -> None:
    variables = {LONG: LONG * 10, "name": HEBREW, "cart": {"items": [{"a": LONG}] * 3}}
    frames = [
        {"module": "shop", "function": name, "lineno": 3, "in_app": ours, "vars": variables,
         "abs_path": "/srv/shop.py", "pre_context": [HEBREW], "context_line": f"{name}({LONG})"}
        for name, ours in (("wsgi", False), ("view", True), ("fact", True), ("dumps", False))
    ]  # fmt: skip
    frames[2:3] = [frames[2]] * 50
    marks = (
        {"exception_id": 2, "parent_id": 0, "source": "exceptions[0]"},
        {"exception_id": 1, "parent_id": 0, "source": "__cause__"},
        {"exception_id": 0, "is_exception_group": True},
    )
    values = [
        {
            "type": kind,
            "value": HEBREW,
            "mechanism": mark,
            "stacktrace": {"frames": frames if kind == "ExceptionGroup" else frames[1:2]},
        }
        for kind, mark in zip((LONG, "OSError", "ExceptionGroup"), marks, strict=True)
    ]
    pairs = {LONG: LONG, "name": HEBREW}
    body = {
        "exception": {"values": values},
        "request": {
            "url": f"http://shop.example/{LONG}", "method": "POST", "data": pairs, "env": pairs,
            "query_string": pairs, "cookies": pairs, "headers": [["Accept", LONG], [LONG, "x"]],
        },
        "user": pairs, "tags": pairs, "extra": pairs, "contexts": pairs, "level": "warning",
        "breadcrumbs": {"values": [
            {"timestamp": 1795333990 + at, "level": level, "category": "sql", "message": LONG,
             "data": pairs}
            for at, level in enumerate(("info", "warning", "error"))
        ]},
    }  # fmt: skip
    for number in range(1, 4):
        event_id = EVENT_ID if number == 2 else f"{number:032x}"
        inbox.store({**body, "event_id": event_id, "timestamp": 1795334000 + number})
    inbox.report(HEBREW)
    inbox.report(LONG, event_id=f"{1:032x}")
    store = inbox.server.app.extensions["sentry_kit_inbox"].store
    store.add_attachments(
        EVENT_ID,
        [Attachment("shot.png", "image/png", PNG), Attachment(LONG, "text/plain", b"log " * 999)],
    )
    inbox.store(inbox.event("f" * 32, kind="Newest"))


@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 1500)])
def test_axe_finds_nothing_and_no_page_is_too_wide(
    full: RunningInbox, page: Page, console: list[str], scheme: Any, width: int
) -> None:
    """With all parts unfolded, in both schemes, from 320 px up; the picture is loaded."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{full.url}/events/{EVENT_ID}/")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = page.evaluate(
        f"() => {{ {AXE.read_text(encoding='utf-8')};"
        " return axe.run().then(run => run.violations.map(one =>"
        " one.id + ' ' + one.nodes[0].html)) }"
    )
    assert found == []
    page.locator("img").scroll_into_view_if_needed()
    expect(page.locator("img")).to_have_js_property("naturalWidth", 1)
    assert console == []


def pasted(page: Page) -> str:
    """What the clipboard holds. The inbox's own pages may not read it."""
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").last.focus()
    page.keyboard.press("Control+V")
    return page.locator("textarea").last.input_value()


def test_markdown_and_curl_are_copied(full: RunningInbox, page: Page, console: list[str]) -> None:
    """To the clipboard, over plain HTTP on 127.0.0.1, by button and by key."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=full.url)
    page.goto(f"{full.url}/events/{EVENT_ID}/")
    page.evaluate("document.addEventListener('copy', () => { throw new Error('by selection') })")
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert pasted(page) == full.request("GET", f"/events/{EVENT_ID}.md").data.decode()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("button", name="Copy as curl")).to_have_count(0)
    copied = pasted(page)
    assert copied == page.locator("#curl").text_content()
    assert copied.startswith("curl 'http://shop.example/")
    assert console == []


def test_without_a_clipboard_it_is_copied_by_selection(full: RunningInbox, page: Page) -> None:
    """As on a page that is read over plain HTTP from another machine."""
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.addEventListener('copy', () => window.copied = String(getSelection()) ||"
        " document.activeElement.value);"
    )
    page.goto(f"{full.url}/events/{EVENT_ID}/")
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("window.copied") == page.locator("#curl").text_content()


def test_everything_has_a_key(full: RunningInbox, page: Page, console: list[str]) -> None:
    """Next and previous crash, newer and older event, keep, resolve."""
    page.goto(f"{full.url}/events/{EVENT_ID}/")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    for meaning in ("next, previous crash", "copy as Markdown", "open in VS Code"):
        expect(keys.get_by_text(meaning)).to_be_visible()
    page.keyboard.press("Escape")
    for key, title in (("k", "Newest"), ("j", "ExceptionGroup")):
        with page.expect_navigation():
            page.keyboard.press(key)
        expect(page.locator("h1 .type")).to_have_text(title)
    page.goto(f"{full.url}/events/{EVENT_ID}/")
    for key, number in (("n", 3), ("p", 2), ("p", 1)):
        with page.expect_navigation():
            page.keyboard.press(key)
        expect(page.locator(".events span")).to_have_text(f"{number} of 3 kept")
    with page.expect_navigation():
        page.keyboard.press("s")
    expect(page.get_by_role("button", name="Keep no longer")).to_be_visible()
    with page.expect_navigation():
        page.keyboard.press("e")
    resolved = [one["resolved"] for one in full.api("crashes")["crashes"]]
    assert sorted(resolved) == [False, True]
    assert console == []


def test_a_direction_in_a_value_turns_nothing_beside_it(full: RunningInbox, page: Page) -> None:
    """Names stay left of their values, and source runs from left to right."""
    page.goto(f"{full.url}/events/{EVENT_ID}/")
    wrong = page.evaluate(
        "[...document.querySelectorAll('dt')].filter(name => {"
        " const value = name.nextElementSibling;"
        " return name.offsetTop === value.offsetTop && name.offsetLeft > value.offsetLeft }).length"
    )
    assert wrong == 0
    assert page.locator(".source").first.evaluate("one => getComputedStyle(one).direction") == "ltr"
