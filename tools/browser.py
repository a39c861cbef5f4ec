"""Finds a Chromium that is installed, for the tests and the screenshots; downloads none.

``python -m tools.browser`` prints its path, or says on stderr how to get one and ends with 1.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC_APPS = ("Chromium", "Google Chrome")


class BrowserMissing(RuntimeError):
    """No Chromium was found; the text says with which command to install one."""


def arguments() -> list[str]:
    """What Chromium is started with: no connection but those of the page, and no sandbox for
    root, for whom it cannot make one."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*quiet, "--no-first-run", "--disable-quic", *(["--no-sandbox"] if root else [])]


def find() -> str:
    """The path of a Chromium or Chrome: ``$CHROMIUM``, else one on the machine.

    :raises BrowserMissing: there is none; says how to install one.
    """
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        path = shutil.which(chosen)
        if path is None:
            raise BrowserMissing(f"CHROMIUM is {chosen!r}, and there is no such program.")
        return path
    for command in _COMMANDS:
        path = shutil.which(command)
        if path is not None:
            return path
    for app in _MAC_APPS:
        program = Path(f"/Applications/{app}.app/Contents/MacOS/{app}")
        if program.exists():
            return str(program)
    downloaded = _downloaded()
    if downloaded is not None:
        return downloaded
    raise BrowserMissing(
        f"Chromium is needed, and none is installed. Install it with:\n\n    {_install_command()}\n"
    )


def _downloaded() -> str | None:
    """What ``playwright install chromium`` left behind, if it was ever run."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _install_command() -> str:
    # Ubuntu's package of that name is a stub for a snap, so this is for Debian alone.
    if shutil.which("apt-get") and Path("/etc/debian_version").exists() and not _is_ubuntu():
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install --yes chromium"
    return f"{sys.executable} -m playwright install --with-deps chromium"


def _is_ubuntu() -> bool:
    try:
        return "ID=ubuntu" in Path("/etc/os-release").read_text("utf-8").splitlines()
    except OSError:
        return False


if __name__ == "__main__":
    try:
        print(find())
    except BrowserMissing as missing:
        sys.exit(str(missing))
