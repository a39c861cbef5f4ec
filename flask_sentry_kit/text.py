"""Text that came from outside, made fit to be shown. Ground floor."""

from __future__ import annotations

import re
from typing import Final

_HALF: Final = re.compile("[\ud800-\udfff]")
# Control characters, and those that turn the direction of the text after them (UAX 9, section 2),
# which would go on past the name they stand in. The marks U+200E and U+200F do not.
_DISTURBING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def well_formed(text: str) -> str:
    """The text without half surrogates, which UTF-8 has no form for and ``encodeURIComponent``
    raises on. They become U+FFFD, as in every decoder."""
    if not text.isascii():
        try:
            text.encode()  # takes a tenth of the time that a search does
        except UnicodeEncodeError:
            return _HALF.sub("\ufffd", text)
    return text


def one_line(text: str, limit: int) -> str:
    """A name or an address to show in a field: at most ``limit`` characters on one line."""
    # Room for what goes, but no walk through a megabyte.
    return _DISTURBING.sub("", " ".join(text[: 2 * limit].split()))[:limit].strip()
