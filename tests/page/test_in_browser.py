"""The page in Chromium: accessible, narrow, quick; one click selects the reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.crash import Crash, FeedbackForm
from flask_sentry_kit.phrases import REFUSALS

EVENT = "9d2c6f5b1e0a4c7f8b3d6a5e4f1c2b0d"
AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
BRAND = {
    "name": "Tea & Kettle",
    "logo_url": "/kit/logo.svg",
    "support_email": "help@tea.example",
    "accent": "#ffcc00",
}


@pytest.fixture
def states(stand: Any, serve: Any) -> str:
    """Every state of the page, by path."""
    room = stand(SENTRY_KIT_DIALOG=False)
    branded = stand(SENTRY_KIT_BRAND=BRAND, SENTRY_KIT_DIALOG=False)
    branded.page._asset_url = lambda name: f"/brand/{name}"
    css = branded.page.stylesheet
    room.app.add_url_rule(
        "/brand/crash.css", "brand.css", lambda: (css, {"Content-Type": "text/css"})
    )
    crash = {**room.crash, "url": "/again"}
    form = FeedbackForm("/kit/feedback", "t")
    errors = {"email": "This is not an email address.", "comments": "Please say what happened."}

    def outcome(kind: str, errors: dict[str, str] | None = None) -> Any:
        feedback = FeedbackForm(
            "/kit/feedback", "t", email="nope", outcome=kind, errors=errors or {}
        )
        return room.page.outcome(Crash(**crash), feedback)

    for name, view in {
        "event": lambda: room.page.respond(Crash(**crash), form),
        "no-event": lambda: room.page.respond(Crash(None, url="/again")),
        "signed-in": lambda: room.page.respond(
            Crash(**crash, method="POST"), FeedbackForm("/f", "t", "Ada", "ada@shop.example")
        ),
        "brand": lambda: branded.page.respond(Crash(**crash), form),
        "sent": lambda: outcome("sent"),
        "passed": lambda: outcome("passed"),
        "saved": lambda: outcome("saved"),
        "refused": lambda: outcome("refused", errors),
        "old": lambda: outcome("refused", {"": REFUSALS["expired"]}),
    }.items():
        room.app.add_url_rule(f"/{name}", name, view)
    return str(serve(room.app))


STATES = ("event", "no-event", "signed-in", "brand", "sent", "passed", "saved", "refused", "old")


def test_axe_finds_nothing_and_nothing_overflows(states: str, chromium: Any) -> None:
    """In every state, narrow in light and wide in dark: no violation of axe-core's rules, no
    sideways scroll."""
    for scheme, width in (("light", 320), ("dark", 1280)):
        context = chromium.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 720}
        )
        page = context.new_page()
        for state in STATES:
            page.goto(f"{states}/{state}")
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = page.evaluate(
                "axe.run().then(run => run.violations.map(one => [one.id, one.nodes[0].html]))"
            )
            assert found == [], (state, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, state
        context.close()


def test_no_rule_gives_a_hidden_field_a_display(states: str, page: Any) -> None:
    """In WebKit a hidden field with a display is an invisible stop of the Tab key; Chromium has
    a rule of its own that hides the fault."""
    page.goto(f"{states}/event")
    displayed = page.evaluate(
        """() => {
            const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
            return rules.filter((rule) => rule.style && rule.style.display
                && document.querySelector("[type=hidden]").matches(rule.selectorText))
                .map((rule) => rule.cssText);
        }"""
    )
    assert displayed == []


def test_every_stylesheet_says_user_select_to_webkit_too() -> None:
    """WebKit supports it only with its prefix."""
    sheets = list((Path(__file__).parents[2] / "flask_sentry_kit").rglob("*.css"))
    assert len(sheets) >= 3
    for sheet in sheets:
        text = sheet.read_text("utf-8")
        plain = re.findall(r"(?<!-)user-select: \w+;", text)
        assert plain == re.findall(r"(?<=-webkit-)user-select: \w+;", text), sheet.name


def test_three_requests_and_an_icon_and_none_elsewhere(states: str, page: Any) -> None:
    """HTML, stylesheet, script; all from the app's own host, none of them failing. The icon is
    asked for when the browser likes."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.goto(f"{states}/event")
    page.wait_for_load_state("networkidle")
    wanted = [url for url in seen if url != f"{states}/kit/icon.png"]
    assert wanted == [f"{states}/event", f"{states}/kit/crash.css", f"{states}/kit/dialog.js"]


def test_the_page_is_there_before_sentry_is(stand: Any, serve: Any, page: Any) -> None:
    """While Sentry's host does not answer at all, the page is painted and can be used."""
    room = stand(form=True)
    asked: list[str] = []
    page.route("**/api/embed/**", lambda route: asked.append(route.request.url))
    page.goto(f"{serve(room.app)}/crash", wait_until="domcontentloaded")
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    page.fill("#sentry-kit-comments", "I pressed pay")
    assert len(asked) == 1
    assert asked[0].startswith("http://sentry.example/api/embed/error-page/?")


def test_the_reference_is_selected_by_one_click(states: str, page: Any) -> None:
    """Ready to be copied, without a script."""
    page.goto(f"{states}/event")
    page.click("code")
    assert page.evaluate("getSelection().toString()") == EVENT


def test_all_of_it_by_keyboard(states: str, page: Any) -> None:
    """Tab goes through actions and form in reading order, and the focus is visible."""
    page.goto(f"{states}/event")
    order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(
            page.evaluate("document.activeElement.name || document.activeElement.textContent")
        )
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none"
    assert order == ["Try again", "Home", "comments", "name", "email", "Send"]


def test_one_primary_action(states: str, page: Any) -> None:
    """Exactly one thing on the page is filled with the accent."""
    page.goto(f"{states}/event")
    filled = page.evaluate(
        """[...document.querySelectorAll('a, button')]
             .filter(one => getComputedStyle(one).backgroundColor !== 'rgba(0, 0, 0, 0)')
             .map(one => one.textContent)"""
    )
    assert filled == ["Try again"]


def test_without_stylesheet_nothing_hidden_shows(states: str, page: Any) -> None:
    """The trap for robots is hidden by HTML itself."""
    page.route("**/*.css", lambda route: route.abort())
    page.goto(f"{states}/event")
    assert not page.is_visible("[name=website]")
    assert page.is_visible("[name=comments]")


def test_printed_the_page_is_its_words(states: str, page: Any) -> None:
    """On paper: the explanation and the reference, without buttons or form."""
    page.emulate_media(media="print")
    page.goto(f"{states}/event")
    assert page.is_visible("code")
    assert not page.is_visible(".actions")
    assert not page.is_visible("form")


def test_nothing_moves(states: str, chromium: Any) -> None:
    """There is no motion, so none to reduce."""
    context = chromium.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{states}/event")
    moving = page.evaluate(
        """[...document.querySelectorAll('*')].filter(one => {
             const style = getComputedStyle(one);
             return parseFloat(style.transitionDuration) || style.animationName !== 'none';
           }).length"""
    )
    assert moving == 0
    context.close()


@pytest.mark.parametrize("language", ["ar", "he"])
def test_a_brand_keeps_its_own_direction(stand: Any, page: Any, language: str) -> None:
    """On a page that runs from right to left, "Quire & Co." still ends in its full stop."""
    room = stand(SENTRY_KIT_BRAND={"name": "Quire & Co."})
    page.set_content(room.html(Accept_Language=language))
    left, right = page.evaluate(
        """() => {
            const text = document.querySelector("bdi").firstChild;
            const edge = (from, to) => {
                const range = document.createRange();
                range.setStart(text, from);
                range.setEnd(text, to);
                return range.getBoundingClientRect().left;
            };
            return [edge(0, 1), edge(text.length - 1, text.length)];
        }"""
    )
    assert left < right
