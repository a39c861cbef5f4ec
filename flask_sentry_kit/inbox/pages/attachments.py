"""The files that came with an event: shown where that is safe, else offered to be saved.

A file is not trusted, nor is the type that its sender gave it. Only bytes that begin as a picture
of a raster format are served as one; all others are sent to be saved. The browser is to guess no
type, and its sandbox lets nothing in a file run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from flask import Blueprint, Response, abort

from ..content.shown import cut
from ..project import current_project
from ..storage.attachment_table import Attachment, AttachmentFacts
from ..storage.store import Store

bp = Blueprint("attachments", __name__)

_POLICY: Final = "default-src 'none'; style-src 'none'; sandbox; frame-ancestors 'none'"

# What a file of the format begins with.
_PICTURES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/x-ndjson")
_NAMED_TEXT = re.compile(r".*\.(?:log|txt|json|csv|ya?ml|toml|ini|cfg|md|xml|html?|py|js)", re.I)

# Bytes of a file that may be a text, of all that are read for one page, and characters shown.
_LONG_TEXT: Final = 256 * 1024
_READ: Final = 2 * 2**20
_CHARACTERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows of a file."""

    facts: AttachmentFacts
    picture: bool
    text: str
    """The beginning of a text; empty for other files."""


def shown(store: Store, event_id: str) -> list[Shown]:
    """The files of an event. Texts and pictures are read, up to 2 MB in all."""
    left, found = _READ, []
    for facts in store.attachments(event_id):
        picture, text = False, ""
        may_be_text = facts.size <= _LONG_TEXT and _says_text(facts)
        if (may_be_text or facts.content_type.startswith("image/")) and facts.size <= left:
            left -= facts.size
            file = store.attachment(event_id, facts.id)
            picture = file is not None and _picture(file.data) is not None
            if file is not None and may_be_text and not picture:
                text = _text(file)
        found.append(Shown(facts, picture, text))
    return found


def all_of(store: Store, event_id: str) -> list[Attachment]:
    """The files of an event with their bytes."""
    read = (store.attachment(event_id, facts.id) for facts in store.attachments(event_id))
    return [file for file in read if file is not None]


@bp.get("/events/<event_id>/attachments/<int:number>")
def file(event_id: str, number: int) -> Response:
    found = current_project().store.attachment(event_id, number) if number < 2**62 else None
    if found is None:
        abort(404, "There is no such attachment here.")
    picture = _picture(found.data)
    response = Response(found.data, content_type=picture or "application/octet-stream")
    kind = "inline" if picture else "attachment"
    response.headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{_file_name(found.name)}"
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _picture(data: bytes) -> str | None:
    return next((kind for start, kind in _PICTURES if start.match(data)), None)


def _says_text(facts: AttachmentFacts) -> bool:
    kind = facts.content_type.lower()
    return kind.startswith(_TEXTS) or bool(_NAMED_TEXT.fullmatch(facts.name[-200:]))


def _text(file: Attachment) -> str:
    if b"\0" in file.data:
        return ""
    try:
        return cut(file.data.decode(), _CHARACTERS)
    except UnicodeDecodeError:
        return ""


def _file_name(name: str) -> str:
    """The last part of a name, percent-encoded (RFC 8187): no path, no control character."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(char for char in last if char.isprintable()).strip(". ")[:150]
    return quote(clean or "attachment", safe="", errors="replace")
