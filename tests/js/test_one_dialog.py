"""How the page asks for the hosted dialog, that never two of them are open, and what becomes of the
words in one that did not send them (static/dialog.js), in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from playwright.sync_api import Browser, Page

from flask_sentry_kit import SentryKit
from tests.matrix.sentry_dialog import dialog_script
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.types import NewSentry

RAVEN_JS = Path(__file__).parent / "node_modules/raven-js/dist/raven.js"
FORM, EMBED = "#sentry-kit-feedback", ".sentry-error-embed-wrapper"
STATE = "state => document.documentElement.dataset.sentryDialog === state"
WORDS = f"{EMBED} [name=comments]"
# No CORS header, as Sentry's answers before 23.7.
OLD = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": ""}
NEW = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
ANOTHER = "b" * 32
NEXT_TASK = "() => new Promise((done) => setTimeout(done))"

Open = Callable[..., Page]


class HostedDialog:
    """A Sentry whose dialog insists on name and address."""

    def __init__(self, new_sentry: NewSentry) -> None:
        self.headers = NEW
        self.held: dict[str, threading.Event] = {}
        """What the script of an event's dialog waits for, by the event's id."""
        self.server: RecordingSentry = new_sentry(answer=self.answer)

    def answer(self, request: Received) -> Answer:
        if not request.path.endswith("/error-page/"):
            return 200, {}, b"{}"
        if request.method == "GET":
            if request.query["eventId"] in self.held:
                self.held[request.query["eventId"]].wait(20)
            address = f"{self.server.url}{request.target}"
            return 200, self.headers, dialog_script(address, request.query).encode()
        missing = {
            name: ["This field is required."]
            for name in ("name", "email", "comments")
            if not request.fields.get(name)
        }
        if not missing:
            return 200, {}, b"{}"
        return 400, {}, json.dumps({"errors": missing}).encode()

    @property
    def asked(self) -> list[Received]:
        """The requests for the script."""
        return [request for request in self.server.received if request.method == "GET"]


@pytest.fixture
def sentry(new_sentry: NewSentry) -> HostedDialog:
    return HostedDialog(new_sentry)


@pytest.fixture
def open_crash(
    chromium: Browser, serve: Callable[..., str], sentry: HostedDialog
) -> Iterator[Open]:
    """Opens the page of a crash; keywords are headers that the app adds, with ``_`` for ``-``."""
    kits: list[Any] = []
    context = chromium.new_context()
    context.set_default_timeout(10_000)

    def open_(_kit: SentryKit | None = None, _script: str = "", **headers: str) -> Page:
        app = Flask("shop")
        app.config.update(SECRET_KEY="not secret in a test", SENTRY_DSN=sentry.server.dsn)
        app.register_blueprint(_kit or SentryKit())
        kits.append(app.extensions["sentry_kit"])

        @app.get("/boom/<path:way>")
        def boom(way: str) -> str:
            raise ZeroDivisionError(way)

        @app.get("/script.js")
        def script() -> Response:
            return Response(_script, mimetype="text/javascript")

        @app.after_request
        def add(response: Response) -> Response:
            for name, value in headers.items():
                response.headers[name.replace("_", "-")] = value
            return response

        page = context.new_page()
        page.goto(f"{serve(app)}/boom/secret?token=1", wait_until="domcontentloaded")
        return page

    yield open_
    context.close()
    for kit in kits:
        kit.outbox.close(0)


def call_again(page: Page, event: str = ANOTHER) -> None:
    """Ask for a dialog as a second crash of the page does."""
    page.evaluate(
        "event => { const given = document.querySelector('script[src*=\"error-page\"]');"
        " const dsn = new URLSearchParams(given.src.split('?')[1]).get('dsn');"
        " Raven.showReportDialog({ eventId: event, dsn }); }",
        event,
    )


@pytest.mark.parametrize("policy", ["no-referrer", "unsafe-url"])
def test_the_script_is_asked_for_with_the_origin_alone(
    open_crash: Open, sentry: HostedDialog, policy: str
) -> None:
    """Sentry's allowed domains see the page's origin whatever the app's policy is, and never the
    page's path."""
    page = open_crash(Referrer_Policy=policy)
    page.wait_for_function(STATE, arg="open")
    [asked] = sentry.asked
    origin = page.evaluate("location.origin")
    assert asked.headers.get("Referer") == f"{origin}/"


def test_under_an_embedder_policy_the_dialog_is_loaded_by_cors(
    open_crash: Open, sentry: HostedDialog
) -> None:
    """The browser keeps out what was not asked for by CORS; Sentry allows that since 23.7."""
    page = open_crash(Cross_Origin_Embedder_Policy="require-corp")
    page.wait_for_function(STATE, arg="open")
    assert not page.is_visible(FORM)
    assert [asked.headers.get("Sec-Fetch-Mode") for asked in sentry.asked] == ["no-cors", "cors"]


def test_where_neither_way_loads_the_form_takes_over_at_once(
    open_crash: Open, sentry: HostedDialog
) -> None:
    """An older Sentry allows no CORS; the second error says so, long before 4 seconds are over."""
    sentry.headers = OLD
    page = open_crash(Cross_Origin_Embedder_Policy="require-corp")
    page.wait_for_function(STATE, arg="failed", timeout=3_000)
    assert page.is_visible(FORM) and len(sentry.asked) == 2


def test_where_cors_fails_the_dialog_loads_without(open_crash: Open, sentry: HostedDialog) -> None:
    """@sentry/browser asks by CORS alone, which a Sentry before 23.7 does not allow."""
    sentry.headers = OLD
    asks = """Raven = { showReportDialog({ dsn, eventId }) {
      const script = document.createElement("script");
      script.crossOrigin = "anonymous";
      script.src = `${new URL(dsn).origin}/api/embed/error-page/?eventId=${eventId}&dsn=${dsn}`;
      document.head.append(script);
    } };"""
    page = open_crash(SentryKit(raven_js="/script.js"), asks)
    page.wait_for_function(STATE, arg="open")
    assert page.locator(EMBED).count() == 1 and not page.is_visible(FORM)


def test_two_calls_open_one_dialog(open_crash: Open, sentry: HostedDialog) -> None:
    """A page that crashes twice while the first dialog loads shows the second crash's alone."""
    sentry.server.hold("GET")
    page = open_crash()
    assert sentry.server.wait(lambda: bool(sentry.asked))
    [first] = [asked.query["eventId"] for asked in sentry.asked]
    sentry.held = {first: threading.Event(), ANOTHER: threading.Event()}
    sentry.server.release()
    call_again(page)
    with page.expect_event("requestfinished", lambda request: first in request.url):
        sentry.held[first].set()
    page.evaluate(NEXT_TASK)
    assert page.locator(EMBED).count() == 0
    sentry.held[ANOTHER].set()
    page.wait_for_function(STATE, arg="open")
    assert page.locator(EMBED).count() == 1
    send(page, comments="Once", name="Ada", email="ada@shop.example")
    assert sentry.server.wait_for_report().query["eventId"] == ANOTHER


def send(page: Page, **fields: str) -> None:
    """Write into the dialog, and press its button."""
    for name, text in fields.items():
        page.fill(f"{EMBED} [name={name}]", text)
    page.click(f"{EMBED} .btn")


def test_nothing_opens_over_an_open_dialog(open_crash: Open, sentry: HostedDialog) -> None:
    """Whoever writes goes on writing; the page that a second crash brings has its form below."""
    page = open_crash()
    page.fill(WORDS, "I was just")
    with page.expect_event("requestfinished", lambda request: ANOTHER in request.url):
        call_again(page)
    page.evaluate(NEXT_TASK)
    assert page.locator(EMBED).count() == 1
    assert page.input_value(WORDS) == "I was just"
    page.click(f"{EMBED} .close")
    page.wait_for_function(STATE, arg="closed")
    assert page.input_value(f"{FORM} [name=comments]") == "I was just"


def test_after_a_dialog_is_closed_a_second_crash_opens_its_own(
    open_crash: Open, sentry: HostedDialog
) -> None:
    """One at a time does not mean one alone."""
    page = open_crash()
    page.click(f"{EMBED} .close")
    page.wait_for_function(STATE, arg="closed")
    call_again(page)
    page.wait_for_function(STATE, arg="open")
    send(page, comments="The second", name="Ada", email="ada@shop.example")
    assert sentry.server.wait_for_report().query["eventId"] == ANOTHER


SWAP = """async () => {
  const crash = await (await fetch(location.href, { headers: { Accept: "text/html" } })).text();
  const parsed = new DOMParser().parseFromString(crash, "text/html");
  document.body.replaceChildren(...parsed.body.childNodes);
  // As htmx and Turbo do, scripts of what was swapped in are run, in their order.
  for (const old of document.querySelectorAll("body script")) {
    const script = document.createElement("script");
    for (const { name, value } of old.attributes) script.setAttribute(name, value);
    script.textContent = old.textContent;
    script.async = false;
    const loaded = script.src && new Promise((done) => { script.onload = done; });
    old.replaceWith(script);
    await loaded;
  }
}"""


def test_a_crash_page_swapped_into_a_crash_page(open_crash: Open, sentry: HostedDialog) -> None:
    """The words of the dialog that the swap removed are in the new form, one dialog opens, and the
    form sends once."""
    page = open_crash()
    page.fill(WORDS, "Swapped away")
    first = page.input_value(f"{FORM} [name=token]")
    page.evaluate(SWAP)
    page.wait_for_function(STATE, arg="open")
    assert page.locator(EMBED).count() == 1
    page.click(f"{EMBED} .close")
    page.wait_for_function(STATE, arg="closed")
    assert page.input_value(f"{FORM} [name=token]") != first
    assert page.input_value(f"{FORM} [name=comments]") == "Swapped away"
    page.add_script_tag(url="/_sentry_kit/static/dialog.js")
    assert page.evaluate(STATE, "closed"), "the script started a second time"
    posts = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert len(posts) == 1


def test_of_two_dialogs_that_are_open_already_one_stays(
    open_crash: Open, sentry: HostedDialog
) -> None:
    """Where Raven JS opened two before the kit's script came, the visitor still sees one."""
    assert RAVEN_JS.exists(), "raven-js is missing: `make test` brings it (npm ci)"
    page = open_crash(SentryKit(dialog=False, feedback=False))
    page.add_script_tag(content=RAVEN_JS.read_text("utf-8"))
    for event in ("a" * 32, ANOTHER):
        page.evaluate(
            "given => Raven.showReportDialog(given)",
            {"eventId": event, "dsn": sentry.server.public_dsn},
        )
    page.wait_for_function("embed => document.querySelectorAll(embed).length === 2", arg=EMBED)
    page.add_script_tag(url="/_sentry_kit/static/dialog.js")
    page.wait_for_function(STATE, arg="open")
    assert page.locator(EMBED).count() == 1


def test_what_an_insisting_dialog_refused_is_carried_into_the_form(
    open_crash: Open, sentry: HostedDialog
) -> None:
    """Sentry's takes no words without an address; the visitor reads so, closes it, and the form has
    what was typed. An address that was filled in and deleted there is deleted here."""
    user = {"name": "Ada", "email": "ada@shop.example"}
    page = open_crash(SentryKit(dialog={"user": user}))
    page.evaluate(
        "([form, user]) => { for (const name in user)"
        " document.querySelector(`${form} [name=${name}]`).value = user[name]; }",
        [FORM, user],
    )
    send(page, comments="No address of mine", email="")
    page.wait_for_selector(f"{EMBED} .message-error")
    page.click(f"{EMBED} .close")
    page.wait_for_function(STATE, arg="closed")
    fields = ("comments", "name", "email")
    held = [page.input_value(f"{FORM} [name={field}]") for field in fields]
    assert held == ["No address of mine", "Ada", ""]
