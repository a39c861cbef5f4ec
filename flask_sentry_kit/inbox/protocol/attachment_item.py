"""Reads an ``attachment`` item: a file that came with an event or with a visitor's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ...text import one_line
from ..storage.attachment_table import Attachment

_NAME: Final = 200
_ANY: Final = "application/octet-stream"
_PART: Final = "[a-z0-9][a-z0-9.+_-]{0,50}"
_TYPE: Final = re.compile(rf"({_PART}/{_PART})(?:[ \t]*;.*)?", re.DOTALL)


def read_attachment(header: Mapping[str, Any], data: bytes) -> Attachment:
    """Read an attachment (develop.sentry.dev, "Envelope Items").

    :param header: the item's, with ``filename`` and ``content_type``, which may be missing or
        wrong. The name becomes one line of up to 200 characters without a path, never empty, and
        the type is ``type/subtype`` without parameters.
    """
    name, kind = header.get("filename"), header.get("content_type")
    known = _TYPE.fullmatch(kind[:300].strip().lower()) if isinstance(kind, str) else None
    return Attachment(_clean_name(name), known[1] if known else _ANY, data)


def _clean_name(name: object) -> str:
    whole = one_line(name[-4 * _NAME :], 4 * _NAME) if isinstance(name, str) else ""
    # Some clients send the path that they read the file from.
    last = re.split(r"[/\\]", whole)[-1].strip(". ")
    return last[-_NAME:] or "attachment"
