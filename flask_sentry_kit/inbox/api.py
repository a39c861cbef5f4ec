"""The API for tools: what the pages show and do, as JSON, under a path with its version.

docs/inbox-api.md describes it. A field that is documented there stays as it is within a version.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TypeVar
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from .api_facts import crash_facts, event_facts, event_row, words_facts
from .arguments import LARGEST, only_arguments, strict_number
from .content.reading import event_id_of
from .errors import TooMuchKeptError
from .live import LOOK, MOST_STREAMS, MOST_WAITS, current_places, is_gone
from .paths import may_wait
from .project import current_project
from .protocol.body import MAX_WIRE
from .storage.attachment_table import MOST as MOST_ATTACHMENTS
from .storage.search import MAX_LENGTH, MAX_TERMS, Search, SearchError, parse
from .storage.store import Store

bp = Blueprint("api", __name__, url_prefix="/api/v1")
latest = Blueprint("api_latest", __name__, url_prefix="/api")

LATEST: Final = "v1"

_PAGE: Final = 100
_MOST: Final = 1_000
_LONGEST_WAIT: Final = 60
_LIST: Final = ("q", "limit", "offset", "wait")
_MARKS_SIZE: Final = 1_000
_OF_THE_BODY: Final = ("content-type", "content-length")
_MARKS: Final = ("unread", "resolved", "kept")

T = TypeVar("T")


# Reading


@bp.get("/crashes")
def crashes() -> Response:
    """The crashes that a search finds, the one with the latest event or words first."""
    only_arguments(*_LIST)
    search, limit, offset = _search(), _limit(), _offset()
    store = current_project().store
    changes = store.live.last
    found = _awaited(lambda: store.find(search, limit, offset), lambda found: bool(found.crashes))
    return _answer(
        crashes=[crash_facts(item) for item in found.crashes],
        total=found.total,
        next_offset=offset + limit if offset + limit < found.total else None,
        changes=changes,
    )


@bp.get("/crashes/<key>")
def crash(key: str) -> Response:
    only_arguments("wait")
    store = current_project().store
    found = _awaited(lambda: store.crash(key), bool)
    if found is None:
        raise NotFound("There is no such crash here.")
    facts = crash_facts(found)
    facts["latest_event_id"] = store.latest_event_id(found)
    return _answer(**facts)


@bp.get("/events")
def events() -> Response:
    """The events that a search finds, the newest first."""
    only_arguments(*_LIST)
    search, limit, offset = _search(), _limit(), _offset()
    store = current_project().store
    found = _awaited(lambda: store.find_events(search, limit + 1, offset), bool)
    return _answer(
        events=[event_row(item) for item in found[:limit]],
        next_offset=offset + limit if len(found) > limit else None,
    )


@bp.get("/events/<event_id>")
def event(event_id: str) -> Response:
    """One event as it was sent, with its files' names and its words, the oldest first."""
    only_arguments("wait")
    store = current_project().store
    known = _event_id(event_id)
    kept = _awaited(lambda: store.event(known), bool)
    if kept is None:
        raise NotFound("There is no such event here.")
    facts = event_facts(kept, store.reports_on_event(known, _MOST)[::-1], store.attachments(known))
    # The event is sent as the file holds it and is not parsed here.
    head = json.dumps(facts).encode()[:-1]
    return Response(head + b', "event": ' + kept.json + b"}\n", mimetype="application/json")


@bp.get("/events/<event_id>/attachments/<int:number>")
def attachment(event_id: str, number: int) -> Response:
    """The bytes of a file that came with an event."""
    only_arguments()
    found = current_project().store.attachment(_event_id(event_id), min(number, LARGEST))
    if found is None:
        raise NotFound("There is no such attachment here.")
    response = Response(found.data, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = "attachment"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@bp.get("/words")
def words() -> Response:
    """What visitors wrote, the newest first, whether or not the event is here, or there is one."""
    only_arguments(*_LIST)
    search, limit, offset = _search(), _limit(), _offset()
    store = current_project().store
    found = _awaited(lambda: store.find_words(search, limit + 1, offset), bool)
    # The store stops at 1 MB of words.
    end = offset + min(limit, len(found))
    more = len(found) > limit or bool(found and store.find_words(search, 1, end))
    return _answer(
        words=[words_facts(item) for item in found[:limit]], next_offset=end if more else None
    )


@bp.get("/pulse")
def pulse() -> Response:
    """The number of the latest change, for a page without a stream."""
    only_arguments()
    return _answer(changes=current_project().store.changes())


@bp.get("/skipped")
def skipped() -> Response:
    """How many items of each type were skipped, since the inbox was started."""
    only_arguments()
    return _answer(skipped=dict(current_project().skipped))


@bp.get("/status")
def status() -> Response:
    """What this inbox is, what it holds, and its limits."""
    only_arguments()
    project = current_project()
    store = project.store
    counts = store.counts()
    events, size = store.totals()
    without_crash, _ = store.counts_without_crash()
    return _answer(
        version=_version(),
        project=project.id,
        dsn=project.dsn(request.scheme, request.host).public,
        file=str(store.path),
        changes=store.live.last,
        crashes=counts.crashes,
        unread=counts.unread,
        resolved=counts.resolved,
        kept=counts.kept,
        events=events,
        bytes=size,
        words_without_crash=without_crash,
        limits={
            "keep_events": store.keep_events,
            "keep_bytes": store.keep_bytes,
            "body_bytes": MAX_WIRE,
            "events_per_minute": project.events_per_minute,
            "attachments_per_event": MOST_ATTACHMENTS,
            "list": _MOST,
            "search_characters": MAX_LENGTH,
            "search_terms": MAX_TERMS,
            "wait_seconds": _LONGEST_WAIT,
            "waits": MOST_WAITS,
            "streams": MOST_STREAMS,
        },
    )


# Changing


@bp.delete("/crashes")
def delete_crashes() -> Response:
    """Forget the crashes that a search finds, or everything without one."""
    only_arguments("q")
    store = current_project().store
    return _answer(deleted=store.delete(_chosen(store)))


@bp.delete("/crashes/<key>")
def delete_crash(key: str) -> Response:
    only_arguments()
    if not current_project().store.delete([key]):
        raise NotFound("There is no such crash here.")
    return _answer(deleted=1)


@bp.patch("/crashes")
def mark_crashes() -> Response:
    """Set marks of the crashes that a search finds, or of all without one."""
    only_arguments("q")
    marks = _marks()
    store = current_project().store
    return _answer(changed=_mark(store, _chosen(store), marks))


@bp.patch("/crashes/<key>")
def mark_crash(key: str) -> Response:
    only_arguments()
    marks = _marks()
    store = current_project().store
    _mark(store, [key], marks)
    found = store.crash(key)
    if found is None:
        raise NotFound("There is no such crash here.")
    return _answer(**crash_facts(found))


def _mark(store: Store, keys: list[str] | None, marks: dict[str, bool]) -> int:
    try:
        return store.mark(keys, **marks)
    except TooMuchKeptError as error:
        raise Conflict(str(error)) from None


def _chosen(store: Store) -> list[str] | None:
    """The keys of the crashes to change; None for all, which only a missing ``q`` means."""
    if "q" not in request.args:
        return None
    search = _search()
    if search.is_empty:
        raise BadRequest("q is empty. Leave it out if all crashes are meant.")
    return store.keys(search)


def _marks() -> dict[str, bool]:
    """The marks in the request's body.

    :raises UnsupportedMediaType: it is not sent as JSON.
    :raises RequestEntityTooLarge: it is longer than all marks are.
    :raises BadRequest: it is no object of known marks.
    """
    example = 'a JSON object such as {"unread": false, "resolved": true, "kept": true}'
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(f"Send {example}, with Content-Type: application/json.")
    if (request.content_length or 0) > _MARKS_SIZE:
        raise RequestEntityTooLarge(f"The body is {example}.")
    try:
        found = json.loads(request.get_data())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found:
        raise BadRequest(f"The body is {example}.")
    for name, value in found.items():
        if name not in _MARKS:
            raise BadRequest(f"There is no mark {name[:40]!r}. The body is {example}.")
        if not isinstance(value, bool):
            raise BadRequest(f"{name} is true or false.")
    return found


def _answer(**facts: object) -> Response:
    """JSON with the fields in the order of their documentation."""
    return Response(json.dumps(facts) + "\n", mimetype="application/json")


# Arguments


def _search() -> Search:
    try:
        return parse(request.args.get("q", ""))
    except SearchError as error:
        raise BadRequest(str(error)) from None


def _limit() -> int:
    return strict_number("limit", _PAGE, 1, _MOST)


def _offset() -> int:
    return strict_number("offset", 0, 0, 10**9)


def _event_id(text: str) -> str:
    known = event_id_of(text)
    if known is None:
        raise NotFound("This is no event id, which has 32 hex digits.")
    return known


def _awaited(read: Callable[[], T], matches: Callable[[T], bool]) -> T:
    """What `read` returns, as soon as it matches, or when the seconds of ``?wait=`` are over."""
    seconds = strict_number("wait", 0, 0, _LONGEST_WAIT)
    if not seconds:
        return read()
    if not may_wait(request.path, request.query_string.decode("latin-1")):
        # The server gave it a thread that is meant for pages.
        raise BadRequest("Write the argument wait without percent signs.")
    with current_places().waits.one("answers that wait"):
        return _wait_for(read, matches, time.monotonic() + seconds)


def _wait_for(read: Callable[[], T], matches: Callable[[T], bool], until: float) -> T:
    live = current_project().store.live
    while True:
        seen, began = live.last, time.monotonic()
        found = read()
        took = time.monotonic() - began
        if matches(found):
            return found
        while True:
            left = until - time.monotonic()
            if left <= 0 or live.closed or is_gone(request.environ):
                return found
            if live.wait(seen, min(left, LOOK)) != []:
                break
        # While much arrives, it is looked for ten times a second at most, and half of the time.
        time.sleep(max(0.0, min(left, began + max(0.1, 2 * took) - time.monotonic())))


# Errors, and addresses without a version


def is_api(path: str) -> bool:
    """Whether this is an address for tools, given that it is none of Sentry's."""
    return path.startswith("/api/")


def refuse(error: HTTPException) -> Response:
    """The answer to a request that cannot be fulfilled: ``{"error": …}``."""
    response = error.get_response()
    sentence = error.description or error.name
    if sentence == type(error).description:
        if isinstance(error, NotFound):
            sentence = "The API has no such address. Its version is the first part: /api/v1/…"
        elif isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            sentence = f"{request.method} is not possible here. Possible: {allowed}."
    return Response(
        json.dumps({"error": sentence}) + "\n",
        error.code,
        {name: value for name, value in response.headers if name.lower() not in _OF_THE_BODY},
        content_type="application/json",
    )


def to_latest(rest: str = "") -> Response:
    """Lead an address without a version to the newest version."""
    path = quote(request.path.removeprefix("/api/"), safe="/:")
    query = quote(request.query_string, safe="%&=+:/?,;@!$'()*~")
    target = f"{request.script_root}/api/{LATEST}/{path}{'?' if query else ''}{query}"
    return Response(status=307, headers={"Location": target})


for _room in ("crashes", "events", "words", "pulse", "skipped", "status", "stream"):
    for _rule in (f"/{_room}", f"/{_room}/<path:rest>"):
        latest.add_url_rule(_rule, view_func=to_latest, methods=["GET", "DELETE", "PATCH"])


def _version() -> str:
    try:
        return version("flask-sentry-kit")
    except PackageNotFoundError:
        return "unknown"
