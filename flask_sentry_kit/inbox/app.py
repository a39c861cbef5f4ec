"""Puts the inbox together: one Flask app, its guards and its headers."""

from __future__ import annotations

import ipaddress
import os
import sqlite3
from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import (
    BadHost,
    BadRequest,
    Forbidden,
    Gone,
    HTTPException,
    ServiceUnavailable,
)

from . import api
from .content.reading import by_owner
from .errors import DamagedEventError, InboxError
from .pages import event_page, list_page, words_page
from .paths import is_sentrys
from .project import Project, check_key, read_projects
from .protocol import error_page, wire
from .protocol.body import MAX_WIRE
from .protocol.drills import Drills
from .protocol.sentry_paths import SentryPaths
from .storage.store import KEEP_BYTES, KEEP_EVENTS, Store

# Only the inbox's own files are loaded, and no site may frame a page. An event or a visitor's words
# cannot bring a script, a style or an address that is loaded.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_PARAMETERS = 100


def create_inbox(
    db_path: str | os.PathLike[str],
    *,
    projects: Collection[str] = (),
    public_key: str | None = None,
    allowed_origins: Collection[str] = ("*",),
    events_per_minute: int | None = None,
    keep_events: int = KEEP_EVENTS,
    keep_bytes: int = KEEP_BYTES,
    hosts: Collection[str] = (),
    drills: Collection[str] = (),
    drill_seed: int | None = None,
) -> Flask:
    """Make an inbox.

    :param db_path: the SQLite file that keeps everything; it is made if it is missing.
    :param projects: whose events and words are taken, each ``ID`` or ``ID:KEY``; the first one is
        in the DSN that is shown. By default any project and key are, so that an app's DSN works
        once its host is changed, and the DSN that is shown has project 1.
    :param public_key: the key of projects without one of their own; without any, of project 1,
        which is then the only one. By default one is made at random, and kept in the file so that
        the DSN stays the same.
    :param allowed_origins: whose pages may send (``"https://shop.example"``, ``"shop.example"``,
        ``"*.shop.example"``); others are answered 403. By default all pages may.
    :param events_per_minute: further events are answered 429. By default there is no limit.
    :param keep_events: how many events are kept, the newest.
    :param keep_bytes: how many bytes the kept events take at most.
    :param hosts: names besides ``localhost`` and addresses under which the pages may be read.
    :param drills: failures to play to clients, each ``KIND`` or ``KIND:PROBABILITY``; may be
        changed later by ``app.extensions["sentry_kit_inbox"].drills.set(…)``. See
        :class:`~flask_sentry_kit.inbox.protocol.drills.Drills`.
    :param drill_seed: of their chance.
    :raises InboxError: the file, a project, key or drill cannot be used; says what to change.
    """
    for origin in allowed_origins:
        if not origin or "/" in origin.partition("://")[2]:
            raise InboxError(f"{origin!r} is no origin: it looks like https://shop.example")
    prepared = Drills(drills, drill_seed)
    # With some key in place of the kept one, which is in a file that may not exist yet.
    read_projects(projects, public_key, "key")
    store = Store(db_path, keep_events=keep_events, keep_bytes=keep_bytes)
    found = read_projects(projects, public_key, store.public_key())
    if found:
        shown = found[0]
        store.public_key(shown[1])
    else:
        shown = ("1", store.public_key())
    check_key(*shown)

    app = Flask("flask_sentry_kit.inbox", static_url_path="/inbox/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_WIRE
    app.wsgi_app = SentryPaths(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["sentry_kit_inbox"] = Project(
        *shown,
        store,
        frozenset(found) or None,
        tuple(allowed_origins),
        events_per_minute,
        drills=prepared,
    )
    for room in (wire.bp, error_page.bp, api.bp, list_page.bp, event_page.bp, words_page.bp):
        app.register_blueprint(room)
    app.jinja_env.filters.update(clock=_clock, moment=_moment, by_owner=by_owner)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    known = frozenset(name.lower().rstrip(".") for name in hosts)

    @app.before_request
    def guard() -> None:
        """Keep other sites out of the pages. Sentry's addresses are open to all, as at Sentry.

        A host name that an attacker points to this machine (DNS rebinding) is in the Host header.
        It is always a name, never an address or localhost.
        """
        # Werkzeug parses all parameters when the first one is used.
        if request.query_string.count(b"&") >= _PARAMETERS:
            raise BadRequest(f"The address has more than {_PARAMETERS} parameters.")
        if is_sentrys(request.path):
            return
        if not _is_own_host(request.host, known):
            raise MisdirectedRequest(
                "The inbox is not read under this name; start it with --allow-host to allow it."
            )
        if request.method not in ("GET", "HEAD", "OPTIONS") and not _from_here():
            raise Forbidden("This can only be done from the inbox's own pages.")

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if is_sentrys(request.path):
            return wire.finish(response)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        # Not "no-referrer", with which our own forms would send no Origin.
        response.headers["Referrer-Policy"] = "same-origin"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response | tuple[str, int]:
        if is_sentrys(request.path):
            return wire.refuse(error)
        if isinstance(request.routing_exception, BadHost):
            # With a malformed Host header Flask makes no URLs, which the page needs.
            return Response(f"{error.name}\n", error.code, content_type="text/plain")
        return render_template("error.html", error=error), error.code or 500

    @app.errorhandler(sqlite3.Error)
    @app.errorhandler(InboxError)
    def unusable(error: Exception) -> Response | tuple[str, int]:
        # A full disk, a lock, a file that was just set aside: not a 4xx, so that the client tries
        # again.
        app.logger.error("The inbox's database cannot be used: %s", error)
        return refused(ServiceUnavailable("The inbox cannot use its database now."))

    @app.errorhandler(DamagedEventError)
    def unreadable(error: DamagedEventError) -> Response | tuple[str, int]:
        return refused(Gone("The inbox's file is damaged where this event was."))

    return app


class MisdirectedRequest(HTTPException):
    """421: this name is not allowed (RFC 9110, section 15.5.20). Werkzeug has it from 3.1 on."""

    code = 421


def _is_own_host(host: str, known: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name in known:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _from_here() -> bool:
    """Whether a browser says that this request comes from our own page."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    # Without the scheme, which differs behind a proxy that ends TLS.
    return origin.partition("://")[2].lower() == request.host.lower()


def _clock(at: float) -> str:
    """A short time for the list: the time of today, the day of this year, else the year."""
    then, now = datetime.fromtimestamp(at), datetime.now()
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then:%Y}"


def _moment(at: float) -> str:
    """Date and time, in the zone of this machine."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S %Z}"
