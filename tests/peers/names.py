"""Has the names of sentry.io lead to loopback, so that what the kit does for a server because of
its name is tried too. Nothing leaves this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from scripts.browser import arguments, find

INGEST, WEB = "o1.ingest.sentry.io", "sentry.io"
_RULES = "MAP *.sentry.io 127.0.0.1, MAP sentry.io 127.0.0.1"


@contextmanager
def sentry_io_is_here() -> Iterator[None]:
    """For this process, until the end."""
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        here = name == WEB or name.endswith(f".{WEB}")
        return resolve("127.0.0.1" if here else host, *args, **options)

    socket.getaddrinfo = resolve_here
    try:
        yield
    finally:
        socket.getaddrinfo = resolve


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser to which the names lead there too."""
    with sync_playwright() as playwright:
        args = [*arguments(), f"--host-resolver-rules={_RULES}"]
        browser = playwright.chromium.launch(executable_path=find(), args=args)
        yield browser
        browser.close()
