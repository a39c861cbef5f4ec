"""Reads a ``feedback`` item: a visitor's words as today's clients send them.

Sentry's specification of feedbacks, version 1.3.0: the words are in ``contexts.feedback``, and what
else the event says of release, environment, user and tags is said about them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .event_parts import time_of
from .reading import clean, event_id_of, new_event_id
from .shown import Budget, Pairs, cut, text

MAX_WORDS: Final = 4_096
"""Characters of the words, by the specification."""

_NAME: Final = 200
_URL: Final = 2_000
_FACTS: Final = (4_000, 200)


@dataclass(frozen=True, slots=True)
class Feedback:
    """One visitor's words, and what came with them: text that is not trusted."""

    id: str
    """The item's own event id."""
    digest: str
    """The same for the same item if it is delivered again, and for no other."""
    event_id: str
    """Of the crash that they are about; empty if they name none."""
    name: str
    email: str
    words: str
    """Up to 4,096 characters; what is left out is said at the end."""
    url: str
    at: float | None
    """When they were written, by the client's clock."""
    facts: Pairs
    """Environment, release, user and tags."""


def read_feedback(item: Mapping[str, Any], envelope_id: str | None) -> Feedback | None:
    """Read a feedback item; None if it holds no words where the specification has them.

    :param envelope_id: the envelope's ``event_id``: the item's, where it has none itself.
    """
    item = clean(dict(item))
    said = _dict(_dict(item.get("contexts")).get("feedback"))
    words = said.get("message")
    if not isinstance(words, str) or not words.strip():
        return None
    own_id = event_id_of(item.get("event_id")) or envelope_id or new_event_id()
    whole = json.dumps([own_id, item], sort_keys=True).encode()
    budget = Budget(*_FACTS)
    facts = [(name, budget.text(item.get(name))) for name in ("environment", "release")]
    facts += [(f"user {name}", value) for name, value in budget.pairs(item.get("user"))]
    facts += budget.pairs(item.get("tags"))
    return Feedback(
        id=own_id,
        digest=hashlib.sha256(whole).hexdigest()[:32],
        event_id=event_id_of(said.get("associated_event_id")) or "",
        name=text(said.get("name"))[:_NAME],
        email=text(said.get("contact_email"))[:_NAME],
        words=cut(words, MAX_WORDS),
        # @sentry/browser's captureFeedback() names the page in the event's request alone.
        url=text(said.get("url") or _dict(item.get("request")).get("url"), _URL),
        at=time_of(item.get("timestamp")),
        facts=tuple((name, value) for name, value in facts if value),
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
