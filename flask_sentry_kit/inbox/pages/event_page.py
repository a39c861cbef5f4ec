"""The page of one crash, or of one of its events, and the same as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from .. import clock
from ..content.reading import read_event
from ..content.request_headers import by_need
from ..content.stack import by_owner, calls_in
from ..errors import TooMuchKeptError
from ..project import current_project
from ..storage.records import CrashGroup, KeptEvent
from . import attachments
from .curl import curl_of
from .editor import Editor
from .forwarding import Forwarder
from .markdown import markdown_of
from .sparkline import bars_of

bp = Blueprint("event_page", __name__)
bp.register_blueprint(attachments.bp)
bp.add_app_template_filter(by_owner)
bp.add_app_template_filter(calls_in)
bp.add_app_template_filter(by_need)

# Reports that a crash's page shows of its event, and as many of the crash's other events.
_BESIDE: Final = 20

# Events whose times are drawn.
_TIMES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Tools:
    """What a crash's page offers beside the crash, as chosen when the inbox was started."""

    editor: Editor | None = None
    forwarder: Forwarder | None = None


def current_tools() -> Tools:
    found: Tools = current_app.extensions["sentry_kit_inbox_tools"]
    return found


@bp.get("/crashes/<key>/")
def crash(key: str) -> Response:
    """The latest event of a crash, as HTML or as Markdown, whichever is asked for."""
    return _negotiated(_latest(key))


@bp.get("/crashes/<key>.md")
def crash_markdown(key: str) -> Response:
    return _markdown(_latest(key))


@bp.get("/events/<event_id>/")
def event(event_id: str) -> Response:
    return _negotiated(event_id)


@bp.get("/events/<event_id>.md")
def event_markdown(event_id: str) -> Response:
    return _markdown(event_id)


@bp.get("/events/<event_id>.json")
def event_json(event_id: str) -> Response:
    """The event alone, as the file holds it."""
    return Response(_kept(event_id)[0].json, content_type="application/json")


@bp.app_template_filter()
def before(at: float | None, end: float | None) -> str:
    """How long before the crash something was: ``−0.42 s``; else its time of day."""
    if not at or not end:
        return clock.clock_only(at) if at else ""
    seconds = end - at
    # raven says the second of an event, and what was in that second seems to be after it.
    if not 0 <= seconds < 600:
        return clock.clock_only(at)
    return f"\N{MINUS SIGN}{seconds:.2f} s"


def _negotiated(event_id: str) -> Response:
    accepted = request.accept_mimetypes
    plain = accepted["text/markdown"] > accepted["text/html"]
    response = _markdown(event_id) if plain else _page(event_id)
    response.vary.add("Accept")
    return response


def _page(event_id: str) -> Response:
    store, tools = current_project().store, current_tools()
    # Read first, so that an open page misses nothing which changes in the meantime.
    changes = store.changes()
    kept, found = _kept(event_id)
    above, below = store.neighbours(found)
    written = store.reports_on_event(event_id, _BESIDE)
    others = store.reports_on_others(found, event_id, _BESIDE)
    files = attachments.shown(store, event_id)
    with current_project().bodies.turn_for(kept.json):
        body = kept.body
        read = read_event(body)
        about = read.crash_event_id
        html = render_template(
            "crash.html",
            crash=found,
            kept=kept,
            event=read,
            curl=curl_of(body),
            about=about if about and store.has_event(about) else None,
            reports=written[::-1],
            others=others[::-1],
            attachments=files,
            bars=bars_of(store.times(found, _TIMES)),
            above=above,
            below=below,
            editor=tools.editor,
            forwarder=tools.forwarder,
            forwarded=tools.forwarder and tools.forwarder.outcome_of(event_id),
            changes=changes,
        )
    return Response(html)


def _markdown(event_id: str) -> Response:
    store = current_project().store
    kept, found = _kept(event_id)
    written = store.reports_on_event(event_id, _BESIDE)[::-1]
    with current_project().bodies.turn_for(kept.json):
        address = url_for("event_page.event", event_id=event_id, _external=True)
        text = markdown_of(read_event(kept.body), found, kept, written, address)
    return Response(text, content_type="text/markdown; charset=utf-8")


@bp.post("/events/<event_id>/forward")
def forward(event_id: str) -> AnyResponse:
    """Send the event to the DSN that the inbox was started with."""
    forwarder = current_tools().forwarder
    if forwarder is None:
        abort(404, "Start the inbox with --forward-to DSN to forward events.")
    store = current_project().store
    kept, _ = _kept(event_id)
    reports = store.reports_on_event(event_id, _BESIDE)[::-1]
    forwarder.forward(kept, reports, attachments.all_of(store, event_id))
    return _see_other(url_for(".event", event_id=event_id) + "#forwarded")


@bp.post("/crashes/<key>/read")
def mark_read(key: str) -> AnyResponse:
    return _mark(key, unread=False)


@bp.post("/crashes/<key>/unread")
def mark_unread(key: str) -> AnyResponse:
    return _mark(key, unread=True)


@bp.post("/crashes/<key>/resolve")
def resolve(key: str) -> AnyResponse:
    """Mark a crash as resolved, until it happens again."""
    return _mark(key, resolved=True)


@bp.post("/crashes/<key>/reopen")
def reopen(key: str) -> AnyResponse:
    return _mark(key, to_list=False, resolved=False)


@bp.post("/crashes/<key>/keep")
def keep(key: str) -> AnyResponse:
    """Mark a crash so that it is never pruned."""
    return _mark(key, to_list=False, kept=True)


@bp.post("/crashes/<key>/unkeep")
def unkeep(key: str) -> AnyResponse:
    return _mark(key, to_list=False, kept=False)


@bp.post("/crashes/<key>/delete")
def delete(key: str) -> AnyResponse:
    """Delete a crash, with its events and what was said about it."""
    current_project().store.delete([_crash(key).key])
    return _see_other(url_for("list_page.index"))


def _mark(key: str, to_list: bool = True, **marks: bool) -> AnyResponse:
    try:
        current_project().store.mark([_crash(key).key], **marks)
    except TooMuchKeptError as error:
        abort(409, str(error))
    return _see_other(url_for("list_page.index") if to_list else url_for(".crash", key=key))


def _see_other(address: str) -> AnyResponse:
    # 303: the browser reads the next page, and reloading that repeats nothing.
    return redirect(address, 303)


def _kept(event_id: str) -> tuple[KeptEvent, CrashGroup]:
    store = current_project().store
    kept = store.event(event_id)
    found = store.crash(kept.crash_key) if kept else None
    if kept is None or found is None:
        abort(404, "There is no such event here. It may not have arrived, or no longer be kept.")
    return kept, found


def _crash(key: str) -> CrashGroup:
    return current_project().store.crash(key) or abort(404, "There is no such crash here.")


def _latest(key: str) -> str:
    return current_project().store.latest_event_id(_crash(key)) or abort(404)
