"""The plays: what visitors do on the page and in the dialog, and developers in the inbox."""

from __future__ import annotations

import re

from tests.matrix.visitor import Words
from tests.support.sentry import Answer, Received, RecordingSentry

from .book import Failed, Mode, Tab, play
from .scene import Scene

COMMENTS, NAME, EMAIL = "[name=comments]", "[name=name]", "[name=email]"
FORM, DIALOG, HOSTED = "#sentry-kit-feedback", "dialog", ".sentry-error-embed-wrapper"
OPEN = "return Boolean(find('dialog[open]'))"
STATE = "return document.documentElement.dataset.sentryDialog"
THANKS = "Sent. Thank you."
# The words of someone who writes by hand; each key is a key press.
WORDS = "It broke, I paid: 5 > 3 & all"


def check(holds: bool, says: str) -> None:
    if not holds:
        raise Failed(says)


def fill(tab: Tab, where: str, words: Words) -> None:
    """Write into the three fields of the form in ``where``."""
    for field, text in ((COMMENTS, words.comments), (NAME, words.name), (EMAIL, words.email)):
        tab.fill(f"{where} {field}", text)


def send(scene: Scene, tab: Tab, button: str, words: Words, mark: str) -> None:
    """Press a form's button, see the thanks, and find the words with their event."""
    tab.click(button)
    tab.sees(THANKS)
    scene.arrive(words, mark)


@play("crash")
def crash(scene: Scene, tab: Tab) -> None:
    """The page shows, with its stylesheet and the reference of the event that arrived; one click
    selects the reference."""
    tab.open(scene.crash("a crash", form_alone=True))
    tab.sees("Something broke on our side.")
    event_id = scene.event("a crash")["event"]["event_id"]
    tab.sees(event_id)
    check(tab.run("return getComputedStyle(document.body).display") == "grid", "no stylesheet")
    tab.click(".reference code")
    tab.until("return getSelection().toString().trim() === given[0]", event_id)


@play("dialog", short=True)
def dialog(scene: Scene, tab: Tab) -> None:
    """It opens with the focus in it, takes the words, and the page's own form stays away."""
    words = Words(WORDS)
    tab.open(scene.crash("a dialog"))
    tab.until(OPEN)
    tab.until("return focused()?.name === 'comments'")
    tab.write(words.comments)
    tab.fill(f"{DIALOG} {NAME}", words.name)
    tab.fill(f"{DIALOG} {EMAIL}", words.email)
    send(scene, tab, f"{DIALOG} .send", words, "a dialog")
    tab.press("Enter")
    tab.until(f"return !({OPEN[7:]})")
    check(tab.run(STATE) == "sent", "the page does not know that the words were sent")
    check(tab.run("return find(given[0]).hidden", FORM), "the form asks again")


@play("carry over")
def carry_over(scene: Scene, tab: Tab) -> None:
    """What was typed into a dialog that is closed unsent is in the form, which sends it."""
    words = Words(WORDS)
    tab.open(scene.crash("carried over"))
    tab.until(OPEN)
    fill(tab, DIALOG, words)
    tab.press("Escape")
    tab.until(f"{STATE} === 'closed'")
    for field, text in ((COMMENTS, words.comments), (NAME, words.name), (EMAIL, words.email)):
        tab.holds(f"{FORM} {field}", text)
    send(scene, tab, f"{FORM} button", words, "carried over")


@play("form by keyboard")
def form_by_keyboard(scene: Scene, tab: Tab) -> None:
    """The Tab key comes to what can be seen, in order, and to nothing else; Enter sends."""
    words = Words(WORDS)
    tab.open(scene.crash("by keyboard", form_alone=True))
    stops = []
    for _ in range(12):
        tab.press("Tab")
        stops.append(tab.focus())
        if stops[-1] == "textarea comments":
            tab.write(words.comments)
        elif stops[-1] == "input name":
            tab.write(words.name)
        elif stops[-1] == "input email":
            tab.write(words.email)
        elif stops[-1] == "button Send":
            break
    wanted = ["a Try again", "a Home", "textarea comments", "input name", "input email"]
    check(stops == [*wanted, "button Send"], f"the Tab key comes to {stops}")
    tab.press("Enter")
    tab.sees(THANKS)
    scene.arrive(words, "by keyboard")


@play("JavaScript off", Mode.NO_SCRIPT)
def javascript_off(scene: Scene, tab: Tab) -> None:
    """The form works as any form does."""
    words = Words(WORDS)
    tab.open(scene.crash("no script"))
    check(tab.run(STATE) is None, "a script ran")
    fill(tab, FORM, words)
    send(scene, tab, f"{FORM} button", words, "no script")


@play("blocked host")
def blocked_host(scene: Scene, tab: Tab) -> None:
    """Where the browser cannot load the dialog, the form stays and its words arrive."""

    def no_dialog(request: Received) -> Answer | None:
        return None if request.method == "GET" else (200, {}, b"{}")

    with RecordingSentry(answer=no_dialog) as sentry:
        tab.open(scene.shop(sentry.dsn, "a blocked host"))
        tab.until(f"{STATE} === 'failed'")
        tab.fill(COMMENTS, WORDS)
        tab.click(f"{FORM} button")
        tab.until("return find('#sentry-kit-outcome').textContent.length > 9")
        report = sentry.wait_for_report()
        [event] = sentry.events
        for needed in (event["event_id"], WORDS):
            check(needed in _text_of(report), f"{needed!r} is not in the report")


def _text_of(report: Received) -> str:
    fields = report.fields if report.path.endswith("/error-page/") else {}
    return f"{report.query} {fields} {report.body.decode()}"


@play("Arabic")
def arabic(scene: Scene, tab: Tab) -> None:
    """Page and dialog run from right to left, and no sentence of theirs is in another script."""
    tab.open(scene.crash("in Arabic", language="ar"))
    tab.until(OPEN)
    for name in ("html", DIALOG):
        found = tab.run("const it = find(given[0]); return [it.lang, it.dir]", name)
        check(found == ["ar", "rtl"], f"{name}: lang and dir are {found}")
    # A wrong address brings the dialog's sentences about errors.
    tab.fill(f"{DIALOG} {EMAIL}", "x")
    tab.click(f"{DIALOG} .send")
    tab.until("return Boolean(find('dialog [aria-invalid]'))")
    for name in ("main", DIALOG):
        text = tab.run("return find(given[0]).innerText", name)
        foreign = re.findall(r"[A-Za-z]{3,}", re.sub(r"\b[0-9a-f]{32}\b", "", text))
        check(not foreign, f"in the {name}: {foreign}")


@play("dark", Mode.DARK)
def dark(scene: Scene, tab: Tab) -> None:
    """Page and dialog are dark where the visitor's system is, and their text is light."""
    tab.open(scene.crash("in the dark"))
    tab.until(OPEN)
    for name in ("html", DIALOG):
        paper, ink = tab.run(
            "const it = getComputedStyle(find(given[0]));"
            " return [it.backgroundColor, it.color].map((one) =>"
            " one.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b))",
            name,
        )
        check(paper < 150 and ink > 600, f"{name}: paper {paper} and ink {ink} of 765")


@play("forced colours", Mode.FORCED_COLOURS)
def forced_colours(scene: Scene, tab: Tab) -> None:
    """In the system's own colours each control of page and dialog still has an edge."""
    tab.open(scene.crash("forced"))
    tab.until(OPEN)
    check(tab.run("return matchMedia('(forced-colors: active)').matches"), "no forced colours")
    for name in (f"{DIALOG} .send", f"{DIALOG} {COMMENTS}", DIALOG, ".actions a"):
        style = tab.run(
            "const it = getComputedStyle(find(given[0]));"
            " return [it.borderTopStyle, it.borderTopColor, it.backgroundColor]",
            name,
        )
        check(style[0] == "solid" and style[1] != style[2], f"{name} has no edge: {style}")


@play("trusted types")
def trusted_types(scene: Scene, tab: Tab) -> None:
    """A page that takes no plain text where a script is wanted shows the dialog all the same."""
    words = Words(WORDS, name="", email="")
    policy = {"Content-Security-Policy": "require-trusted-types-for 'script'"}
    tab.open(scene.crash("trusted", headers=policy))
    tab.until(OPEN)
    tab.fill(f"{DIALOG} {COMMENTS}", words.comments)
    send(scene, tab, f"{DIALOG} .send", words, "trusted")


@play("no referrer")
def no_referrer(scene: Scene, tab: Tab) -> None:
    """Sentry with allowed domains gives its dialog to an app that sends no referrer. A second crash
    opens none over it. It refuses words without an address; the form behind it has them."""
    words = Words(WORDS, email="")
    scene.sentry.insists = True
    scene.sentry.allowed_origins = ("127.0.0.1",)
    tab.open(scene.crash("no referrer", headers={"Referrer-Policy": "no-referrer"}))
    tab.fill(f"{HOSTED} {COMMENTS}", words.comments)
    tab.run(
        "const first = find('script[src*=error-page]').src;"
        " const dsn = new URL(first).searchParams.get('dsn');"
        " Raven.showReportDialog({ eventId: 'b'.repeat(32), dsn });"
        # By then the script has come too.
        " fetch(first).then(() => setTimeout(() => { window.tried = true; }));"
    )
    tab.until("return window.tried === true")
    check(tab.run("return document.querySelectorAll(given[0]).length", HOSTED) == 1, "two dialogs")
    tab.fill(f"{HOSTED} {NAME}", words.name)
    tab.click(f"{HOSTED} .btn")
    tab.sees("Please look at the marked fields.")
    tab.click(f"{HOSTED} .close")
    tab.holds(f"{FORM} {COMMENTS}", words.comments)
    send(scene, tab, f"{FORM} button", words, "no referrer")


@play("embedder policy")
def embedder_policy(scene: Scene, tab: Tab) -> None:
    """A page that takes in only what allows it loads the dialog by CORS."""
    words = Words(WORDS)
    scene.sentry.insists = True
    policy = {"Cross-Origin-Embedder-Policy": "require-corp"}
    tab.open(scene.crash("embedded", headers=policy))
    fill(tab, HOSTED, words)
    send(scene, tab, f"{HOSTED} .btn", words, "embedded")


@play("inbox live")
def inbox_live(scene: Scene, tab: Tab) -> None:
    """A crash and the visitor's words show up in an open page, with no reload."""
    scene.sentry.start()
    tab.open(f"{scene.sentry.origin}/")
    tab.sees("Nothing has crashed yet.")
    event_id = scene.cause(ValueError("arrives late"))
    tab.until("return document.querySelectorAll('.row').length === 1")
    tab.click(".row")
    tab.sees("Nothing, so far.")
    scene.say(event_id, WORDS)
    tab.sees(WORDS)


@play("inbox by keyboard")
def inbox_by_keyboard(scene: Scene, tab: Tab) -> None:
    """j and k move, Enter opens and marks as read, u leads back to the same row; a reference is
    selected in one click, and source without its line numbers."""
    scene.sentry.start()
    for error in (ValueError("first"), KeyError("second"), IndexError("third")):
        scene.cause(error)
    tab.open(f"{scene.sentry.origin}/")
    tab.until(
        "return document.querySelectorAll('.unread').length === 3"
        " && document.readyState === 'complete'"
    )
    row = (
        "return focused().matches('a.row')"
        " && focused().querySelector('.type').textContent === given[0]"
    )
    heading = "return find('h1 .type')?.textContent === given[0]" + (
        " && document.readyState === 'complete'"
    )
    tab.press("j")
    tab.until(row, "IndexError")
    tab.press("j", "j")
    tab.until(row, "ValueError")
    tab.press("k")
    tab.until(row, "KeyError")
    tab.press("Enter")
    tab.until(heading, "KeyError")
    event_id = tab.run("return find('code.all').textContent")
    tab.click("code.all")
    tab.until("return getSelection().toString().trim() === given[0]", event_id)
    copied = tab.run(
        "getSelection().selectAllChildren(find('.source')); return String(getSelection())"
    )
    check("raise" in copied and not re.search(r"^\s*\d+\b", copied, re.M), f"copied: {copied!r}")
    tab.press("j")
    tab.until(heading, "ValueError")
    tab.press("u")
    tab.until(row, "ValueError")
    tab.until("return find('.unread .type')?.textContent === 'IndexError'")


@play("inbox list")
def inbox_list(scene: Scene, tab: Tab) -> None:
    """Keys select, resolve and delete, after a question; what arrives while a row is selected waits
    for a button, and the row stays selected."""
    scene.sentry.start()
    for error in (ValueError("first"), KeyError("second"), IndexError("third")):
        scene.cause(error)
    tab.open(f"{scene.sentry.origin}/")
    types = (
        "return [...document.querySelectorAll('.list .type')].map((one) => one.textContent).join()"
        " === given[0] && document.readyState === 'complete'"
    )
    tab.until(types, "IndexError,KeyError,ValueError")
    tab.press("j", "x", "j", "x", "e")
    tab.until(types, "ValueError")
    tab.click(".row .where")
    tab.until("return find('h1 .type')?.textContent === 'ValueError'")
    tab.open(f"{scene.sentry.origin}/?q=is:resolved")
    tab.until(types, "IndexError,KeyError")
    tab.press("j", "d")
    tab.until(OPEN)
    tab.click("dialog[open] [value=delete]")
    tab.until(types, "KeyError")
    tab.open(f"{scene.sentry.origin}/?q=-type:KeyError")
    tab.until(types, "ValueError")
    tab.click(".list .pick input")
    scene.cause(TypeError("arrives late"))
    tab.until("return find('#news').textContent === '1 new' && !find('#news').hidden")
    tab.until(types, "ValueError")
    tab.click("#news")
    tab.until(types, "TypeError,ValueError")
    tab.until("return find('.list :checked').value === find('.list li:last-child').dataset.crash")
