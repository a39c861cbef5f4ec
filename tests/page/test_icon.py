"""The page's icon: without one a browser requests /favicon.ico, which may crash as well."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, request
from playwright.sync_api import Browser

from flask_sentry_kit import sentry_kit
from flask_sentry_kit.page import plain
from flask_sentry_kit.phrases import ENGLISH
from scripts import browser

ICON = "/_sentry_kit/static/icon.png"


class Asked:
    """Middleware in front of the app that records the requested paths."""

    def __init__(self, inner: Any, policy: str) -> None:
        self._inner = inner
        self._policy = policy
        self._changed = threading.Condition()
        self.paths: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if self._policy:
                headers = [*headers, ("Content-Security-Policy", self._policy)]
            return start_response(status, headers, *more)

        with self._changed:
            self.paths.append(environ["PATH_INFO"])
            self._changed.notify_all()
        return self._inner(environ, start)

    def asked_for_an_icon(self) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: any(path == ICON or "favicon" in path for path in self.paths), 20
            )


@pytest.fixture
def broken(wire: Any) -> Iterator[Flask]:
    """An app that crashes at every request."""
    app = Flask("shop", static_folder=None)
    app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(sentry_kit)

    @app.before_request
    def crash() -> None:
        raise RuntimeError(f"the database is gone at {request.path}")

    yield app
    app.extensions["sentry_kit"].outbox.close(1)


@pytest.mark.parametrize("policy", ["", "default-src 'self'"])
def test_the_page_makes_no_second_crash(
    broken: Flask, wire: Any, serve: Callable[..., str], chromium: Browser, policy: str
) -> None:
    """Where every request crashes, one visit is one event: the browser asks for the page's own
    icon, which the app's hooks do not reach."""
    program = browser.installed(windows=True)
    if program is None:
        pytest.skip("the Chromium here has no windows, and asks for no icon")
    asked = Asked(broken, policy)
    console: list[str] = []
    with chromium.browser_type.launch(
        executable_path=program, args=browser.arguments()
    ) as with_windows:
        page = with_windows.new_page()
        page.on("console", lambda message: console.append(message.text))
        page.goto(serve(asked) + "/checkout")
        assert asked.asked_for_an_icon()
    assert "/favicon.ico" not in asked.paths
    assert "/checkout" in wire.one_event(broken)["request"]["url"]
    assert not [line for line in console if "Content Security Policy" in line and "icon" in line]


def test_the_icon_is_an_image_every_browser_knows(broken: Flask) -> None:
    """A PNG of 32 by 32 pixels, served although the app is broken."""
    with broken.test_client().get(ICON) as answer:
        assert answer.status_code == 200 and answer.mimetype == "image/png"
        assert answer.data.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", answer.data[16:24]) == (32, 32)


def test_a_page_without_files_says_there_is_no_icon() -> None:
    """The page that is a string of HTML refers to nothing of the app's, and to no icon either."""
    html = plain.html(None, ENGLISH.say, ENGLISH.tag, ENGLISH.direction)
    assert '<link rel="icon" href="data:,">' in html
