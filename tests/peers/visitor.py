"""A visitor who remembers what the page said, and closes a dialog that will not take the words."""

from __future__ import annotations

import re

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as Timeout

from tests.matrix.book import Lost
from tests.matrix.visitor import Hand, Tab, Words

SENTENCE = re.compile(
    r"^(Sent\.|Passed on\.|Saved\.|This could not be sent|Not sent|Some fields are wrong)"
)


class Writer(Tab):
    """One page that crashed, written on with a mouse."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, Hand.MOUSE)
        self.sentence = ""
        """The last sentence of the page about what became of the words."""

    def send_until_answered(self, words: Words) -> None:
        """Press the form's button; where a dialog complains, close it and use the page's form.

        :raises Lost: there is nothing to press.
        """
        self._submit()
        if self.road == "dialog" and not self.sentence.startswith("Sent"):
            self.page.get_by_role("button", name="Close").click()
            form = self._form()
            # What was typed is to be there already; nobody writes it twice gladly.
            if form.locator("[name=comments]").input_value() != words.comments:
                raise Lost("the dialog refused the words and they were not carried over")
            self._submit()

    def _submit(self) -> None:
        self._form().locator("button[type=submit], button:not([type])").click()
        said = self.page.get_by_text(SENTENCE).locator("visible=true").first
        try:
            self.sentence = said.inner_text(timeout=8_000)
        except Timeout:
            self.sentence = ""
