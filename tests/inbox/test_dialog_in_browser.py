"""The dialog by options, by keyboard and by ear, in real Chromium: opened by the kit's loader, by
raven-js and by @sentry/browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from flask_sentry_kit import phrases
from tests.support.dialog_shop import AXE, CLOSED, HOST, DialogShop
from tests.support.inbox import EVENT_ID

OPTIONS = {
    name: f"given {name}"
    for name in "title subtitle subtitle2 labelName labelEmail labelComments labelClose labelSubmit"
    " errorGeneric errorFormEntry successMessage".split()
}
USER = {"name": "Ann <Ada>", "email": "ann@shop.example"}

LOADERS = {
    "kit.js": "Raven.showReportDialog(given)",
    "raven.js": "Raven.config(given.dsn).install(); Raven.showReportDialog(given)",
    "sentry.js": "Sentry.init({dsn: given.dsn}); Sentry.showReportDialog({...given,"
    " onLoad: () => notes.push('loaded'), onClose: () => notes.push('closed')})",
}


@pytest.mark.parametrize("loader", LOADERS)
def test_every_option_is_honoured(shop: DialogShop, loader: str) -> None:
    """Opened by the kit's loader, raven-js 3.27.2 and @sentry/browser, the dialog says what the
    page wants said: when it opens, in each of its errors, and after sending."""
    page = shop.open(
        f"<body><p>Broken</p><script src=/{loader}></script><script>window.notes = [];"
        f"addEventListener('message', (event) => notes.push(event.data));</script>"
    )
    page.evaluate(
        f"(given) => {{ {LOADERS[loader]}; }}",
        {"eventId": EVENT_ID, "dsn": shop.inbox.dsn, "user": USER, **OPTIONS},
    )
    dialog = page.get_by_role("dialog", name=OPTIONS["title"])
    expect(dialog).to_contain_text(OPTIONS["subtitle"])
    expect(dialog).to_contain_text(OPTIONS["subtitle2"])
    expect(dialog.get_by_label(OPTIONS["labelName"])).to_have_value(USER["name"])
    email = dialog.get_by_label(OPTIONS["labelEmail"])
    expect(email).to_have_value(USER["email"])
    words = dialog.get_by_label(OPTIONS["labelComments"])
    expect(words).to_be_focused()
    send = dialog.get_by_role("button", name=OPTIONS["labelSubmit"])
    outcome = dialog.get_by_role("status")
    send.click()
    expect(outcome).to_have_text(OPTIONS["errorFormEntry"])
    words.fill("I pressed pay")
    page.route("**/error-page/**", lambda route: route.abort())
    send.click()
    expect(outcome).to_have_text(OPTIONS["errorGeneric"])
    page.unroute("**/error-page/**")
    send.click()
    dialog = page.get_by_role("dialog", name=OPTIONS["successMessage"])
    dialog.get_by_role("button", name=OPTIONS["labelClose"]).click()
    page.wait_for_function("(closed) => notes.includes(closed)", arg=CLOSED)
    notes = page.evaluate("notes")
    assert sorted(notes) == sorted([CLOSED, *(["loaded", "closed"] if "sentry" in loader else [])])
    report = shop.inbox.api("words")["words"][0]
    assert {name: report[name] for name in USER} == USER


def test_axe_finds_nothing_in_any_state(shop: DialogShop) -> None:
    """Light and dark: as it opens, with errors, where sending fails, and after sending."""
    for scheme in ("light", "dark"):
        shop.page.emulate_media(color_scheme=scheme)
        page = shop.open_dialog("<body><p>Broken</p>", labelSubmit="Abschicken", lang="ar")
        # A visitor's own spacing of text could not override it.
        assert page.locator(HOST).get_attribute("style") is None
        page.evaluate(AXE.read_text("utf-8"))

        # In the dark only the colours differ.
        rules = {} if scheme == "light" else {"runOnly": ["color-contrast"]}

        def check(page: Page = page, rules: Any = rules) -> None:
            found = page.evaluate(
                "(rules) => axe.run('.sentry-error-embed-wrapper', rules).then((run) =>"
                " run.violations.map((one) => [one.id, one.nodes[0].html]))",
                rules,
            )
            assert found == []

        check()
        page.locator("dialog .send").click()
        page.wait_for_selector("dialog [aria-invalid]")
        check()
        page.route("**/error-page/**", lambda route: route.abort())
        page.locator("dialog .send").click()
        page.wait_for_selector("dialog #outcome.error")
        check()
        page.unroute("**/error-page/**")
        shop.page.locator("dialog textarea").focus()
        shop.send()
        check()


def test_a_screen_reader_has_errors_and_thanks(shop: DialogShop) -> None:
    """An error is announced, and is the field's description; the thanks are announced and describe
    the button that has the focus by then."""
    page = shop.open_dialog("<body><p>Broken</p>")
    page.locator("dialog .send").click()
    words = page.get_by_role("textbox", name="What were you doing?")
    expect(words).to_be_focused()
    expect(words).to_have_accessible_description("Please say in a few words what happened.")
    expect(page.get_by_role("status")).to_have_text("Please look at the marked fields.")
    page.keyboard.type("I pressed pay")
    page.locator("dialog #email").fill("ann")
    page.locator("dialog .send").click()
    expect(page.locator("dialog #email")).to_be_focused()
    expect(words).to_have_accessible_description("")
    page.locator("dialog #email").fill("")
    words.focus()
    shop.send()
    close = page.get_by_role("button", name="Close")
    expect(close).to_be_focused()
    expect(close).to_have_accessible_description("Sent. Thank you.")
    assert page.locator("dialog h2").get_attribute("aria-live") == "polite"


def test_dialog_and_form_say_the_same_of_what_fails(shop: DialogShop) -> None:
    """No connection, words too long, a server that refuses them: each has its own sentence."""
    page = shop.open_dialog("<body><p>Broken</p>", name="n" * 129, email="e" * 76)
    outcome = page.get_by_role("status")
    answers = {
        0: phrases.NO_CONNECTION,
        403: f"{phrases.REFUSED} {phrases.REFUSALS['refused']}",
        413: f"{phrases.REFUSED} {phrases.REFUSALS['large']}",
        500: phrases.DIALOG["errorGeneric"],
    }
    for status, text in answers.items():
        page.route(
            "**/error-page/**",
            lambda route, request, status=status: (
                route.fulfill(status=status, body="", headers={"Access-Control-Allow-Origin": "*"})
                if status
                else route.abort()
            ),
        )
        page.locator("dialog .send").click()
        expect(outcome).to_have_text(text)
        page.unroute("**/error-page/**")
    page.locator("dialog .send").click()
    for name in ("name", "email"):
        error = page.locator(f"dialog #{name}-error")
        expect(error).to_have_text(phrases.FIELD_ERRORS[name, "long"])


def test_the_focus_stays_in_the_dialog_and_goes_back(shop: DialogShop) -> None:
    """It starts in the words; the Tab key comes to no control of the page; then the focus is where
    it was before."""
    page = shop.open("<body><button id=before>A</button><button id=after>B</button>")
    page.locator("#before").focus()
    shop.ask()
    stops = []
    for _ in range(7):
        stops.append(shop.focused())
        page.keyboard.press("Tab")
    once = ["comments", "name", "email", "send", "close", "body"]
    assert stops == [*once, "comments"]
    shop.close()
    assert shop.focused() == "before"


@pytest.mark.parametrize(
    "leave", ["it.remove()", "it.hidden = true", "it.parentNode.replaceChildren()"]
)
def test_the_focus_goes_near_to_where_it_was(shop: DialogShop, leave: str) -> None:
    """If the element has gone or cannot be seen, the nearest one around it that is left takes the
    focus, and keeps nothing of that."""
    page = shop.open(
        "<body><button>First</button><div id=box><button id=it>A</button></div><button id=next>B"
    )
    page.locator("#it").focus()
    shop.ask()
    page.evaluate(leave)
    shop.close()
    assert shop.focused() == "box"
    page.keyboard.press("Tab")
    assert shop.focused() == "next"
    assert page.locator("#box").get_attribute("tabindex") is None


def test_where_nothing_had_the_focus_the_tab_key_starts_at_the_top(shop: DialogShop) -> None:
    """And the page's <body> is as it was."""
    page = shop.open_dialog("<body><button id=first>A</button><button>B</button>")
    shop.close()
    assert shop.focused() == "body"
    page.keyboard.press("Tab")
    assert shop.focused() == "first"
    assert page.locator("body").get_attribute("tabindex") is None
