"""What the check found, and how it is printed. Looks at nothing itself."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "note", "broken"]

TITLES: Final = {
    "app": "App",
    "settings": "Settings",
    "dsn": "DSN",
    "reporter": "Reporter",
    "network": "Network",
    "tls": "TLS",
    "server": "Server",
    "event": "Event",
    "words": "Words",
    "dialog": "Dialog",
    "mode": "Mode",
    "page": "Page",
    "policy": "CSP",
    "api": "API",
    "secret-key": "SECRET_KEY",
    "proxy-fix": "ProxyFix",
    "spool": "Spool",
    "worker": "Worker",
}
"""The ids of findings, which stay the same between versions, and how the text names them."""

_WIDTH: Final = 79
_COLUMN: Final = 19
_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Its texts hold no secret."""

    id: str
    """A key of ``TITLES``."""
    level: Level
    what: str
    do: str = ""
    """What to do about it; empty where there is nothing to do."""


def is_broken(findings: Iterable[Finding]) -> bool:
    return any(finding.level == "broken" for finding in findings)


def as_json(findings: Iterable[Finding]) -> str:
    """A list of objects with the keys ``id``, ``level``, ``what`` and ``do``."""
    rows = [{"id": one.id, "level": one.level, "what": one.what, "do": one.do} for one in findings]
    return json.dumps(rows, indent=2)


def as_text(findings: Iterable[Finding]) -> str:
    """Plain text of at most 79 columns."""
    found = list(findings)
    lines: list[str] = []
    for one in found:
        lines += _wrapped(f"{one.level:<7} {TITLES[one.id]:<{_COLUMN - 8}}", one.what)
        if one.do:
            lines += _wrapped(" " * _COLUMN, f"To do: {one.do}")
    return "\n".join([*lines, "", _summary(found)])


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * _COLUMN,
        break_on_hyphens=False,
        break_long_words=False,
    ) or [head.rstrip()]


def _summary(found: list[Finding]) -> str:
    broken = sum(one.level == "broken" for one in found)
    notes = sum(one.level == "note" for one in found)
    if not broken and not notes:
        return "All is well."
    parts = [f"{broken} broken"] if broken else ["Nothing is broken"]
    if notes:
        parts.append(f"{notes} {'note' if notes == 1 else 'notes'}")
    return ", ".join(parts) + "."


def plain(text: object) -> str:
    """Text of an error or of a server as one bounded line."""
    line = "".join(char if char.isprintable() else " " for char in str(text)[: 2 * _LONGEST])
    line = " ".join(line.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
