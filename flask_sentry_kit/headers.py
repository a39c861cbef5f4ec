"""Request headers, read within bounds.

Ground floor. Werkzeug parses headers of any length, at about half a second per megabyte, and
servers have different limits: gunicorn accepts 8 kB a line, waitress 256 kB in total. The first few
entries of a list are enough for every browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.wrappers import Request

LIST_MAX: Final = 2_000
"""Characters that are read of a list. Browsers send about 300 at most."""

ENTRIES_MAX: Final = 50

VALUE_MAX: Final = 4_000
"""Characters of a header with one value; a longer one counts as missing."""

_FRAMES: Final = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


def value(environ: Mapping[str, Any], name: str) -> str:
    """One header, by its name in WSGI (``HTTP_REFERER``); empty where it is missing or too long."""
    found = environ.get(name)
    return found if isinstance(found, str) and len(found) <= VALUE_MAX else ""


def says(environ: Mapping[str, Any], name: str, expected: str) -> bool:
    """Whether a header has this value, in upper or lower case; ``expected`` is in lower case."""
    return value(environ, name).strip().lower() == expected


def _entries(environ: Mapping[str, Any], name: str) -> str:
    """The first entries of a list, each one complete."""
    found = environ.get(name)
    if not isinstance(found, str):
        return ""
    if len(found) > LIST_MAX:
        found = found[:LIST_MAX].rpartition(",")[0]
    # A comma within quotes is counted as well; browsers send none.
    return ",".join(found.split(",", ENTRIES_MAX)[:ENTRIES_MAX])


# Browsers send the same few lists each time. The cache takes half a megabyte at most.
@lru_cache(maxsize=32)
def _parsed(name: str, entries: str) -> Any:
    # Parsed through a request with only this header: Werkzeug 3.2 renames its parser, but not the
    # attributes of a request.
    request = Request({name: entries}, populate_request=False)
    return request.accept_mimetypes if name == "HTTP_ACCEPT" else request.accept_languages


def media_types(environ: Mapping[str, Any]) -> MIMEAccept:
    """The first entries of ``Accept``."""
    found: MIMEAccept = _parsed("HTTP_ACCEPT", _entries(environ, "HTTP_ACCEPT"))
    return found


def names_media_type(environ: Mapping[str, Any], media_type: str) -> bool:
    """Whether ``Accept`` names a media type itself, not only ``*/*``."""
    return any(
        accepted.partition(";")[0].strip().lower() == media_type and quality > 0
        for accepted, quality in media_types(environ)
    )


def languages(environ: Mapping[str, Any]) -> LanguageAccept:
    """The first entries of ``Accept-Language``."""
    name = "HTTP_ACCEPT_LANGUAGE"
    found: LanguageAccept = _parsed(name, _entries(environ, name))
    return found


def content_type(environ: Mapping[str, Any]) -> str:
    """The media type of the body in lower case, without its parameters."""
    found = environ.get("CONTENT_TYPE")
    return found[:VALUE_MAX].partition(";")[0].strip().lower() if isinstance(found, str) else ""


def framed(environ: Mapping[str, Any]) -> bool:
    """Whether the response goes into a frame, as browsers state since 2023 (Fetch Metadata).

    Another site's page may then be around it, and can trick a visitor into clicking on it.
    """
    return value(environ, "HTTP_SEC_FETCH_DEST").strip().lower() in _FRAMES
