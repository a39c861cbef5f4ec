"""What a play needs from a browser, in whichever browser it is played."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

PATIENCE = 30.0  # seconds for a condition; Firefox takes 10 to start where a machine is loaded
PLAY_LIMIT = 90.0  # seconds for a whole play, and for the start of a browser

# WebDriver's names of keys that write nothing (https://w3c.github.io/webdriver/#keyboard-actions).
KEYS = {"Tab": "\ue004", "Enter": "\ue006", "Escape": "\ue00c", "Shift": "\ue008"}

# An element by selector, in the page or in the dialog's shadow tree.
FIND = """
const find = (selector) => document.querySelector(selector) || [...document.querySelectorAll("*")]
  .map((host) => host.shadowRoot && host.shadowRoot.querySelector(selector)).find(Boolean);
const focused = () => {
  let found = document.activeElement;
  while (found && found.shadowRoot && found.shadowRoot.activeElement) {
    found = found.shadowRoot.activeElement;
  }
  return found;
};
"""


class Failed(Exception):
    """A play came to something that is not as it has to be."""


class Mode(Enum):
    """How a browser is set up. Each value is one process of it."""

    PLAIN = "plain"
    NO_SCRIPT = "JavaScript off"
    DARK = "dark"
    FORCED_COLOURS = "forced colours"


class Tab(ABC):
    """One tab of a running browser."""

    @abstractmethod
    def open(self, url: str) -> None:
        """Go to an address, and wait until the page has loaded."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """What an expression of JavaScript gives: a string."""

    @abstractmethod
    def perform(self, actions: list[dict[str, Any]]) -> None:
        """Perform WebDriver's actions: keys and a pointer, as a person moves them."""

    def run(self, body: str, *arguments: object) -> Any:
        """Run the body of a function with ``find``, ``focused`` and ``given``, the arguments.

        :return: what it returns, by way of JSON.
        """
        given = json.dumps(arguments)
        return json.loads(
            self.evaluate(
                f"JSON.stringify((() => {{ {FIND} const given = {given}; {body} }})() ?? null)"
            )
        )

    def until(self, body: str, *arguments: object, says: str = "") -> Any:
        """Wait until ``run`` gives something true, and return it.

        :raises Failed: it does not within ``PATIENCE``.
        """
        last = ""

        def look() -> Any:
            nonlocal last
            try:
                return self.run(body, *arguments)
            except Failed as failure:
                # A page that is being left answers with an error.
                last = str(failure)
                return None

        says = says or f"never true: {body.strip()} {arguments}"
        return until(look, lambda: f"{says} {last}".strip())

    def click(self, selector: str, times: int = 1) -> None:
        """Click the middle of an element, as soon as it is there and on top."""
        x, y = self.until(
            """
            const element = find(given[0]);
            if (!element) return null;
            element.scrollIntoView({ block: "center", behavior: "instant" });
            const box = element.getClientRects()[0];
            if (!box || !box.width) return null;
            const at = [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
            let top = document.elementFromPoint(...at);
            while (top && top.shadowRoot && top.shadowRoot.elementFromPoint(...at)) {
              const inner = top.shadowRoot.elementFromPoint(...at);
              if (inner === top) break;
              top = inner;
            }
            return top && (element.contains(top) || top.contains(element)) ? at : null;
            """,
            selector,
            says=f"nothing to click: {selector}",
        )
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        move = {"type": "pointerMove", "x": x, "y": y, "origin": "viewport", "duration": 0}
        self.perform(
            [
                {
                    "type": "pointer",
                    "id": "mouse",
                    "parameters": {"pointerType": "mouse"},
                    "actions": [move, *press * times],
                }
            ]
        )

    def press(self, *names: str) -> None:
        """Press one key after the other: names of ``KEYS``, or single characters."""
        self._keys(KEYS.get(name, name) for name in names)

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self._keys(text)

    def _keys(self, keys: Iterable[str]) -> None:
        actions = [{"type": type, "value": key} for key in keys for type in ("keyDown", "keyUp")]
        self.perform([{"type": "key", "id": "keyboard", "actions": actions}])

    def focus(self) -> str:
        """What has the focus: its element, and its name or type."""
        return str(
            self.run(
                'const it = focused(); return it ? `${it.localName} ${it.getAttribute("name")'
                ' || it.getAttribute("type") || it.textContent.trim()}` : "";'
            )
        )

    def fill(self, selector: str, text: str) -> None:
        """Click into a field and write; returns once it holds the text."""
        self.click(selector)
        self.until("return focused() === find(given[0])", selector)
        self.write(text)
        self.holds(selector, text)

    def holds(self, selector: str, text: str) -> None:
        """Wait until a field holds a text."""
        self.until("return find(given[0])?.value === given[1]", selector, text)

    def sees(self, text: str) -> None:
        """Wait until a text can be seen: in the page, or in the dialog."""
        self.until(
            """
            const trees = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
            return [document, ...trees.filter(Boolean)].some((tree) =>
              [...tree.querySelectorAll("*")].some((one) => one.childElementCount === 0
                && one.textContent.includes(given[0]) && one.getClientRects().length));
            """,
            text,
            says=f"never seen: {text}",
        )


class Browser(Protocol):
    """A browser that may be on this machine."""

    name: str
    modes: frozenset[Mode]
    """What it can be set up for."""

    def missing(self) -> str | None:
        """What is missing on this machine and how to install it; None where nothing is."""

    def start(self, mode: Mode) -> AbstractContextManager[Tab]:
        """A new process of it, with a profile of its own; killed at the end."""


def until(condition: Callable[[], Any], says: str | Callable[[], str]) -> Any:
    """Wait until a condition gives something true, and return it.

    :raises Failed: it does not within ``PATIENCE``; ``says`` is its text.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(says if isinstance(says, str) else says())
        time.sleep(0.03)


@dataclass(frozen=True)
class Play:
    """One thing that a visitor or a developer does."""

    name: str
    mode: Mode
    short: bool
    run: Callable[..., None]
    """Takes a ``Scene`` and a ``Tab``; raises ``Failed``."""


PLAYS: list[Play] = []


def play(name: str, mode: Mode = Mode.PLAIN, *, short: bool = False) -> Callable[..., Any]:
    """Put a function into the list of plays.

    :param short: the short form plays it too.
    """

    def add(run: Callable[..., None]) -> Callable[..., None]:
        PLAYS.append(Play(name, mode, short, run))
        return run

    return add
