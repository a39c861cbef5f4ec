"""The dialog on pages of all kinds, in real Chromium: with policies, styles, shortcuts, frames and
dialogs of their own."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.dialog_shop import CLOSED, HOST, DialogShop

POLICIES = {
    "style-src 'self'": "default-src 'none'; script-src {}; connect-src {}; style-src 'self'",
    "style-src 'none'": "default-src 'none'; script-src {}; connect-src {}; form-action 'none'",
    "Trusted Types": "default-src 'none'; script-src {}; connect-src {};"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "sandbox": "sandbox allow-scripts; default-src 'none'; script-src {}; connect-src {}",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_it_opens_styled_and_sends_under_a_policy(shop: DialogShop, policy: str) -> None:
    """The inbox in script-src and connect-src is enough, and the policy has nothing to refuse."""
    html = "<body><p>Broken</p>"
    page = shop.open_dialog(html, POLICIES[policy].replace("{}", shop.inbox.url))
    radius = page.locator("dialog").evaluate("(one) => getComputedStyle(one).borderRadius")
    assert radius == "8px"
    shop.send()
    # The page's own icon is what default-src refuses.
    assert [said for said in shop.said if "icon" not in said and "data:," not in said] == []


def test_a_sandboxed_frame_has_no_forms_and_the_dialog_works(shop: DialogShop) -> None:
    """Enter in a field sends there too; the message goes to the frame's own window."""
    notes = "<script>notes = []; addEventListener('message', (event) => notes.push(event.data))"
    shop.put("frame", f"<body>{notes}</script>{shop.script()}")
    page = shop.open("<body><iframe sandbox=allow-scripts src=/frame width=600 height=600>")
    frame = page.frames[1]
    frame.locator("dialog textarea").fill("I pressed pay")
    frame.locator("dialog #name").press("Enter")
    frame.wait_for_selector(f"{HOST}.message-success", state="attached")
    frame.locator("dialog .close").click()
    frame.wait_for_function("notes.length")
    assert frame.evaluate("notes") == [CLOSED]


STYLES = [
    "*, *::before { all: unset !important }",
    "* { display: none !important } html, body { display: block !important }",
    "body { display: none }",
    "body { display: contents }",
    "body { contain: strict; content-visibility: hidden }",
    "dialog { display: none !important } body { opacity: 0; visibility: hidden }",
    "body > * { position: static !important; z-index: 2147483647; transform: scale(0.1) }",
    "body { position: fixed; block-size: 0; overflow: hidden; filter: blur(9px) }",
    "html { font-size: 5px; zoom: 3 } body { pointer-events: none; user-select: none }",
]


def test_the_pages_styles_do_not_break_it(shop: DialogShop) -> None:
    """It is inside the window and on top of all, in letters of the visitor's size."""
    page = shop.open("<style id=own></style><body><p>Broken</p>")
    for style in STYLES:
        page.evaluate("(style) => { own.textContent = style; }", style)
        shop.ask()
        seen = page.locator("dialog").evaluate(
            """(one) => {
              const box = one.getBoundingClientRect(), words = one.querySelector("textarea");
              const at = words.getBoundingClientRect();
              return [
                box.x >= 0 && box.right <= innerWidth && box.y >= 0 && box.bottom <= innerHeight,
                one.getRootNode().elementFromPoint(at.x + 9, at.y + 9) === words,
                getComputedStyle(one).fontSize,
                getComputedStyle(one).color,
              ];
            }"""
        )
        assert seen == [True, True, "16px", "rgb(28, 31, 36)"], style
        shop.close()


def test_the_pages_shortcuts_do_not_react(shop: DialogShop) -> None:
    """Neither on what is typed, which to them is typed into a <div>, nor where nothing in the
    dialog has the focus. Escape closes, also where the page prevents that. Then they react."""
    page = shop.open_dialog(
        """<body><script>
        keys = [];
        const react = (event) => { keys.push(event.key); event.preventDefault(); };
        document.addEventListener("keydown", react, true);
        document.addEventListener("keyup", react, true);
        addEventListener("keydown", react);
        document.addEventListener("paste", (event) => event.preventDefault(), true);
        addEventListener("keydown", (event) => event.key === "Escape" && react(event), true);
        </script>"""
    )
    page.keyboard.type("j/s")
    expect(page.locator("dialog textarea")).to_have_value("j/s")
    page.mouse.click(2, 2)
    page.keyboard.press("k")
    shop.close()
    page.keyboard.press("x")
    assert page.evaluate("keys") == ["Escape", *["x"] * 3]


def test_it_stands_over_the_pages_own_dialog(shop: DialogShop) -> None:
    """And over its popover. The focus goes back into the page's dialog, which is open still."""
    page = shop.open(
        "<body><dialog id=own><button id=in>A</button></dialog><p popover=manual id=pop>B</p>"
    )
    page.evaluate("own.showModal(); pop.showPopover()")
    shop.ask()
    assert shop.focused() == "comments"
    shop.send()
    shop.close()
    assert shop.focused() == "in"
    assert page.evaluate("own.open")


def test_of_several_dialogs_one_is_open_at_a_time(shop: DialogShop) -> None:
    """Somebody writes in the one that is open. Once it is closed the next crash opens another."""
    page = shop.open_dialog("<body><p>Broken</p>", title="First")
    page.keyboard.type("I pressed pay")
    shop.ask(title="Second", eventId="b" * 32)
    assert page.locator(HOST).count() == 1
    expect(page.locator("dialog textarea")).to_have_value("I pressed pay")
    shop.close()
    shop.ask(title="Third", eventId="b" * 32)
    expect(page.get_by_role("dialog", name="Third")).to_be_visible()


def test_a_page_that_is_drawn_anew_has_its_keys_back(shop: DialogShop) -> None:
    """The dialog goes with all that the page takes away, and says that it is closed. The page may
    add to every object, as old libraries do."""
    page = shop.open_dialog(
        "<body><script>Object.prototype.extra = () => {}; keys = []; said = [];"
        "addEventListener('message', (event) => said.push(event.data));"
        "document.addEventListener('keydown', (event) => keys.push(event.key))</script>"
    )
    page.evaluate("document.body.replaceChildren()")
    page.wait_for_function("said.length")
    page.keyboard.press("x")
    assert page.evaluate("[said, keys]") == [[CLOSED], ["x"]]


def test_a_browser_without_style_sheets_in_script_has_a_dialog(shop: DialogShop) -> None:
    """It is styled where the page's policy allows; else it has the browser's look, and sends."""
    shop.page.add_init_script("window.CSSStyleSheet = undefined")
    for policy in ("", f"default-src 'none'; script-src {shop.inbox.url}; connect-src *"):
        style = "" if policy else "<style>div { display: none !important }</style>"
        page = shop.open_dialog(f"{style}<body><p>Broken</p>", policy)
        radius = page.locator("dialog").evaluate("(one) => getComputedStyle(one).borderRadius")
        assert radius == ("0px" if policy else "8px")
        shop.send()


def test_the_longest_words_fit_a_phone_with_their_errors(shop: DialogShop) -> None:
    """At 320 px, which is also a window of 640 px zoomed to twice its size, no line is cut."""
    shop.page.set_viewport_size({"width": 320, "height": 480})
    for tag in ("ar", "de", "pl", "ru"):
        page = shop.open_dialog("<body><p>Broken</p>", lang=tag, email="x")
        page.locator("dialog .send").click()
        page.wait_for_selector("dialog [aria-invalid]")
        cut = page.locator("dialog").evaluate(
            "(one) => [one, ...one.querySelectorAll('*')].filter((part) => part.clientWidth"
            " && part.scrollWidth > part.clientWidth).map((part) => part.outerHTML)"
        )
        assert cut == [], tag


def test_texts_of_ten_thousand_letters_leave_it_usable(shop: DialogShop) -> None:
    """The dialog scrolls, and each of its controls can be reached."""
    page = shop.open_dialog(
        "<body><p>Broken</p>", title="W" * 10_000, labelClose="</script>'\"\u2028" * 500
    )
    expect(page.locator("dialog textarea")).to_be_in_viewport()
    shop.send()
    page.locator("dialog .close").click(position={"x": 20, "y": 20})
    expect(page.locator("dialog")).to_have_count(0)


def test_a_visitor_can_tell_its_parts_without_colours(shop: DialogShop) -> None:
    """In forced colours each control and the dialog itself keep an edge; nothing of it moves."""
    shop.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    page = shop.open_dialog("<body><p>Broken</p>")
    for part in ("dialog", ".send", ".close", "textarea", "input >> nth=0"):
        where = "dialog" if part == "dialog" else f"dialog {part}"
        edge, paper, moves = page.locator(where).evaluate(
            "(one) => { const it = getComputedStyle(one); return [it.borderTopColor,"
            " it.backgroundColor, it.animationName + it.transitionDuration]; }"
        )
        assert (edge != paper, moves) == (True, "none0s"), (part, edge, paper)


def test_the_pages_texts_are_marked_as_the_pages(shop: DialogShop) -> None:
    """A screen reader reads them in the page's language, and the others in the dialog's."""
    page = shop.open_dialog("<body><p>Broken</p>", title="Sorry")
    assert page.locator("dialog h2").evaluate("(one) => [one.lang, one.dir]") == ["en", "auto"]
    page = shop.open_dialog("<body><p>Broken</p>", title="Beklager", lang="da")
    marks = "(one) => [one.querySelector('h2').lang, one.querySelector('label').lang, one.lang]"
    assert page.locator("dialog").evaluate(marks) == ["", "en", "da"]
