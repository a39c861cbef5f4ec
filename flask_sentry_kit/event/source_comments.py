"""Masks comments in source code: prose that contains a secret, and commented-out code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .mask import MASK
from .scrub import Scrubber

_SPACES: Final = re.compile(r"(\s+)")
_MIXED: Final = re.compile(r"(?=\S*\d)(?=\S*[^\W\d])[^/(]+\Z")
# RFC7617, SHA-256, v2.1.0, 3600s and issue#12 are not secrets.
_REFERENCE: Final = re.compile(r"[A-Z]{2,6}-?\d+\Z|v?[\d.]+[a-z]{0,4}\Z|\w+\#\d+\Z|[a-z]+\d\Z")


def mask_prose(comment: str, scrubber: Scrubber) -> str:
    """A comment without the value in ``# the password is hunter2``: a word with letters and
    digits after a sensitive word."""
    if not any(map(str.isdigit, comment)):
        return comment
    words = _SPACES.split(comment)
    named = False
    for at, word in enumerate(words):
        text = word.strip("`'\",.:;()")
        if named and len(text) >= 6 and _MIXED.match(text) and not _REFERENCE.match(text):
            words[at] = word.replace(text, MASK)
        named = named or (len(text) < 60 and scrubber.hides(text))
    return "".join(words)


def pieces(text: str, spans: dict[int, tuple[int, str]]) -> Iterable[str]:
    """The text with its spans replaced, in pieces."""
    done = 0
    for start in sorted(spans):
        end, shown = spans[start]
        if start < done:
            continue
        yield text[done:start]
        yield shown
        done = end
    yield text[done:]
