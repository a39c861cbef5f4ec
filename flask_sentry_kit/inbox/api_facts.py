"""The API's objects: what is said of a crash, an event, its files and visitors' words.

docs/inbox-api.md explains each field. All times are RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import url_for

from .clock import rfc3339
from .storage.attachment_table import AttachmentFacts
from .storage.records import CrashGroup, KeptEvent, Report

Facts = dict[str, Any]


def crash_facts(item: CrashGroup) -> Facts:
    return {
        "crash": item.key,
        "type": item.type,
        "value": item.value,
        "where": item.place,
        "level": item.level,
        "app": item.app,
        "release": item.release,
        "environment": item.environment,
        "count": item.count,
        "people": item.people,
        "first_at": rfc3339(item.first_at),
        "last_at": rfc3339(item.last_at),
        "unread": item.unread,
        "resolved": item.resolved,
        "kept": item.kept,
        "words": item.reports,
        "latest_words": words_facts(item.words) if item.words else None,
    }


def event_row(item: Mapping[str, Any]) -> Facts:
    """Of one of the store's short events."""
    report: Report | None = item["report"]
    return {
        "event_id": item["event_id"],
        "crash": item["crash"],
        "at": rfc3339(item["at"]),
        "received_at": rfc3339(item["received"]),
        "project": item["project"],
        "type": item["type"],
        "value": item["value"],
        "where": item["place"],
        "person": item["person"],
        "app": item["app"],
        "release": item["release"],
        "environment": item["environment"],
        "attachments": item["attachments"],
        "latest_words": words_facts(report) if report else None,
    }


def event_facts(
    kept: KeptEvent, reports: list[Report], attachments: list[AttachmentFacts]
) -> Facts:
    """All but the event itself.

    :param reports: the oldest first.
    """
    return {
        "event_id": kept.event_id,
        "crash": kept.crash_key,
        "at": rfc3339(kept.at),
        "received_at": rfc3339(kept.received),
        "project": kept.project,
        "person": kept.person,
        "number": kept.number,
        "of": kept.kept,
        "older": kept.older,
        "newer": kept.newer,
        "attachments": [_attachment_facts(kept.event_id, item) for item in attachments],
        "words": [words_facts(report) for report in reports],
        "latest_words": words_facts(reports[-1]) if reports else None,
    }


def words_facts(item: Report) -> Facts:
    return {
        "id": item.id,
        "event_id": item.event_id or None,
        "feedback_id": item.feedback_id or None,
        "at": rfc3339(item.at),
        "name": item.name,
        "email": item.email,
        "reply_to": item.reply_to or None,
        "comments": item.comments,
        "url": item.url,
        "facts": [list(pair) for pair in item.facts],
    }


def _attachment_facts(event_id: str, item: AttachmentFacts) -> Facts:
    return {
        "id": item.id,
        "name": item.name,
        "content_type": item.content_type,
        "size": item.size,
        "url": url_for("api.attachment", event_id=event_id, number=item.id),
    }
