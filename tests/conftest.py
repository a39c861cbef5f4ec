"""What tests of every room share: a Sentry on loopback that records, real servers, a browser."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts import browser
from tests.support.sentry import RecordingSentry
from tests.support.serving import serving
from tests.support.types import NewSentry

pytest_plugins = [
    "tests.support.apps",
    "tests.support.order",
    "tests.support.beside",
    "tests.support.second_process",
]

# Its tests initialise sentry-sdk, which changes the process: test_on_sentry_sdk.py runs them.
collect_ignore = [] if "SENTRY_SDK_TESTS" in os.environ else ["reporters/sentry_sdk"]


@pytest.fixture
def new_sentry() -> Iterator[NewSentry]:
    """Make a recording Sentry on loopback; arguments are ``RecordingSentry``'s."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(RecordingSentry(*args, **options))


@pytest.fixture
def wire(new_sentry: NewSentry) -> RecordingSentry:
    """A recording Sentry on loopback."""
    return new_sentry()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve a WSGI app from real threads on loopback; returns its address without a slash."""
    with ExitStack() as stack:

        def start(app: Any, host: str = "127.0.0.1", **options: Any) -> str:
            port = stack.enter_context(serving(app, host, **options))
            scheme = "https" if options.get("ssl_context") else "http"
            return f"{scheme}://{host}:{port}"

        yield start


def pytest_configure(config: pytest.Config) -> None:
    """Let programs that tests start receive Ctrl-C even if it is ignored here, as after
    `make test &`: a child ignores an ignored signal too, but not a handled one (execve(2))."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: None)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process, with every thread's stack, where a thread that a test left running would
    keep it from ending. The limits of pyproject.toml hold until the last test alone."""
    limit = float(config.getini("faulthandler_timeout"))
    faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__ or sys.stderr)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=browser.find(), args=browser.arguments()
        )
        yield running
        running.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser page, with no cookies or storage of another test."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def snippet_options(html: str) -> dict[str, Any]:
    """What a page gives to Raven.showReportDialog, as the browser's parser would read it."""
    found = re.search(r"Raven\.showReportDialog\((\{.*?\})\);", html, re.S)
    assert found is not None, html
    options: dict[str, Any] = json.loads(found[1])
    return options


@pytest.fixture(name="snippet_options")
def _snippet_options() -> Callable[[str], dict[str, Any]]:
    return snippet_options


@pytest.fixture(autouse=True)
def _no_dsn_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENTRY_DSN", "SENTRY_RELEASE", "SENTRY_ENVIRONMENT", "SENTRY_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_log_handlers_left() -> Iterator[None]:
    """No app of an earlier test receives log records of the next one."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler).__module__.startswith("flask_sentry_kit"):
            root.removeHandler(handler)
