"""Takes the pictures of the README: the demo crashed, the dialog filled, and both in the inbox.

``python -m tools.screenshots`` writes them to docs/images.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright
from werkzeug.serving import make_server

from demo_app import create_app
from flask_sentry_kit.inbox import InboxServer, create_inbox

from . import browser

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE: ViewportSize = {"width": 1040, "height": 660}
WORDS = "I used the voucher from your flyer, and then this page came. The basket is still there."


def take(shop: str, inbox: str, page: Page) -> None:
    """Sign in, break the shop with a voucher, say so, and look at it in the inbox."""
    page.goto(f"{shop}sign-in")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Stitched notebook").click()
    page.get_by_role("button", name="Put in the basket").click()
    page.get_by_label("Voucher").fill("WELCOME10")
    page.get_by_role("button", name="Place the order").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=comments]").fill(WORDS)
    page.screenshot(path=IMAGES / "crash.png")
    dialog.get_by_role("button", name="Send").click()
    page.get_by_text("Thank you").first.wait_for()
    page.goto(inbox)
    page.get_by_role("link").filter(has_text="ValueError").first.click()
    page.get_by_text(WORDS).first.wait_for()
    page.screenshot(path=IMAGES / "inbox.png")


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        inbox = InboxServer(create_inbox(Path(folder, "inbox.sqlite")))
        shop = make_server(
            "127.0.0.1",
            0,
            create_app(inbox.dsn, f"{inbox.url}/", SENTRY_NAME="web-1"),
            threaded=True,
        )
        threads = [threading.Thread(target=run) for run in (inbox.run, shop.serve_forever)]
        for thread in threads:
            thread.start()
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=browser.find(), args=browser.arguments()
                )
                page = chromium.new_page(viewport=SIZE, color_scheme="light", locale="en-GB")
                take(f"http://127.0.0.1:{shop.port}/", f"{inbox.url}/", page)
                chromium.close()
        finally:
            shop.shutdown()
            shop.server_close()
            inbox.stop()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    main()
