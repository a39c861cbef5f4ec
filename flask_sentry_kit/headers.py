"""Request headers, read within bounds.

Ground floor. Werkzeug parses a header however long it is, at about half a second a megabyte, and
servers disagree about what is too long: gunicorn takes 8 kB a line, waitress 256 kB in all. No
browser's choice needs more than the first few entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.wrappers import Request

LIST_MAX: Final = 2_000
"""Characters that are read of a list. The longest that browsers send of their own are some 300."""

ENTRIES_MAX: Final = 50

VALUE_MAX: Final = 4_000
"""Characters of a header with one value; a longer one is taken for a missing one."""

_FRAMES: Final = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


def value(environ: Mapping[str, Any], name: str) -> str:
    """One header, by its name in WSGI (``HTTP_REFERER``); empty where it is missing or too long."""
    found = environ.get(name)
    return found if isinstance(found, str) and len(found) <= VALUE_MAX else ""


def says(environ: Mapping[str, Any], name: str, expected: str) -> bool:
    """Whether a header has this value, in whatever case; ``expected`` is in small letters."""
    return value(environ, name).strip().lower() == expected


def _entries(environ: Mapping[str, Any], name: str) -> str:
    """The first entries of a list, none of them cut."""
    found = environ.get(name)
    if not isinstance(found, str):
        return ""
    if len(found) > LIST_MAX:
        found = found[:LIST_MAX].rpartition(",")[0]
    # A comma within quotes counts too, which no entry of a browser's has.
    return ",".join(found.split(",", ENTRIES_MAX)[:ENTRIES_MAX])


# Browsers send the same few lists each time. At most half a megabyte of the longest in all.
@lru_cache(maxsize=32)
def _parsed(name: str, entries: str) -> Any:
    # A request with this list alone: what reads it in Werkzeug has another name from 3.2 on, and
    # the request's own attribute has not.
    request = Request({name: entries}, populate_request=False)
    return request.accept_mimetypes if name == "HTTP_ACCEPT" else request.accept_languages


def media_types(environ: Mapping[str, Any]) -> MIMEAccept:
    """``Accept``, the first entries of it."""
    found: MIMEAccept = _parsed("HTTP_ACCEPT", _entries(environ, "HTTP_ACCEPT"))
    return found


def names_media_type(environ: Mapping[str, Any], media_type: str) -> bool:
    """Whether ``Accept`` takes a media type by its own name, not only by ``*/*``."""
    return any(
        accepted.partition(";")[0].strip().lower() == media_type and quality > 0
        for accepted, quality in media_types(environ)
    )


def languages(environ: Mapping[str, Any]) -> LanguageAccept:
    """``Accept-Language``, the first entries of it."""
    name = "HTTP_ACCEPT_LANGUAGE"
    found: LanguageAccept = _parsed(name, _entries(environ, name))
    return found


def content_type(environ: Mapping[str, Any]) -> str:
    """The media type of the body in small letters, without its parameters."""
    found = environ.get("CONTENT_TYPE")
    return found[:VALUE_MAX].partition(";")[0].strip().lower() if isinstance(found, str) else ""


def framed(environ: Mapping[str, Any]) -> bool:
    """Whether the answer goes into a frame, as browsers say since 2023 (Fetch Metadata).

    Somebody else's page may be around it, and what it shows can be laid under a visitor's clicks.
    """
    return value(environ, "HTTP_SEC_FETCH_DEST").strip().lower() in _FRAMES
