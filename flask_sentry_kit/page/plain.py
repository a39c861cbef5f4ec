"""The page without templates: as text, as problem details, as a string of HTML.

Nothing here calls the app's code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from typing import Final

Say = Callable[..., str]

# None of the three claims that a report exists when the server refuses the events.

TITLE: Final = "Something broke on our side."
REPORTED: Final = "We have a report of this."
REFERENCE: Final = "Reference:"

_HTML: Final = """<!doctype html>
<html lang="{lang}" dir="{dir}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
{rest}</main>
</body>
</html>
"""


def text(event_id: str | None, say: Say, refused: bool = False) -> str:
    lines = [say(TITLE)]
    if event_id:
        lines += [] if refused else [say(REPORTED)]
        lines.append(f"{say(REFERENCE)} {event_id}")
    return "\n".join(lines) + "\n"


def problem(event_id: str | None, say: Say, refused: bool = False) -> str:
    """Problem details, RFC 9457.

    With ``about:blank`` as its type the title is the status phrase (section 4.2.1).
    ``instance`` names this one occurrence (section 3.1.5); it is a URN because it cannot be
    fetched.
    """
    detail = say(TITLE)
    facts: dict[str, object] = {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": detail,
    }
    if event_id:
        if not refused:
            facts["detail"] = f"{detail} {say(REPORTED)}"
        if re.fullmatch(r"[0-9a-f]{32}", event_id):
            parts = event_id[:8], event_id[8:12], event_id[12:16], event_id[16:20], event_id[20:]
            facts["instance"] = "urn:uuid:" + "-".join(parts)
        facts["event_id"] = event_id
    return json.dumps(facts) + "\n"


def html(event_id: str | None, say: Say, lang: str, direction: str, refused: bool = False) -> str:
    rest = ""
    if event_id:
        rest = "" if refused else f"<p>{escape(say(REPORTED))}</p>\n"
        rest += f"<p><small>{escape(say(REFERENCE))} <code>{escape(event_id)}</code></small></p>\n"
    return _HTML.format(
        lang=escape(lang), dir=escape(direction), title=escape(say(TITLE)), rest=rest
    )
