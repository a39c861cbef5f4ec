"""Takes the pictures of the README and of docs/page.md.

``python -m scripts.screenshots`` crashes the demo, fills the dialog and looks at both in the inbox;
then it takes the crash page in every state, light and dark, on a phone and on a desk.
``--short`` takes one state alone. ``--check`` takes the pictures, keeps none, and fails if docs/
lacks one, has one of another size or one too many, or docs/page.md is out of date. Pixels are not
compared: they differ from one Chromium, and one machine's fonts, to the next.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import struct
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from werkzeug.serving import make_server

from demo_app import create_app
from flask_sentry_kit.inbox import InboxServer, create_inbox
from flask_sentry_kit.page.preview import STATES, State

from . import browser

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
IMAGES: Final = DOCS / "images"
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
WIDTHS: Final[dict[str, ViewportSize]] = {
    "phone": {"width": 320, "height": 700},
    "desk": {"width": 1040, "height": 700},
}
SIZE: ViewportSize = {"width": 1040, "height": 660}
WORDS = "I used the voucher from your flyer, and then this page came. The basket is still there."


def take(shop: str, inbox: str, page: Page, folder: Path) -> None:
    """Sign in, break the shop with a voucher, say so, and look at it in the inbox."""
    page.goto(f"{shop}sign-in")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Stitched notebook").click()
    page.get_by_role("button", name="Put in the basket").click()
    page.get_by_label("Voucher").fill("WELCOME10")
    page.get_by_role("button", name="Place the order").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=comments]").fill(WORDS)
    page.screenshot(path=folder / "crash.png")
    dialog.get_by_role("button", name="Send").click()
    page.get_by_text("Thank you").first.wait_for()
    page.goto(inbox)
    page.get_by_role("link").filter(has_text="ValueError").first.click()
    page.get_by_text(WORDS).first.wait_for()
    page.screenshot(path=folder / "inbox.png")


def take_states(shop: str, chromium: Browser, states: Iterable[State], folder: Path) -> None:
    """The page in some states, as the preview shows it."""
    for scheme in SCHEMES:
        for width, viewport in WIDTHS.items():
            page = chromium.new_page(viewport=viewport, color_scheme=scheme, locale="en-GB")
            for state in states:
                page.goto(f"{shop}_sentry_kit/preview/{state.name}")
                if state.event and not state.blocked and not state.outcome:
                    page.get_by_role("dialog").wait_for()
                elif state.blocked:
                    page.locator("html[data-sentry-dialog=failed]").wait_for()
                page.screenshot(path=folder / f"page-{state.name}-{scheme}-{width}.png")
            page.close()


def states_page() -> str:
    """docs/page.md: the pictures, a table a state."""
    parts = [
        "# The crash page in every state\n\n<!-- Made by `make screenshots`. -->\n\n"
        "`flask sentry-kit preview` shows the same states with your own app's template and brand;"
        " in debug mode so does `/_sentry_kit/preview`.\n"
    ]
    for state in STATES:
        parts.append(f"\n## {state.meaning}\n\n|  | phone | desk |\n|---|---|---|\n")
        for scheme in SCHEMES:
            cells = (
                f"![{state.name}, {scheme}, {width}](images/page-{state.name}-{scheme}-{width}.png)"
                for width in WIDTHS
            )
            parts.append(f"| {scheme} | {' | '.join(cells)} |\n")
    return "".join(parts)


def take_all(folder: Path, states: Iterable[State]) -> None:
    """Serve the demo, its inbox and the preview on loopback, and take the pictures of them."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as home:
        inbox = InboxServer(create_inbox(Path(home, "inbox.sqlite")))
        app = create_app(inbox.dsn, f"{inbox.url}/", SENTRY_NAME="web-1")
        previewed = create_app(inbox.dsn, f"{inbox.url}/")
        previewed.debug = True
        shop, preview = (
            make_server("127.0.0.1", 0, each, threaded=True) for each in (app, previewed)
        )
        threads = [
            threading.Thread(target=run)
            for run in (inbox.run, shop.serve_forever, preview.serve_forever)
        ]
        for thread in threads:
            thread.start()
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=browser.find(), args=browser.arguments()
                )
                page = chromium.new_page(viewport=SIZE, color_scheme="light", locale="en-GB")
                take(f"http://127.0.0.1:{shop.port}/", f"{inbox.url}/", page, folder)
                take_states(f"http://127.0.0.1:{preview.port}/", chromium, states, folder)
                chromium.close()
        finally:
            for server in (shop, preview):
                server.shutdown()
                server.server_close()
            inbox.stop()
            for thread in threads:
                thread.join()


def _size(picture: Path) -> tuple[int, int]:
    """Width and height in pixels, from a PNG's first chunk (ISO/IEC 15948, 11.2.2)."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height


def faults(taken: Path, whole: bool) -> list[str]:
    """How docs/ differs from these pictures. With ``whole``, it may have no others."""
    names = {picture.name for picture in taken.iterdir()}
    kept = {picture.name for picture in IMAGES.glob("*.png")}
    found = [f"docs/images/{name} is missing" for name in names - kept]
    found += [f"docs/images/{name} is no longer taken" for name in kept - names if whole]
    found += [
        f"docs/images/{name} has another size"
        for name in names & kept
        if _size(taken / name) != _size(IMAGES / name)
    ]
    page = DOCS / "page.md"
    if not page.exists() or page.read_text("utf-8") != states_page():
        found.append("docs/page.md is out of date")
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.screenshots")
    parser.add_argument("--check", action="store_true", help="keep no picture; compare with docs/")
    parser.add_argument("--short", action="store_true", help="one state alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        take_all(folder, STATES[:1] if arguments.short else STATES)
        if arguments.check:
            found = faults(folder, whole=not arguments.short)
            for fault in found:
                print(f"{fault}: run `make screenshots`")
            return 1 if found else 0
        IMAGES.mkdir(parents=True, exist_ok=True)
        for picture in folder.iterdir():
            shutil.copy(picture, IMAGES)
    (DOCS / "page.md").write_text(states_page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
