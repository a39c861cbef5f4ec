"""The page of one crash, or of one of its events."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..content.reading import read_event
from ..project import current_project
from ..storage.records import CrashGroup

bp = Blueprint("event_page", __name__)

# Reports that a crash's page shows of its event, and as many of the crash's other events.
_BESIDE: Final = 20


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
    current_project().store.mark([_crash(key).key], unread=False)
    return _back()


@bp.post("/crashes/<key>/unread")
def mark_unread(key: str) -> AnyResponse:
    current_project().store.mark([_crash(key).key], unread=True)
    return _back()


@bp.post("/crashes/<key>/delete")
def delete(key: str) -> AnyResponse:
    current_project().store.delete([_crash(key).key])
    return _back()


def _crash(key: str) -> CrashGroup:
    return current_project().store.crash(key) or abort(404, "There is no such crash here.")


def _back() -> AnyResponse:
    # 303: the browser reads the next page, and reloading that repeats nothing.
    return redirect(url_for("list_page.index"), 303)
