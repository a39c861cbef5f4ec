"""What a visitor does in a tab: finds the form that is visible, writes, sends, and does not give up
at the first no. Knows neither the kit's page nor raven's, but what any form looks like."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Any

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as Timeout

from .book import Lost

PATIENCE = (
    3.0  # seconds for a form to appear once the page is loaded, and for what was sent to arrive
)

_ANSWER = re.compile(
    r"^(Sent\.|Passed on\.|Saved\.|This could not be sent|Not sent|Please look at the marked)"
)
_REFUSED = ("This could not", "Please look")
_FOCUSED = """() => {
  let found = document.activeElement;
  while (found && found.shadowRoot && found.shadowRoot.activeElement) {
    found = found.shadowRoot.activeElement;
  }
  return found ? `${found.localName} ${found.getAttribute("name") || found.type || ""}` : "";
}"""


class Hand(Enum):
    """With what the visitor works."""

    MOUSE = "mouse"
    KEYBOARD = "keyboard"
    TOUCH = "touch"


@dataclass(frozen=True)
class Words:
    """What a visitor writes. Name and address may stay empty."""

    comments: str
    name: str = "Ada <Lovelace>"
    email: str = "ada@shop.example"

    @classmethod
    def new(cls, **more: str) -> Words:
        return cls(f"I pressed pay & it broke, {secrets.token_hex(6)}", **more)

    def are(self, report: Any) -> bool:
        """Whether these are what a report in the inbox says."""
        if report is None or report["comments"] != self.comments:
            return False
        # The inbox knows what the kit fills in for a visitor who gives none.
        return (report["name"], report["email"]) == (self.name, self.email)


class Tab:
    """A page that crashed."""

    def __init__(self, page: Page, hand: Hand) -> None:
        self.page = page
        self.road = ""
        """Through which form the words were last sent: ``"dialog"`` or ``"form"``."""
        self._hand = hand

    def _form(self) -> Locator:
        """The form on top.

        :raises Lost: there is none to see.
        """
        writable = self.page.locator("form:has(textarea)").locator("visible=true").last
        try:
            writable.wait_for(timeout=PATIENCE * 1000)
        except Timeout:
            raise Lost("nothing to write into") from None
        own = writable.get_attribute("id") == "sentry-kit-feedback"
        self.road = "form" if own else "dialog"
        return writable

    def write(self, words: Words) -> None:
        """Type into the form that is visible."""
        form = self._form()
        for name, text in (
            ("comments", words.comments),
            ("name", words.name),
            ("email", words.email),
        ):
            if not text:
                continue
            if self._hand is Hand.KEYBOARD:
                self._tab_to("textarea comments" if name == "comments" else f"input {name}")
                self.page.keyboard.type(text)
            else:
                form.locator(f"[name={name}]").fill(text)

    def send(self, words: Words, *, twice: bool = False) -> None:
        """Press the form's button, and again if the page says that it could not be sent; then close
        the dialog and send what is behind it, where the words have to be already."""
        answer = self._try(twice)
        if answer.startswith(_REFUSED) and self.road == "dialog":
            self.page.get_by_role("button", name="Close").click()
            try:
                form = self._form()
            except Lost as lost:
                raise Lost(f"not sent, then {lost}") from None
            if form.locator("[name=comments]").input_value() != words.comments:
                raise Lost("not sent, then to be typed again")
            self._try(False)

    def _try(self, twice: bool) -> str:
        answer = self._press(twice)
        return self._press(False) if answer.startswith("This could not") else answer

    def _press(self, twice: bool) -> str:
        button = self._form().locator("button[type=submit], button:not([type])").first
        if self._hand is Hand.KEYBOARD:
            self._tab_to("button submit")
            self.page.keyboard.press("Enter")
        elif self._hand is Hand.TOUCH:
            button.tap()
        elif twice:
            button.dblclick()
        else:
            button.click()
        answer = self.page.get_by_text(_ANSWER).locator("visible=true").first
        try:
            return answer.inner_text(timeout=5_000)
        except Timeout:
            return ""  # the judge will know

    def _tab_to(self, wanted: str) -> None:
        for _ in range(40):
            if self.page.evaluate(_FOCUSED) == wanted:
                return
            self.page.keyboard.press("Tab")
        raise Lost(f"the Tab key never comes to the {wanted}")
