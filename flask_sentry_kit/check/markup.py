"""Reads an error page as far as the check asks about it: scripts, styles, forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

from .policy import Part

_DIALOG: Final = "showReportDialog"


@dataclass(slots=True)
class Markup:
    """What stands in a page."""

    parts: list[Part] = field(default_factory=list)
    """What it loads and runs, in its order."""
    actions: list[str] = field(default_factory=list)
    """The absolute addresses that its forms are sent to."""
    meta: list[str] = field(default_factory=list)
    """The policies in its head."""
    opens_dialog: bool = False


def read_markup(html: str, address: str) -> Markup:
    """Read a page.

    :param address: the page's own address.
    """
    reader = _Reader(address)
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._inline: tuple[str, dict[str, str]] | None = None
        self._text: list[str] = []
        self.found = Markup()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "script" and "src" in given:
            self._add("script", given, given["src"])
        elif tag in ("script", "style"):
            if given.get("type", "").lower() not in ("application/json", "application/ld+json"):
                self._inline, self._text = (tag, given), []
        elif tag == "link" and "stylesheet" in given.get("rel", "").lower().split():
            self._add("style", given, given.get("href", ""))
        elif tag == "form":
            self.found.actions.append(urljoin(self._address, given.get("action", "")))
        elif tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.found.meta.append(given.get("content", ""))

    def handle_data(self, data: str) -> None:
        if self._inline is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._inline is None or tag != self._inline[0]:
            return
        text = "".join(self._text)
        nonce = self._inline[1].get("nonce", "")
        kind: Final = "inline script" if tag == "script" else "inline style"
        self.found.parts.append(Part(kind, nonce=nonce, text=text))
        self.found.opens_dialog |= tag == "script" and _DIALOG in text
        self._inline = None

    def _add(self, kind: str, given: dict[str, str], url: str) -> None:
        self.found.parts.append(
            Part(
                "script" if kind == "script" else "style",
                url=urljoin(self._address, url),
                nonce=given.get("nonce", ""),
                integrity=given.get("integrity", ""),
            )
        )
