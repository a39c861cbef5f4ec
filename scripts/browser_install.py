"""Installs a Chromium where there is none that works, and says on stderr what it does.

``python -m scripts.browser_install`` takes the first that works: one that is installed, one that
Playwright downloaded before, the one that Playwright downloads, and the headless one that the npm
package ``@sparticuz/chromium`` carries (Linux on x86-64 alone). What is downloaded goes into
``.browser`` in the project's folder. Ends with 1, and with a way out, when none works.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Final
from xml.sax.saxutils import escape

from playwright.sync_api import Error, sync_playwright

from .browser import FOLDER, LAUNCHER, BrowserMissing, arguments, find

LOCK_FOLDER: Final = Path(__file__).resolve().parent / "chromium"
"""package.json and package-lock.json: the npm package's version and its hashes."""

DOWNLOAD_SECONDS: Final = 300.0
"""A download that takes longer is given up, and the next way is tried."""
CONNECT_MILLISECONDS: Final = 10_000
START_MILLISECONDS: Final = 30_000

# al2023 has NSS, NSPR and expat, which a machine without a desktop lacks.
_UNPACK: Final = """
import { inflate } from "@sparticuz/chromium";
for (const name of ["chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br"])
  await inflate("node_modules/@sparticuz/chromium/bin/" + name);
"""

# The package's own file names folders of AWS Lambda; without any font Chromium crashes.
_FONTS: Final = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"""


class NotThisWay(Exception):
    """This way gives no browser; the text says why."""


def check(path: str) -> None:
    """Start a browser and let it lay out a line of text, which needs its libraries and a font.

    :raises NotThisWay: it does not start, or does not show the text.
    """
    try:
        with sync_playwright() as playwright:
            running = playwright.chromium.launch(
                executable_path=path, args=arguments(), timeout=START_MILLISECONDS
            )
            try:
                page = running.new_page()
                page.set_default_timeout(START_MILLISECONDS)
                page.set_content("<p>A line of text</p>")
                box = page.locator("p").bounding_box()
            finally:
                running.close()
    except Error as error:
        raise NotThisWay(f"{path} does not start: {error.message.splitlines()[0]}") from error
    if box is None or not box["height"]:
        raise NotThisWay(f"{path} starts, but shows no text.")


def _run(command: list[str | Path], cwd: Path, environment: dict[str, str]) -> None:
    """Run a download with its children; none of them outlives the limit or a Ctrl-C.

    :raises NotThisWay: it failed, or took longer than :data:`DOWNLOAD_SECONDS`.
    """
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=DOWNLOAD_SECONDS)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise NotThisWay(f"it took longer than {DOWNLOAD_SECONDS:.0f} seconds.") from error
            raise
    if process.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines
        why = errors[0] if errors else f"it ended with status {process.returncode}"
        raise NotThisWay(f"{Path(command[0]).name}: {why}")


def _of_playwright(environment: dict[str, str]) -> str:
    """Where Playwright keeps its Chromium. A process of its own reads it with an environment."""
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    path = done.stdout.strip()
    if not path or not Path(path).exists():
        raise NotThisWay("there is none.")
    return path


def downloaded_before() -> str:
    """What ``playwright install chromium`` left in Playwright's own folder."""
    return f'exec {quote(_of_playwright({}))} "$@"'


def from_playwright() -> str:
    """Let Playwright download the Chromium that it is made for."""
    environment = {
        "PLAYWRIGHT_BROWSERS_PATH": str(FOLDER / "playwright"),
        "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(CONNECT_MILLISECONDS),
    }
    command: list[str | Path] = [sys.executable, "-m", "playwright", "install", "--no-shell"]
    _run([*command, "chromium"], FOLDER, environment)
    return f'exec {quote(_of_playwright(environment))} "$@"'


def from_npm() -> str:
    """Unpack the headless Chromium of an npm package, at the version and with the hashes of
    scripts/chromium/package-lock.json."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotThisWay(f"it is for Linux on x86-64, not {platform.system()} {platform.machine()}")
    home = FOLDER / "npm"
    bin_folder = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix="npm-") as name:
        new = Path(name)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(LOCK_FOLDER / file, new)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        retries = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        retries.append(f"--fetch-timeout={3 * CONNECT_MILLISECONDS}")
        _run([bin_folder / "npm", "ci", *options, *retries], new, {})
        unpacked = new / "unpacked"
        unpacked.mkdir()
        unpack: list[str | Path] = [bin_folder / "node", "--input-type=module", "-e", _UNPACK]
        _run(unpack, new, {"TMPDIR": str(unpacked)})
        shutil.rmtree(home, ignore_errors=True)
        unpacked.rename(home)
    fonts = home / "fonts" / "fonts.conf"
    fonts.write_text(_FONTS.format(folder=escape(str(home))), "utf-8")
    libraries = home / "al2023" / "lib"
    return (
        f"export LD_LIBRARY_PATH={quote(str(libraries))} FONTCONFIG_FILE={quote(str(fonts))}\n"
        f'exec {quote(str(home / "chromium"))} "$@"'
    )


WAYS: Final[tuple[tuple[str, Callable[[], str]], ...]] = (
    ("Looking for one that Playwright downloaded before", downloaded_before),
    ("Letting Playwright download its Chromium (about 200 MB)", from_playwright),
    ("Installing @sparticuz/chromium from npm (about 70 MB)", from_npm),
)
"""What is said, and what gives the shell command that starts the browser."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def install() -> str:
    """Install a Chromium into :data:`FOLDER` in the first way that works; returns its path.

    :raises BrowserMissing: none works; the text says how to install one by hand.
    """
    FOLDER.mkdir(exist_ok=True)
    for what, way in WAYS:
        _say(f"{what} …")
        try:
            command = way()
            new = FOLDER / "chromium.new"
            new.write_text(f"#!/bin/sh\n# Written by `make browser`.\n{command}\n", "utf-8")
            new.chmod(0o755)
            check(str(new))
            new.replace(LAUNCHER)
        except NotThisWay as reason:
            _say(f"  not this way: {reason}")
        else:
            _say(f"  done: it is in {FOLDER.name}, and `make clean` removes it")
            return str(LAUNCHER)
    raise BrowserMissing(
        "No Chromium could be installed; the reasons are above. Install one by hand:\n\n"
        f"    {_by_hand()}\n\nor name one that you have: make CHROMIUM=/path/to/chromium …"
    )


def _by_hand() -> str:
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


def main() -> int:
    try:
        try:
            path = find()
        except BrowserMissing as missing:
            if os.environ.get("CHROMIUM"):
                raise
            _say(str(missing).partition(":")[0] + ".")
            path = install()
        else:
            try:
                check(path)
            except NotThisWay as reason:
                if os.environ.get("CHROMIUM"):
                    raise BrowserMissing(f"CHROMIUM was chosen, but {reason}") from reason
                _say(str(reason))
                path = install()
    except BrowserMissing as missing:
        _say(str(missing))
        return 1
    print(f"Browser: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
