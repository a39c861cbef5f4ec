"""Which of the inbox's addresses are Sentry's, and which may keep a request waiting."""

from __future__ import annotations

import re
from typing import Final

from ..dsn import ENVELOPE_PATH, ERROR_PAGE_PATH, STORE_PATH

SKIPPED_PATHS: Final = (
    "attachments",
    "cron",
    "csp-report",
    "integration",
    "minidump",
    "nel",
    "playstation",
    "profiles",
    "replays",
    "security",
    "spans",
    "unreal",
    "upload",
)
"""Where other clients than an app's reporter post to, as in the routes of Sentry's Relay: CSP
reports of browsers, native crashes, cron jobs, OpenTelemetry. The inbox keeps nothing of these."""

_PROJECT: Final = "[^/]+"
_KEPT: Final = "|".join(
    path.rstrip("/")
    for path in (
        STORE_PATH.format(project=_PROJECT),
        ENVELOPE_PATH.format(project=_PROJECT),
        ERROR_PAGE_PATH,
    )
)
_SKIPPED: Final = rf"/api/{_PROJECT}/(?:{'|'.join(SKIPPED_PATHS)})(?:/[^/]+)*?"
_SENTRYS: Final = re.compile(rf"(?P<prefix>(?:/[\w.~-]+)*?)(?P<path>{_KEPT}|{_SKIPPED})/*")
# Another address of a project's. None of the inbox's own has a number there.
_OF_A_NUMBER: Final = re.compile(r"/api/[0-9]+/[a-z0-9_-]+/?", re.ASCII)
_STREAM: Final = re.compile(r"/api/v\d+/stream")
_WAIT: Final = re.compile(r"(?:^|&)wait=")


def is_sentrys(path: str) -> bool:
    """Whether clients of Sentry's send there: open to all who know the DSN, as at Sentry."""
    return bool(_SENTRYS.fullmatch(path) or _OF_A_NUMBER.fullmatch(path))


def split_sentrys(path: str) -> tuple[str, str] | None:
    """What a proxy left in front of one of Sentry's addresses, and the address as the inbox has it.

    :returns: None for any other address.
    """
    found = _SENTRYS.fullmatch(path)
    return (found["prefix"], found["path"] + "/") if found else None


def may_wait(path: str, query: str) -> bool:
    """Whether an answer may wait for something to happen."""
    return _STREAM.fullmatch(path) is not None or (
        path.startswith("/api/") and _WAIT.search(query) is not None
    )
