"""Firefox ESR over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks on a
WebSocket of its own: no geckodriver is needed, and Debian stable has none."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import websocket

from .book import PATIENCE, Failed, Mode, Tab, until
from .processes import running

# No connection but those of the page, no question at the first start, and a Tab key that comes to
# every control, as it does for most visitors.
_QUIET = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "accessibility.tabfocus": 7,
    "intl.accept_languages": "en",
    "layout.css.prefers-color-scheme.content-override": 1,
}
_OF_MODE: dict[Mode, dict[str, object]] = {
    Mode.PLAIN: {},
    Mode.NO_SCRIPT: {"javascript.enabled": False},
    Mode.DARK: {"layout.css.prefers-color-scheme.content-override": 0},
    Mode.FORCED_COLOURS: {"browser.display.document_color_use": 2},
}


class Firefox:
    name = "Firefox ESR"
    modes = frozenset(Mode)

    def missing(self) -> str | None:
        if _program() is None:
            return "there is no firefox-esr and no firefox: apt-get install firefox-esr"
        return None

    @contextmanager
    def start(self, mode: Mode) -> Iterator[Tab]:
        program = _program()
        if program is None:
            raise Failed(str(self.missing()))
        with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
            settings = {**_QUIET, **_OF_MODE[mode]}
            lines = (f"user_pref({json.dumps(n)}, {json.dumps(v)});\n" for n, v in settings.items())
            Path(profile, "user.js").write_text("".join(lines), "utf-8")
            with running(
                *(program, "--headless", "--no-remote", "--profile", profile),
                *("--width", "1024", "--height", "768", "--remote-debugging-port=0", "about:blank"),
                environment={"HOME": profile, "MOZ_CRASHREPORTER_DISABLE": "1"},
            ):
                # Written once the port is open.
                said = until(
                    lambda: _read(Path(profile, "WebDriverBiDiServer.json")),
                    "Firefox opened no port for WebDriver BiDi",
                )
                address = f"ws://127.0.0.1:{said['ws_port']}/session"
                # Firefox refuses a connection that names an origin.
                with closing(
                    websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
                ) as connection:
                    yield _BidiTab(connection)


def _program() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found


class _BidiTab(Tab):
    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._number = 0
        self._command("session.new", capabilities={})
        # The tab that Firefox starts with never has the focus: no key would press a button in it.
        self._context = self._command("browsingContext.create", type="tab")["context"]

    def _command(self, method: str, **parameters: object) -> Any:
        self._number += 1
        self._connection.send(
            json.dumps({"id": self._number, "method": method, "params": parameters})
        )
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") != self._number:
                continue
            if answer["type"] == "error":
                raise Failed(f"{method}: {answer['error']}: {answer['message']}")
            return answer["result"]

    def open(self, url: str) -> None:
        self._command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        answer = self._command(
            "script.evaluate",
            expression=expression,
            target={"context": self._context},
            awaitPromise=False,
        )
        if answer["type"] == "exception":
            raise Failed(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def perform(self, actions: list[dict[str, Any]]) -> None:
        self._command("input.performActions", context=self._context, actions=actions)
