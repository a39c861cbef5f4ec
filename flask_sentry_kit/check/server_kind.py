"""Which server a DSN leads to, by what it shows to anybody who asks. Sends no event.

Where the facts are from: Bugsink 2.6 and Spotlight 4.11 as they run and their public code,
GlitchTip's public code (``/api/settings/``), Sentry 9.1.2 as it was observed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..dsn import Dsn
from .asking import Asker, Reply
from .deadline import OutOfTime


@dataclass(frozen=True, slots=True)
class Server:
    """A server, as far as it shows which one it is."""

    name: str
    """``"Sentry"``, ``"sentry.io"``, ``"GlitchTip"``, ``"Bugsink"``, ``"Spotlight"``, ``"the kit's
    inbox"``, or empty if it is unknown."""
    setting: str = "auto"
    """The value of ``SENTRY_KIT_SERVER`` that fits it."""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


def find_server(dsn: Dsn, asker: Asker) -> Server:
    """Ask until one answer tells.

    :raises OutOfTime: the time for all questions is over.
    :raises Exception: the first question was not answered; urllib3's errors.
    """
    if dsn.is_sentry_io:
        return Server("sentry.io")
    base = dsn.base_url
    reply = asker.ask("GET", f"{base}/health")
    if reply.headers.get("x-powered-by") == "spotlight-by-sentry":
        return Server("Spotlight", "spotlight")
    for path, read in (
        ("/api/settings/", _glitchtip),
        ("/inbox/static/inbox.css", _inbox),
        ("/accounts/login/", _bugsink),
        ("/api/0/", _sentry),
    ):
        found = read(_asked(asker, f"{base}{path}"))
        if found is not None:
            return found
    return Server("")


def _asked(asker: Asker, url: str) -> Reply | None:
    try:
        return asker.ask("GET", url)
    except OutOfTime:
        raise
    except Exception:
        return None  # this address tells nothing; the next one may


def _json(reply: Reply | None) -> dict[str, Any]:
    if reply is None or reply.status != 200 or reply.kind != "application/json":
        return {}
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _glitchtip(reply: Reply | None) -> Server | None:
    found = _json(reply)
    if "iPaidForGlitchTip" not in found:
        return None
    version = str(found.get("version", ""))[:20]
    return Server("GlitchTip", "glitchtip", version if version.isascii() else "")


def _inbox(reply: Reply | None) -> Server | None:
    is_ours = reply is not None and reply.status == 200 and reply.kind == "text/css"
    return Server("the kit's inbox") if is_ours else None


def _bugsink(reply: Reply | None) -> Server | None:
    is_its = reply is not None and reply.status == 200 and b"/bugsink-logo" in reply.body
    return Server("Bugsink", "bugsink") if is_its else None


def _sentry(reply: Reply | None) -> Server | None:
    # GlitchTip answers the same here, and was recognised before.
    return Server("Sentry") if _json(reply).keys() >= {"version", "user", "auth"} else None
