"""The pages for developers: the list of crashes, the page of one, and both as JSON for tools."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .reading import event_id_of, read_event
from .records import CrashGroup, Report
from .wire import Project, current_project

bp = Blueprint("pages", __name__)

_PAGE: Final = 100
_REFERENCE: Final = 64

# Reports that are shown beside the one on the event: those on the crash's other events, or those
# whose event has not arrived.
_OTHERS: Final = 20


def dsn_of(project: Project) -> str:
    """The DSN, with the address under which this page was requested."""
    return project.dsn(request.scheme, request.host).public


@bp.get("/")
def index() -> str | AnyResponse:
    project = current_project()
    reference = request.args.get("reference", "").strip()[:_REFERENCE]
    if reference:
        event_id = event_id_of(reference)
        if event_id and project.store.has_event(event_id):
            return redirect(url_for("pages.event", event_id=event_id))
    number = _number("page", 1, 10_000)
    total, unread = project.store.counts()
    return render_template(
        "list.html",
        crashes=project.store.crashes(_PAGE, (number - 1) * _PAGE),
        waiting=project.store.waiting_reports(_OTHERS) if number == 1 else [],
        total=total,
        unread=unread,
        page=number,
        more=number * _PAGE < total,
        reference=reference,
        dsn=dsn_of(project),
        changes=project.store.changes(),
    )


@bp.get("/crashes/<key>/")
def crash(key: str) -> str:
    """The latest event of a crash."""
    found = _crash(key)
    event_id = current_project().store.latest_event_id(found)
    return _show(event_id) if event_id else abort(404)


@bp.get("/events/<event_id>/")
def event(event_id: str) -> str:
    return _show(event_id)


def _show(event_id: str) -> str:
    store = current_project().store
    kept = store.event(event_id)
    found = store.crash(kept.crash_key) if kept else None
    if kept is None or found is None:
        abort(404, "There is no such event here. It may not have arrived, or no longer be kept.")
    above, below = store.neighbours(found)
    others = store.reports(found, _OTHERS + 1)
    with current_project().bodies.turn_for(kept.json):
        return render_template(
            "crash.html",
            crash=found,
            kept=kept,
            event=read_event(kept.body),
            report=store.report(event_id),
            others=[other for other in others if other.event_id != event_id],
            above=above,
            below=below,
            changes=store.changes(),
        )


@bp.post("/crashes/<key>/read")
def mark_read(key: str) -> AnyResponse:
    current_project().store.mark(_crash(key).key, unread=False)
    return _back()


@bp.post("/crashes/<key>/unread")
def mark_unread(key: str) -> AnyResponse:
    current_project().store.mark(_crash(key).key, unread=True)
    return _back()


@bp.post("/crashes/<key>/delete")
def delete(key: str) -> AnyResponse:
    current_project().store.delete(_crash(key).key)
    return _back()


def _back() -> AnyResponse:
    # 303: the browser reads the next page, and reloading that repeats nothing.
    return redirect(url_for("pages.index"), 303)


@bp.get("/inbox/api/pulse")
def api_pulse() -> Response:
    """A number that grows with every change."""
    return jsonify(changes=current_project().store.changes())


@bp.get("/inbox/api/crashes")
def api_crashes() -> Response:
    """The crashes, latest arrival first; ``?limit=`` up to 1,000."""
    found = current_project().store.crashes(_number("limit", _PAGE, 1_000))
    return jsonify(crashes=[_crash_facts(item) for item in found])


@bp.get("/inbox/api/events")
def api_events() -> Response:
    """The events, newest first, each with its report or null; ``?limit=`` up to 1,000."""
    events = [
        {**item, "report": _report_facts(item["report"])}
        for item in current_project().store.events(_number("limit", _PAGE, 1_000))
    ]
    return jsonify(events=events)


@bp.get("/inbox/api/events/<event_id>")
def api_event(event_id: str) -> Response:
    """One event as it was sent, with its report or null; 404 when it is not here."""
    store = current_project().store
    kept = store.event(event_id)
    if kept is None:
        response = jsonify(error="There is no such event here.")
        response.status_code = 404
        return response
    facts = {
        "event_id": kept.event_id,
        "crash": kept.crash_key,
        "at": kept.at,
        "received": kept.received,
        "report": _report_facts(store.report(event_id)),
    }
    # The event is sent as the file holds it and is not parsed here.
    head = json.dumps(facts).encode()[:-1]
    return Response(head + b', "event": ' + kept.json + b"}", mimetype="application/json")


@bp.get("/inbox/api/reports")
def api_reports() -> Response:
    """What visitors wrote, newest first, whether or not the event is here."""
    reports = current_project().store.reports(limit=_number("limit", _PAGE, 1_000))
    return jsonify(reports=[_report_facts(report) for report in reports])


def _crash(key: str) -> CrashGroup:
    return current_project().store.crash(key) or abort(404, "There is no such crash here.")


def _crash_facts(item: CrashGroup) -> dict[str, Any]:
    facts = asdict(item)
    del facts["id"]
    facts["crash"] = facts.pop("key")
    facts["words"] = _report_facts(item.words)
    return facts


def _report_facts(report: Report | None) -> dict[str, Any] | None:
    return asdict(report) if report else None


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, "")
    return min(max(1, int(text)), most) if re.fullmatch(r"[0-9]{1,9}", text) else default
