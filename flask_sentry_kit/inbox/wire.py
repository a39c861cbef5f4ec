"""Sentry's side of the wire: events by ``/store/``, events and reports by ``/envelope/``.

Answers as real servers were seen to; nothing of what is in an event is judged here. The crash
dialog's address is in ``dialog.py``.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, current_app, jsonify, request
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

from ..dsn import Dsn, DsnError
from . import body
from .event import clean, event_id_of, new_event_id, read
from .store import Store

bp = Blueprint("wire", __name__)

_AUTH = re.compile(r"Sentry\s+(.*)", re.IGNORECASE | re.DOTALL)
_ITEMS: Final = 100


@dataclass(slots=True)
class Project:
    """The one project this inbox takes events for, and what it lets in."""

    id: str
    public_key: str
    store: Store
    allowed_origins: tuple[str, ...] = ("*",)
    events_per_minute: int | None = None
    _arrivals: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin may send: the project's "allowed domains" at Sentry.

        An entry is ``*``, an origin (``https://shop.example``), a host (``shop.example``), or
        either with ``*.`` for its subdomains.
        """
        if "*" in self.allowed_origins:
            return True
        try:
            url = urlsplit((origin or "").lower())
        except ValueError:
            return False
        if not url.hostname:
            return False
        for entry in self.allowed_origins:
            scheme, _, host = entry.lower().rpartition("://")
            if scheme and scheme != url.scheme:
                continue
            if host in (url.hostname, url.netloc):
                return True
            if host.startswith("*.") and f".{url.hostname}".endswith(host[1:]):
                return True
        return False

    def retry_after(self) -> int:
        """Count one more event; the seconds to wait when it is one too many, else 0."""
        if self.events_per_minute is None:
            return 0
        now = time.monotonic()
        with self._lock:
            while self._arrivals and self._arrivals[0] <= now - 60:
                self._arrivals.popleft()
            if len(self._arrivals) >= self.events_per_minute:
                oldest = self._arrivals[0] if self._arrivals else now
                return max(1, round(oldest + 60 - now))
            self._arrivals.append(now)
            return 0


def project() -> Project:
    """The project of the running inbox."""
    found: Project = current_app.extensions["sentry_kit_inbox"]
    return found


def origin_of(incoming: Request) -> str | None:
    """The request's Origin or, without one, its Referer; a page without an origin says "null"."""
    origin = incoming.headers.get("Origin", "")
    return incoming.headers.get("Referer") if origin in ("", "null") else origin


def finish(response: Response) -> Response:
    """Give an answer under ``/api/`` the CORS headers all of Sentry's have, refusals included."""
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
        "Content-Type, Content-Encoding, Authorization, X-Requested-With, X-Sentry-Auth",
    )
    headers.setdefault(
        "Access-Control-Expose-Headers", "X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After"
    )
    return response


def refuse(error: HTTPException) -> Response:
    """An error under ``/api/`` as Sentry words it: JSON, and the reason in ``X-Sentry-Error``."""
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
        response.headers["Accept-Encoding"] = "gzip, deflate"
    elif isinstance(error, ServiceUnavailable):
        response.headers["Retry-After"] = "5"
    return response


def _auth() -> Mapping[str, str]:
    """What the client says of itself, by header or query (Sentry's protocol, 3 to 7)."""
    for name in ("X-Sentry-Auth", "Authorization"):
        match = _AUTH.fullmatch(request.headers.get(name, ""))
        if match:
            pairs = (part.strip().partition("=") for part in match[1].split(","))
            return {key: value for key, _, value in pairs}
    return request.args


def _admit(project_id: str, dsn: object = None) -> Project:
    """Let the request in, or raise: 401 without a known key, 400 for another project's key."""
    here = project()
    key = _auth().get("sentry_key")
    if not key and dsn is not None:
        # An envelope may carry its authentication itself, for proxies that pass it on.
        try:
            key = Dsn.parse(dsn).public_key
        except DsnError:
            raise Unauthorized("The envelope's dsn is malformed.") from None
    if not key:
        raise Unauthorized("There is no sentry_key.")
    if key != here.public_key:
        raise Unauthorized("The sentry_key is unknown.")
    if project_id != here.id:
        raise BadRequest("The sentry_key belongs to another project.")
    origin = origin_of(request)
    # Servers send neither Origin nor Referer.
    if origin and not here.allows(origin):
        raise Forbidden("The origin is not allowed for this project.")
    return here


@bp.route("/api/<project_id>/store/", methods=["POST"])
def store(project_id: str) -> Response:
    here = _admit(project_id)
    data = body.read(request)
    if not data.strip():
        raise BadRequest("The body is empty.")
    return jsonify(id=_keep_event(here, body.parse(data), None))


@bp.route("/api/<project_id>/envelope/", methods=["POST"])
def envelope(project_id: str) -> Response:
    """Keep the events and reports of an envelope; other items are skipped, as servers do."""
    if _auth().get("sentry_key"):
        _admit(project_id)
    data = body.read(request)
    first, _, rest = data.partition(b"\n")
    header = body.parse(first)
    here = _admit(project_id, header.get("dsn"))
    answer = {}
    for kind, payload in list(_items(rest)):
        if kind == "event":
            answer["id"] = _keep_event(here, body.parse(payload), header.get("event_id"))
        elif kind == "user_report":
            _keep_report(here, body.parse(payload))
        elif kind == "feedback":
            _keep_feedback(here, body.parse(payload))
    if not answer and event_id_of(header.get("event_id")):
        answer["id"] = header["event_id"]
    return jsonify(answer)


def _items(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Type and payload of an envelope's items (develop.sentry.dev, "Envelopes").

    :raises BadRequest: for a header that is not JSON, or a payload shorter than it says.
    """
    count = 0
    while data.strip(b"\r\n"):
        if data[:1] in b"\r\n":
            data = data[1:]
            continue
        count += 1
        if count > _ITEMS:
            raise BadRequest(f"The envelope has more than {_ITEMS} items.")
        line, _, data = data.partition(b"\n")
        header = body.parse(line)
        length = header.get("length")
        if length is None:
            payload, _, data = data.partition(b"\n")
        elif isinstance(length, int) and 0 <= length <= len(data):
            payload, data = data[:length], data[length:]
        else:
            raise BadRequest("An item of the envelope is shorter than its length.")
        yield str(header.get("type")), payload


def _keep_event(here: Project, event: Mapping[str, Any], envelope_id: object) -> str:
    wait = here.retry_after()
    if wait:
        raise TooManyRequests("Too many events.", retry_after=wait)
    kept = clean(dict(event))
    # A malformed id is no reason to lose the event: it gets a new one, and the answer says so.
    event_id = event_id_of(kept.get("event_id")) or event_id_of(envelope_id) or new_event_id()
    kept["event_id"] = event_id
    # An id seen before is a repeated delivery: answered as the first one was.
    here.store.add_event(event_id, kept, read(kept))
    return event_id


def _keep_report(here: Project, report: Mapping[str, Any]) -> None:
    event_id = event_id_of(report.get("event_id"))
    words = {name: clean(report.get(name)) for name in ("name", "email", "comments")}
    if event_id is None or not isinstance(words["comments"], str):
        raise BadRequest("A user_report needs event_id and comments.")
    name, email = (str(words[key] or "")[:200] for key in ("name", "email"))
    here.store.put_report(event_id, name, email, words["comments"][: body.MAX_FORM])


def _keep_feedback(here: Project, item: Mapping[str, Any]) -> None:
    # Newer SDKs send a visitor's words as an event of their own, tied to the crash by its id.
    contexts = item.get("contexts")
    feedback = contexts.get("feedback") if isinstance(contexts, dict) else None
    if isinstance(feedback, dict) and event_id_of(feedback.get("associated_event_id")):
        _keep_report(
            here,
            {
                "event_id": feedback["associated_event_id"],
                "name": feedback.get("name"),
                "email": feedback.get("contact_email"),
                "comments": feedback.get("message"),
            },
        )
