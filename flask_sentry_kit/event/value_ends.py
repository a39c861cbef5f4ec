"""Finds the end of a value in a text: a string, a word, or a bracket with its contents."""

from __future__ import annotations

import re
from typing import Final

SLASHES: Final = re.compile(r"\\*")
_PLAIN_ENDS: Final = {
    mark: re.compile(rf"\\.|{mark}", re.DOTALL) for mark in ("'", '"')
}  # fmt: skip
WORD: Final = re.compile(
    r"""(?:(?i:bearer|basic|digest|token|apikey)\s{1,20})?[^\s,;&<>\[\](){}"'\\]+"""
)
_INSIDE: Final = re.compile(r"""[^\[\](){}"'\\]+""")


def string_end(text: str, at: int) -> int:
    """The end of a string that begins at ``at``, its last quote included, or ``at`` if no string
    begins there.

    Inside an escaped string, a quote with more backslashes before it belongs to the content.
    """
    slashes = SLASHES.match(text, at)
    begin = slashes.end() if slashes else at
    mark = text[begin : begin + 1]
    if mark not in ("'", '"'):
        return at
    if begin == at:
        for match in _PLAIN_ENDS[mark].finditer(text, at + 1):
            if match.group() == mark:
                return match.end()
        return len(text)
    depth = begin - at
    place = begin + 1
    while (end := text.find(mark, place)) >= 0:
        run = end
        while run > place and text[run - 1] == "\\":
            run -= 1
        if end - run == depth:
            return end + 1
        place = end + 1
    return len(text)


def value_end(text: str, at: int) -> int:
    """The end of a value that begins at ``at``: a string, a bracket with its contents, or a word.
    The word may be the prefix of a string or a bracket (``b'…'``, ``Secret('…')``)."""
    if text.startswith("<", at):
        return (text.find(">", at) + 1) or len(text)
    depth = 0
    size = len(text)
    while at < size:
        char = text[at]
        if char in "\"'\\":
            end = string_end(text, at)
            if end == at:
                slashes = SLASHES.match(text, at)
                at = slashes.end() if slashes else at + 1
                at = max(at, 1)
                if depth == 0 and at < size and text[at] in " \t\r\n,;&":
                    return at
                if at < size and text[at] not in "\"'\\[({])}":
                    at += 1
                continue
            at = end
            if depth == 0:
                return at
        elif char in "[({":
            depth += 1
            at += 1
        elif char in "])}":
            if depth == 0:
                return at
            depth -= 1
            at += 1
            if depth == 0:
                return at
        else:
            word = (_INSIDE if depth else WORD).match(text, at)
            if word is None:
                return at
            at = word.end()
    return at
