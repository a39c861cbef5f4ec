"""What the pages show, as JSON for tools."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from .arguments import number_of
from .project import current_project
from .storage.records import CrashGroup, Report

bp = Blueprint("api", __name__)

_PAGE: Final = 100


@bp.get("/inbox/api/pulse")
def pulse() -> Response:
    """A number that grows with every change."""
    return jsonify(changes=current_project().store.changes())


@bp.get("/inbox/api/crashes")
def crashes() -> Response:
    """The crashes, latest arrival first; ``?limit=`` up to 1,000."""
    found = current_project().store.crashes(number_of("limit", _PAGE, 1_000))
    return jsonify(crashes=[_crash_facts(item) for item in found])


@bp.get("/inbox/api/events")
def events() -> Response:
    """The events, newest first, each with its latest report or null; ``?limit=`` up to 1,000."""
    events = [
        {**item, "report": _report_facts(item["report"])}
        for item in current_project().store.events(number_of("limit", _PAGE, 1_000))
    ]
    return jsonify(events=events)


@bp.get("/inbox/api/events/<event_id>")
def event(event_id: str) -> Response:
    """One event as it was sent, with its latest report or null, and with all, the oldest first; 404
    when it is not here."""
    store = current_project().store
    kept = store.event(event_id)
    if kept is None:
        response = jsonify(error="There is no such event here.")
        response.status_code = 404
        return response
    reports = [_report_facts(report) for report in store.reports_on_event(event_id, 1_000)]
    facts = {
        "event_id": kept.event_id,
        "crash": kept.crash_key,
        "at": kept.at,
        "received": kept.received,
        "report": next(iter(reports), None),
        "reports": reports[::-1],
    }
    # The event is sent as the file holds it and is not parsed here.
    head = json.dumps(facts).encode()[:-1]
    return Response(head + b', "event": ' + kept.json + b"}", mimetype="application/json")


@bp.get("/inbox/api/reports")
def reports() -> Response:
    """What visitors wrote, newest first, whether or not the event is here, or there is one."""
    reports = current_project().store.reports(limit=number_of("limit", _PAGE, 1_000))
    return jsonify(reports=[_report_facts(report) for report in reports])


@bp.get("/inbox/api/skipped")
def skipped() -> Response:
    """How many items of each type were skipped, since the inbox was started."""
    return jsonify(skipped=dict(current_project().skipped))


def _crash_facts(item: CrashGroup) -> dict[str, Any]:
    facts = asdict(item)
    del facts["id"]
    facts["crash"] = facts.pop("key")
    facts["words"] = _report_facts(item.words)
    return facts


def _report_facts(report: Report | None) -> dict[str, Any] | None:
    return asdict(report) if report else None
