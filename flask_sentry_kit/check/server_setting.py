"""Whether ``SENTRY_KIT_SERVER`` fits the server, and in which dialect that one gets the words."""

from __future__ import annotations

from typing import Final

from ..dsn import Dsn
from ..feedback.dialects import dialect_of
from .finding import Finding
from .server_kind import Server

_WAYS: Final = {
    "form": "by its dialog's form",
    "feedback": "as a feedback item",
    "event": "as an event of their own",
}

_GAIN: Final = {
    "glitchtip": "words are then read in version 5 and in version 6, whose own dialog loses them",
    "bugsink": "words then go as an event at once, and the page asks for no dialog",
    "spotlight": "events and words then go as envelopes at once, and the page asks for no dialog",
}

_UNKNOWN: Final = (
    "Nothing, if it is a Sentry. Else set SENTRY_KIT_SERVER to 'glitchtip', 'bugsink' or"
    " 'spotlight'; docs/delivery.md says what follows."
)

_SUITS: Final = {"Sentry": ("auto", "sentry"), "sentry.io": ("auto", "sentry")}


def look_at_server_setting(dsn: Dsn, server: Server, setting: str) -> Finding:
    """Name the server, and how it gets the words.

    :param setting: ``SENTRY_KIT_SERVER``.
    """
    steps = dialect_of(dsn, setting).steps
    ways = f"words go {'first ' if len(steps) > 1 else ''}{_WAYS[steps[0][0]]}"
    if not server.name:
        what = f"It does not show which one it is, and SENTRY_KIT_SERVER is {setting!r}: {ways}"
        if setting == "auto":
            return Finding("server", "note", what, _UNKNOWN)
        return Finding("server", "ok", what)
    if setting in (server.setting, *_SUITS.get(server.name, ())):
        return Finding("server", "ok", f"It is {server}; {ways}")
    gain = _GAIN.get(server.setting, "it is right for this server")
    return Finding(
        "server",
        "note",
        f"It is {server}, and SENTRY_KIT_SERVER is {setting!r}: {ways}",
        f"Set SENTRY_KIT_SERVER = {server.setting!r}: {gain}.",
    )
