"""SENTRY_KIT_RAVEN_JS = "browser": the page's own @sentry/browser, the real one from npm, opens the
dialog in Chromium (static/dialog.js)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, g
from playwright.sync_api import Browser, BrowserContext, Page, Route

from flask_sentry_kit import SentryKit, csp_sources
from tests.matrix.sentry_dialog import dialog_script
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.sentry_browser import MODULES, bundle
from tests.support.serving import serving
from tests.support.types import NewSentry, Serve

FORM, EMBED = "#sentry-kit-feedback", ".sentry-error-embed-wrapper"
SCRIPTS = "script[src*='/api/embed/error-page/']"
STATE = "state => document.documentElement.dataset.sentryDialog === state"
NONCE = "bm9uY2U="

BLOCK = '{% extends "flask_sentry_kit/crash.html" %}{% block head %}[head]{% endblock %}'
OWN = """<!doctype html><html lang="en">
<head><title>Oh no</title><link rel="icon" href="data:,">[head]</head>
<body><h1>Oh no</h1>{{ sentry_crash() }}[foot]</body></html>"""

# Sentry's Loader Script in short: functions that take notes until the SDK is there.
LOADER = """(() => {
  const notes = [];
  let asked;
  const forceLoad = () => {
    if (asked) return;
    asked = document.createElement("script");
    asked.src = "[cdn]";
    asked.onload = () => setTimeout(() => {
      Sentry.init([init]);
      notes.forEach(([name, given]) => Sentry[name](...given));
    });
    document.head.append(asked);
  };
  window.Sentry = { forceLoad };
  for (const name of ["init", "captureException", "withScope", "showReportDialog"]) {
    Sentry[name] = (...given) => {
      notes.push([name, given]);
      if (/^capture|Dialog$/.test(name)) forceLoad();
    };
  }
})();"""

INIT = '<script nonce="{{ g.nonce }}">Sentry.init([init]);</script>'
WAYS = {
    "head": '<script src="[cdn]"></script>' + INIT,
    "defer": '<script src="[cdn]" defer></script><script src="/init.js" defer></script>',
    "module": '<script type="module">import "[cdn]"; Sentry.init([init]);</script>',
    "async": '<script src="[cdn]" async></script>',
    "loader": '<script src="/loader.js"></script>',
}
# The browser's errors go to another project than the crash's event, as Sentry advises.
BROWSERS_PROJECT = "99"


class Shop:
    """Opens the page of a crash, and notes what the console says."""

    def __init__(
        self, context: BrowserContext, cdn: str, sentry: RecordingSentry, serve: Serve, folder: Path
    ) -> None:
        self.context, self.cdn, self.sentry = context, cdn, sentry
        self.serve, self.folder = serve, folder
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.kits: list[Any] = []

    def page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        return page

    def _note(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)
        if message.type == "warning":
            self.warnings.append(message.text)

    def address(
        self, head: str = "", template: str = BLOCK, foot: str = "", policy: str = "", **config: Any
    ) -> str:
        """Serve the app; ``[init]`` is what ``Sentry.init`` is given."""
        dsn = f"{self.sentry.public_dsn.rpartition('/')[0]}/{BROWSERS_PROJECT}"
        init = json.dumps({"dsn": dsn})

        def filled(text: str) -> str:
            return text.replace("[cdn]", self.cdn).replace("[init]", init)

        (self.folder / "templates").mkdir(exist_ok=True)
        page = filled(template.replace("[head]", head).replace("[foot]", foot))
        (self.folder / "templates/500.html").write_text(page, "utf-8")
        app = Flask("shop", root_path=str(self.folder), static_folder=None)
        app.config.update({"SECRET_KEY": "not secret in a test", "SENTRY_DSN": self.sentry.dsn})
        app.config.update({"SENTRY_KIT_RAVEN_JS": "browser"} | config)
        app.register_blueprint(SentryKit())
        self.kits.append(app.extensions["sentry_kit"])

        @app.before_request
        def nonce() -> None:
            g.nonce = NONCE
            if policy:
                g.csp_nonce = NONCE

        @app.get("/boom")
        def boom() -> str:
            raise ZeroDivisionError("the shop is on fire")

        @app.get("/<name>.js")
        def script(name: str) -> Response:
            scripts = {"loader": LOADER, "init": "Sentry.init([init]);"}
            return Response(filled(scripts[name]), mimetype="text/javascript")

        @app.after_request
        def add(response: Response) -> Response:
            if policy:
                dialog = {name: " ".join(given) for name, given in csp_sources(app).items()}
                given = {**dialog, "default-src": "'self'"}
                given["script-src"] += f" 'nonce-{NONCE}' {policy}"
                response.headers["Content-Security-Policy"] = "; ".join(
                    f"{name} {sources}" for name, sources in given.items()
                )
            return response

        return f"{self.serve(app)}/boom"

    def open(self, *args: str, **options: Any) -> Page:
        page = self.page()
        page.goto(self.address(*args, **options))
        return page


@pytest.fixture
def sentry(new_sentry: NewSentry) -> RecordingSentry:
    def answer(request: Received) -> Answer:
        if request.method == "GET":
            script = dialog_script(f"{made.url}{request.target}", request.query)
            headers = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
            return 200, headers, script.encode()
        return 200, {"Access-Control-Allow-Origin": "*"}, b"{}"

    made = new_sentry(answer=answer)
    return made


@pytest.fixture(scope="module")
def cdn() -> Iterator[str]:
    """The address of @sentry/browser."""
    assert (MODULES / "@sentry/browser").exists(), "@sentry/browser is missing: make test brings it"
    app = Flask("cdn")

    @app.get("/sentry.js")
    def script() -> Response:
        headers = {"Cache-Control": "max-age=600", "Access-Control-Allow-Origin": "*"}
        return Response(bundle(), headers=headers, mimetype="text/javascript")

    with serving(app) as port:
        yield f"http://127.0.0.1:{port}/sentry.js"


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One for all tests here, so that it loads @sentry/browser once."""
    with closing(chromium.new_context()) as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def shop(
    context: BrowserContext, cdn: str, sentry: RecordingSentry, serve: Serve, tmp_path: Path
) -> Iterator[Shop]:
    made = Shop(context, cdn, sentry, serve, tmp_path)
    yield made
    for page in context.pages:
        page.close()
    for kit in made.kits:
        kit.outbox.close(0)


def one_script(page: Page) -> dict[str, Any]:
    """The one script of Sentry's error page, which @sentry/browser has added."""
    found = page.eval_on_selector_all(
        SCRIPTS,
        "all => all.map(one => ({ cors: one.crossOrigin,"
        " ...Object.fromEntries(new URL(one.src).searchParams) }))",
    )
    assert len(found) == 1, found
    # Raven JS and the kit's own loader begin with eventId, and ask without CORS.
    assert (found[0]["cors"], list(found[0])[1]) == ("anonymous", "dsn")
    script: dict[str, Any] = found[0]
    return script


def send_the_form(page: Page) -> None:
    page.fill(f"{FORM} [name=comments]", "I pressed pay")
    page.click(f"{FORM} button")
    page.wait_for_selector("#sentry-kit-outcome:has-text('Sent. Thank you.')")


@pytest.mark.parametrize(
    ("way", "template"),
    [
        ("head", BLOCK),
        ("defer", OWN),
        ("module", BLOCK),
        ("async", OWN),
        ("loader", BLOCK),
    ],
    ids=lambda given: {BLOCK: "bundled", OWN: "own"}.get(given, given),
)
def test_the_pages_sdk_opens_the_one_dialog(
    shop: Shop, sentry: RecordingSentry, way: str, template: str
) -> None:
    """However the page loads it, with Sentry.init for another project or without: one dialog, about
    the crash's event in the crash's project, whose words arrive there."""
    page = shop.open(WAYS[way], template)
    page.wait_for_function(STATE, arg="open")
    [event] = sentry.wait_for()
    script = one_script(page)
    assert (script["eventId"], script["dsn"]) == (event["event_id"], sentry.public_dsn)
    assert page.locator(EMBED).count() == 1 and not page.is_visible(FORM)
    assert page.evaluate("typeof Raven") == "undefined"
    page.fill(f"{EMBED} [name=comments]", "I pressed pay")
    page.click(f"{EMBED} .btn")
    report = sentry.wait_for_report()
    assert (report.query["eventId"], report.query["dsn"]) == (script["eventId"], script["dsn"])
    assert (shop.errors, shop.warnings) == ([], [])


@pytest.mark.parametrize(
    "head",
    [
        "",
        '<script src="[cdn]" defer></script>',
        WAYS["loader"],
        "<script>Sentry = { withScope() { throw 1 }, showReportDialog() { throw 1 } };</script>",
    ],
    ids=["none", "blocked", "blocked loader", "throws"],
)
def test_without_the_sdk_the_page_has_its_form(
    shop: Shop, sentry: RecordingSentry, head: str
) -> None:
    """Not loaded, blocked, or a blocker's substitute: the form is there and sends, and nothing
    fails."""
    page = shop.page()
    page.route("**/sentry.js", lambda route: route.abort())
    page.goto(shop.address(head))
    send_the_form(page)
    assert page.locator(SCRIPTS).count() == 0
    assert page.evaluate("typeof Raven") == "undefined"
    assert shop.errors == []
    assert sentry.wait_for_report().fields["comments"] == "I pressed pay"


def test_where_the_dialog_does_not_load_the_form_stays(shop: Shop) -> None:
    """As with the kit's own loader: the SDK is there, and Sentry's host is blocked."""
    page = shop.page()
    page.route("**/error-page/**", lambda route: route.abort())
    page.goto(shop.address(WAYS["head"]))
    page.wait_for_function(STATE, arg="failed")
    send_the_form(page)
    assert shop.errors == []


@pytest.mark.parametrize(
    ("way", "script"),
    [("defer", '<script type="module">[]</script>'), ("loader", "<script>[]</script>")],
)
def test_a_page_that_asks_for_the_dialog_gets_no_second(shop: Shop, way: str, script: str) -> None:
    """A page may call showReportDialog for the crash itself, also after the kit's snippet: its
    dialog is used."""
    call = "Sentry.showReportDialog({ eventId: '{{ event_id }}', title: 'Ours' });"
    page = shop.open(WAYS[way], OWN, script.replace("[]", call))
    page.wait_for_function(STATE, arg="open")
    assert one_script(page)["title"] == "Ours"
    assert page.locator(EMBED).count() == 1
    assert shop.errors == []


def test_no_dialog_opens_over_a_visitor_who_writes(shop: Shop) -> None:
    """An SDK that comes late finds the form in use, and leaves it, also where the kit's own script
    came late."""
    page, waiting = shop.page(), list[Route]()
    page.route(re.compile(r"/(sentry|dialog)\.js"), lambda route: waiting.append(route))
    page.goto(shop.address(WAYS["defer"]), wait_until="commit")
    page.fill(f"{FORM} [name=comments]", "I pressed")
    for route in waiting:
        route.continue_()
    page.wait_for_load_state("load")
    assert page.evaluate("Sentry.SDK_VERSION")
    assert page.locator(SCRIPTS).count() == 0
    assert page.input_value(f"{FORM} [name=comments]") == "I pressed"


def test_the_dialog_of_another_project_is_stopped(shop: Shop) -> None:
    """Should a later SDK not heed the project that it is given, words would be lost in a project
    that has no such event: the form stays, and the console says why."""
    later = """<script>Sentry = { SDK_VERSION: "99", withScope: (call) => call({}),
      showReportDialog({ dsn, eventId }) {
        const script = document.createElement("script");
        script.src = dsn.replace("public@", "").replace(/[^/]+$/, "api/embed/error-page/?")
          + new URLSearchParams({ dsn: dsn.replace(/[^/]+$/, "99"), eventId });
        document.head.append(script);
      } };</script>"""
    page = shop.open(later)
    page.wait_for_function(STATE, arg="failed")
    send_the_form(page)
    assert page.locator(EMBED).count() == 0
    [warning] = shop.warnings
    assert "another project" in warning


def test_under_a_strict_policy_with_nonces(shop: Shop) -> None:
    """csp_sources and the request's nonce are all that the policy needs for it."""
    head = WAYS["head"].replace("<script src", '<script nonce="{{ g.nonce }}" src')
    page = shop.open(head, policy="'strict-dynamic'")
    page.wait_for_function(STATE, arg="open")
    assert one_script(page)["dsn"] == shop.sentry.public_dsn
    assert shop.errors == []
