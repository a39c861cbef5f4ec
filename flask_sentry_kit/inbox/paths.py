"""Which of the inbox's addresses are Sentry's, and which may keep a request waiting."""

from __future__ import annotations

import re
from typing import Final

from ..dsn import ENVELOPE_PATH, ERROR_PAGE_PATH, STORE_PATH

_PROJECT: Final = "[^/]+"
_SENTRYS: Final = re.compile(
    "|".join(
        f"{path.rstrip('/')}/?"
        for path in (
            STORE_PATH.format(project=_PROJECT),
            ENVELOPE_PATH.format(project=_PROJECT),
            ERROR_PAGE_PATH,
        )
    )
)
_STREAM: Final = re.compile(r"/api/v\d+/stream")
_WAIT: Final = re.compile(r"(?:^|&)wait=")


def is_sentrys(path: str) -> bool:
    """Whether clients of Sentry's send there: open to all who know the DSN, as at Sentry."""
    return _SENTRYS.fullmatch(path) is not None


def may_wait(path: str, query: str) -> bool:
    """Whether an answer may wait for something to happen."""
    return _STREAM.fullmatch(path) is not None or (
        path.startswith("/api/") and _WAIT.search(query) is not None
    )
