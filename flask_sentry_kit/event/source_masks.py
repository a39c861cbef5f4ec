"""The masked ranges of a piece of source code, line by line, so that the line count stays."""

from __future__ import annotations

import re
from typing import Final

from .mask import MASK
from .scrub import Scrubber

USERINFO: Final = re.compile(r"(?<=://)[^\s/@\"'<>{}]+(?=@)")


class MaskedSpans:
    """The masked ranges of a text and their replacements.

    :param shown_from: text before this position is read but not sent.
    """

    def __init__(self, text: str, scrubber: Scrubber, shown_from: int) -> None:
        self._text = text
        self._scrubber = scrubber
        self._shown_from = shown_from
        self._key_block = False  # within a PEM block that began in an earlier literal
        self.spans: dict[int, tuple[int, str]] = {}

    def add(self, start: int, end: int, shown: str = MASK) -> None:
        self.spans[start] = (end, shown)

    def add_lines(self, begin: int, finish: int) -> None:
        """Mask a whole literal, whatever it contains."""
        at = begin
        for line in self._text[begin:finish].split("\n"):
            end = at + len(line)
            text = line.rstrip("\\")
            indent = len(text) - len(text.lstrip()) if at > begin else 0
            if text.strip():
                self.add(at + indent, at + len(text))
            at = end + 1

    def add_looks(self, begin: int, finish: int) -> None:
        """Mask the parts of a literal that look like a secret, line by line. A private key is
        masked on all its lines."""
        at = begin
        for line in self._text[begin:finish].split("\n"):
            if "-----BEGIN" in line and "PRIVATE KEY" in line:
                self._key_block = True
            if self._key_block:
                if line.strip() and not line.lstrip().startswith("-----"):
                    self.add(at, at + len(line))
                elif "-----END" in line or "\\n" in line or len(line) > 100:
                    self.add(at, at + len(line))
                if "-----END" in line:
                    self._key_block = False
            elif at + len(line) >= self._shown_from:
                shown = USERINFO.sub(MASK, self._scrubber.text(line))
                if shown != line and "\n" not in shown:
                    self.add(at, at + len(line), shown)
            at += len(line) + 1
