"""The list as a person uses it: in real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from tests.support.inbox import RunningInbox
from tests.support.inbox_list import press, ready, wait_for_rows

AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"


def test_rows_are_changed_by_key(filled: RunningInbox, page: Page, console: list[str]) -> None:
    """The row in focus, or all that are selected; the focus stays, or goes to the next row."""
    page.goto(filled.url)
    ready(page)
    press(page, "jje")
    wait_for_rows(page, "DError", "BError", "AError")
    expect(page.locator("a:focus .type")).to_have_text("BError")
    press(page, "s")
    expect(page.locator("li.kept .type")).to_have_text("BError")
    press(page, "kxjxu")
    expect(page.locator("li.unread .type")).to_have_text(["AError"])
    expect(page).to_have_title("(1) Inbox")
    press(page, "xjxd")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete 2 crashes?")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    press(page, "#")
    dialog.get_by_role("button", name="Delete").click()
    wait_for_rows(page, "DError")
    assert console == []


def test_shift_and_the_mouse_select_a_range(filled: RunningInbox, page: Page) -> None:
    """The buttons appear with the first selected row, and say how many there are."""
    page.goto(filled.url)
    ready(page)
    resolve = page.get_by_role("button", name="Resolve")
    expect(resolve).to_be_hidden()
    page.get_by_label("Select CError").click()
    page.get_by_label("Select AError").click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_have_text("3 selected")
    page.get_by_label("Select BError").click()
    resolve.click()
    wait_for_rows(page, "DError", "BError")
    expect(resolve).to_be_hidden()


def test_the_keys_that_are_shown_are_those_that_work(filled: RunningInbox, page: Page) -> None:
    """``?`` shows them in a dialog; none fires in the search box, with Ctrl, or in the dialog."""
    page.goto(filled.url)
    ready(page)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    shown = " ".join(dialog.locator("kbd").all_inner_texts())
    assert shown == "j k Enter x e u m s d # / g i ?"
    press(page, "jx")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("Control+j")
    assert page.locator(".list a:focus, input:checked").count() == 0
    press(page, "/xeud")
    box = page.get_by_label("Search", exact=True)
    expect(box).to_be_focused()
    expect(box).to_have_value("xeud")
    page.get_by_label("Select CError").focus()
    with page.expect_navigation():
        press(page, "gi")
    expect(box).to_have_value("")


def test_the_dsn_and_the_lines_are_copied(served: RunningInbox, page: Page) -> None:
    """With one press and no question, and pasted as they are shown."""
    page.goto(served.url)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    box = page.get_by_label("Search", exact=True)
    box.click()
    page.keyboard.press("Control+v")
    expect(box).to_have_value(served.dsn)


def test_it_works_without_a_script(filled: RunningInbox, chromium: Browser) -> None:
    """Rows are selected and changed by a form, deletion asks, and the search stays."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(filled.url + "/?q=-type:DError")
    page.get_by_label("Select AError").check()
    page.get_by_label("Select BError").check()
    page.get_by_role("button", name="Read", exact=True).click()
    assert page.url == filled.url + "/?q=-type:DError"
    wait_for_rows(page, "CError", "BError", "AError")
    expect(page.locator("li.unread .type")).to_have_text(["CError"])
    page.get_by_label("Select CError").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    wait_for_rows(page, "BError", "AError")
    expect(page.get_by_label("Select all")).to_be_hidden()
    expect(page.get_by_text("Keys (?)")).to_be_hidden()
    context.close()


def test_axe_finds_nothing(filled: RunningInbox, page: Page) -> None:
    """In a list with every kind of row, selected rows, dialogs and help; a faulty search, one that
    finds nothing; visitors' words that match. Colours in light and in dark."""
    filled.store(filled.event("e" * 32, kind="EError", level="warning", server_name="shop"))
    filled.report("لا أستطيع الدفع", event_id=f"{1:032x}", name="سارة")
    filled.report("words", event_id="f" * 32)
    axe = AXE.read_text(encoding="utf-8")

    def check(*schemes: Literal["light", "dark"], within: str = "html") -> None:
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            rules = "{runOnly: ['color-contrast']}" if scheme == "dark" else "{}"
            # In the same call, since the page's policy allows no script from elsewhere.
            found = page.evaluate(
                f"() => {{ {axe}; return axe.run('{within}', {rules}).then(run =>"
                " run.violations.map(one => [one.id, one.nodes[0].html])) }"
            )
            assert found == []

    page.goto(filled.url + "/?q=-type:BError")
    ready(page)
    press(page, "jesx")
    expect(page.locator("li.kept .type, li.resolved .type")).to_have_text(["AError", "EError"])
    check("light", "dark")
    press(page, "?")
    check("light", within="#keys")
    page.keyboard.press("Escape")
    press(page, "d")
    check("light", within="#delete")
    page.keyboard.press("Escape")
    page.get_by_text("Filters", exact=True).click()
    check("light", "dark", within=".help")
    for path in ("/?q=colour:red", "/?q=nothing", "/words/?q=words"):
        page.goto(filled.url + path)
        check("light")
