"""Words from the app's own code: without a crash, or about an earlier one.

The checks of ``capture_feedback``. It is for an app's own form, so words are never lost for what is
wrong with the name or the address beside them.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from ..text import well_formed
from .dialects import Report, feedback_item, fitting
from .form import clean_line, clean_text
from .relay import Host

_NAME_MAX: Final = 128
_EMAIL_MAX: Final = 320
# Characters of the longest email address (RFC 5321, section 4.5.3.1).

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}")
_WEB: Final = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)


def put_words(
    host: Host,
    message: str,
    *,
    name: str | None,
    email: str | None,
    event_id: str | UUID | None,
    url: str | None,
) -> str | None:
    """See :func:`flask_sentry_kit.capture_feedback`, with the kit of the app given."""
    words = clean_text(_text("message", message))
    if not words:
        raise ValueError("capture_feedback() takes a message that says something; it is empty")
    words = fitting(words)
    about = _event_id(event_id)
    address = _text("url", url)
    if address and not _WEB.match(address):
        raise ValueError("capture_feedback() takes a url that begins with http:// or https://")
    said = {
        "name": clean_line(_text("name", name))[:_NAME_MAX],
        "email": clean_line(_text("email", email))[:_EMAIL_MAX],
    }
    dsn = host.dsn
    if dsn is None:
        return None
    facts = host.reporter.facts(about)
    page = host.reporter.shown_url(address) if address else facts.url if about else ""
    report = Report(about, words, **said, url=page, facts=facts)
    ticket = host.outbox.put(feedback_item(dsn, report, host.server))
    return None if ticket is None else report.id


def _text(argument: str, value: object) -> str:
    if value is None and argument != "message":
        return ""
    if not isinstance(value, str):
        raise TypeError(f"capture_feedback() takes a str as {argument}; got {type(value).__name__}")
    return well_formed(value)


def _event_id(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, UUID):
        return value.hex
    if not isinstance(value, str):
        raise TypeError(
            f"capture_feedback() takes a str or a UUID as event_id; got {type(value).__name__}"
        )
    found = value.strip().replace("-", "").lower()
    if not _EVENT_ID.fullmatch(found):
        raise ValueError(
            "capture_feedback() takes an event_id of 32 hexadecimal digits, with or without"
            " hyphens, as g.sentry_event_id has it"
        )
    return found
