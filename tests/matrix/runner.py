"""Plays settings, and returns how each ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from scripts.browser import arguments, find

from . import dialog_plays  # noqa: F401  # fills SETTINGS
from .book import SETTINGS, Lost, Setting, Verdict
from .shop import Who
from .stage import stage

__all__ = ["SETTINGS", "chromium", "play"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser all settings share."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=arguments())
        yield browser
        browser.close()


def play(setting: Setting, who: Who, browser: Browser) -> Verdict:
    """Play one setting for one column. Anything but ``Lost`` is an error of the matrix itself."""
    began = time.monotonic()
    with stage(who, browser) as on:
        try:
            setting.play(on)
            road, text = on.road, ""
        except Lost as lost:
            road, text = "", str(lost)
    return Verdict(setting.title, who, road, text, time.monotonic() - began)
