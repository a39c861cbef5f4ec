"""Makes text from outside safe to show. Ground floor."""

from __future__ import annotations

import re
from typing import Final

_HALF: Final = re.compile("[\ud800-\udfff]")
# Control characters, and characters that change the direction of text (UAX 9, section 2), whose
# effect would continue after the name that contains them. The marks U+200E and U+200F are harmless.
_DISTURBING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def well_formed(text: str) -> str:
    """The text with half surrogates replaced by U+FFFD, as decoders do. UTF-8 cannot encode them,
    and ``encodeURIComponent`` raises on them."""
    if not text.isascii():
        try:
            text.encode()  # ten times as fast as a search
        except UnicodeEncodeError:
            return _HALF.sub("\ufffd", text)
    return text


def one_line(text: str, limit: int) -> str:
    """A name or an address to show in a field: at most ``limit`` characters on one line."""
    # Reads more than the limit, since some characters are dropped, but never a whole megabyte.
    return _DISTURBING.sub("", " ".join(text[: 2 * limit].split()))[:limit].strip()
