"""Sentry's protocol: events at ``/store/``, events and visitors' words at ``/envelope/``.

Answers as real servers were observed to. The contents of an event are read in ``reading.py``, and
the crash dialog's address is in ``error_page.py``.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    MethodNotAllowed,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

from ...dsn import (
    AUTH_HEADER,
    ENVELOPE_PATH,
    STORE_PATH,
    DsnError,
    read_envelope_key,
    read_public_key,
)
from ..content.feedback_item import read_feedback
from ..content.reading import clean, event_id_of, new_event_id
from ..project import Project, current_project, origin_of
from . import body, content_encoding

bp = Blueprint("wire", __name__)

_ITEMS: Final = 100
_LINE_BREAKS = re.compile(rb"[\r\n]*")

_log = logging.getLogger(__name__)


def finish(response: Response) -> Response:
    """Add the CORS headers that all of Sentry's answers have, refusals included."""
    headers = response.headers
    if headers.get("Access-Control-Allow-Origin") == "*":
        return response
    origin = request.headers.get("Origin")
    if origin:
        headers["Access-Control-Allow-Origin"] = origin
    response.vary.add("Origin")
    headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    headers["Access-Control-Max-Age"] = "1000"
    headers.setdefault(
        "Access-Control-Allow-Headers",
        f"Content-Type, Content-Encoding, Authorization, X-Requested-With, {AUTH_HEADER}",
    )
    headers.setdefault(
        "Access-Control-Expose-Headers", "X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After"
    )
    return response


def refuse(error: HTTPException) -> Response:
    """An error in Sentry's form: JSON, and the reason in ``X-Sentry-Error``."""
    reason = error.description or error.name
    response = jsonify(error=reason)
    response.status_code = error.code or 500
    response.headers["X-Sentry-Error"] = reason
    if isinstance(error, TooManyRequests):
        seconds = str(error.retry_after)
        response.headers["Retry-After"] = seconds
        # Sentry's own form: seconds, categories, scope.
        response.headers["X-Sentry-Rate-Limits"] = f"{seconds}:error:project"
    elif isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    elif isinstance(error, UnsupportedMediaType):
        response.headers["Accept-Encoding"] = content_encoding.accepted()
    elif isinstance(error, ServiceUnavailable):
        response.headers["Retry-After"] = "5"
    return response


def _admit(project_id: str, header: Mapping[str, Any] | None = None) -> Project:
    """The project, if the request may write to it.

    :param header: of the envelope that is in the request, which may hold the key itself.
    :raises Unauthorized: there is no key, or one that is not known.
    :raises BadRequest: the key is another project's.
    :raises Forbidden: the origin is not allowed.
    """
    project = current_project()
    key = read_public_key(request.headers, request.args)
    if not key and header is not None:
        try:
            key = read_envelope_key(header)
        except DsnError:
            raise Unauthorized("The envelope's dsn is malformed.") from None
    if not key:
        raise Unauthorized("There is no sentry_key.")
    if key != project.public_key:
        raise Unauthorized("The sentry_key is unknown.")
    if project_id != project.id:
        raise BadRequest("The sentry_key belongs to another project.")
    origin = origin_of(request)
    # A server that reports sends neither Origin nor Referer.
    if origin and not project.allows(origin):
        raise Forbidden("The origin is not allowed for this project.")
    return project


@bp.route(STORE_PATH.format(project="<project_id>"), methods=["POST"])
def store(project_id: str) -> Response:
    project = _admit(project_id)
    with project.bodies.reading(request) as data:
        if not data.strip():
            raise BadRequest("The body is empty.")
        return jsonify(id=_keep_event(project, body.JsonReader().parse(data), None))


@bp.route(ENVELOPE_PATH.format(project="<project_id>"), methods=["POST"])
def envelope(project_id: str) -> Response:
    """Keep the events and words of an envelope; count and skip other items, as servers do."""
    if read_public_key(request.headers, request.args):
        _admit(project_id)
    with current_project().bodies.reading(request) as data:
        return jsonify(_keep_envelope(project_id, data))


def _keep_envelope(project_id: str, data: bytes) -> dict[str, str]:
    reader = body.JsonReader()
    first, start = _line(data, 0)
    header = reader.parse(first)
    project = _admit(project_id, header)
    envelope_id = event_id_of(header.get("event_id"))
    answer: dict[str, str] = {}
    wordless = 0
    # All items are read before any is kept: a client repeats an envelope that is refused.
    for kind, payload in list(_items(data, start, reader)):
        if kind == "event":
            answer["id"] = _keep_event(project, payload, envelope_id)
        elif kind == "user_report":
            _keep_report(project, payload)
        elif kind != "feedback":
            project.skip(kind)
        elif not _keep_feedback(project, payload, envelope_id):
            project.skip(kind)
            wordless += 1
    if wordless:
        _log.warning(
            "An envelope's feedback items were skipped: %d, each without words in"
            " contexts.feedback.message. Its other items are kept.",
            wordless,
        )
    if not answer and envelope_id:
        answer["id"] = envelope_id
    return answer


def _items(
    data: bytes, at: int, reader: body.JsonReader
) -> Iterator[tuple[object, Mapping[str, Any]]]:
    """Type and payload of the envelope's items (develop.sentry.dev, "Envelopes"). The payload is
    empty for types that are not kept, and for a feedback item that is no JSON object.

    Reads the bytes once and copies only the lines and payloads to keep.

    :param at: where the first item begins.
    :raises BadRequest: for a header or payload that is not a JSON object, a length that is not a
        number of bytes, or a payload that is shorter than its length.
    """
    count = 0
    while (at := _skip_line_breaks(data, at)) < len(data):
        count += 1
        if count > _ITEMS:
            raise BadRequest(f"The envelope has more than {_ITEMS} items.")
        line, at = _line(data, at)
        header = reader.parse(line)
        length = header.get("length")
        if length is None:
            payload, at = _line(data, at)
        elif not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise BadRequest("An item of the envelope has a length that is no number of bytes.")
        elif length > len(data) - at:
            raise BadRequest("An item of the envelope is shorter than its length.")
        else:
            payload, at = data[at : at + length], at + length
        kind = header.get("type")
        if kind in ("event", "user_report"):
            yield kind, reader.parse(payload)
        elif kind == "feedback":
            try:
                yield kind, reader.parse(payload)
            except BadRequest:
                yield kind, {}
        else:
            yield kind, {}


def _skip_line_breaks(data: bytes, at: int) -> int:
    match = _LINE_BREAKS.match(data, at)
    return match.end() if match else at


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """The line that begins there, and where the next one begins."""
    end = data.find(b"\n", at)
    return (data[at:], len(data)) if end < 0 else (data[at:end], end + 1)


def _keep_event(project: Project, event: Mapping[str, Any], envelope_id: str | None) -> str:
    # sentry-sdk's capture_event() sends an event of type "feedback" as an item of type "event".
    if event.get("type") == "feedback" and (kept_id := _keep_feedback(project, event, envelope_id)):
        return kept_id
    wait = project.retry_after()
    if wait:
        raise TooManyRequests("Too many events.", retry_after=wait)
    kept = clean(dict(event))
    # An event with a malformed id gets a new one, which is in the answer.
    event_id = event_id_of(kept.get("event_id")) or envelope_id or new_event_id()
    kept["event_id"] = event_id
    # A known id is a repeated delivery, which gets the same answer as the first one.
    # As UTF-8 and without spaces, it is not longer than it was when it arrived.
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    project.store.add_event(event_id, text.encode(), kept, project=project.id)
    return event_id


def _keep_report(project: Project, report: Mapping[str, Any]) -> None:
    event_id = event_id_of(report.get("event_id"))
    words = {name: clean(report.get(name)) for name in ("name", "email", "comments")}
    if event_id is None or not isinstance(words["comments"], str):
        raise BadRequest("A user_report needs event_id and comments.")
    name, email = (str(words[key] or "")[:200] for key in ("name", "email"))
    project.store.put_report(event_id, name, email, words["comments"][: body.MAX_FORM])


def _keep_feedback(
    project: Project, item: Mapping[str, Any], envelope_id: str | None
) -> str | None:
    """Keep a feedback item. Returns its id, or None if it has no words."""
    feedback = read_feedback(item, envelope_id)
    if feedback is None:
        return None
    project.store.add_feedback(feedback)
    return feedback.id
