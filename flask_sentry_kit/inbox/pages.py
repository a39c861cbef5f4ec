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
from .store import LONG_WORDS
from .wire import Project, current_project

bp = Blueprint("pages", __name__)

_PAGE: Final = 100
_REFERENCE: Final = 64
_LARGEST: Final = 2**63 - 1  # that SQLite counts to

# Reports that a crash's page shows of its event, and as many of the crash's other events.
_BESIDE: Final = 20
_WITHOUT_CRASH: Final = 50


def dsn_of(project: Project) -> str:
    """The DSN, with the address under which this page was requested."""
    return project.dsn(request.scheme, request.host).public


@bp.get("/")
def index() -> str | AnyResponse:
    project = current_project()
    reference = request.args.get("reference", "").strip()[:_REFERENCE]
    if reference:
        event_id = event_id_of(reference)
        if event_id and (page := _page_of(event_id)):
            return redirect(page)
    number = _number("page", 1, 10_000)
    total, unread = project.store.counts()
    written, unread_words = project.store.counts_without_crash()
    return render_template(
        "list.html",
        crashes=project.store.crashes(_PAGE, (number - 1) * _PAGE),
        written=written,
        unread_words=unread_words,
        latest=project.store.reports_without_crash(1) if number == 1 else [],
        total=total,
        unread=unread + (1 if unread_words else 0),
        page=number,
        more=number * _PAGE < total,
        reference=reference,
        dsn=dsn_of(project),
        changes=project.store.changes(),
    )


def _page_of(reference: str) -> str | None:
    """The page that shows an event, or a visitor's words about it or of this id."""
    store = current_project().store
    if store.has_event(reference):
        return url_for("pages.event", event_id=reference)
    report = store.report_of_reference(reference)
    if report is None:
        return None
    if store.has_event(report.event_id):
        return url_for("pages.event", event_id=report.event_id)
    return url_for("pages.words")


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
    written = store.reports_on_event(event_id, _BESIDE)
    others = store.reports_on_others(found, event_id, _BESIDE)
    with current_project().bodies.turn_for(kept.json):
        read = read_event(kept.body)
        about = read.crash_event_id
        return render_template(
            "crash.html",
            crash=found,
            kept=kept,
            event=read,
            about=about if about and store.has_event(about) else None,
            reports=written[::-1],
            others=others[::-1],
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


@bp.get("/words/")
def words() -> str:
    """What visitors wrote about no crash, or about one that is not here; the latest first."""
    store = current_project().store
    number = _number("page", 1, 10_000)
    written, unread = store.counts_without_crash()
    return render_template(
        "words.html",
        reports=store.reports_without_crash(_WITHOUT_CRASH, (number - 1) * _WITHOUT_CRASH),
        written=written,
        unread=unread,
        page=number,
        more=number * _WITHOUT_CRASH < written,
        most=LONG_WORDS - 1,
        changes=store.changes(),
    )


@bp.post("/words/<int:number>/read")
def mark_words_read(number: int) -> AnyResponse:
    """Mark words without a crash as read, up to those with this number."""
    current_project().store.mark_reports_read(min(number, _LARGEST))
    return _back()


@bp.post("/words/<int:number>/delete")
def delete_words(number: int) -> AnyResponse:
    current_project().store.delete_report(min(number, _LARGEST))
    return _back("pages.words")


def _back(to: str = "pages.index") -> AnyResponse:
    # 303: the browser reads the next page, and reloading that repeats nothing.
    return redirect(url_for(to), 303)


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
    """The events, newest first, each with its latest report or null; ``?limit=`` up to 1,000."""
    events = [
        {**item, "report": _report_facts(item["report"])}
        for item in current_project().store.events(_number("limit", _PAGE, 1_000))
    ]
    return jsonify(events=events)


@bp.get("/inbox/api/events/<event_id>")
def api_event(event_id: str) -> Response:
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
def api_reports() -> Response:
    """What visitors wrote, newest first, whether or not the event is here, or there is one."""
    reports = current_project().store.reports(limit=_number("limit", _PAGE, 1_000))
    return jsonify(reports=[_report_facts(report) for report in reports])


@bp.get("/inbox/api/skipped")
def api_skipped() -> Response:
    """How many items of each type were skipped, since the inbox was started."""
    return jsonify(skipped=dict(current_project().skipped))


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
