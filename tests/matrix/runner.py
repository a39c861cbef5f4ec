"""Plays settings, and returns how each ended.

sentry-sdk changes the process in which it is initialised, so the columns on it are played in one of
their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from scripts.browser import arguments, find
from tests.support.sentry_browser import MODULES

from . import dialog_plays  # noqa: F401  # fills SETTINGS
from .book import SETTINGS, Case, Lost, Setting, Verdict
from .shop import ON_SDK, ROOT, Who
from .stage import stage

__all__ = ["SETTINGS", "chromium", "missing_scripts", "play", "play_apart", "play_here"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser all settings share."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=arguments())
        yield browser
        browser.close()


def missing_scripts() -> str:
    """What npm has not brought yet, in a sentence; empty if all is there."""
    for name in ("raven-js", "@sentry/browser"):
        if not (MODULES / name).exists():
            return f"{name} is missing: `make matrix` and `make test` bring it"
    return ""


def play(setting: Setting, who: Who, browser: Browser) -> Verdict:
    """Play one setting for one column. Anything but ``Lost`` is an error of the matrix itself."""
    began = time.monotonic()
    with stage(who, browser) as on:
        try:
            setting.play(on)
            road, text = on.road, ""
        except Lost as lost:
            road, text = "", str(lost)
    if who in ON_SDK and "raven" in sys.modules:
        raise RuntimeError(f"raven was imported for a shop on sentry-sdk: {setting.title}")
    return Verdict(setting.title, who, road, text, time.monotonic() - began)


def play_here(names: Sequence[str]) -> Iterator[Verdict]:
    """Play the cases with these names in this process."""
    with chromium() as browser:
        for setting in SETTINGS:
            for who in setting.whose:
                if f"{who}:{setting.title}" in names:
                    yield play(setting, who, browser)


def play_apart(
    cases: Sequence[Case],
    *options: str,
    words: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Verdict]:
    """Play cases in a process of their own; each verdict as soon as it is known.

    :param options: of the interpreter.
    :param words: options of ``tests.matrix``.
    :param environment: of the process; this one's without.
    """
    if not cases:
        return
    names = [f"{who}:{setting.title}" for setting, who in cases]
    with subprocess.Popen(
        [sys.executable, *options, "-m", "tests.matrix", "--json", *words, *names],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                yield Verdict(**json.loads(line))
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise RuntimeError(f"the process of {names[0]} … ended with {process.returncode}")
