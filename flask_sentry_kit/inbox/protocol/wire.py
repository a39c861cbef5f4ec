"""Sentry's protocol over HTTP: events at ``/store/``, events and visitors' words at
``/envelope/``.

Answers as real servers were observed to. The crash dialog's address is in ``error_page.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
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
from ..content.reading import event_id_of
from ..paths import SKIPPED_PATHS
from ..project import Project, current_project, origin_of
from . import content_encoding
from .body import JsonReader
from .drills import REDIRECTED, RETRY_AFTER, WithheldResponse
from .envelope import read_header, read_items
from .keeping import keep_envelope, keep_event

bp = Blueprint("wire", __name__)

_REFUSALS: Final[Mapping[str, type[HTTPException]]] = {
    "403": Forbidden,
    "500": InternalServerError,
    "503": ServiceUnavailable,
}


def finish(response: Response) -> Response:
    """Add the CORS headers that all of Sentry's answers have, refusals included."""
    headers = response.headers
    if headers.get("Access-Control-Allow-Origin") == "*":
        return response
    origin = request.headers.get("Origin")
    if origin:
        headers["Access-Control-Allow-Origin"] = origin
    if "Vary" in headers:
        response.vary.add("Origin")
    else:
        headers["Vary"] = "Origin"
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
    if not project.has_key(key):
        raise Unauthorized("The sentry_key is unknown.")
    if not project.takes(project_id, key):
        raise BadRequest("There is no such project for this sentry_key.")
    origin = origin_of(request)
    # A server that reports sends neither Origin nor Referer.
    if origin and not project.allows(origin):
        raise Forbidden("The origin is not allowed for this project.")
    return project


@bp.before_request
def drill() -> Response | None:
    """The failure that a drill has for this request; None for the ordinary answer."""
    # A browser that is refused its preflight request never sends what the drill is about.
    if request.method == "OPTIONS" or request.script_root.endswith(REDIRECTED):
        return None
    kind = current_project().drills.choose()
    if kind is None:
        return None
    if kind == "redirect":
        # To another address that takes what is sent, as sentry.io's ingest host leads to sentry.io.
        where = f"{request.host_url.rstrip('/')}{request.script_root}{REDIRECTED}{request.path}"
        query = request.query_string.decode("latin-1")
        answer = Response(status=302)
        answer.headers["Location"] = f"{where}?{query}" if query else where
        return answer
    if kind == "429":
        answer = refuse(TooManyRequests("A drill of the inbox: 429.", retry_after=RETRY_AFTER))
        answer.headers["X-Sentry-Rate-Limits"] = f"{RETRY_AFTER}::project"  # of all categories
        return answer
    if kind in _REFUSALS:
        return refuse(_REFUSALS[kind](f"A drill of the inbox: {kind}."))
    return WithheldResponse(kind)


@bp.route(STORE_PATH.format(project="<project_id>"), methods=["POST"])
def store(project_id: str) -> Response:
    project = _admit(project_id)
    with project.bodies.reading(request) as found:
        if not found.plain.strip():
            raise BadRequest("The body is empty.")
        event = JsonReader(len(found.plain)).parse_event(found.plain)
        return jsonify(id=keep_event(project, project_id, event, packed=found.packed))


@bp.route(ENVELOPE_PATH.format(project="<project_id>"), methods=["POST"])
def envelope(project_id: str) -> Response:
    """Keep the events, words and attachments of an envelope; count and skip other items, as servers
    do."""
    project = current_project()
    has_key = bool(read_public_key(request.headers, request.args))
    if has_key:
        _admit(project_id)
    with project.bodies.reading(request) as body:
        data = body.plain
        reader = JsonReader(len(data))
        header, start = read_header(data, reader)
        if not has_key:
            _admit(project_id, header)
        # All items are read before any is kept: a client repeats an envelope that is refused.
        found = read_items(data, start, reader)
        envelope_id = event_id_of(header.get("event_id"))
        return jsonify(keep_envelope(project, project_id, envelope_id, found))


_SKIPPED_PATH: Final = f"/api/<project_id>/<any({', '.join(map(repr, SKIPPED_PATHS))}):address>/"


@bp.route(_SKIPPED_PATH, methods=["GET", "POST"])
@bp.route(f"{_SKIPPED_PATH}<path:rest>/", methods=["GET", "POST"])
def skipped(project_id: str, address: str, rest: str = "") -> Response:
    """Say that nothing is kept of what other clients than reporters send."""
    current_project().skip(address)
    raise NotFound(
        f"The inbox keeps nothing that is sent to {address}. It takes events, visitors' words and"
        " attachments, at store and envelope."
    )
