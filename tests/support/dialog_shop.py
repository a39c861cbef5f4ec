"""A shop whose pages open the inbox's dialog, in a real browser, on another origin than the
inbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, Response
from playwright.sync_api import Page

from tests.support.inbox import EVENT_ID, RunningInbox
from tests.support.sentry_browser import bundle
from tests.support.serving import serving

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests/js/node_modules"
AXE = MODULES / "axe-core/axe.min.js"
HOST = ".sentry-error-embed-wrapper"
CLOSED = "__sentry_reportdialog_closed__"

_START = "<!doctype html><html lang=en><title>500</title><link rel=icon href=data:,>"
_FOCUSED = """() => {
  let found = document.activeElement;
  while (found.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found.id || found.className || found.localName;
}"""


class Pages:
    """A server's pages: HTML and a Content-Security-Policy, by the last part of their address."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.served: dict[str, tuple[str, str]] = {}


@contextmanager
def serving_pages() -> Iterator[Pages]:
    """Serve pages, and beside them the kit's loader, raven-js and @sentry/browser."""
    assert AXE.exists(), "npm's packages are missing: make test brings them (npm ci)"
    scripts = {
        "kit.js": (ROOT / "flask_sentry_kit/static/dialog.js").read_text("utf-8"),
        "raven.js": (MODULES / "raven-js/dist/raven.js").read_text("utf-8"),
        "sentry.js": bundle(),
    }
    app = Flask("shop")

    @app.get("/<name>")
    def show(name: str) -> Response:
        if name in scripts:
            return Response(scripts[name], mimetype="text/javascript")
        html, policy = pages.served[name]
        return Response(html, headers={"Content-Security-Policy": policy} if policy else {})

    with serving(app) as port:
        pages = Pages(f"http://127.0.0.1:{port}")
        yield pages


class DialogShop:
    """One test's page."""

    def __init__(self, pages: Pages, inbox: RunningInbox, page: Page) -> None:
        self.inbox, self.page, self._pages = inbox, page, pages
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def source(self, **options: str) -> str:
        query = {"eventId": EVENT_ID, "dsn": self.inbox.dsn, **options}
        return f"{self.inbox.url}/api/embed/error-page/?{urlencode(query)}"

    def script(self, **options: str) -> str:
        """A script element that opens the dialog."""
        return f'<script src="{self.source(**options).replace("&", "&amp;")}"></script>'

    def put(self, name: str, html: str, policy: str = "") -> None:
        """Have something to serve."""
        self._pages.served[name] = (_START + html, policy)

    def open(self, html: str, policy: str = "") -> Page:
        """Serve a page and go there."""
        self.put("page", html, policy)
        self.page.goto(f"{self._pages.base}/page")
        return self.page

    def open_dialog(self, html: str, policy: str = "", **options: str) -> Page:
        page = self.open(html + self.script(**options), policy)
        page.wait_for_selector("dialog[open]")
        return page

    def ask(self, **options: str) -> None:
        """Load the dialog's script into the page, as a second crash does."""
        self.page.evaluate(
            "(source) => new Promise((done) => { const script = document.createElement('script');"
            " script.src = source; script.onload = done; document.head.append(script); })",
            self.source(**options),
        )

    def focused(self) -> str:
        found: str = self.page.evaluate(_FOCUSED)
        return found

    def close(self) -> None:
        """Press Escape, and wait until the dialog has gone and the focus is back."""
        self.page.evaluate(
            "() => { gone = false;"
            " addEventListener('message', () => { gone = true; }, { once: true }); }"
        )
        self.page.keyboard.press("Escape")
        self.page.wait_for_function("gone")
        assert self.page.locator(HOST).count() == 0

    def send(self, words: str = "I pressed pay") -> None:
        self.page.keyboard.type(words)
        self.page.locator("dialog .send").click()
        self.page.wait_for_selector(f"{HOST}.message-success", state="attached")
