"""List, crash page and dialog as a person meets them: in real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask, Response, request
from playwright.sync_api import Page, expect

from tests.support.inbox import RunningInbox, feedback_item

AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
EVENT_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def crashed(served: RunningInbox, serve: Callable[..., str]) -> Callable[..., str]:
    """The address of a crashed page on another origin, which loads the inbox's dialog."""
    app = Flask("shop")

    @app.get("/")
    def crashed_page() -> Response:
        query = {"eventId": EVENT_ID, "dsn": served.dsn, **request.args}
        source = f"{served.url}/api/embed/error-page/?{urlencode(query)}".replace("&", "&amp;")
        return Response(
            "<!doctype html><html lang=en><title>500</title><link rel=icon href=data:,>"
            "<style>*{color:red!important;display:block!important;font-size:40px!important}"
            " dialog,div{display:none!important}</style>"
            "<p>Broken</p><button>Again</button><script src=/watch.js></script>"
            f'<script src="{source}"></script>',
            headers={"Content-Security-Policy": "img-src data:"},
        )

    @app.get("/watch.js")
    def watch() -> Response:
        return Response(
            "window.said = []; addEventListener('message', (e) => said.push(e.data));",
            mimetype="text/javascript",
        )

    base = serve(app)
    return lambda **query: f"{base}/?{urlencode(query)}"


def test_the_dialog_brings_the_words(
    served: RunningInbox, crashed: Callable[..., str], page: Page, console: list[str]
) -> None:
    """It opens on load, sends, thanks, and says its message when it closes; nothing is left."""
    served.store()
    page.goto(crashed(name="Ann", email="ann@shop.example"))
    dialog = page.get_by_role("dialog", name="Something broke on our side.")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("What were you doing?")).to_be_focused()
    expect(dialog.get_by_label("Your name")).to_have_value("Ann")
    page.keyboard.type("I pressed pay")
    dialog.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Sent. Thank you.")).to_be_visible()
    assert page.evaluate("said") == []
    page.keyboard.press("Enter")
    page.wait_for_function("said.includes('__sentry_reportdialog_closed__')")
    assert page.locator(".sentry-error-embed-wrapper").count() == 0
    assert page.evaluate("said.length") == 1
    words = served.api("events")["events"][0]["latest_words"]
    assert (words["name"], words["email"], words["comments"]) == (
        "Ann",
        "ann@shop.example",
        "I pressed pay",
    )
    assert console == []


def test_name_and_address_may_stay_empty(
    served: RunningInbox, crashed: Callable[..., str], page: Page
) -> None:
    """The server wants both, so values that say so are sent; the inbox shows no address."""
    served.store()
    page.goto(crashed())
    page.keyboard.type("I pressed pay")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Sent. Thank you.")).to_be_visible()
    page.goto(f"{served.url}/events/{EVENT_ID}/")
    said = page.locator(".said")
    expect(said).to_contain_text("Someone")
    assert said.locator("a").count() == 0


def test_faults_are_shown_at_their_field_and_nothing_typed_is_lost(
    crashed: Callable[..., str], page: Page
) -> None:
    """The field is marked, described and focused; what was typed stays."""
    page.goto(crashed())
    page.get_by_label("Your email address").fill("ann")
    page.get_by_label("What were you doing?").fill("I pressed pay")
    page.get_by_role("button", name="Send").click()
    email = page.get_by_label("Your email address")
    expect(email).to_be_focused()
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("This is not an email address.")).to_be_visible()
    expect(page.get_by_label("What were you doing?")).to_have_value("I pressed pay")


def test_when_sending_fails_it_says_so(crashed: Callable[..., str], page: Page) -> None:
    """The server is gone between loading and sending: an error, and the words still there."""
    page.goto(crashed(errorGeneric="Not sent."))
    page.route("**/api/embed/error-page/**", lambda route: route.abort())
    page.keyboard.type("I pressed pay")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Not sent.")).to_be_visible()
    expect(page.get_by_label("What were you doing?")).to_have_value("I pressed pay")


def test_escape_closes_it(crashed: Callable[..., str], page: Page) -> None:
    """As every dialog; the message comes once."""
    page.goto(crashed())
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_function("said.length === 1")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_it_is_not_printed(crashed: Callable[..., str], page: Page) -> None:
    """On paper a dialog over the page is cut, sheet by sheet; on the screen it stays open."""
    page.goto(crashed())
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    page.emulate_media(media="print")
    expect(dialog).to_be_hidden()
    page.emulate_media(media="screen")
    expect(dialog).to_be_visible()


@pytest.mark.parametrize("option", ["name", "title", "subtitle", "labelName", "labelSubmit"])
def test_an_option_stays_text_in_the_page(
    crashed: Callable[..., str], page: Page, option: str
) -> None:
    """Whatever it holds is shown, and nothing of it runs."""
    markup = "</script><img src=x onerror=\"document.title='owned'\">';document.title='owned';//"
    page.goto(crashed(**{option: markup}))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    if option == "name":
        expect(page.get_by_label("Your name")).to_have_value(markup)
    else:
        expect(dialog).to_contain_text(markup)
    assert dialog.locator("img, script").count() == 0
    assert page.title() == "500"


def test_a_language_that_runs_from_right_to_left(crashed: Callable[..., str], page: Page) -> None:
    """lang sets language and direction; narrow windows still hold it."""
    page.set_viewport_size({"width": 320, "height": 600})
    page.goto(crashed(lang="ar", title="حدث خطأ"))
    dialog = page.get_by_role("dialog", name="حدث خطأ")
    expect(dialog).to_have_attribute("dir", "rtl")
    box = dialog.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 320


def test_the_list_by_keyboard(served: RunningInbox, page: Page, console: list[str]) -> None:
    """j and k move, Enter opens and marks as read, j goes on, u leads back to the same row."""
    for number, kind in enumerate(("AError", "BError", "CError"), 1):
        served.store(served.event(f"{number:032x}", kind=kind))
    page.goto(served.url)
    expect(page.locator(".unread")).to_have_count(3)
    focused = page.locator("a:focus .type")
    page.keyboard.press("j")
    expect(focused).to_have_text("CError")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(focused).to_have_text("AError")
    page.keyboard.press("k")
    expect(focused).to_have_text("BError")
    # Keys work once a page is loaded, and its heading shows before that.
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("h1 .type")).to_have_text("BError")
    with page.expect_navigation():
        page.keyboard.press("j")
    expect(page.locator("h1 .type")).to_have_text("AError")
    with page.expect_navigation():
        page.keyboard.press("u")
    expect(focused).to_have_text("AError")
    expect(page.locator(".unread .type")).to_have_text("CError")
    assert console == []


def test_a_name_that_turns_the_direction_turns_nothing_behind_it(
    served: RunningInbox, page: Page
) -> None:
    """U+202E in a name or in the words: the time, and who else wrote, stay as they are."""
    served.store()
    served.report("\u202ewords", name="\u202eeve")
    page.goto(served.url)
    page.locator("[data-row]").first.click()
    name = page.locator("figcaption bdi").bounding_box()
    time = page.locator("figcaption time").bounding_box()
    assert name and time and name["x"] + name["width"] <= time["x"]


def test_words_without_a_crash_are_read_from_the_list(
    served: RunningInbox, page: Page, console: list[str]
) -> None:
    """Their row comes first; opening it marks them read, and u leads back to it. Deleting the last
    of them takes the row away."""
    served.store()
    served.report("I pressed pay", event_id="f" * 32)
    page.goto(served.url)
    expect(page.locator(".unread")).to_have_count(2)
    page.keyboard.press("j")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".speech")).to_have_text("I pressed pay")
    expect(page.get_by_role("button", name="Mark read")).to_be_hidden()
    with page.expect_navigation():
        page.keyboard.press("u")
    expect(page.locator("a:focus .type")).to_have_text("Words without a crash")
    expect(page.locator(".unread .type")).to_have_text("ValueError")
    page.locator("a:focus").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are none.")).to_be_visible()
    page.goto(served.url)
    expect(page.locator("[data-row]")).to_have_count(1)
    assert console == []


def test_axe_finds_nothing_in_the_pages_with_words(served: RunningInbox, page: Page) -> None:
    """Beside a crash and without one, with all that may come with them unfolded."""
    said = {"url": "https://shop.example/", "contact_email": "ann@shop.example"}
    for number, about in enumerate((EVENT_ID, None), 1):
        served.envelope(feedback_item(number, "words", about, said=said, release="a1"))
    served.store()
    for path in ("/", "/words/", f"/events/{EVENT_ID}/"):
        page.goto(served.url + path)
        for details in page.locator(".said summary").all():
            details.click()
        # In the same call, since the page's policy allows no script from elsewhere.
        found = page.evaluate(
            f"() => {{ {AXE.read_text(encoding='utf-8')};"
            " return axe.run().then(run => run.violations.map(one => one.nodes[0].html)) }"
        )
        assert found == []


def test_nothing_of_an_event_runs(served: RunningInbox, page: Page, console: list[str]) -> None:
    """Markup in an exception and in a visitor's words is shown as it is."""
    markup = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    served.store(served.event(kind=markup))
    served.report(markup)
    page.goto(served.url)
    expect(page.locator(".row .type")).to_have_text(markup)
    page.locator(".row").click()
    expect(page.locator("h1 .type")).to_have_text(markup)
    expect(page.locator(".speech")).to_have_text(markup)
    assert "owned" not in page.title().replace("document.title='owned'", "")
    assert console == []


@pytest.mark.parametrize("width", [320, 1280])
def test_no_page_is_wider_than_its_window(served: RunningInbox, page: Page, width: int) -> None:
    """From a phone's width up, with long lines and long names."""
    long = "a" * 300
    served.store(served.event(kind=long, tags={long: long}, user={"id": long}))
    served.report(long)
    served.report(long, event_id="f" * 32, name=long[:100])
    page.set_viewport_size({"width": width, "height": 700})
    for path in ("/", "/words/", f"/events/{EVENT_ID}/", "/?q=" + long):
        page.goto(served.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
