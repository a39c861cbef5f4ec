"""Hands what arrived to the store: events, visitors' words, attachments. Knows nothing of HTTP but
the refusal of too many events."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.exceptions import TooManyRequests

from ..content.attachment import Attachment
from ..content.feedback_item import read_feedback
from ..content.reading import event_id_of, new_event_id, read_event
from ..project import Project
from .body import ReadEvent
from .envelope import Envelope

_log = logging.getLogger(__name__)


def keep_event(
    project: Project,
    name: str,
    event: ReadEvent,
    envelope_id: str | None = None,
    attachments: Sequence[Attachment] = (),
) -> str:
    """Keep an event. Returns its id, which is new if the event's own is malformed.

    :param name: of the project that the client sent to.
    :param envelope_id: the envelope's ``event_id``: the event's, where it has none itself.
    :raises TooManyRequests: there are more events than the inbox was started for.
    """
    body, data = event.body, event.data
    # sentry-sdk's capture_event() sends an event of type "feedback" as an item of type "event".
    if body.get("type") == "feedback":
        kept_id = _keep_feedback(project, body, envelope_id)
        if kept_id:
            _keep_attachments(project, kept_id, attachments)
            return kept_id
    wait = project.retry_after()
    if wait:
        raise TooManyRequests("Too many events.", retry_after=wait)
    given = body.get("event_id")
    event_id = event_id_of(given) or envelope_id or new_event_id()
    if event_id != given or data is None:
        body["event_id"] = event_id
        # As UTF-8 and without spaces, it is not longer than it was when it arrived.
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    # A known id is a repeated delivery, which gets the same answer as the first one.
    project.store.add_event(event_id, body, read_event(body))
    return event_id


def keep_envelope(
    project: Project, name: str, envelope_id: str | None, found: Envelope
) -> dict[str, str]:
    """Keep what an envelope brought. Returns the answer: the id of its event, or its own."""
    for kind in found.skipped:
        project.skip(kind)
    # Attachments belong to the envelope's one event, to the words that they came with, or to the
    # event that the envelope names.
    owner = envelope_id
    answer = {"id": envelope_id} if envelope_id else {}
    files: Sequence[Attachment] = found.attachments
    for event in found.events:
        owner = answer["id"] = keep_event(project, name, event, envelope_id, files)
        files = ()
    for report in found.reports:
        project.store.put_report(report.event_id, report.name, report.email, report.comments)
    wordless = 0
    for item in found.feedback:
        kept_id = _keep_feedback(project, item, envelope_id)
        if kept_id is None:
            project.skip("feedback")
            wordless += 1
        elif files:
            _keep_attachments(project, kept_id, files)
            files = ()
    if files and owner:
        _keep_attachments(project, owner, files)
    if wordless:
        _log.warning(
            "An envelope's feedback items were skipped: %d, each without words in"
            " contexts.feedback.message. Its other items are kept.",
            wordless,
        )
    return answer


def _keep_attachments(project: Project, owner: str, files: Sequence[Attachment]) -> None:
    for _ in files:
        project.skip("attachment")


def _keep_feedback(
    project: Project, item: Mapping[str, Any], envelope_id: str | None
) -> str | None:
    """Keep a feedback item. Returns its id, or None if it has no words."""
    feedback = read_feedback(item, envelope_id)
    if feedback is None:
        return None
    project.store.add_feedback(feedback)
    return feedback.id
