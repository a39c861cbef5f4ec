"""Hands what arrived to the store: events, visitors' words, attachments. Knows nothing of HTTP but
the refusal of too many events."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.exceptions import TooManyRequests

from ..content.feedback_item import Feedback, read_feedback
from ..content.reading import event_id_of, new_event_id
from ..project import Project
from ..storage.attachment_table import Attachment
from .body import ReadEvent
from .envelope import Envelope

_log = logging.getLogger(__name__)


def keep_event(
    project: Project,
    name: str,
    event: ReadEvent,
    envelope_id: str | None = None,
    attachments: Sequence[Attachment] = (),
    packed: bytes | None = None,
) -> str:
    """Keep an event. Returns its id, which is new if the event's own is malformed.

    :param name: of the project that the client sent to.
    :param envelope_id: the envelope's ``event_id``: the event's, where it has none itself.
    :param attachments: of the event.
    :param packed: the event's bytes in zlib's format, where the client sent them so.
    :raises TooManyRequests: there are more events than the inbox was started for.
    """
    body, data = event.body, event.data
    # sentry-sdk's capture_event() sends an event of type "feedback" as an item of type "event".
    if body.get("type") == "feedback":
        feedback = _keep_feedback(project, body, envelope_id)
        if feedback:
            _add_attachments(project, feedback.event_id, attachments)
            return feedback.id
    if body.get("type") == "transaction":
        # The oldest versions of sentry-sdk send theirs as events.
        project.skip("transaction")
        return event_id_of(body.get("event_id")) or envelope_id or new_event_id()
    wait = project.retry_after()
    if wait:
        raise TooManyRequests("Too many events.", retry_after=wait)
    given = body.get("event_id")
    event_id = event_id_of(given) or envelope_id or new_event_id()
    if event_id != given or data is None:
        body["event_id"] = event_id
        # As UTF-8 and without spaces, it is not longer than it was when it arrived.
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        packed = None
    # A known id is a repeated delivery, which gets the same answer as the first one.
    project.store.add_event(
        event_id, data, body, packed=packed, project=name, attachments=attachments
    )
    return event_id


def keep_envelope(
    project: Project, name: str, envelope_id: str | None, found: Envelope
) -> dict[str, str]:
    """Keep what an envelope brought. Returns the answer: the id of its event, or its own."""
    for kind in found.skipped:
        project.skip(kind)
    # Attachments belong to the envelope's one event, to the crash that its words are about, or to
    # the event that the envelope names.
    owner = envelope_id
    answer = {"id": envelope_id} if envelope_id else {}
    files: Sequence[Attachment] = found.attachments
    for event in found.events:
        answer["id"] = keep_event(project, name, event, envelope_id, files)
        files = ()
    for report in found.reports:
        project.store.put_report(report.event_id, report.name, report.email, report.comments)
    wordless = 0
    for item in found.feedback:
        feedback = _keep_feedback(project, item, envelope_id)
        if feedback is None:
            project.skip("feedback")
            wordless += 1
        else:
            owner = feedback.event_id
    _add_attachments(project, owner, files)
    if wordless:
        _log.warning(
            "An envelope's feedback items were skipped: %d, each without words in"
            " contexts.feedback.message. Its other items are kept.",
            wordless,
        )
    return answer


def _add_attachments(project: Project, owner: str | None, files: Sequence[Attachment]) -> None:
    """Keep further files of an event that is here, and count them as skipped where it is not."""
    if files and not (owner and project.store.add_attachments(owner, files)):
        for _ in files:
            project.skip("attachment")


def _keep_feedback(
    project: Project, item: Mapping[str, Any], envelope_id: str | None
) -> Feedback | None:
    """Keep a feedback item. Returns None if it has no words."""
    feedback = read_feedback(item, envelope_id)
    if feedback is not None:
        project.store.add_feedback(feedback)
    return feedback
