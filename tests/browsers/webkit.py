"""WebKitGTK's MiniBrowser, driven by its WebKitWebDriver, on an X server without a screen."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.options import Options

from .book import PATIENCE, Failed, Mode, Tab, until
from .processes import running

_PROGRAMS = {
    "WebKitWebDriver": "webkit2gtk-driver",
    "Xvfb": "xvfb",
    "dbus-run-session": "dbus-daemon",
}
"""What is run, and Debian's package with it."""

# GTK takes its colours from the environment. WebKitGTK has no forced colours.
_ENVIRONMENT = {
    Mode.PLAIN: {},
    Mode.NO_SCRIPT: {},
    Mode.DARK: {"GTK_THEME": "Adwaita:dark"},
}


class WebKit:
    name = "WebKitGTK"
    modes = frozenset(_ENVIRONMENT)

    def missing(self) -> str | None:
        lacking = {name: package for name, package in _PROGRAMS.items() if not shutil.which(name)}
        if _mini_browser() is None:
            lacking["MiniBrowser"] = "webkit2gtk-driver"
        if not lacking:
            return None
        packages = " ".join(dict.fromkeys(lacking.values()))
        return f"there is no {', '.join(lacking)}: apt-get install {packages}"

    @contextmanager
    def start(self, mode: Mode) -> Iterator[Tab]:
        port = _free_port()
        with (
            _display() as display,
            running(
                *("dbus-run-session", "--", "WebKitWebDriver", f"--port={port}"),
                environment={
                    "DISPLAY": display,
                    "GDK_BACKEND": "x11",
                    "NO_AT_BRIDGE": "1",
                    "LIBGL_ALWAYS_SOFTWARE": "1",
                    **_ENVIRONMENT[mode],
                },
            ),
        ):
            address = f"http://127.0.0.1:{port}"
            until(lambda: _listens(port), "WebKitWebDriver opened no port")
            config = ClientConfig(remote_server_addr=address, timeout=int(PATIENCE))
            options = Options()
            options.binary_location = _mini_browser() or ""
            options.add_argument("--automation")
            if mode is Mode.NO_SCRIPT:
                options.add_argument("--enable-javascript=false")
            driver = WebDriver(
                RemoteConnection(client_config=config, ignore_certificates=True), options=options
            )
            try:
                yield _DrivenTab(driver)
            finally:
                try:
                    driver.quit()
                except Exception:
                    pass  # it is killed next


def _mini_browser() -> str | None:
    """WebKitGTK's own small browser, the newest; it is not on PATH."""
    places = ("lib/*/webkit2gtk-4*/MiniBrowser", "libexec/webkit2gtk-4*/MiniBrowser")
    found = [str(path) for place in places for path in sorted(Path("/usr").glob(place))]
    return found[-1] if found else None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def _display() -> Iterator[str]:
    """An X server that shows nothing: the name of its display, once it answers."""
    readable, writable = os.pipe()
    with open(readable, "rb") as names:
        try:
            server = running(
                *("Xvfb", "-displayfd", str(writable), "-screen", "0", "1280x1024x24"),
                *("-nolisten", "tcp"),
                keep=(writable,),
                tidies=True,  # the lock of its display
            )
            with server:
                os.close(writable)
                writable = -1
                number = names.readline().strip().decode()
                if not number:
                    raise Failed("Xvfb did not start")
                yield f":{number}"
        finally:
            if writable != -1:
                os.close(writable)


class _DrivenTab(Tab):
    def __init__(self, driver: WebDriver) -> None:
        self._driver = driver

    def open(self, url: str) -> None:
        self._driver.get(url)

    def evaluate(self, expression: str) -> Any:
        try:
            return self._driver.execute_script(f"return {expression}")
        except WebDriverException as error:
            raise Failed(str(error.msg)) from None

    def perform(self, actions: list[dict[str, Any]]) -> None:
        try:
            self._driver.execute("actions", {"actions": actions})
        except WebDriverException as error:
            raise Failed(str(error.msg)) from None
