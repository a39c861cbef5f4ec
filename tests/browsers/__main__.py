"""``python -m tests.browsers``: the page, the dialog and the inbox in Firefox ESR and in WebKitGTK.

A browser that is not on this machine is named, with the way to install it, and is no failure.
``--short`` does one play in each; ``--browser`` and words choose among them.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import dialog_plays, plays  # noqa: F401  # fill PLAYS
from .book import PLAY_LIMIT, PLAYS, Browser, Mode, Play, Tab
from .firefox import Firefox
from .processes import kill_all, run_alone
from .scene import scene
from .webkit import WebKit

BROWSERS: dict[str, Browser] = {"firefox": Firefox(), "webkit": WebKit()}


class TookTooLong(Exception):
    """A play, or the start of its browser, did not end in time."""


@contextmanager
def limit(seconds: float) -> Iterator[Callable[[], None]]:
    """Kill every browser if what is done in here takes longer, which ends all waiting for one.

    :raises TookTooLong: in place of what that ends with.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        kill_all()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield timer.cancel
    except Exception as error:
        if over.is_set():
            raise TookTooLong(f"not done within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()


def play_all(browser: Browser, chosen: list[Play]) -> list[str]:
    """Play what this browser can; returns a line for each play that failed."""
    failed = []
    for mode in Mode:
        mine = [play for play in chosen if play.mode is mode and mode in browser.modes]
        if not mine:
            continue
        try:
            began = time.monotonic()
            with limit(PLAY_LIMIT) as started, browser.start(mode) as tab:
                started()
                print(
                    f"  {time.monotonic() - began:4.1f} s   {browser.name} started: {mode.value}",
                    flush=True,
                )
                failed += [one for one in (_play(browser, play, tab) for play in mine) if one]
        except Exception as error:
            failed.append(f"{browser.name}, {mode.value}: {_said(error)}")
            print(f"  FAILED   {failed[-1]}", flush=True)
    return failed


def _play(browser: Browser, play: Play, tab: Tab) -> str | None:
    began = time.monotonic()
    try:
        with limit(PLAY_LIMIT), scene() as on:
            play.run(on, tab)
    except Exception as error:
        line = f"{browser.name}, {play.name}: {_said(error)}"
        print(f"  FAILED   {line}", flush=True)
        return line
    print(f"  {time.monotonic() - began:4.1f} s   {browser.name}, {play.name}", flush=True)
    return None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browsers")
    parser.add_argument("--short", action="store_true", help="one play in each browser")
    parser.add_argument("--browser", choices=BROWSERS, help="this one alone")
    parser.add_argument("--verbose", "-v", action="store_true", help="show what the apps log")
    parser.add_argument("word", nargs="*", help="only plays with this in their name")
    arguments = parser.parse_args()
    if not arguments.verbose:
        logging.basicConfig(handlers=[logging.NullHandler()])
    chosen = [
        play
        for play in PLAYS
        if (play.short or not arguments.short)
        and (not arguments.word or any(word in play.name for word in arguments.word))
    ]
    failed = []
    for name, browser in BROWSERS.items():
        if arguments.browser not in (None, name):
            continue
        missing = browser.missing()
        if missing:
            print(f"{browser.name} is not played in: {missing}", flush=True)
            continue
        print(f"{browser.name}:", flush=True)
        failed += play_all(browser, chosen)
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    run_alone(main)
