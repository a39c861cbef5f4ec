"""Finds the Chromium that the tests and the screenshots use. Installs nothing:
:mod:`scripts.browser_install` does that.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent.parent / ".browser"
"""Where a browser is installed if the machine has none; ignored by git, removed by `make clean`."""
LAUNCHER: Final = FOLDER / "chromium"
"""Starts the browser installed there. It is written last, once that browser has shown a page."""

_SHELL = "chromium-headless-shell"
"""The same engine without windows: a new page takes a third of the time that it takes in Chromium
156, whose windows are pages too."""
_COMMANDS = (
    _SHELL,
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
_MAC_APPS = ("Chromium", "Google Chrome")


class BrowserMissing(RuntimeError):
    """There is no Chromium; the text says how to get one."""


def arguments() -> list[str]:
    """Chromium's arguments: no connections but the page's, and no sandbox for root, for which
    Chromium cannot make one."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*quiet, "--no-first-run", "--disable-quic", *(["--no-sandbox"] if root else [])]


def find() -> str:
    """The path of a Chromium or Chrome: ``$CHROMIUM``, else the one in :data:`FOLDER` (which is
    there only because the machine had none that works), else one of the machine.

    :raises BrowserMissing: there is none, or ``$CHROMIUM`` names no program.
    """
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        path = shutil.which(chosen)
        if path is None:
            raise BrowserMissing(
                f"CHROMIUM is {chosen!r}, and there is no such program. Set it to the path of a"
                " Chromium, or unset it to have one found."
            )
        return path
    if LAUNCHER.exists():
        return str(LAUNCHER)
    path = installed()
    if path is None:
        raise BrowserMissing("There is no Chromium on this machine: `make browser` installs one.")
    return path


def installed(*, windows: bool = False) -> str | None:
    """A Chromium or Chrome of the machine, on ``PATH`` or among the applications of macOS.

    :param windows: one that has windows, and asks for their icons.
    """
    for command in _COMMANDS:
        path = None if windows and command == _SHELL else shutil.which(command)
        if path is not None:
            return path
    for app in _MAC_APPS:
        program = Path(f"/Applications/{app}.app/Contents/MacOS/{app}")
        if program.exists():
            return str(program)
    return None
